"""A small world for whole runs: a distribution with a dataset that trains in a second and losses that misbehave."""

import os
import sys
from pathlib import Path

import pytest

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
def toy(tmp_path, monkeypatch) -> Path:
    """Put the toy distribution on the Python path, of this process and its children; gives an empty working folder."""
    from huse_bench import discovery

    site = tmp_path / "site"
    info = site / "toy_plugins-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "toy_plugins.py").write_text(TOY)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    discovery.refresh()
    yield work
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()


@pytest.fixture
def quick_training() -> dict[str, object]:
    """A training of the toy dataset that takes a fraction of a second."""
    return {"steps": 40, "batch_size": 32, "width": 16, "embedding_dim": 8, "warmup_steps": 5}
