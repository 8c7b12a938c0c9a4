"""A run is a unit: planned here, done anywhere, watched by whoever wants to."""

import json
import os
import pickle
import socket
import subprocess
import sys

import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.features.prepared_files import load_prepared, save_prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.events import EventLog, RunFailed, RunFinished, RunStarted
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_run
from huse_bench.runs.steps import Measured, Stepped, curve_steps
from huse_bench.runs.unit import run_unit

ELSEWHERE = """
import pickle, sys
from pathlib import Path
from huse_bench.results import Store
from huse_bench.runs.unit import run_unit
with open(sys.argv[1], "rb") as file:
    spec = pickle.load(file)
run_unit(spec, Path(sys.argv[2]), Store(sys.argv[3], spec.config.dataset))
"""


@pytest.fixture
def planned(toy, quick_training):  # noqa: ARG001 - has the data
    """Plans of methods by name, and their data."""

    def plan(*names, **options):
        given = {"dataset": "toy", "methods": list(names), "training": quick_training, **options}
        config = resolve_config(None, given)
        _, prepared = make_ready(load(config), config, Reporter(quiet=True))
        return [plan_run(config, method, 0, prepared, "cpu") for method in resolve_methods(config)], prepared

    return plan


def numbers(record):
    return record.model_dump(include={"retrieval", "classification", "validation", "curves", "learning"})


def files(folder):
    """Contents of the arrays beside the records."""
    return {path.name: path.read_bytes() for path in (folder / "runs").glob("*.parquet")}


def test_a_unit_in_another_process_on_files_gives_the_same_bits(planned, tmp_path):
    (spec,), prepared = planned("huse")
    here = run_unit(spec, prepared, Store(tmp_path / "here", "toy"))
    (tmp_path / "spec").write_bytes(pickle.dumps(spec))
    folder = save_prepared(prepared, tmp_path / "prepared")
    command = [sys.executable, "-c", ELSEWHERE, tmp_path / "spec", folder, tmp_path / "there"]
    subprocess.run(command, check=True, env=os.environ)
    (there,) = hb.load_results(tmp_path / "there").records
    assert numbers(there) == numbers(here)
    assert there.fingerprint == here.fingerprint
    assert files(tmp_path / "here") == files(tmp_path / "there")


def test_prepared_data_come_back_as_they_were(planned, tmp_path):
    _, prepared = planned("huse")
    again = load_prepared(save_prepared(prepared, tmp_path / "prepared"))
    assert (again.name, again.title, again.content_hash) == ("toy", "Toy classes", prepared.content_hash)
    assert again.taxonomy == prepared.taxonomy
    assert again.classes.embeddings.equal(prepared.classes.embeddings)
    assert again.classes.distances.equal(prepared.classes.distances)
    for name, split in prepared.splits.items():
        other = again.splits[name]
        assert list(other.ids) == list(split.ids)
        assert other.image.equal(split.image)
        assert other.text.equal(split.text)
        assert (other.labels == split.labels).all()
        assert (other.groups == split.groups).all()


def test_a_folder_without_prepared_data_is_refused(tmp_path):
    with pytest.raises(hb.errors.DataError, match=r"holds no prepared data that can be read .*have it written again"):
        load_prepared(tmp_path)


def test_events_tell_of_a_run_and_stand_beside_its_record(planned, tmp_path):
    (spec,), prepared = planned("huse")
    events = []
    record = run_unit(spec, prepared, Store(tmp_path / "results", "toy"), [events.append])
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].record == record
    assert [event.done for event in events if isinstance(event, Stepped)] == list(range(1, 41))
    assert [event.step for event in events if isinstance(event, Measured)] == sorted(curve_steps(40))
    lines = (tmp_path / "results/runs" / f"{record.stem}.events.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [line["event"] for line in kept] == ["run_started", *["measured"] * 40, "run_finished"]
    assert kept[0] | {"time": ""} == {
        "time": "",
        "event": "run_started",
        "method": "huse",
        "seed": 0,
        "fingerprint": record.fingerprint,
        "device": "cpu",
        "steps": 40,
        "host": socket.gethostname(),
        "process": os.getpid(),
    }
    assert set(kept[1]["losses"]) == {"classification", "graph", "gap"}
    assert record.training.losses == pytest.approx(kept[40]["losses"], rel=1e-5)


def test_a_failing_method_is_a_record_and_an_event(planned, tmp_path):
    (spec,), prepared = planned("crash")
    events = []
    record = run_unit(spec, prepared, Store(tmp_path / "results", "toy"), [events.append])
    assert record.status == "failed"
    assert isinstance(events[-1], RunFailed)
    assert isinstance(events[-1].error, ZeroDivisionError)
    last = (tmp_path / "results/runs" / f"{record.stem}.events.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["status"] == "failed"


def test_a_log_that_cannot_be_written_loses_no_run(planned, tmp_path):
    (spec,), prepared = planned("huse")
    log = EventLog(tmp_path / "missing" / "events.jsonl")
    assert run_unit(spec, prepared, Store(tmp_path / "results", "toy"), [log]).status == "finished"


@pytest.mark.parametrize(("steps", "points"), [(1, 1), (7, 7), (49, 49), (50, 50), (400, 51), (250_000, 51)])
def test_a_learning_curve_has_some_fifty_points(steps, points):
    found = curve_steps(steps)
    assert len(found) == points
    assert {1, steps} <= found <= set(range(1, steps + 1))
