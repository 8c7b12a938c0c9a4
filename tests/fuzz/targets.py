"""The readers of files that anybody may have written, each as a function of bytes.

The suite gives them valid files made wrong, and ``tox -e fuzz`` whatever atheris finds to reach new code. Whatever the
bytes are, a reader gives a value or raises a HuseBenchError.
"""

import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import safetensors.numpy
import torch

from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.bundles.publishing import publish
from huse_bench.config import resolve_config
from huse_bench.errors import HuseBenchError
from huse_bench.features._checks import check_items
from huse_bench.features._entry import entry_header, read_entry
from huse_bench.results import Store, load_results
from huse_bench.results.arrays import ClassFacts
from huse_bench.results.card import make_card
from huse_bench.results.journal import JOURNAL, read_journal
from huse_bench.results.reading import read_classes, read_neighbours, read_per_query, read_predictions, read_record
from huse_bench.results.tuning_notes import read_notes
from huse_bench.runs.checkpoints import Checkpoints
from huse_bench.runs.params import ParamsFile
from huse_bench_datasets.features import PrecomputedFeatures
from huse_bench_datasets.manifest import Manifest

NAMES = ["cat", "dog", "oak"]
ITEMS = 12


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        seeds: contents that it can read.
        read: reads contents, in a folder that :func:`valid` made and that is put right before the next.
    """

    seeds: Callable[[], tuple[bytes, ...]]
    read: Callable[[Path, bytes], object]


def run(name: str, contents: bytes) -> str | None:
    """Give a reader contents.

    Args:
        name: of the target.
        contents: any.

    Returns:
        The message that it refuses them with; None where it reads them. Any other error is a bug.
    """
    with folder() as made:
        try:
            TARGETS[name].read(made, contents)
        except HuseBenchError as error:
            message = str(error)
            assert message
            return message
    return None


# Files


def _helpers(path: str) -> ModuleType:
    """A conftest of the suite, for what it makes records with."""
    spec = importlib.util.spec_from_file_location("helpers_of_fuzzing", Path(__file__).parents[1] / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def valid() -> Path:
    """A folder with a valid file for each reader; it is not written to again."""
    top = Path(tempfile.mkdtemp(prefix="huse-bench-fuzz-"))
    _write_results(top / "emoji")
    _write_data(top / "data")
    _write_features(top / "features")
    publish([top / "emoji"], top / "bundle", title="Runs", authors=["A. Author"])
    shutil.make_archive(str(top / "packed"), "zip", top / "bundle")
    Checkpoints(top / "checkpoints", "0" * 64).write(
        3, {"model": {"w": torch.ones(2)}, "steps": (1, None), "rate": 0.1}
    )
    return top


def tidy() -> None:
    """Remove what :func:`valid` made."""
    if valid.cache_info().currsize:
        shutil.rmtree(valid(), ignore_errors=True)
        valid.cache_clear()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder to write contents to; what is valid is read where it lies, or copied."""
    with tempfile.TemporaryDirectory(prefix="huse-bench-fuzz-") as made:
        yield Path(made)


def _write_results(path: Path) -> None:
    write_ranked, build_record = _helpers("bundles/conftest.py").write_ranked, _helpers("conftest.py").build_record
    for name in ("huse", "cme"):
        record = write_ranked(path, build_record, name, 0)
        store = Store(path)
        items, classes = store.predictions(record), record.dataset.classes
        facts = ClassFacts(np.ones((2, classes, 3), np.float16), np.ones((2, classes), np.float16), 0.9)
        store.write(record, store.per_query(record), items, classes=facts, neighbours=store.neighbours(record).found)
    count = len(items["label"])
    card = make_card(
        record.dataset,
        class_names=[f"class {number}" for number in range(classes)],
        edges=[("root", f"class {number}") for number in range(classes)],
        distances=np.zeros((classes, classes), np.float32),
        ids=[f"item {number}" for number in range(count)],
        labels=items["label"],
        groups=items["group"],
        texts=["a text"] * count,
        thumbnails={"item 3": b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + (8).to_bytes(4) * 2 + bytes(9)},
    )
    store.write_card(card)
    for lock in path.rglob(".*"):
        lock.unlink()


def _write_data(path: Path) -> None:
    (path / "pictures").mkdir(parents=True)
    for number in range(ITEMS):
        (path / "pictures" / f"{number}.png").write_bytes(b"picture")
    table = pd.DataFrame(
        {
            "image": [f"pictures/{number}.png" for number in range(ITEMS)],
            "text": ["a text, with a comma", 'a "quote"', "ein Hündchen"] * 4,
            "label": NAMES * 4,
            "split": ["train"] * 6 + ["validation"] * 3 + ["test"] * 3,
            "group": [f"g{number}" for number in range(ITEMS)],
        }
    )
    table.to_csv(path / "items.csv", index=False)
    table.to_parquet(path / "items.parquet", index=False)
    (path / "taxonomy.csv").write_text("parent,child\nlife,oak\nlife,animal\nanimal,cat\nanimal,dog\n")
    (path / "classes.csv").write_text("label,text\ncat,a cat\ndog,a dog\noak,an oak\n")


def _write_features(path: Path) -> None:
    path.mkdir()
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(ITEMS, 4)).astype(np.float32) for name in ("image", "text")}
    for name, values in arrays.items():
        np.save(path / f"{name}.npy", values)
    safetensors.numpy.save_file({"image": arrays["image"]}, path / "image.safetensors")
    pd.DataFrame({"image": list(arrays["image"])}).to_parquet(path / "image.parquet", index=False)
    frame = pd.DataFrame({"label": NAMES * 4, "split": ["train"] * 6 + ["validation"] * 3 + ["test"] * 3})
    frame.to_csv(path / "items.csv", index=False)


# Readers


def _sha256(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


def _copied(made: Path, name: str) -> Path:
    return shutil.copytree(valid() / name, made / name)


def _record(made: Path, contents: bytes) -> None:
    runs = _copied(made, "emoji") / "runs"
    path = min(runs.glob("huse-*.json"))
    path.write_bytes(contents)
    read_record(path)
    load_results(runs.parent).tables()


def _beside(field: str, read: Callable[..., object]) -> Callable[[Path, bytes], object]:
    """Reads a file beside a record that vouches for it."""

    def of(made: Path, contents: bytes) -> object:
        record = read_record(min((valid() / "emoji" / "runs").glob("huse-*.json")))
        record = record.model_copy(update={f"{field}_sha256": _sha256(contents)})
        (made / getattr(record, field)).write_bytes(contents)
        return read(record, made)

    return of


def _of_card(name: str, field: str | None) -> Callable[[Path, bytes], object]:
    """Reads a file of the data card, which vouches for it."""

    def of(made: Path, contents: bytes) -> object:
        results = _copied(made, "emoji")
        (results / name).write_bytes(contents)
        if field is not None:
            facts = json.loads((results / "data-card.json").read_bytes())
            (results / "data-card.json").write_text(json.dumps({**facts, field: _sha256(contents)}))
        return Store(results).card()

    return of


def _of_results(name: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def of(made: Path, contents: bytes) -> object:
        path = made / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(contents)
        return read(made)

    return of


def _dataset(kind: type, origin: str, name: str, *, without: tuple[str, ...] = ()) -> Callable[[Path, bytes], object]:
    """Loads a dataset with one of its files."""

    def of(made: Path, contents: bytes) -> None:
        data = _copied(made, origin)
        for other in without:
            (data / other).unlink()
        (data / name).write_bytes(contents)
        table = name if name.startswith("items.") and kind is Manifest else "items.csv"
        items = kind(data / table if kind is Manifest else data).load()
        check_items(items, "own")
        items.taxonomy.correct_sets(2)

    return of


def _config(made: Path, contents: bytes) -> None:
    (made / "run.toml").write_bytes(contents)
    resolve_config(made / "run.toml")


def _params(made: Path, contents: bytes) -> None:
    (made / "tuned.toml").write_bytes(contents)
    ParamsFile.read(made / "tuned.toml")


def _zip(made: Path, contents: bytes) -> None:
    (made / "bundle.zip").write_bytes(contents)
    bundle = read_bundle(made / "bundle.zip")
    for name in bundle.facts.results:
        bundle.results(name)


def _forged(name: str) -> Callable[[Path, bytes], object]:
    """Checks a bundle whose forger changed a file and named all anew: the first that fits."""

    def of(made: Path, contents: bytes) -> None:
        bundle = _copied(made, "bundle")
        (changed, *_) = sorted(path for path in bundle.rglob(name) if path.is_file())
        changed.write_bytes(contents)
        if name != "bundle.json":
            facts = json.loads((bundle / "bundle.json").read_bytes())
            facts["files"][changed.relative_to(bundle).as_posix()] = _sha256(contents)
            if changed.suffix in (".parquet", ".safetensors") and changed.parent.name == "runs":
                record = next(
                    path for path in changed.parent.glob("*.json") if changed.name.startswith(f"{path.stem}.")
                )
                fields = json.loads(record.read_bytes())
                field = next(field for field, value in fields.items() if value == changed.name)
                record.write_text(json.dumps({**fields, f"{field}_sha256": _sha256(contents)}))
                facts["files"][record.relative_to(bundle).as_posix()] = _sha256(record.read_bytes())
            (bundle / "bundle.json").write_text(json.dumps(facts))
        check_bundle(read_bundle(bundle))

    return of


def _entry(made: Path, contents: bytes) -> None:
    (made / "entry.safetensors").write_bytes(contents)
    entry = read_entry(made / "entry.safetensors")
    entry.is_sound()
    if entry.rows and entry.dim:
        entry.values()


def _checkpoint(made: Path, contents: bytes) -> None:
    (made / f"step-000000003-{_sha256(contents)[:16]}.safetensors").write_bytes(contents)
    Checkpoints(made, "0" * 64).newest()


CONFIG = """
methods = ["huse", "cme"]
dataset = "emoji"
seeds = [0, 1]
preset = "quick"
[training]
steps = 10
learning_rate = 1e-3
[regime]
shots = 3
[dataset_options]
group = "shop"
"""
PARAMS = """
[ledger]
dataset = "emoji"
content_hash = "c"
objective = ["i2t R@1"]
seed = 0
[ledger.training]
steps = 10
[ledger.methods.huse]
distribution = "huse-bench"
source_hash = "s"
study = "x"
trials = 3
failed = 0
best_trial = 2
value = 0.5
[methods.huse]
alpha = 1.0
"""
STUDY = '{"op_code": 0, "study_name": "huse-1"}\n'
TRIAL = '{"op_code": 4, "study_id": 0, "user_attrs": {"number": 1}, "value": 0.5}\n'
NOTES = '{"format": 1, "configurations": {}}'


def _seeds(folder: str, *patterns: str) -> Callable[[], tuple[bytes, ...]]:
    """The first valid file that fits each pattern."""
    return lambda: tuple(min((valid() / folder).glob(pattern)).read_bytes() for pattern in patterns)


def _feature_files() -> Iterator[tuple[str, Target]]:
    arrays = ("image.npy", "image.safetensors", "image.parquet")
    for name in (*arrays, "items.csv"):
        kept = name if name in arrays else "image.npy"
        without = tuple(other for other in arrays if other != kept)
        read = _dataset(PrecomputedFeatures, "features", name, without=without)
        yield f"features {name}", Target(_seeds("features", name), read)


_ENTRY = entry_header({"flaws": "{}", "sha256": _sha256(bytes(24)), "key": "k"}, 2, 3) + bytes(24)

#: All readers by name.
TARGETS: dict[str, Target] = {
    "record": Target(_seeds("emoji/runs", "huse-*.json"), _record),
    "scores": Target(_seeds("emoji/runs", "huse-s0-????????????.parquet"), _beside("per_query", read_per_query)),
    "predictions": Target(_seeds("emoji/runs", "huse-*.items.parquet"), _beside("predictions", read_predictions)),
    "classes": Target(_seeds("emoji/runs", "huse-*.classes.safetensors"), _beside("classes", read_classes)),
    "neighbours": Target(_seeds("emoji/runs", "huse-*.neighbours.parquet"), _beside("neighbours", read_neighbours)),
    "marker": Target(_seeds("emoji", "huse-bench.json"), _of_results("huse-bench.json", Store)),
    "notes": Target(lambda: (NOTES.encode(),), _of_results("tuning.json", read_notes)),
    "journal": Target(lambda: ((STUDY + TRIAL).encode(), STUDY.encode()), _of_results(str(JOURNAL), read_journal)),
    "card": Target(_seeds("emoji", "data-card.json"), _of_card("data-card.json", None)),
    **{
        f"card {part}": Target(
            _seeds("emoji", f"data-card.{part}.parquet"), _of_card(f"data-card.{part}.parquet", f"{part}_sha256")
        )
        for part in ("items", "distances", "thumbnails")
    },
    **{
        f"manifest {name}": Target(_seeds("data", name), _dataset(Manifest, "data", name))
        for name in ("items.csv", "items.parquet", "taxonomy.csv", "classes.csv")
    },
    **dict(_feature_files()),
    "config": Target(lambda: (CONFIG.encode(),), _config),
    "params": Target(lambda: (PARAMS.encode(),), _params),
    "bundle zip": Target(_seeds(".", "packed.zip"), _zip),
    "forged bundle.json": Target(_seeds("bundle", "bundle.json"), _forged("bundle.json")),
    "forged crate": Target(_seeds("bundle", "ro-crate-metadata.json"), _forged("ro-crate-metadata.json")),
    **{
        f"forged {name}": Target(_seeds("bundle/results/emoji/runs", pattern), _forged(pattern))
        for name, pattern in {
            "record": "cme-*.json",
            "scores": "cme-s0-????????????.parquet",
            "predictions": "cme-*.items.parquet",
            "neighbours": "cme-*.neighbours.parquet",
            "classes": "cme-*.classes.safetensors",
        }.items()
    },
    "cache": Target(lambda: (_ENTRY,), _entry),
    "checkpoint": Target(_seeds("checkpoints", "*"), _checkpoint),
}
