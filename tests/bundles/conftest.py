"""Results folders and bundles that are whole, of runs that nobody trained."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from huse_bench.results import DIRECTIONS, Store
from huse_bench.results.protocols import KNOWN_PROTOCOLS

QUERIES = 60
PROTOCOL = {name: max(ids) for name, ids in KNOWN_PROTOCOLS.items()}
LABELS = np.arange(QUERIES) % 6


def ranked(rng, quality):
    """Rankings (queries, 10) of test items that are of the query's class with this chance."""
    found = rng.permuted(np.tile(np.arange(QUERIES), (QUERIES, 1)), axis=1)[:, :10]
    for query in range(QUERIES):
        own = np.flatnonzero(LABELS[query] == LABELS)
        swap = rng.random(10) < quality
        found[query, swap] = rng.choice(own, swap.sum())
    return found


def write_ranked(folder, make_record, name="huse", seed=0, quality=0.5, dataset="emoji", **changes):
    """A run whose scores, predictions, neighbours and numbers fit each other."""
    rng = np.random.default_rng([seed, *name.encode()])
    scores, retrieval, neighbours = {}, {}, {}
    for direction in DIRECTIONS:
        found = ranked(rng, quality)
        same = LABELS[found] == LABELS[:, None]
        near = same | (LABELS[found] // 2 == LABELS[:, None] // 2)
        neighbours[direction] = found
        scores[direction] = {"first_hit": np.where(same.any(1), same.argmax(1) + 1, 0)}
        scores[direction] |= {f"hits@{k}": same[:, :k].sum(1) for k in (1, 5, 10)}
        scores[direction] |= {f"hp@{k}": near[:, :k].sum(1) for k in (2, 5, 10)}
        retrieval[direction] = {f"R@{k}": float(same[:, :k].any(1).mean()) for k in (1, 5, 10)}
        retrieval[direction] |= {f"HP@{k}": float(near[:, :k].mean()) for k in (2, 5, 10)}
    items, right = {"label": LABELS, "group": np.arange(QUERIES) // 2}, []
    for task in ("image", "text", "fusion"):
        hit = rng.random(QUERIES) < quality
        items[f"{task}_prediction"] = np.where(hit, LABELS, (LABELS + 1) % 6)
        right.append(float(hit.mean()))
    fields = {
        "retrieval": retrieval,
        "accuracies": right,
        "protocol": PROTOCOL,
        "dataset__name": dataset,
        "dataset__items": {"train": 600, "validation": 60, "test": QUERIES},
        "dataset__classes": 6,
    }
    record = make_record(name, seed, **{**fields, **changes})
    return Store(folder, dataset=dataset).write(record, scores, items, neighbours=neighbours)


@pytest.fixture
def write_run(make_record):
    """Writes such a run to a folder."""
    return lambda folder, *args, **changes: write_ranked(folder, make_record, *args, **changes)


@pytest.fixture
def folder(tmp_path, write_run) -> Path:
    """A results folder with two methods of two seeds."""
    for name in ("huse", "cme"):
        for seed in (0, 1):
            write_run(tmp_path / "emoji", name, seed)
    return tmp_path / "emoji"


@pytest.fixture
def forge():
    """Names the files of a bundle's folder anew, as a forger would."""

    def named(bundle, **changes):
        own = ("bundle.json", "verification.json")
        paths = [path for path in sorted(bundle.rglob("*")) if path.is_file() and path.name not in own]
        files = {p.relative_to(bundle).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
        facts = json.loads((bundle / "bundle.json").read_text())
        (bundle / "bundle.json").write_text(json.dumps({**facts, "files": files, **changes}))

    return named
