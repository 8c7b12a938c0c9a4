"""What tests of several areas need: a small world for whole runs, and records without a run."""

import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

# Workers that share the cores, each with a thread for every core, would wait for each other: before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from huse_bench.results import DIRECTIONS, RunRecord, Store, load_results

# A distribution with a dataset that trains in a second and losses that misbehave.
TOY = '''
import numpy as np
import torch
from huse_bench import Dataset, Features, Items, Loss, Taxonomy

NAMES = ["cat", "dog", "oak", "elm"]
EDGES = [("life", "animal"), ("life", "tree"), ("animal", "cat"), ("animal", "dog"), ("tree", "oak"), ("tree", "elm")]

class Toy(Dataset):
    """Four well separated classes."""
    title = "Toy classes"

    def load(self):
        rng = np.random.default_rng(0)
        labels = np.arange(160) % 4
        centers = {d: rng.normal(size=(4, d)) for d in (6, 5)}
        noise = lambda d: 0.1 * rng.normal(size=(160, d))
        around = lambda d: Features((centers[d][labels] + noise(d)).astype("float32"), f"toy{d}@1")
        return Items(
            ids=[f"item{i}" for i in range(160)],
            labels=labels,
            splits=np.array(["train"] * 96 + ["validation"] * 32 + ["test"] * 32),
            class_names=NAMES,
            taxonomy=Taxonomy.from_edges(EDGES, classes=NAMES),
            image_features=around(6),
            text_features=around(5),
            class_features=Features(rng.normal(size=(4, 8)).astype("float32"), "toy8@1"),
        )

class Small(Toy):
    """Too few test items for the tables."""
    title = "Small"

    def load(self):
        items = super().load()
        splits = items.splits.copy()
        splits[136:] = "train"
        return Items(**{**vars(items), "splits": splits})

class Gap(Loss):
    """Mean cosine distance of the two views of an item."""
    title = "Gap only"

    def __init__(self, weight: float = 1.0, squared: bool = False, power: int = 1) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, batch):
        return {"gap": self.weight * (1 - (batch.image * batch.text).sum(1)).mean()}

class Nan(Gap):
    """Becomes NaN at the third step."""
    title = "Nan"
    calls = 0

    def forward(self, batch):
        self.calls += 1
        return {"gap": super().forward(batch)["gap"] * (float("nan") if self.calls > 2 else 1.0)}

class Vector(Gap):
    title = "Vector"

    def forward(self, batch):
        return {"gap": 1 - (batch.image * batch.text).sum(1)}

class Bare(Gap):
    title = "Bare"

    def forward(self, batch):
        return super().forward(batch)["gap"]

class Greedy(Gap):
    """Uses logits that it did not declare."""
    title = "Greedy"

    def forward(self, batch):
        return {"logits": batch.image_logits.mean()}

class Crash(Gap):
    title = "Crash"

    def forward(self, batch):
        raise ZeroDivisionError("oh no")
'''

ENTRY_POINTS = """
[huse_bench.datasets]
toy = toy_plugins:Toy
small = toy_plugins:Small

[huse_bench.losses]
gap = toy_plugins:Gap
nan = toy_plugins:Nan
vector = toy_plugins:Vector
bare = toy_plugins:Bare
greedy = toy_plugins:Greedy
crash = toy_plugins:Crash
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Puts a distribution of one module on the Python path, of this process and its children.

    Gives an empty working folder; the distribution is in the folder ``site`` beside it.
    """
    from huse_bench import discovery

    modules = []

    def put(module, source, entry_points):
        site = tmp_path / "site"
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        name = module.replace("_", "-")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        (site / f"{module}.py").write_text(source)
        modules.append(module)
        monkeypatch.syspath_prepend(site)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
        work = tmp_path / "work"
        work.mkdir()
        monkeypatch.chdir(work)
        discovery.refresh()
        return work

    yield put
    for module in modules:
        sys.modules.pop(module, None)
    discovery.refresh()


@pytest.fixture
def toy(distribution) -> Path:
    """The toy distribution on the Python path; gives an empty working folder."""
    return distribution("toy_plugins", TOY, ENTRY_POINTS)


@pytest.fixture
def quick_training() -> dict[str, object]:
    """A training of the toy dataset that takes a fraction of a second."""
    return {"steps": 40, "batch_size": 32, "width": 16, "embedding_dim": 8, "warmup_steps": 5}


@pytest.fixture(scope="session")
def forks():
    """Starts commands that need not import anything; see tests/forks.py."""
    sys.path.append(str(Path(__file__).parent))
    from forks import Forks

    with Forks() as starting:
        yield starting


# Clusters, as small as they can be.


@contextmanager
def dask_cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", worker_dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


@contextmanager
def ray_cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


@contextmanager
def local_slurm():
    pytest.importorskip("submitit")
    yield "local"


@pytest.fixture(scope="session")
def clusters():
    """Starts a cluster of two workers by the name of its engine, for as long as a context lasts, which is its address.

    Workers inherit the environment and the Python path. What is not installed skips the test.
    """
    return {
        "loky": partial(nullcontext, None),
        "dask": dask_cluster,
        "ray": ray_cluster,
        "slurm": local_slurm,
    }


# Records without a run.

METRICS = ("R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10")
TASKS = ("image", "text", "fusion")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def scores(start, step=0.01):
    """Twenty-four different numbers, by direction and metric."""
    return {
        direction: {metric: round(start + step * (6 * i + j), 6) for j, metric in enumerate(METRICS)}
        for i, direction in enumerate(DIRECTIONS)
    }


def kind_of(name):
    """What a record of this name is of."""
    if name.startswith("control:shuffled-"):
        return "trained control"
    return "control" if name.startswith("control:") else "method"


def build_record(
    name="huse", seed=0, *, status="finished", configuration="default", start=0.5, accuracies=(0.7, 0.8, 0.9), **changes
):
    """A real record; ``changes`` replace fields by name, with ``__`` between the levels."""
    finished = status == "finished"
    fields = {
        "schema_version": 2,
        "kind": kind_of(name),
        "fingerprint": sha(f"{name} {configuration} {seed}"),
        "configuration": sha(f"{name} {configuration}"),
        "method": {
            "name": name,
            "title": name.upper(),
            "order": 3,
            "semantic": name.startswith("h"),
            "heads": "shared" if accuracies else "none",
            "parameters": {"margin": 0.7},
            "distribution": "huse-bench",
            "version": "0.1.0",
            "target": "somewhere:Loss",
            "source_hash": sha(name),
        },
        "dataset": {
            "name": "emoji",
            "title": "Emoji",
            "content_hash": sha("emoji"),
            "items": {"train": 6000, "validation": 1000, "test": 1234},
            "classes": 80,
            "image_backbone": "efficientnet-lite0@1",
            "text_backbone": "minilm@1",
            "class_backbone": "minilm@1",
            "taxonomy_hash": sha("taxonomy"),
        },
        "seed": seed,
        "preset": "quick",
        "config": {"training.steps": {"value": 200, "origin": "preset quick"}},
        "status": status,
        "error": None if finished else f"the loss {status} at step 7",
        "retrieval": scores(start) if finished else None,
        "classification": {
            "image": accuracies[0],
            "text": accuracies[1],
            "fusion": accuracies[2],
            "fusion_weight": 0.4,
            "fusion_equal": accuracies[2],
        }
        if finished and accuracies
        else None,
        "validation": {"i2i R@1": 0.5},
        "protocol": {"recall": "class-hit-rate/v1", "mean_set_size": {"2": 3.2, "5": 8.25}},
        "training": {
            "steps": 200,
            "batch_size": 1024,
            "seconds": 12.5,
            "steps_per_second": 16.0,
            "optimizer": "adamw",
            "items_seen": 204800,
            "losses": {"gap": 0.1},
        }
        if finished and kind_of(name) != "control"
        else None,
        "provenance": {"python": "3.11"},
        "warnings": [],
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    for place, value in changes.items():
        *parents, last = place.split("__")
        part = fields
        for parent in parents:
            part = part[parent]
        part[last] = value
    return RunRecord.model_validate(fields)


@pytest.fixture(scope="session")
def make_record():
    """Makes a record of a name, a seed and changes."""
    return build_record


QUERIES = 90


def scores_of_queries(rng, chance):
    """Arrays such as a run stores, and the numbers that it records, of a ranking with this chance of a hit."""
    per_query, retrieval = {}, {}
    for direction in DIRECTIONS:
        same = rng.random((QUERIES, 10)) < np.asarray(chance).reshape(-1, 1)
        correct = same | (rng.random((QUERIES, 10)) < 0.3)
        per_query[direction] = {"first_hit": np.where(same.any(1), same.argmax(1) + 1, 0)}
        per_query[direction] |= {f"hits@{k}": same[:, :k].sum(1) for k in (1, 2, 5, 10)}
        per_query[direction] |= {f"hp@{k}": correct[:, :k].sum(1) for k in (2, 5, 10)}
        retrieval[direction] = {f"R@{k}": float(same[:, :k].any(1).mean()) for k in (1, 2, 5, 10)}
        retrieval[direction] |= {f"HP@{k}": float(correct[:, :k].mean()) for k in (2, 5, 10)}
    predictions = {"label": rng.integers(0, 9, QUERIES)}
    for task in ("image", "text", "fusion"):
        right = rng.random(QUERIES) < chance
        predictions[f"{task}_prediction"] = np.where(right, predictions["label"], 9)
        predictions[f"{task}_confidence"] = rng.random(QUERIES).astype(np.float32)
    return per_query, predictions, retrieval


def write_scored_run(folder, name, seed, chance, *, classifier=True, groups=None, **changes):
    """Write a run with its scores: hits have the method's own chance, and the query's difficulty."""
    rng = np.random.default_rng([seed, *name.encode()])
    difficulty = np.random.default_rng(8).normal(0, 0.2, QUERIES)
    per_query, predictions, retrieval = scores_of_queries(rng, (chance + difficulty).clip(0, 1))
    right = [float((predictions[f"{task}_prediction"] == predictions["label"]).mean()) for task in TASKS]
    if not classifier:
        predictions = {"label": predictions["label"]}
    if groups is not None:
        predictions["group"] = groups
    items = {"train": 600, "validation": 90, "test": QUERIES}
    accuracies = right if classifier else None
    record = build_record(name, seed, retrieval=retrieval, accuracies=accuracies, dataset__items=items, **changes)
    return Store(folder, dataset=record.dataset.name).write(record, per_query, predictions)


@pytest.fixture(scope="session")
def write_scored():
    """Writes a run with its scores to a folder."""
    return write_scored_run


@pytest.fixture
def write_run(tmp_path):
    """Write a run with its scores to the folder of the test."""
    return partial(write_scored_run, tmp_path)


# Results on several data sets.

CHANCE = {"R@1": 0.02, "in-modal R@1": 0.04, "HP@5": 0.2, "in-modal HP@5": 0.3}
CLASSES = {"emoji": 80, "clipart": 50, "icons": 34}


@pytest.fixture
def write_on(tmp_path):
    """Writes a run on a data set to the folder of that name."""

    def write(dataset, name, seed, chance, folder=None, **changes):
        defaults = {
            "dataset__name": dataset,
            "dataset__title": dataset.capitalize(),
            "dataset__content_hash": f"contents of {dataset}",
            "dataset__classes": CLASSES[dataset],
            "protocol__chance": CHANCE,
        }
        write_scored_run(tmp_path / (folder or dataset), name, seed, chance, **{**defaults, **changes})

    return write


@pytest.fixture
def load_on(tmp_path):
    """Loads the results of folders."""
    return lambda *names: [load_results(tmp_path / name) for name in names]


@pytest.fixture
def several(write_on, load_on):
    """Three methods of three seeds on three data sets, HUSE the best; the triplet loss has no classifier."""
    for place, dataset in enumerate(CLASSES):
        for seed in range(3):
            write_on(dataset, "huse", seed, 0.9 - 0.1 * place)
            write_on(dataset, "cme", seed, 0.6 - 0.1 * place)
            write_on(dataset, "triplet", seed, 0.55 - 0.1 * place, classifier=False)
        write_on(dataset, "control:chance", 0, 0.1)
    return load_on(*CLASSES)


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests that look at pages, since there can be one only; or a skip that says what is missing."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="there is no playwright: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


# What a record says of time, and of the last process that was at it.
TIMES = {"command", "created", "seconds", "steps_per_second", "peak_memory_bytes"}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def left_in(folder):
    """All that runs left in a results folder but times: records, what was measured, hashes of the other files."""
    left = {}
    for path in (Path(folder) / "runs").iterdir():
        if path.suffix == ".json":
            left[path.name] = without_times(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            events = [json.loads(line) for line in path.read_text().splitlines()]
            left[path.name] = [{**event, "time": None} for event in events if event["event"] == "measured"]
        else:
            left[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len({Path(name).suffix for name in left}) >= 4, sorted(left)
    return left


@pytest.fixture(scope="session")
def left_by():
    """Gives all that the runs of a results folder left, but for times."""
    return left_in
