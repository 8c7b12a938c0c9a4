import hashlib
from datetime import UTC, datetime

import pytest

from huse_bench.results import DIRECTIONS, RunRecord

METRICS = ("R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def scores(start, step=0.01):
    """Twenty-four different numbers, by direction and metric."""
    return {
        direction: {metric: round(start + step * (6 * i + j), 6) for j, metric in enumerate(METRICS)}
        for i, direction in enumerate(DIRECTIONS)
    }


def build(
    name="huse", seed=0, *, status="finished", configuration="default", start=0.5, accuracies=(0.7, 0.8, 0.9), **changes
):
    """A real record; ``changes`` replace fields by name, with ``__`` between the levels."""
    finished = status == "finished"
    fields = {
        "schema_version": 1,
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
        if finished
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


@pytest.fixture
def make_record():
    return build
