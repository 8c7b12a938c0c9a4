"""Bundles that nobody published, and Chromium where it is installed."""

import hashlib
import json

import numpy as np
import pytest

from huse_bench.bundles.schema import files_hash
from huse_bench.evaluation.protocol import CLASSIFICATION_PROTOCOL, HP_PROTOCOL, RECALL_PROTOCOL
from huse_bench.leaderboard.entries import find_bundles, read_contents
from huse_bench.results import Store

PROTOCOL = {
    "recall": RECALL_PROTOCOL["v2"],
    "hp": HP_PROTOCOL["v2"],
    "classification": CLASSIFICATION_PROTOCOL,
    "chance": {"R@1": 0.1, "in-modal R@1": 0.05, "HP@2": 0.3},
}

#: What a stranger may write wherever a record takes text.
HOSTILE = (
    '"\'><script>window.hacked=1</script><img src=x onerror="hacked=1">`@everyone` | [x](http://x.y) '
    "\u202egnirts {{ 7*7 }}"
)


@pytest.fixture
def bundle(tmp_path, write_scored):
    """Writes a bundle of runs by name, seeds and chance of a hit to a folder of bundles; gives its path."""

    def write(name, runs, *, level=None, authors=("Ada",), title="Runs", shelf="bundles", **changes):
        folder = tmp_path / shelf / name
        for method, (seeds, chance) in runs.items():
            for seed in seeds:
                fields = {"protocol": PROTOCOL, "method__title": method.upper(), **changes}
                # Runs of two bundles are two runs, unless a test says otherwise.
                fields.setdefault("fingerprint", hashlib.sha256(f"{name} {method} {seed}".encode()).hexdigest())
                same_items(folder / "results" / "emoji", write_scored, method, seed, chance, **fields)
        return sealed(folder, level, authors, title)

    return write


def same_items(folder, write_scored, *run, **fields):
    """Write a run on the test items that all others have, with as many right answers."""
    record = write_scored(folder, *run, **fields)
    store = Store(folder)
    labels, old = np.arange(90) % 9, store.predictions(record)
    new = {name: np.where(column == old["label"], labels, 9) for name, column in old.items() if "_prediction" in name}
    Store(folder, dataset="emoji").write(record, store.per_query(record), {"label": labels, **new})


def sealed(folder, level=None, authors=("Ada",), title="Runs"):
    """Write what says of a folder that it is a bundle."""
    paths = [path for path in sorted((folder / "results").rglob("*")) if path.is_file()]
    for path in [path for path in paths if path.name.startswith(".")]:
        path.unlink()
    paths = [path for path in paths if path.exists()]
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    date = "2026-01-02T03:04:05Z"
    facts = {"format": 1, "title": title, "authors": list(authors), "created": date, "results": ["emoji"]}
    (folder / "bundle.json").write_text(json.dumps({**facts, "versions": {}, "files": files}))
    if level:
        check = {"level": level, "date": date, "versions": {}, "machine": {}, "checked": ["all"]}
        verified = {"format": 1, "bundle": files_hash(files), "verifications": [check]}
        (folder / "verification.json").write_text(json.dumps(verified))
    return folder


@pytest.fixture
def reseal():
    """Names the files of a bundle anew, as a forger would."""
    return sealed


@pytest.fixture
def contents(tmp_path):
    """Reads a folder of bundles."""
    return lambda shelf="bundles": read_contents(find_bundles([tmp_path / shelf]))


@pytest.fixture
def two_data_sets(bundle):
    """Three methods on two data sets, of which one is better, and one of an old protocol."""
    runs = {"huse": (range(4), 0.9), "cme": (range(4), 0.5), "triplet": (range(4), 0.5)}
    bundle("first", runs, level="re-rendered", authors=("Ada", "Grace"))
    toy = {"dataset__title": "Toys", "dataset__content_hash": "toys"}
    bundle("second", runs, level="spot-checked", **toy)
    bundle("alone", {"hie": (range(2), 0.6)}, authors=("Charles",), tuning=TUNING)
    return bundle("old", {"devise": (range(2), 0.6)}, protocol={**PROTOCOL, "recall": RECALL_PROTOCOL["v1"]})


TUNING = {
    "trials": 20,
    "failed": 0,
    "steps": 100,
    "batch_size": 32,
    "objective": ["i2i R@1"],
    "value": 0.5,
    "seed": 0,
    "study": "0" * 64,
}


@pytest.fixture
def hostile(bundle):
    """A bundle whose every text is hostile, and whose numbers are huge."""
    huge = 10**400
    training = {"steps": huge, "batch_size": huge, "seconds": 1e300, "steps_per_second": 1e-300, "optimizer": HOSTILE}
    training |= {"items_seen": huge, "losses": {HOSTILE: 1e308}}
    changes = {
        "method__title": HOSTILE,
        "method__distribution": HOSTILE,
        "dataset__title": HOSTILE,
        "dataset__image_backbone": HOSTILE,
        "training": training,
        "tuning": {**TUNING, "trials": huge},
    }
    return bundle("hostile", {"huse": (range(2), 0.9)}, authors=(HOSTILE,), title=HOSTILE, **changes)


@pytest.fixture
def opened(chromium):
    """Opens a page and, at the end of the test, asks that it said nothing on the console."""
    contexts, said = [], []

    def open_(path, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: request.url.startswith(("file:", "data:")) or said.append(request.url))
        tab.goto(path.as_uri())
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert said == []
