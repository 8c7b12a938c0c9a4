"""The data card: what the data of a results folder are, written once and read back."""

import hashlib
import json
import re
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.errors import RecordError, ResultsError
from huse_bench.results import Store
from huse_bench.results.card import make_card
from huse_bench.results.schema import DatasetInfo

ITEMS, CLASSES = 30, 5
FILES = ["data-card.distances.parquet", "data-card.items.parquet", "data-card.json"]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", dataset="toys")


def info(classes=CLASSES, **changes):
    fields = {"name": "toys", "title": "Toys", "content_hash": "c1", "classes": classes, "taxonomy_hash": "t1"}
    fields |= {"items": {"train": 100, "validation": 20, "test": ITEMS}, "parts": {"groups": "g1", "items": "i1"}}
    fields |= {"image_backbone": "a@1", "text_backbone": "b@1", "class_backbone": "c@1"}
    return DatasetInfo.model_validate({**fields, **changes})


def distances_of(classes):
    rows = np.random.default_rng(0).normal(size=(classes, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (1 - rows @ rows.T).astype(np.float32)


def card(classes=CLASSES, **changes):
    rng = np.random.default_rng(1)
    fields = {
        "dataset": info(classes),
        "class_names": [f"class {number}" for number in range(classes)],
        "edges": [("root", f"class {number}") for number in range(classes)],
        "distances": distances_of(classes),
        "ids": [f"shelf/{number}" for number in range(ITEMS)],
        "labels": rng.integers(0, classes, ITEMS),
        "groups": np.arange(ITEMS) // 3,
    }
    return make_card(**{**fields, **changes})


def assert_same(read, written):
    assert (read.facts, read.ids, read.texts, read.pictures) == (
        written.facts,
        written.ids,
        written.texts,
        written.pictures,
    )
    np.testing.assert_array_equal(read.labels, written.labels)
    np.testing.assert_array_equal(read.groups, written.groups)
    if written.distances is None:
        assert read.distances is None
    else:
        np.testing.assert_array_equal(read.distances, written.distances)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"texts": [f"a toy, the {number}th; größer" for number in range(ITEMS)]},
        {"pictures": [f"shelf/{number}.png" for number in range(ITEMS)], "texts": [""] * ITEMS},
        {"description": "Toys of a shop.", "licence": "CC0", "notices": ["three texts are missing"]},
        {"edges": [(1, ("a", 2)), (1, "class 0")]},
    ],
)
def test_a_card_comes_back_as_it_was_written(store, changes):
    assert store.card() is None
    written = card(**changes)
    store.write_card(written)
    assert_same(Store(store.folder).card(), written)
    assert sorted(path.name for path in store.folder.glob("data-card*")) == FILES
    # The marker and the records stand beside it as before.
    assert Store(store.folder, dataset="toys").read() == ([], [])


def test_what_the_card_says(store):
    store.write_card(card(texts=["a toy"] * ITEMS))
    found = store.card()
    assert found.facts.class_names[3] == "class 3"
    assert found.facts.edges[2] == ("root", "class 2")
    assert found.facts.dataset == info()
    assert (found.facts.pictures, found.pictures) == (None, None)
    assert found.texts == ("a toy",) * ITEMS
    # Four digits, symmetric, none from a class to itself.
    np.testing.assert_allclose(found.distances, distances_of(CLASSES), atol=0.5001e-4)
    np.testing.assert_array_equal(found.distances, found.distances.T)
    np.testing.assert_array_equal(np.diag(found.distances), 0)
    np.testing.assert_array_equal(found.distances, np.round(found.distances.astype(float), 4).astype(np.float32))


def test_other_programs_can_read_it(store):
    store.write_card(card(pictures=[f"{number}.png" for number in range(ITEMS)]))
    frame = pd.read_parquet(store.folder / "data-card.items.parquet")
    assert list(frame.columns) == ["id", "label", "group", "picture"]
    assert frame["picture"][7] == "7.png"
    pairs = pd.read_parquet(store.folder / "data-card.distances.parquet")
    assert len(pairs) == CLASSES * (CLASSES - 1) // 2
    row = pairs[(pairs["first"] == 1) & (pairs["second"] == 3)]
    assert row["distance"].item() == pytest.approx(float(distances_of(CLASSES)[1, 3]), abs=1e-4)
    facts = json.loads((store.folder / "data-card.json").read_text())
    assert facts["pictures"] == "data"


def test_distances_of_very_many_classes_are_left_out(store):
    many = card(1001)
    store.write_card(many)
    assert_same(store.card(), many)
    assert store.card().facts.distances_left_out == "1001 classes are more than the 1000 whose distances are kept"
    assert sorted(path.name for path in store.folder.glob("data-card*")) == FILES[1:]
    assert card(1000).distances.shape == (1000, 1000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": ["a"]}, "there must be ids of 30 test items, got 1"),
        ({"labels": np.zeros(31, int)}, "there must be labels of 30 test items, got 31"),
        ({"groups": np.zeros(2, int)}, "there must be groups of 30 test items, got 2"),
        ({"texts": ["a"] * 3}, "there must be texts of 30 test items, got 3"),
        ({"pictures": []}, "there must be pictures of 30 test items, got 0"),
        ({"class_names": ["a"]}, r"there must be names and distances of 5 classes, got 1 and \(5, 5\)"),
        ({"distances": distances_of(4)}, r"there must be names and distances of 5 classes, got 5 and \(4, 4\)"),
    ],
)
def test_a_card_whose_parts_do_not_fit_is_not_made(changes, message):
    with pytest.raises(ValueError, match=message):
        card(**changes)


def test_a_folders_card_is_written_once(store):
    first = card(description="the first")
    store.write_card(first)
    before = {path.name: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    store.write_card(card(description="the second"))
    assert {path.name: path.stat().st_mtime_ns for path in store.folder.iterdir()} == before
    assert_same(store.card(), first)


@pytest.mark.parametrize("other", [{"content_hash": "c2"}, {"taxonomy_hash": "t2"}, {"parts": {"groups": "g2"}}])
def test_a_card_of_other_data_is_refused(store, other):
    store.write_card(card())
    with pytest.raises(ResultsError, match=r"the data card of .*results is of other data of 'toys'; choose another"):
        store.write_card(card(dataset=info(**other)))
    assert_same(store.card(), card())


def test_several_processes_may_write_it(store):
    """Threads stand in for processes; one card is written, whole."""
    cards = [card(description=f"by {number}") for number in range(8)]
    threads = [threading.Thread(target=Store(store.folder).write_card, args=(one,)) for one in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.card().facts.description in {f"by {number}" for number in range(8)}


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("data-card.json", b"{", r"data-card\.json: no readable data card \(.+\)"),
        (
            "data-card.json",
            b'{"format": 2}',
            r"data-card\.json: no readable data card \(format: Input should be 1 .*\)",
        ),
        ("data-card.items.parquet", b"no more", r"items\.parquet is not the file that was written with the data card"),
        ("data-card.items.parquet", None, r"items\.parquet cannot be read \(.+\)"),
        ("data-card.distances.parquet", b"", r"distances\.parquet is not the file that was written with the data card"),
        ("data-card.distances.parquet", None, r"distances\.parquet cannot be read \(.+\)"),
    ],
)
def test_a_damaged_card_is_named(store, name, contents, message):
    store.write_card(card())
    path = store.folder / name
    path.unlink()
    if contents is not None:
        path.write_bytes(contents)
    cure = "restore it, or delete data-card.json, and the next run on these data writes it anew"
    for use in (store.card, lambda: store.write_card(card())):
        with pytest.raises(RecordError, match=f"{message}; {cure}"):
            use()
    (store.folder / "data-card.json").unlink(missing_ok=True)
    store.write_card(card())
    assert_same(store.card(), card())


def test_a_card_that_the_disk_refuses(store):
    (store.folder / "data-card.items.parquet").mkdir()
    with pytest.raises(ResultsError, match=r"cannot write to the results folder .*results \(.+\); make room or make"):
        store.write_card(card())
    assert store.card() is None
    assert not [path for path in store.folder.iterdir() if path.name.startswith(".tmp-")]


def test_texts_that_steer_a_terminal_are_one_line(store):
    store.write_card(card(description="toys\n\x1b[2J", notices=["a\nb"]))
    assert re.fullmatch(r"toys +\[2J", store.card().facts.description)
    assert store.card().facts.notices == ("a b",)


@pytest.mark.parametrize("classes", [CLASSES + 1, 100_000])
def test_a_card_with_more_names_than_distances(store, classes):
    store.write_card(card())
    path = store.folder / "data-card.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "class_names": [str(number) for number in range(classes)]}))
    # Before 40 GB are taken for all pairs.
    with pytest.raises(RecordError, match=rf"has 10 rows, which are not the pairs of {classes} classes"):
        store.card()


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"label": ["1"] * ITEMS}, "its column label holds string and should hold whole numbers"),
        ({"group": [0.5] * ITEMS}, "its column group holds double and should hold whole numbers"),
        ({"label": [None] + [0] * (ITEMS - 1)}, "its column label lacks values"),
        ({"id": list(range(ITEMS))}, "its column id holds int64 and should hold words"),
        ({"id": None}, "it has no column id, or several"),
    ],
)
def test_items_of_the_wrong_kind(store, column, reason):
    store.write_card(card())
    path = store.folder / "data-card.items.parquet"
    table = {**pq.read_table(path).to_pydict(), **column}
    pq.write_table(pa.table({name: values for name, values in table.items() if values is not None}), path)
    facts = store.folder / "data-card.json"
    said = json.loads(facts.read_text())
    facts.write_text(json.dumps({**said, "items_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    with pytest.raises(RecordError, match=rf"do not fit together \({reason}"):
        store.card()
