"""Where the classes of a run lie and what its queries found first, as they are stored beside its record."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from huse_bench.errors import RecordError
from huse_bench.results import DIRECTIONS, Store
from huse_bench.results.arrays import ClassFacts


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "emoji", dataset="emoji")


def files(store):
    return sorted(path.name for path in (store.folder / "runs").iterdir())


@pytest.fixture
def classes():
    rng = np.random.default_rng(2)
    return ClassFacts(
        rng.normal(size=(2, 80, 64)).astype(np.float16), rng.random((2, 80)).astype(np.float16), kept=0.97
    )


def found(queries, k=10, gallery=None):
    rng = np.random.default_rng(3)
    return {direction: rng.integers(0, gallery or queries, (queries, k), dtype=np.int32) for direction in DIRECTIONS}


def test_classes_and_neighbours_come_back_as_they_were_written(store, make_record, classes):
    neighbours = found(1234)
    written = store.write(make_record(), classes=classes, neighbours=neighbours)
    assert written.classes == f"{written.stem}.classes.safetensors"
    assert written.neighbours == f"{written.stem}.neighbours.parquet"
    for name, digest in ((written.classes, written.classes_sha256), (written.neighbours, written.neighbours_sha256)):
        assert hashlib.sha256((store.folder / "runs" / name).read_bytes()).hexdigest() == digest
    assert store.read() == ([written], [])
    read = store.classes(written)
    np.testing.assert_array_equal(read.centroids, classes.centroids)
    np.testing.assert_array_equal(read.spread, classes.spread)
    assert (read.centroids.dtype, read.spread.dtype, read.kept) == (np.float16, np.float16, 0.97)
    kept = store.neighbours(written)
    np.testing.assert_array_equal(kept.queries, np.arange(1234))
    assert list(kept.found) == list(DIRECTIONS)
    for direction, numbers in neighbours.items():
        np.testing.assert_array_equal(kept.found[direction], numbers)

    failed = store.write(make_record(status="failed"))
    assert files(store) == [f"{failed.stem}.json"]
    assert (store.classes(failed), store.neighbours(failed)) == (None, None)


def test_other_programs_can_read_neighbours_and_classes(store, make_record, classes):
    neighbours = found(1234)
    written = store.write(make_record(), classes=classes, neighbours=neighbours)
    frame = pq.read_table(store.folder / "runs" / written.neighbours).to_pandas()
    assert list(frame.columns) == ["query", "direction", "neighbours"]
    row = frame[(frame["direction"] == "t2i") & (frame["query"] == 7)]
    assert row["neighbours"].item().tolist() == neighbours["t2i"][7].tolist()
    assert row["neighbours"].item().dtype == np.uint16
    with safe_open(store.folder / "runs" / written.classes, framework="np") as file:
        assert json.loads(file.metadata()["kept"]) == 0.97
        np.testing.assert_array_equal(file.get_tensor("spread"), classes.spread)


@pytest.mark.parametrize("grouped", [False, True])
def test_of_many_queries_the_same_sample_is_kept(store, make_record, grouped):
    """Whole groups, each as likely as another; the same ones in each run and direction."""
    count = 5000
    items = {"train": 6000, "validation": 1000, "test": count}
    groups = np.random.default_rng(5).permutation(np.arange(count) // 4)
    beside = {"label": np.zeros(count, np.int64)} | ({"group": groups} if grouped else {})
    runs = [make_record(name, dataset__items=items) for name in ("huse", "cme")]
    kept = []
    for record, neighbours in zip(runs, (found(count), found(count, k=3)), strict=True):
        written = store.write(record, predictions=beside, neighbours=neighbours)
        kept.append(store.neighbours(written))
        queries = kept[-1].queries
        assert (np.diff(queries) > 0).all()
        assert len(queries) == 2000
        for direction, numbers in neighbours.items():
            np.testing.assert_array_equal(kept[-1].found[direction], numbers[queries])
    np.testing.assert_array_equal(kept[0].queries, kept[1].queries)
    if grouped:
        assert len(np.unique(groups[queries])) == 500
    # Drawn from everywhere.
    assert abs(queries.mean() - count / 2) < 150


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"i2t": np.zeros((50, 3))},
            r"neighbours of i2t must be \(n, k\) integers as in each direction, got \(50, 3\)",
        ),
        ({"i2t": np.zeros((50, 4), int)}, r"neighbours of i2t must be \(n, k\) integers as in each"),
        ({"i2t": np.full((50, 3), 50)}, "neighbours of i2t must be numbers from 0 to 49"),
        ({"i2t": np.full((50, 3), -1)}, "neighbours of i2t must be numbers from 0 to 49"),
    ],
)
def test_neighbours_that_do_not_fit_are_refused(store, make_record, wrong, message):
    with pytest.raises(ValueError, match=message):
        store.write(make_record(), neighbours={**found(50, 3), **wrong})
    with pytest.raises(ValueError, match=r"there must be a group for each of 50 queries, got \(3,\)"):
        store.write(make_record(), predictions={"group": np.arange(3)}, neighbours=found(50, 3))
    assert files(store) == []


@pytest.mark.parametrize(
    ("shapes", "dtype"), [(((2, 8, 4), (2, 9)), "f2"), (((8, 4), (2, 8)), "f2"), (((2, 8, 4), (2, 8)), "f4")]
)
def test_facts_about_classes_fit_together(shapes, dtype):
    with pytest.raises(ValueError, match=r"centroids must be \(2, \d, A\) float16, got"):
        ClassFacts(np.zeros(shapes[0], dtype), np.zeros(shapes[1], "f2"), 1.0)
    with pytest.raises(ValueError, match=r"spread must be \(2, 8\) float16, got \(1, 8\)"):
        ClassFacts(np.zeros((2, 8, 4), "f2"), np.zeros((1, 8), "f2"), 1.0)


def test_files_that_do_not_fit_their_record_are_named(store, make_record, classes):
    """Their hashes say nothing against them: they were written so."""
    few = make_record(dataset__classes=79, dataset__items={"train": 9, "validation": 9, "test": 49})
    written = store.write(few, classes=classes, neighbours=found(50))
    with pytest.raises(RecordError, match=r"safetensors is of 80 classes, and its record's dataset has 79; delete"):
        store.classes(written)
    with pytest.raises(RecordError, match=r"parquet names the item 49, and its record has 49 test items; delete the"):
        store.neighbours(written)


def test_damaged_classes_and_neighbours_are_named(store, make_record, classes):
    written = store.write(make_record(), classes=classes, neighbours=found(1234))
    runs = store.folder / "runs"
    for name, read in ((written.classes, store.classes), (written.neighbours, store.neighbours)):
        whole = (runs / name).read_bytes()
        (runs / name).write_bytes(b"no more")
        with pytest.raises(RecordError, match=f"{name} is not the file that was written with its record; restore it"):
            read(written)
        assert [problem.split(" is not")[0] for problem in store.read()[1]] == [str(runs / name)]
        unhashed = written.model_copy(update={"classes_sha256": None, "neighbours_sha256": None})
        with pytest.raises(
            RecordError, match=rf"{name} cannot be read \(.+\); restore it, or delete the run's \.json file beside it"
        ):
            read(unhashed)
        (runs / name).write_bytes(whole)
    (runs / written.neighbours).write_bytes((runs / written.neighbours).read_bytes())
    pq.write_table(pa.table({"query": [1]}), runs / written.neighbours)
    with pytest.raises(RecordError, match="is no table of neighbours"):
        store.neighbours(written.model_copy(update={"neighbours_sha256": None}))
