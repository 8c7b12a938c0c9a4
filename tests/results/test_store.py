import codecs
import hashlib
import json
import os
import re
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.errors import RecordError, ResultsError
from huse_bench.results import DIRECTIONS, RunRecord, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "emoji", dataset="emoji")


@pytest.fixture
def per_query():
    rng = np.random.default_rng(0)
    return {
        direction: {
            "first_hit": rng.integers(0, 11, 50, dtype=np.int16),
            "hits@10": rng.integers(0, 11, 50, dtype=np.int64),
        }
        for direction in DIRECTIONS
    }


@pytest.fixture
def predictions():
    rng = np.random.default_rng(1)
    return {name: rng.integers(0, 80, 50) for name in ("image_prediction", "text_prediction", "label")}


def files(store):
    return sorted(path.name for path in (store.folder / "runs").iterdir())


def test_a_run_comes_back_as_it_was_written(store, make_record, per_query, predictions):
    written = store.write(make_record(), per_query, predictions)
    stem = f"huse-s0-{written.fingerprint[:12]}"
    assert files(store) == [f"{stem}.items.parquet", f"{stem}.json", f"{stem}.parquet"]

    again = Store(store.folder)
    assert again.read() == ([written], [])
    assert again.find(written.fingerprint) == written
    read = again.per_query(written)
    assert list(read) == list(DIRECTIONS)
    for direction, arrays in per_query.items():
        assert list(read[direction]) == list(arrays)
        for name, values in arrays.items():
            assert read[direction][name].dtype == values.dtype
            np.testing.assert_array_equal(read[direction][name], values)
    for name, values in predictions.items():
        np.testing.assert_array_equal(again.predictions(written)[name], values)


def test_other_programs_can_read_the_per_query_scores(store, make_record, per_query):
    written = store.write(make_record(), per_query)
    table = pq.ParquetFile(store.folder / "runs" / written.per_query).read()
    assert table.column_names == ["query", "direction", "first_hit", "hits@10"]
    assert table.schema.field("query").type == pa.int32()
    assert pa.types.is_dictionary(table.schema.field("direction").type)
    frame = table.to_pandas()
    mean = frame[frame["direction"] == "t2i"]["hits@10"].mean()
    assert mean == per_query["t2i"]["hits@10"].mean()
    assert list(frame["query"][:3]) == [0, 1, 2]


def test_a_run_without_arrays_has_none(store, make_record):
    written = store.write(make_record(status="failed"))
    assert store.per_query(written) is None
    assert store.predictions(written) is None


def test_arrays_that_do_not_fit_are_refused(store, make_record, per_query):
    with pytest.raises(
        ValueError, match=r"per-query scores of i2t are \['other'\], those of the first are \['first_hit'"
    ):
        store.write(make_record(), {**per_query, "i2t": {"other": np.zeros(50, np.int64)}})
    with pytest.raises(ValueError, match=r"label must be \(n,\) integers, got \(3,\) of float64"):
        store.write(make_record(), per_query, {"label": np.zeros(3)})
    assert files(store) == []


@pytest.mark.parametrize(
    ("status", "overwrite", "expected"),
    [
        (None, "never", True),
        ("finished", "never", False),
        ("finished", "failed", False),
        ("finished", "always", True),
        ("diverged", "never", False),
        ("diverged", "failed", True),
        ("failed", "failed", True),
        ("failed", "always", True),
    ],
)
def test_which_runs_are_run_again(store, make_record, status, overwrite, expected):
    record = make_record(status=status or "finished")
    if status is not None:
        store.write(record)
    assert store.should_run(record.fingerprint, overwrite) is expected


def test_runs_with_a_record_are_not_run_again_unless_asked(store, make_record):
    store.write(make_record(status="failed"))
    assert store.should_run(make_record().fingerprint) is False


def test_only_the_whole_fingerprint_finds_a_run(store, make_record):
    written = store.write(make_record())
    other = written.fingerprint[:12] + "0" * 52
    assert store.find(other) is None
    assert store.should_run(other) is True


def test_a_rerun_replaces_record_and_arrays(store, make_record, per_query, predictions):
    store.write(make_record(), per_query, predictions)
    failed = store.write(make_record(status="failed"))
    assert files(store) == [f"{failed.stem}.json"]
    assert store.read() == ([failed], [])


# Names of files.


def test_a_name_of_any_length_is_written_and_found(store, make_record, per_query, predictions):
    """The longest names there are: 255 bytes with the temporary's prefix, in front of any seed and ending."""
    written = store.write(make_record("p" * 500, 2**63 - 1), per_query, predictions)
    assert max(len(f".tmp-{32 * 'f'}-{name}") for name in files(store)) <= 255
    assert Store(store.folder).read() == ([written], [])
    assert store.find(written.fingerprint) == written


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("huse", "huse"),
        ("huse-0.5_b", "huse-0.5_b"),
        ("control:shuffled-huse", "control-shuffled-huse"),
        ("team/cme v2", "team-cme-v2"),
        ("../../up", "_..-..-up"),
        ("team\\cme:v2", "team-cme-v2"),
        ("größer", "gr-er"),
        ("CON", "CON"),
        ("con.5", "_con.5"),
        ("Lpt1.json", "_Lpt1.json"),
        ("console.5", "console.5"),
        (".tmp-x", "_.tmp-x"),
        ("ends. ", "ends.-"),
    ],
)
def test_a_name_becomes_one_that_any_file_system_takes(store, make_record, name, expected):
    """What a system reserves it reserves up to the first dot; behind the name stand a seed and a hash."""
    record = make_record(name)
    assert record.stem == f"{expected}-s0-{record.fingerprint[:12]}"
    assert record.stem.partition(".")[0].upper() not in {"", "CON", "LPT1"}
    written = store.write(record)
    assert store.read() == ([written], [])


def test_names_that_differ_in_case_or_signs_alone_are_runs_of_their_own(store, make_record):
    """As on a file system that keeps no case."""
    names = ("cme a", "CME a", "cme/a", "Cme-A", "p" * 300, "p" * 301)
    written = [store.write(make_record(name)) for name in names]
    assert len({record.stem.casefold() for record in written}) == len(names)
    assert sorted(record.method.name for record in store.read()[0]) == sorted(names)


# What a killed process can leave behind.


def test_arrays_without_a_record_are_a_run_still_to_do(store, make_record, per_query):
    written = store.write(make_record(), per_query)
    (store.folder / "runs" / f"{written.stem}.json").unlink()
    assert Store(store.folder).read() == ([], [])
    assert store.should_run(written.fingerprint) is True
    assert store.write(make_record(), per_query) == written


def test_an_old_record_does_not_vouch_for_new_arrays(store, make_record, per_query, predictions):
    """A disk that refuses half of a rerun leaves no record behind, rather than the old one."""
    written = store.write(make_record(), per_query)
    (store.folder / "runs" / f"{written.stem}.items.parquet").mkdir()
    with pytest.raises(ResultsError, match=rf"cannot write the run {written.stem} to .*; make room or make the folder"):
        store.write(make_record(), per_query, predictions)
    assert store.find(written.fingerprint) is None
    assert not [name for name in files(store) if name.startswith(".tmp-")]


def test_unfinished_files_are_ignored_and_old_ones_removed(store, make_record):
    written = store.write(make_record())
    runs = store.folder / "runs"
    young, old = runs / f".tmp-1-{written.stem}.json", runs / f".tmp-2-{written.stem}.json"
    for path in (young, old):
        path.write_text("{", encoding="utf-8")
    os.utime(old, (time.time() - 7200,) * 2)
    assert store.read() == ([written], [])
    assert Store(store.folder, dataset="emoji").read() == ([written], [])
    assert files(store) == sorted([young.name, f"{written.stem}.json"])


# Records that cannot be used are named, the others are used.


def test_corrupt_records_are_named_and_the_others_used(store, make_record, per_query):
    good = store.write(make_record("cme"), per_query)
    bad = [store.write(make_record(seed=seed), per_query) for seed in range(5)]
    runs = store.folder / "runs"
    paths = [runs / f"{record.stem}.json" for record in bad]
    paths[0].write_text(paths[0].read_text()[:100], encoding="utf-8")
    fields = json.loads(paths[1].read_text())
    paths[1].write_text(json.dumps({**fields, "seed": -3, "extra": 1}), encoding="utf-8")
    (runs / bad[2].per_query).unlink()
    paths[3].write_text(json.dumps({**fields, "schema_version": 3}), encoding="utf-8")
    paths[4].rename(runs / "copy of a run.json")

    records, problems = store.read()
    assert records == [good]
    by_file = {problem.partition(":")[0].rpartition("/")[2]: problem for problem in problems}
    assert len(problems) == len(by_file) == 5
    assert "no readable JSON (" in by_file[paths[0].name]
    assert (
        "no valid run record: seed: Input should be greater than or equal to 0 (and 1 more)" in by_file[paths[1].name]
    )
    assert f"the file {bad[2].per_query} beside it is missing; restore it, or delete" in by_file[paths[2].name]
    assert "written by a newer huse-bench (schema 3, this one reads 2); upgrade" in by_file[paths[3].name]
    assert f"holds the run {bad[4].stem}; give the file that name" in by_file["copy of a run.json"]
    for problem in by_file.values():
        assert problem.endswith(("delete the file and run it again", "upgrade huse-bench", "or delete it"))
    assert store.should_run(bad[0].fingerprint) is True


@pytest.mark.parametrize("text", ["[]", "null", '"text"', "{}"])
def test_json_that_is_no_record_is_a_problem(store, text):
    (store.folder / "runs" / "x-s0-1.json").write_text(text, encoding="utf-8")
    records, (problem,) = store.read()
    assert records == []
    assert "no valid run record" in problem


def test_damaged_arrays_are_named_when_they_are_read(store, make_record, per_query):
    written = store.write(make_record(), per_query)
    (store.folder / "runs" / written.per_query).write_bytes(b"PAR1 no more")
    with pytest.raises(RecordError, match=r"\.parquet is not the file that was written with its record; restore it"):
        store.per_query(written)
    with pytest.raises(
        RecordError, match=r"\.parquet cannot be read .*; restore it, or delete the run's \.json file beside it"
    ):
        store.per_query(without_hashes(written))


# The files beside a record are its own.


def without_hashes(record):
    """As records were before they said what is in their files."""
    return record.model_copy(update={"per_query_sha256": None, "predictions_sha256": None})


def swap(store, first, second, field):
    one, other = (store.folder / "runs" / getattr(record, field) for record in (first, second))
    contents = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(contents)


@pytest.mark.parametrize("field", ["per_query", "predictions"])
def test_a_swapped_file_is_no_part_of_the_record(tmp_path, write_run, field):
    first, second, third = (write_run(name, 0, chance) for name, chance in (("cme", 0.2), ("huse", 0.6), ("hie", 0.4)))
    assert first.per_query_sha256 == hashlib.sha256((tmp_path / "runs" / first.per_query).read_bytes()).hexdigest()
    store = Store(tmp_path)
    swap(store, first, second, field)
    records, problems = store.read()
    assert records == [third]
    assert [problem.split(" is not the file ")[0] for problem in problems] == [
        str(tmp_path / "runs" / getattr(record, field)) for record in (first, second)
    ]
    for problem in problems:
        assert problem.endswith(
            "was written with its record; restore it, or delete the run's .json file beside it and run it again"
        )
    assert store.should_run(first.fingerprint) is True
    swap(store, first, second, field)
    assert store.read() == ([first, third, second], [])


@pytest.mark.parametrize(
    ("field", "number"), [("per_query", r"i2i R@1 is 0\.\d+, its mean 0\.\d+"), ("predictions", "image accuracy is 0")]
)
def test_records_without_hashes_are_held_against_their_numbers(tmp_path, write_run, field, number):
    first, second = write_run("cme", 0, 0.2), write_run("huse", 0, 0.6)
    store = Store(tmp_path)
    old = [without_hashes(record) for record in (first, second)]
    for record in old:
        (tmp_path / "runs" / f"{record.stem}.json").write_text(record.model_dump_json(exclude_none=True))
    assert store.read() == (old, [])
    swap(store, first, second, field)
    records, problems = store.read()
    assert records == []
    assert len(problems) == 2
    for problem in problems:
        assert re.search(rf"\.json: the files beside it are of another run: {number}.*; restore them, or", problem)


# Folders.


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    for arguments in ({}, {"dataset": "emoji"}):
        with pytest.raises(ResultsError, match=r"is not a huse-bench results folder .*; choose another --results"):
            Store(tmp_path, **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_becomes_a_results_folder(tmp_path):
    assert Store(tmp_path, dataset="emoji").dataset == "emoji"
    assert json.loads((tmp_path / "huse-bench.json").read_text()) == {"format": 1, "dataset": "emoji"}


@pytest.mark.parametrize("name", [".DS_Store", "._runs", "desktop.ini", "Thumbs.db", ".gitkeep"])
def test_files_of_the_system_make_no_folder_foreign(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert Store(tmp_path, dataset="emoji").dataset == "emoji"
    assert (tmp_path / name).exists()


def test_files_of_the_system_are_no_records(store, make_record):
    written = store.write(make_record())
    # What a Mac writes beside each file on a disk that is not its own: a header and no JSON.
    (store.folder / "runs" / f"._{written.stem}.json").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    assert Store(store.folder).read() == ([written], [])
    assert store.find(written.fingerprint) == written
    (store.folder / "runs" / f"{written.stem}.json").unlink()
    assert store.find(written.fingerprint) is None


def test_a_missing_folder_is_not_made_for_reading(tmp_path):
    with pytest.raises(
        ResultsError, match=r"there is no results folder .*none\. Make one with: huse-bench run --results"
    ):
        Store(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_holds_one_dataset(store, make_record):
    message = "holds runs on the dataset 'emoji', not on 'food101'; choose another --results"
    with pytest.raises(ResultsError, match=message):
        Store(store.folder, dataset="food101")
    with pytest.raises(ResultsError, match=message):
        store.write(make_record(dataset__name="food101"))


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "results"
    path.write_text("", encoding="utf-8")
    for arguments in ({}, {"dataset": "emoji"}):
        with pytest.raises(ResultsError, match="is a file, not a folder; choose another --results"):
            Store(path, **arguments)
    with pytest.raises(ResultsError, match=r"cannot write to the results folder .*make it writable or choose another"):
        Store(path / "emoji", dataset="emoji")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that refuses even root")  # noqa: PTH112
def test_a_folder_that_cannot_be_written_to_shows_at_once():
    with pytest.raises(
        ResultsError, match=r"cannot write to the results folder /proc/huse-bench \(.+\); make it writable"
    ):
        Store("/proc/huse-bench", dataset="emoji")


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("{", "huse-bench.json cannot be read, .*restore it"),
        ("[]", "huse-bench.json cannot be read, .*restore it"),
        ('{"format": 7, "dataset": "emoji"}', "says format 7, and this huse-bench reads format 1; upgrade"),
    ],
)
def test_a_marker_that_is_not_understood(store, marker, message):
    (store.folder / "huse-bench.json").write_text(marker, encoding="utf-8")
    with pytest.raises(ResultsError, match=message):
        Store(store.folder)


def test_byte_order_marks_are_no_part_of_marker_and_records(store, make_record):
    written = store.write(make_record())
    for path in (store.folder / "huse-bench.json", store.folder / "runs" / f"{written.stem}.json"):
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    records, problems = Store(store.folder).read()
    assert (list(records), list(problems)) == ([written], [])


def test_several_processes_may_make_one_folder(tmp_path):
    """Threads stand in for processes: each has a lock of its own on the same file."""
    barrier = threading.Barrier(8)
    opened, refused = [], []

    def open_store(number):
        barrier.wait()
        try:
            opened.append(Store(tmp_path / "new", dataset=f"dataset-{number % 2}").dataset)
        except ResultsError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=open_store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    assert len(set(opened)) == 1
    assert all("holds runs on the dataset" in message for message in refused)


def test_records_are_plain_utf8_json(store, make_record):
    written = store.write(make_record(method__title="Ærlig"))
    text = (store.folder / "runs" / f"{written.stem}.json").read_text(encoding="utf-8")
    assert "Ærlig" in text
    assert RunRecord.model_validate_json(text) == written


def test_confidences_are_kept_beside_predictions(store, make_record, predictions):
    confidences = np.linspace(0, 1, 50)
    written = store.write(make_record(), predictions={**predictions, "image_confidence": confidences})
    read = store.predictions(written)
    assert read["image_confidence"].dtype == np.float32
    np.testing.assert_allclose(read["image_confidence"], confidences, atol=1e-7)
    np.testing.assert_array_equal(read["label"], predictions["label"])


@pytest.mark.parametrize("wrong", [np.full(50, 1.5), np.full(50, np.nan), np.zeros((50, 2))])
def test_confidences_are_shares(store, make_record, predictions, wrong):
    with pytest.raises(ValueError, match=r"image_confidence must be \(n,\) shares from 0 to 1"):
        store.write(make_record(), predictions={**predictions, "image_confidence": wrong})


def test_predictions_are_no_shares(store, make_record, predictions):
    with pytest.raises(ValueError, match=r"predictions: image_prediction must be \(n,\) integers"):
        store.write(make_record(), predictions={**predictions, "image_prediction": np.full(50, 0.5)})


def test_a_list_of_numbers_is_one_line(store, make_record):
    curves = {"i2i": {"R": [0.5] * 1 + [0.9] * 3}}
    written = store.write(make_record(curves=curves, warnings=["one", "two"]))
    lines = (store.folder / "runs" / f"{written.stem}.json").read_text().splitlines()
    assert '      "R": [0.5, 0.9, 0.9, 0.9]' in lines
    assert lines.count('    "one",') == 1
