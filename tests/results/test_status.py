"""What a results folder tells of its runs while others are at it, from logs and claims that are really held."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from huse_bench.errors import ResultsError
from huse_bench.results import Store
from huse_bench.results.commands import announced, commands_at
from huse_bench.results.event_logs import last_event
from huse_bench.results.status import folder_status

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def line(event, after=0.0, /, **fields):
    return json.dumps({"time": (BEGAN + timedelta(seconds=after)).isoformat(), "event": event, **fields}) + "\n"


def started(after=0.0, method="huse"):
    return line("run_started", after, method=method, seed=0, steps=100, host="north", process=7)


def measured(step, after):
    return line("measured", after, step=step, losses={"gap": 0.5}, validation={"i2t R@1": 0.25})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", "emoji")


@pytest.fixture
def log(store, make_record):
    """Write a log of a run; gives its record, which is not written."""

    def write(name, *lines, seed=0):
        record = make_record(name, seed)
        (store.folder / "runs" / f"{record.stem}.events.jsonl").write_text("".join(lines))
        return record

    return write


def only(store):
    (run,) = folder_status(store.folder).runs
    return run


def test_a_run_that_is_claimed_is_running_at_the_speed_since_its_first_point(store, log):
    record = log("huse", started(), measured(1, 10), measured(21, 20))
    with store.claim(record.fingerprint):
        run = only(store)
    assert (run.state, run.method, run.seed, run.step, run.steps) == ("running", "huse", 0, 21, 100)
    assert run.speed == pytest.approx(20 / 10)
    # The last point is of long ago, so that by this speed it has taken its last step.
    assert run.left == 0
    assert (run.host, run.process) == ("north", 7)
    assert run.updated == BEGAN + timedelta(seconds=20)


def test_the_time_left_counts_from_the_last_point(store, log):
    ago = (datetime.now(UTC) - BEGAN).total_seconds() - 5
    record = log("huse", started(ago - 20), measured(1, ago - 10), measured(21, ago))
    with store.claim(record.fingerprint):
        run = only(store)
    # 79 steps at 2 a second, less some five seconds.
    assert 20 < run.left <= 34.5


def test_the_speed_is_that_of_the_process_that_goes_on(store, log):
    resumed = line("run_resumed", 1000, step=21, host="south", process=8)
    record = log("huse", started(), measured(1, 10), measured(21, 20), resumed, measured(23, 1010), measured(33, 1011))
    with store.claim(record.fingerprint):
        run = only(store)
    assert (run.speed, run.host, run.process) == (pytest.approx(10), "south", 8)


@pytest.mark.parametrize(
    ("lines", "step"), [((), None), ((started(),), None), ((started(), measured(1, 3)), 1), ((started()[:-9],), None)]
)
def test_of_a_run_that_has_just_begun_no_speed_is_known(store, log, lines, step):
    record = log("huse", *lines)
    with store.claim(record.fingerprint):
        run = only(store)
    assert (run.state, run.step, run.speed, run.left) == ("running", step, None, None)


def test_a_line_that_is_being_written_is_none_yet(store, log):
    record = log("huse", started(), measured(1, 10), measured(21, 20), measured(41, 30)[:-12])
    with store.claim(record.fingerprint):
        assert only(store).step == 21
    assert only(store).state == "stopped"
    assert only(store).step == 21


def test_a_run_that_nobody_is_at_is_stopped_and_goes_on_from_its_checkpoint(store, log):
    record = log("huse", started(), measured(1, 10), measured(21, 20))
    assert (only(store).state, only(store).kept) == ("stopped", 0)
    checkpoints = store.folder / "runs" / f"{record.stem}.checkpoint"
    checkpoints.mkdir()
    for name in ("step-000000012-0123456789abcdef", "step-000000019-0123456789abcdef"):
        (checkpoints / f"{name}.safetensors").touch()
    assert only(store).kept == 19
    # What a killed process leaves: the file of the claim, which it has no more.
    (store.folder / "runs" / f".{record.fingerprint[:12]}.lock").touch()
    assert only(store).state == "stopped"


def test_runs_that_ended_are_known_by_their_logs_or_where_these_are_missing_by_their_records(store, log, make_record):
    done = log("huse", started(), measured(100, 30), line("run_finished", 31, seconds=12.5, notices=[]))
    bad = log("cme", started(), line("run_failed", 9, status="diverged", seconds=4.0, error="not finite " + "x" * 9000))
    store.write(done)
    store.write(make_record("cme", status="diverged"))
    store.write(make_record("adamine"))
    store.write(make_record("triplet", status="failed"))
    runs = {run.method: run for run in folder_status(store.folder).runs}
    assert {method: run.state for method, run in runs.items()} == {
        "adamine": "finished",
        "cme": "diverged",
        "huse": "finished",
        "triplet": "failed",
    }
    assert (runs["huse"].seconds, runs["huse"].updated) == (12.5, BEGAN + timedelta(seconds=31))
    assert runs["cme"].error.startswith("not finite xxx")
    assert runs["triplet"].error == "the loss failed at step 7"
    assert bad.stem == runs["cme"].name


def test_a_record_that_is_written_before_the_log_says_so_counts(store, log):
    record = log("huse", started(), measured(100, 30))
    store.write(record)
    assert only(store).state == "finished"


def test_a_run_whose_record_was_deleted_is_nothing_to_speak_of(store, log):
    log("huse", started(), line("run_finished", 31, seconds=12.5, notices=[]))
    assert folder_status(store.folder).runs == ()


def test_a_run_that_is_done_again_is_running(store, log):
    record = log("huse", started(), measured(1, 2))
    store.write(record)
    with store.claim(record.fingerprint):
        assert only(store).state == "running"


def test_a_command_says_what_waits_and_the_time_left_is_by_what_others_took(store, log, make_record):
    for seed, seconds in ((0, 10.0), (1, 30.0), (2, 20.0)):
        log("huse", started(), line("run_finished", 31, seconds=seconds, notices=[]), seed=seed)
        store.write(make_record("huse", seed))
    waiting = [make_record("huse", seed) for seed in (3, 4)] + [make_record("cme", 0)]
    with announced(store.folder, [record.stem for record in waiting]):
        status = folder_status(store.folder)
        assert [(run.method, run.seed) for run in status.of("waiting")] == [("cme", 0), ("huse", 3), ("huse", 4)]
        # The median of a method's own runs, and of all where it has none; one at a time.
        assert status.left == pytest.approx(3 * 20.0)
        with store.claim(waiting[0].fingerprint), store.claim(waiting[1].fingerprint):
            status = folder_status(store.folder)
        assert [run.seed for run in status.of("running")] == [3, 4]
        assert status.left == pytest.approx(3 * 20.0 / 2)
        assert status.commands[0].process == os.getpid()
    status = folder_status(store.folder)
    assert (status.of("waiting"), status.commands, status.left) == ([], (), None)
    assert list(store.folder.glob(".command-*")) == []


def test_what_a_command_is_to_do_waits_also_where_it_was_stopped_or_has_an_older_record(store, log, make_record):
    stopped = log("huse", started(), measured(1, 10))
    old = log("cme", started(), line("run_finished", 31, seconds=12.5, notices=[]))
    new = make_record("adamine")
    store.write(old)
    runs = store.folder / "runs"
    os.utime(runs / f"{old.stem}.json", (1_000_000_000, 1_000_000_000))
    with announced(store.folder, [stopped.stem, old.stem, new.stem]):
        store.write(new)
        states = {run.method: run.state for run in folder_status(store.folder).runs}
        assert states == {"huse": "waiting", "cme": "waiting", "adamine": "finished"}
        with store.claim(old.fingerprint):
            assert [run.method for run in folder_status(store.folder).of("running")] == ["cme"]
    states = {run.method: run.state for run in folder_status(store.folder).runs}
    assert states == {"huse": "stopped", "cme": "finished", "adamine": "finished"}


KILLED = """
import os, signal, sys
from pathlib import Path
from huse_bench.results.commands import announced
with announced(Path(sys.argv[1]), ["huse-s0-0123456789ab"]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_command_announced_is_not_believed_and_goes_with_the_next(store):
    subprocess.run([sys.executable, "-c", KILLED, store.folder], check=False)
    assert list(store.folder.glob(".command-*.json"))
    assert commands_at(store.folder) == []
    assert folder_status(store.folder).runs == ()
    with announced(store.folder):
        assert len(commands_at(store.folder)) == 1
    assert list(store.folder.glob(".command-*")) == []


def test_a_search_has_so_many_trials_of_those_that_were_asked_for(store):
    entries = [{"op_code": 0, "study_name": "huse-0123456789ab"}]
    entries += [
        {"op_code": 4, "study_id": 0, "user_attrs": {"number": number}, "value": value}
        for number, value in ((1, 0.25), (2, None), (3, 0.5), (9, 0.75))
    ]
    (store.folder / "tuning").mkdir()
    torn = json.dumps(entries[-1])[:20]
    (store.folder / "tuning/journal.log").write_text("\n".join([*map(json.dumps, entries), torn]))
    assert folder_status(store.folder).searches == ()
    with announced(store.folder, trials={"huse-0123456789ab": 8, "cme-0123456789ab": 8}):
        cme, huse = folder_status(store.folder).searches
    assert (huse.study, huse.done, huse.failed, huse.trials, huse.best) == ("huse-0123456789ab", 3, 1, 8, 0.5)
    assert (cme.done, cme.failed, cme.trials, cme.best) == (0, 0, 8, None)
    (store.folder / "tuning/journal.log").write_text("no journal\n")
    with announced(store.folder, trials={"huse-0123456789ab": 8}):
        (problem,) = folder_status(store.folder).problems
    assert "no readable journal of trials" in problem


def test_a_look_writes_nothing_and_is_refused_where_there_are_no_results(store, log, tmp_path):
    log("huse", started(), measured(1, 2))
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")}
    folder_status(store.folder)
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")} == before
    with pytest.raises(ResultsError, match="there is no results folder"):
        folder_status(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="is not a huse-bench results folder"):
        folder_status(tmp_path / "empty")


LOOKING = """
import sys, time
from pathlib import Path
from huse_bench.results.locks import is_held
path, until = Path(sys.argv[1]), time.monotonic() + 30
print("looks", flush=True)
while time.monotonic() < until:
    is_held(path)
"""


def test_who_looks_takes_no_run_away(store, make_record):
    record = make_record()
    claim = store.folder / "runs" / f".{record.fingerprint[:12]}.lock"
    with subprocess.Popen([sys.executable, "-c", LOOKING, claim], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        try:
            for _ in range(100):
                with store.claim(record.fingerprint) as mine:
                    assert mine
        finally:
            process.kill()


def test_the_last_event_is_found_behind_a_long_line_and_a_torn_one(tmp_path):
    path = tmp_path / "log"
    assert last_event(path) == {}
    path.write_text("")
    assert last_event(path) == {}
    path.write_text(line("run_failed", error="x" * 20_000))
    assert last_event(path)["event"] == "run_failed"
    path.write_text(line("noticed", text="x" * 20_000) + line("measured", step=3) + '{"event": "run_fin')
    assert last_event(path)["event"] == "measured"
    path.write_text(line("run_started") + "no JSON\n[1]\n")
    assert last_event(path)["event"] == "run_started"
