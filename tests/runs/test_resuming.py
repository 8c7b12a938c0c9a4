"""A run that is stopped or killed at any moment, and taken up, gives each bit of an undisturbed one."""

import json
import os
import random
import signal

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
def test_every_loss_and_optimiser_goes_on_from_a_stop_with_the_same_bits(planned, left_by, tmp_path, name):
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
def test_damaged_checkpoints_cost_steps_and_no_bit(planned, left_by, tmp_path, damaged):
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
