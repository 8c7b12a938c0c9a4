"""What a search has spent on the hyper-parameters of runs after they were written."""

import hashlib
import json
import re
import threading

import pytest

from huse_bench.errors import RecordError
from huse_bench.results import Store
from huse_bench.results.schema import Tuning


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "emoji", dataset="emoji")


def tuned(trials):
    return Tuning(
        trials=trials, failed=0, steps=10, batch_size=8, objective=("i2i R@1",), value=0.5, seed=0, study="a" * 64
    )


def test_a_note_on_tuning_leaves_the_records_as_they_are(store, make_record):
    runs = [store.write(make_record(seed=seed)) for seed in range(2)]
    other = store.write(make_record("cme", tuning=tuned(3)))
    folder = store.folder / "runs"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    store.note_tuning(runs[0].configuration, tuned(7))
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before

    again = Store(store.folder)
    assert [record.tuning.trials for record in again.read()[0]] == [3, 7, 7]
    assert again.find(runs[1].fingerprint).tuning == tuned(7)
    assert again.find(runs[1].fingerprint).model_copy(update={"tuning": None}) == runs[1]
    # The latest note counts, also over what a record says.
    again.note_tuning(runs[0].configuration, tuned(8))
    again.note_tuning(other.configuration, tuned(9))
    assert [record.tuning.trials for record in store.read()[0]] == [9, 8, 8]
    assert not [path for path in store.folder.iterdir() if path.name.startswith(".tmp-")]


def test_several_processes_may_note(store):
    """Threads stand in for processes; no note is lost."""
    configurations = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(12)]
    threads = [
        threading.Thread(target=Store(store.folder).note_tuning, args=(configuration, tuned(1)))
        for configuration in configurations
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads((store.folder / "tuning.json").read_text())["configurations"]) == sorted(configurations)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "configurations": {}}', '{"configurations": {"a": 1}}'])
def test_notes_that_cannot_be_read_are_a_problem_and_the_records_are_used(store, make_record, text):
    written = store.write(make_record())
    (store.folder / "tuning.json").write_text(text)
    records, (problem,) = store.read()
    assert records == [written]
    assert re.search(r"tuning\.json: no readable notes of what tuning has cost \(.+\); delete the file and", problem)
    assert store.find(written.fingerprint) == written
    with pytest.raises(RecordError, match="no readable notes"):
        store.note_tuning(written.configuration, tuned(1))
    assert (store.folder / "tuning.json").read_text() == text


def test_a_note_that_the_disk_refuses(store, make_record):
    written = store.write(make_record())
    (store.folder / "tuning.json").mkdir()
    with pytest.raises(RecordError, match="no readable notes"):
        store.note_tuning(written.configuration, tuned(1))
