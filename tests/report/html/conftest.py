"""A folder with runs of every kind, and Chromium where it is installed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from huse_bench.report.html.page import render_page
from huse_bench.results import Store, load_results
from huse_bench.results.card import make_card
from huse_bench.results.published import published_tables

# What a stranger may write wherever a record takes text.
HOSTILE = (
    '"\'><script>window.hacked = 1</script><img src=x onerror="hacked=1"></script>]]><!--\u202egnirts\u0007{{ 7 * 7 }}'
    " " + 150 * "w"
)


def write_folder(path, write_scored):
    """Three methods of four seeds, one of which is clearly better, and two kinds of controls."""
    for seed in range(4):
        write_scored(path, "triplet", seed, 0.5, classifier=False, method__title="Triplet")
        write_scored(path, "cme", seed, 0.52, method__title="CME & friends", warnings=["a warning"])
        write_scored(path, "huse", seed, 0.9, method__title="HUSE", method__class_graph="taxonomy")
    write_scored(path, "control:chance", 0, 0.1, method__title="Chance", method__section="Controls")
    shuffled = {"method__title": "HUSE, labels shuffled", "method__section": "Controls"}
    write_scored(path, "control:shuffled-huse", 0, 0.12, **shuffled)
    return path


def write_page(path, *folders, **options):
    path.write_text(render_page([load_results(folder) for folder in folders], **options), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, write_scored):
    """Runs that a test may change."""
    return write_folder(tmp_path / "mine", write_scored)


@pytest.fixture
def page(tmp_path):
    """Writes the page of some folders."""
    return lambda *folders, **options: write_page(tmp_path / "page.html", *folders, **options)


@pytest.fixture(scope="session")
def failed(tmp_path_factory, write_scored, make_record):
    """The same runs, and a method of which none finished."""
    path = write_folder(tmp_path_factory.mktemp("failed") / "mine", write_scored)
    items = {"train": 600, "validation": 90, "test": 90}
    Store(path, dataset="emoji").write(
        make_record("hie", status="diverged", method__title="HIE*", dataset__items=items)
    )
    return path


@pytest.fixture(scope="session")
def failed_page(failed):
    """Its page."""
    return write_page(failed.parent / "page.html", failed)


@pytest.fixture(scope="session")
def hostile_page(hostile):
    """The page of a folder whose texts are hostile."""
    return write_page(hostile.parent / "page.html", hostile)


def paper_file(path, **changes):
    """The file of a paper with numbers of the same data: one far off, one that cannot be, and a method of its own."""
    cells = {
        "i2i": {"R@1": 0.8, "R@5": 0.99, "R@10": 1.0},
        "t2t": {"R@1": 0.02, "R@5": 0.99, "R@10": 0.95},
    }
    setup = {"image": "efficientnet-lite0", "text": "minilm", "classes": "minilm", "train": 690, "test": 90}
    rows = [
        {"method": name, "title": title, "group": group, "cells": {t: dict(of) for t, of in cells.items()}}
        for name, title, group in (
            ("triplet", "Triplet [3]", "plain"),
            ("cme", "CME", "plain"),
            ("huse", "HUSE", "semantic"),
            (None, "Ours", "semantic"),
        )
    ]
    rows[0]["cells"]["t2t"]["R@10"] = 1.0
    rows[0]["cells"]["i2i"]["R@1"] = 0.7
    rows[1]["cells"]["t2t"]["R@10"] = 1.0
    rows[3]["cells"]["t2t"]["R@10"] = 1.0
    paper = {
        "schema_version": 1,
        "name": "mine",
        "title": "A Paper",
        "source": "Journal 12 (2031)",
        "dataset": "emoji",
        "dataset_title": "Emoji",
        "setup": setup,
        "tables": {"table1": {"place": "Table 3", "unit": "share", "rows": rows}},
        "flags": [{"table": "table1", "method": "huse", "cells": [["t2t", "R@10"]], "note": "is below R@5"}],
        **changes,
    }
    path.write_text(json.dumps(paper), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    """The file of a paper about the data of the runs."""
    return paper_file(tmp_path_factory.mktemp("paper") / "mine.json")


@pytest.fixture(scope="session")
def write_paper():
    """Writes such a file, with changes."""
    return paper_file


@pytest.fixture(scope="session")
def beside_page(failed, paper):
    """The page of runs beside the paper."""
    return write_page(failed.parent / "beside.html", failed, printed=published_tables(paper))


@pytest.fixture
def said():
    """What pages said on the console, their errors, and what they asked of the network."""
    return []


@pytest.fixture
def opened(chromium, said):
    """Opens a page and, at the end of the test, asks that it said nothing on the console."""
    contexts = []

    def open_(path, **options):
        context = chromium.new_context(accept_downloads=True, **options)
        contexts.append(context)
        context.set_offline(True)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on(
            "request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or said.append(request.url)
        )
        tab.goto(path.as_uri())
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, or a skip that says what is missing."""
    places = [
        os.environ.get("AXE_CORE"),
        "node_modules/axe-core/axe.min.js",
        "/usr/lib/node_modules/axe-core/axe.min.js",
    ]
    places.append("/usr/local/lib/node_modules/axe-core/axe.min.js")
    for place in places:
        if place and Path(place).is_file():
            return Path(place).read_text(encoding="utf-8")
    pytest.skip("there is no axe-core: npm install axe-core, and AXE_CORE=.../axe-core/axe.min.js")
    return None


@pytest.fixture(scope="session")
def hostile(tmp_path_factory, write_scored):
    """A folder whose every text is hostile, with a card of hostile texts."""
    path = tmp_path_factory.mktemp("strangers") / "hostile"
    texts = {
        "method__title": f"HUSE {HOSTILE}",
        "method__section": HOSTILE,
        "method__parameters": {HOSTILE: HOSTILE, "list": [HOSTILE]},
        "method__target": HOSTILE,
        "method__version": HOSTILE,
        "method__summary": HOSTILE,
        "method__source": HOSTILE,
        "dataset__title": f"Emoji {HOSTILE}",
        "dataset__image_backbone": HOSTILE,
        "preset": HOSTILE,
        "config": {HOSTILE: {"value": HOSTILE, "origin": HOSTILE}},
        "protocol": {"recall": HOSTILE, HOSTILE: HOSTILE},
        "provenance": {"command": HOSTILE, HOSTILE: HOSTILE},
        "warnings": [HOSTILE],
        "audit": {"findings": [HOSTILE]},
    }
    for seed in range(2):
        write_scored(path, "huse", seed, 0.6, **texts)
        write_scored(path, "cme", seed, 0.5, **texts | {"method__title": f"={HOSTILE}"})
    dataset = load_results(path).records[0].dataset
    names = [f"{number} {HOSTILE}" for number in range(80)]
    card = make_card(
        dataset,
        class_names=names,
        edges=[(HOSTILE, name) for name in names],
        distances=np.zeros((80, 80)),
        ids=[f"{HOSTILE} {number}" for number in range(90)],
        labels=np.arange(90) % 80,
        groups=np.arange(90),
        description=HOSTILE,
        licence=HOSTILE,
        notices=[HOSTILE],
    )
    Store(path, dataset="emoji").write_card(card)
    return path
