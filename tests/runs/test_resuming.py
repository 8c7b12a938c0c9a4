"""A run that is stopped or killed at any moment, and taken up, gives each bit of an undisturbed one."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.discovery import components
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.events import RunNoticed, RunResumed, RunStopped, Stepped
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_run
from huse_bench.runs.stopping import Stopped, stoppable
from huse_bench.runs.unit import run_unit

BUILT_IN = [component.name for component in components("loss") if component.distribution == "huse-bench"]

# What a record says of time, and of the process.
TIMES = {"created", "seconds", "steps_per_second", "peak_memory_bytes"}


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def left_by(folder):
    """All that runs left in a results folder: records but for times, and the bytes of the files beside them."""
    runs = folder / "runs"
    records = {path.name: timeless(json.loads(path.read_text())) for path in runs.glob("*.json")}
    arrays = {
        path.name: path.read_bytes() for ending in ("parquet", "safetensors") for path in runs.glob(f"*.{ending}")
    }
    assert records
    assert len(arrays) >= 2 * len(records)
    return records, arrays


def measured(folder):
    """What each log of events says was measured."""
    logs = {path.name: path.read_text().splitlines() for path in (folder / "runs").glob("*.events.jsonl")}
    events = {name: [json.loads(line) for line in lines] for name, lines in logs.items()}
    return {name: [{**each, "time": None} for each in of if each["event"] == "measured"] for name, of in events.items()}


# In one process: every loss, every optimiser.


@pytest.fixture
def planned(toy, quick_training):  # noqa: ARG001 - has the data
    def plan(name, **changes):
        options = {"checkpoint_every": 1e-9 if changes.pop("always", False) else 1e9, **changes.pop("options", {})}
        given = {"dataset": "toy", "methods": [name], "training": {**quick_training, **changes}, **options}
        config = resolve_config(None, given)
        _, prepared = make_ready(load(config), config, Reporter(quiet=True))
        (method,) = resolve_methods(config)
        return plan_run(config, method, 0, prepared, "cpu"), prepared

    return plan


def stop_at(step, signum=signal.SIGTERM):
    """A listener that sends a signal to this process after a step."""

    def listen(event):
        if isinstance(event, Stepped) and event.done == step:
            os.kill(os.getpid(), signum)

    return listen


def stopped(spec, prepared, store, step):
    """The events of a run that is stopped after a step."""
    events = []
    with pytest.raises(Stopped), stoppable(lambda _: None):
        run_unit(spec, prepared, store, [events.append, stop_at(step)])
    return events


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_loss_and_optimiser_goes_on_from_a_stop_with_the_same_bits(planned, tmp_path, name):
    draw = random.Random(name)
    for optimizer in ("adamw", "rmsprop-tf", "rmsprop"):
        spec, prepared = planned(name, optimizer=optimizer, steps=12, dropout=0.3)
        whole, other = (tmp_path / f"{optimizer}-{kind}" for kind in ("whole", "stopped"))
        assert run_unit(spec, prepared, Store(whole, "toy")).status == "finished"
        store = Store(other, "toy")
        step = draw.randrange(1, 12)
        assert stopped(spec, prepared, store, step)[-1] == RunStopped(step, step)
        events = []
        run_unit(spec, prepared, store, [events.append])
        assert [event.step for event in events if isinstance(event, RunResumed)] == [step]
        assert [event.done for event in events if isinstance(event, Stepped)] == list(range(step + 1, 13))
        assert left_by(other) == left_by(whole), (optimizer, step)
        assert measured(other) == measured(whole)
        assert not list(other.rglob("*.checkpoint"))


def test_the_log_of_events_tells_of_the_run_once_and_of_where_it_was_taken_up(planned, tmp_path):
    spec, prepared = planned("huse", steps=12)
    store = Store(tmp_path / "results", "toy")
    stopped(spec, prepared, store, 5)
    (log,) = (store.folder / "runs").glob("*.events.jsonl")
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert {**told[-1], "time": None} == {"time": None, "event": "run_stopped", "step": 5, "kept": 5}
    run_unit(spec, prepared, store)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["run_started", *["measured"] * 5, "run_resumed", *["measured"] * 7, "run_finished"]
    assert events[6]["step"] == 5
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)


def test_a_run_without_checkpoints_is_stopped_and_begins_anew(planned, tmp_path):
    spec, prepared = planned("huse", steps=12, options={"checkpoint_every": 0.0})
    store = Store(tmp_path / "results", "toy")
    assert stopped(spec, prepared, store, 5)[-1] == RunStopped(5, 0)
    assert not list(store.folder.rglob("*.checkpoint"))
    events = []
    run_unit(spec, prepared, store, [events.append])
    assert [event.done for event in events if isinstance(event, Stepped)] == list(range(1, 13))


def test_a_signal_after_the_last_step_lets_the_run_have_its_record(planned, tmp_path, monkeypatch):
    spec, prepared = planned("gap", steps=12)
    store = Store(tmp_path / "results", "toy")
    evaluations = []

    def train(self, mode=True):
        evaluations.extend([] if mode else [True])
        # One for each point of the learning curve, and then that of the validation split.
        if len(evaluations) == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return super(spec.method.loss_class, self).train(mode)

    monkeypatch.setattr(spec.method.loss_class, "train", train)
    with pytest.raises(Stopped) as caught, stoppable(lambda _: None):
        run_unit(spec, prepared, store)
    assert caught.value.exit_code == 130
    assert [record.status for record in store.read()[0]] == ["finished"]


@pytest.mark.parametrize("damaged", [1, 2])
def test_damaged_checkpoints_cost_steps_and_no_bit(planned, tmp_path, damaged):
    spec, prepared = planned("huse", steps=12, always=True)
    run_unit(spec, prepared, Store(tmp_path / "whole", "toy"))
    store = Store(tmp_path / "results", "toy")
    stopped(spec, prepared, store, 6)
    (folder,) = store.folder.rglob("*.checkpoint")
    files = sorted(folder.iterdir())
    assert len(files) == 2
    for path in files[-damaged:]:
        path.write_bytes(path.read_bytes()[:-1])
    events = []
    run_unit(spec, prepared, store, [events.append])
    said = [event.text for event in events if isinstance(event, RunNoticed)]
    assert len([text for text in said if "it is torn or was changed" in text]) == damaged
    assert ("no checkpoint can be used, so it begins anew" in said) == (damaged == 2)
    assert next(event.done for event in events if isinstance(event, Stepped)) == (1 if damaged == 2 else 6)
    assert left_by(store.folder) == left_by(tmp_path / "whole")


def test_the_checkpoint_of_another_run_is_not_taken(planned, tmp_path):
    spec, prepared = planned("huse", steps=12)
    store = Store(tmp_path / "results", "toy")
    stopped(spec, prepared, store, 6)
    other, prepared = planned("huse", steps=12, learning_rate=0.5)
    (folder,) = store.folder.rglob("*.checkpoint")
    # Somebody renames it, say.
    folder.rename(folder.with_name(f"{other.stem}.checkpoint"))
    events = []
    run_unit(other, prepared, store, [events.append])
    assert next(event.text for event in events if isinstance(event, RunNoticed)).endswith("it is of another run")
    assert next(event.done for event in events if isinstance(event, Stepped)) == 1


def test_a_loss_that_remembers_what_no_checkpoint_holds_is_not_kept(planned, tmp_path):
    # It counts its calls in an attribute, and is NaN at the third.
    spec, prepared = planned("nan", always=True)
    store = Store(tmp_path / "results", "toy")
    events = stopped(spec, prepared, store, 2)
    assert events[-1] == RunStopped(2, 0)
    (said,) = [event.text for event in events if isinstance(event, RunNoticed)]
    why = "Nan remembers what none would hold (calls)"
    assert said == f"no checkpoint is written, for {why}; keep it in buffers, by register_buffer"
    assert run_unit(spec, prepared, store).status == "diverged"


def test_a_clock_that_is_set_back_changes_nothing(planned, tmp_path, monkeypatch):
    spec, prepared = planned("huse", steps=12, options={"checkpoint_every": 0.02})
    run_unit(spec, prepared, Store(tmp_path / "whole", "toy"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86400.0)
    store, events = Store(tmp_path / "results", "toy"), []

    def wait(event):
        if isinstance(event, Stepped):
            time.sleep(0.03)

    with pytest.raises(Stopped), stoppable(lambda _: None):
        run_unit(spec, prepared, store, [wait, stop_at(6)])
    (folder,) = store.folder.rglob("*.checkpoint")
    assert [path.name[:14] for path in sorted(folder.iterdir())] == ["step-000000005", "step-000000006"]
    monkeypatch.setattr(time, "time", lambda: now - 2 * 86400.0)
    run_unit(spec, prepared, store, [events.append])
    assert next(event.done for event in events if isinstance(event, Stepped)) == 7
    assert left_by(store.folder) == left_by(tmp_path / "whole")


def test_no_checkpoint_is_left_beside_a_record(planned, tmp_path):
    spec, prepared = planned("huse", steps=12, always=True)
    results = tmp_path / "results"
    stopped(spec, prepared, Store(results, "toy"), 6)
    (folder,) = results.rglob("*.checkpoint")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    run_unit(spec, prepared, Store(results, "toy"))
    assert not folder.exists()
    # As of a process that was killed between the two.
    folder.mkdir()
    for name, contents in kept.items():
        (folder / name).write_bytes(contents)
    training = {name: spec.config.training.model_dump()[name] for name in ("batch_size", "width", "embedding_dim")}
    hb.run("huse", "toy", results=results, training={**training, "steps": 12, "warmup_steps": 5}, quiet=True)
    assert not folder.exists()


# Real commands.


@pytest.fixture
def command(toy):
    (toy / "quick.toml").write_text("[training]\nsteps = 800\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")

    def start(results, *more, methods="huse"):
        options = ["--dataset", "toy", "--methods", methods, "--config", "quick.toml", "--results", results]
        return subprocess.Popen(
            [sys.executable, "-m", "huse_bench", "run", *options, *more],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


def finish(process, code=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


def in_training(process, folder):
    """Wait until a command trains: it wrote a checkpoint of its own, or ended."""
    began = time.time_ns()
    while process.poll() is None:
        try:
            if any(path.stat().st_mtime_ns >= began for path in folder.rglob("step-*")):
                return
        except FileNotFoundError:
            continue
        time.sleep(0.002)


def kill_and_finish(command, method, kills, seed):
    """Kill a command at random moments, let it finish, and compare."""
    draw = random.Random(seed)
    whole, _ = finish(command("whole", "--checkpoint-every", "0", methods=method))
    killed = 0
    for _ in range(kills):
        process = command("killed", "--checkpoint-every", "0.02", methods=method)
        in_training(process, Path("killed"))
        time.sleep(draw.random() * 1.5 / kills)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    table, said = finish(command("killed", methods=method))
    if killed == kills:
        # Otherwise it had ended before the last blow.
        assert re.search(r"^\S.* seed 0: goes on from its checkpoint after step \d+$", said, re.MULTILINE), said
    assert killed > kills // 2
    assert left_by(Path("killed")) == left_by(Path("whole"))
    assert measured(Path("killed")) == measured(Path("whole"))
    assert table == whole
    names = {path.name for path in Path("killed/runs").iterdir()}
    assert names == {path.name for path in Path("whole/runs").iterdir()}


def test_a_command_that_is_killed_three_times_gives_the_bits_of_one_that_is_not(command):
    kill_and_finish(command, "huse", kills=3, seed=0)


@pytest.mark.soak
@pytest.mark.parametrize("method", ["huse", "cme", "siglip"])
def test_a_command_that_is_killed_twenty_times_gives_the_bits_of_one_that_is_not(command, method):
    kill_and_finish(command, method, kills=20, seed=method)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_with_a_checkpoint_and_says_how_to_go_on(command, signum):
    process = command("results", "--checkpoint-every", "0.02")
    in_training(process, Path("results"))
    process.send_signal(signum)
    out, said = finish(process, 128 + signum)
    assert out == ""
    pattern = r"^HUSE seed 0: stopped after step (\d+); the next time it goes on from step (\d+)$"
    kept = re.search(pattern, said, re.MULTILINE)
    assert kept is not None, said
    assert kept[1] == kept[2]
    last = said.splitlines()[-1]
    name = signal.Signals(signum).name
    again = "--dataset toy --methods huse --config quick.toml --results results --checkpoint-every 0.02"
    assert last == f"huse-bench: stopped by {name}; what is done is kept. To go on: huse-bench run {again}"
    out, said = finish(command("results"))
    assert f"HUSE seed 0: goes on from its checkpoint after step {kept[1]}\n" in said
    assert "HUSE" in out


SLEEPY = '''
import pathlib, time
from huse_bench import Loss

class Sleepy(Loss):
    """Takes a nap."""
    title = "Sleepy"

    def forward(self, batch):
        pathlib.Path("napping").touch()
        time.sleep(600)
'''


def test_a_second_signal_ends_a_command_at_once(command, toy):
    (toy / "plugins").mkdir()
    (toy / "plugins/sleepy.py").write_text(SLEEPY)
    process = command("results", "--plugins-dir", "plugins", methods="sleepy")
    while not (toy / "napping").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "stops as soon as nothing is lost by it" in next(line for line in process.stderr if "SIGINT" in line)
    # One key press may arrive twice.
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT


def test_two_commands_on_a_stopped_run_take_it_up_once(command):
    process = command("results", "--checkpoint-every", "0.02")
    in_training(process, Path("results"))
    process.send_signal(signal.SIGTERM)
    finish(process, 143)
    both = [command("results") for _ in range(2)]
    said = "".join(finish(process)[1] for process in both)
    assert said.count("goes on from its checkpoint") == 1
    assert said.count("HUSE seed 0: finished") == 1


def test_a_search_is_stopped_between_the_lines_of_its_journal(command, toy):
    pytest.importorskip("optuna")
    del command
    options = ["--dataset", "toy", "--methods", "huse", "--config", "quick.toml", "--results", "results"]
    start = [sys.executable, "-m", "huse_bench", "tune", "--trials", "3", *options]
    process = subprocess.Popen(start, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # The first trial has ended, and the second is on.
    for line in process.stderr:
        if "trial 1 of 3" in line:
            break
    process.send_signal(signal.SIGTERM)
    out, said = finish(process, 143)
    assert out == ""
    assert said.splitlines()[-1].startswith(
        "huse-bench: stopped by SIGTERM; what is done is kept. To go on: huse-bench tune"
    )
    done = subprocess.run(start, capture_output=True, text=True, check=True)
    assert re.search(r"[12] of 3 trials of HUSE are done", done.stderr)
    assert (toy / "results/tuned.toml").is_file()
