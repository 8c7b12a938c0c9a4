"""A results folder with all that figures are made of."""

import json

import numpy as np
import pytest

from huse_bench.measures import DIRECTIONS
from huse_bench.results import Store
from huse_bench.results.arrays import ClassFacts
from huse_bench.results.card import make_card

NAMES = ["cat", "dog", "oak", "elm", "rose"]
EDGES = [
    ("life", "animal"),
    ("life", "plant"),
    ("animal", "dog"),
    ("animal", "cat"),
    ("plant", "tree"),
    ("tree", "elm"),
    ("tree", "oak"),
    ("plant", "rose"),
]
QUERIES = 60
STUDY = "ab" * 32


def distances():
    """Distances of five classes, all different."""
    full = np.zeros((5, 5), np.float32)
    full[np.triu_indices(5, 1)] = np.round(np.random.default_rng(3).permutation(np.linspace(0.2, 1.4, 10)), 4)
    return full + full.T


class World:
    """Writes runs of one small data set to a folder; what is left out by name is not stored."""

    def __init__(self, folder, make_record):
        self.folder = folder
        self.labels = np.random.default_rng(1).integers(0, 5, QUERIES)
        self.dataset = {
            "dataset__items": {"train": 500, "validation": 40, "test": QUERIES},
            "dataset__classes": 5,
        }
        self.make_record = make_record

    def store(self):
        return Store(self.folder, "emoji")

    def write(self, name, seed=0, *, leave_out=(), classifier=True, **changes):
        rng = np.random.default_rng([seed, *name.encode()])
        chance = 0.3 + 0.5 * rng.random()
        per_query, retrieval, curves = {}, {}, {}
        for direction in DIRECTIONS:
            same = rng.random((QUERIES, 50)) < chance * (1 + self.labels[:, None]) / 5
            near = same | (rng.random((QUERIES, 50)) < 0.3)
            per_query[direction] = {"first_hit": np.where(same.any(1), same.argmax(1) + 1, 0)}
            per_query[direction] |= {f"hits@{k}": same[:, :k].sum(1) for k in (1, 2, 5, 10)}
            per_query[direction] |= {f"hp@{k}": near[:, :k].sum(1) for k in (2, 5, 10)}
            retrieval[direction] = {f"R@{k}": float(same[:, :k].any(1).mean()) for k in (1, 2, 5, 10)}
            retrieval[direction] |= {f"HP@{k}": float(near[:, :k].mean()) for k in (2, 5, 10)}
            curves[direction] = {
                "R": [round(float(same[:, : k + 1].any(1).mean()), 6) for k in range(50)],
                "HP": [round(float(near[:, : k + 1].mean()), 6) for k in range(50)],
            }
        predictions = {"label": self.labels}
        accuracies = None
        if classifier:
            wrong = rng.integers(0, 5, (3, QUERIES))
            for task, guess in zip(("image", "text", "fusion"), wrong, strict=True):
                predictions[f"{task}_prediction"] = np.where(rng.random(QUERIES) < 0.6, self.labels, guess)
                predictions[f"{task}_confidence"] = rng.random(QUERIES).astype(np.float32)
            accuracies = [
                float((predictions[f"{task}_prediction"] == self.labels).mean()) for task in ("image", "text", "fusion")
            ]
        learning = {
            "steps": [1, 10, 20],
            "losses": {"gap": [1.0, 0.4 + 0.1 * seed, 0.1]},
            "validation": {f"{d} R@1": [0.1, 0.3, 0.4 + 0.05 * seed] for d in DIRECTIONS},
            "items": 40,
        }
        fields = {"retrieval": retrieval, "accuracies": accuracies, **self.dataset}
        if "curves" not in leave_out:
            fields["curves"] = curves
        if "learning" not in leave_out:
            fields["learning"] = learning
        record = self.make_record(name, seed, **(fields | changes))
        centroids = rng.normal(size=(2, 5, 4)).astype(np.float16)
        classes = ClassFacts(centroids, np.ones((2, 5), np.float16), 0.97)
        return self.store().write(
            record,
            None if "per_query" in leave_out else per_query,
            predictions,
            classes=None if "classes" in leave_out else classes,
        )

    def write_card(self, **changes):
        record = self.make_record(**self.dataset)
        fields = {
            "class_names": NAMES,
            "edges": EDGES,
            "distances": distances(),
            "ids": [f"item {number}" for number in range(QUERIES)],
            "labels": self.labels,
            "groups": np.arange(QUERIES),
        }
        self.store().write_card(make_card(record.dataset, **(fields | changes)))

    def write_journal(self, studies):
        """Trials by study, as Optuna writes them; each study is made twice, as by two processes."""
        lines = [
            {"op_code": 0, "worker_id": "w", "study_name": name, "directions": [2]} for name in [*studies, *studies]
        ]
        for number, trials in enumerate(studies.values()):
            lines += [
                {"op_code": 4, "worker_id": "w", "study_id": number, "value": value, "user_attrs": {"number": place}}
                for place, value in trials
            ]
        folder = self.folder / "tuning"
        folder.mkdir()
        (folder / "journal.log").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def world(tmp_path, make_record):
    """A folder to write runs to."""
    return World(tmp_path / "results", make_record)


TUNING = {
    "trials": 4,
    "failed": 1,
    "steps": 20,
    "batch_size": 16,
    "objective": ["i2t R@1"],
    "value": 0.6,
    "default_value": 0.5,
    "seed": 0,
    "study": STUDY,
}


@pytest.fixture
def full(world):
    """A folder with two seeds of three methods and all that any figure needs; one method has no classifier."""
    for name in ("huse", "cme", "triplet"):
        tuning = TUNING if name != "triplet" else None
        for seed in (0, 1):
            world.write(name, seed, classifier=name != "triplet", tuning=tuning)
    world.write_card()
    world.write_journal(
        {
            f"cme-{STUDY[:12]}": [(1, 0.5), (2, None), (3, 0.6), (4, 0.4)],
            f"huse-{STUDY[:12]}": [(2, 0.55), (1, 0.5), (3, 0.45)],
            "huse-000000000000": [(1, 0.9)],
        }
    )
    return world
