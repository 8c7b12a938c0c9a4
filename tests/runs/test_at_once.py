# ruff: noqa: ARG001 - functions in place of methods take what these do
"""Seeds that are trained at once have the records that each has by itself, to rounding, and fail each for itself."""

import os
import signal
from dataclasses import replace

import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.errors import DivergedError
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.at_once import grouped, run_at_once
from huse_bench.runs.controls import shuffled_method
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.events import RunFailed, RunFinished, RunMeasured, RunResumed, RunStarted, RunStopped, Stepped
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_run
from huse_bench.runs.steps import curve_steps
from huse_bench.runs.stopping import Stopped, stoppable
from huse_bench.runs.unit import run_unit

SEEDS = (0, 1, 5)


@pytest.fixture
def planned(toy, quick_training):
    """Plans of a method's seeds, and their data."""

    def plan(name="huse", seeds=SEEDS, **options):
        # A second moment that begins at zero makes a whole step of a gradient that is a rounding.
        training = {**quick_training, "steps": 12, "optimizer": "rmsprop-tf", "dropout": 0.3}
        given = {"dataset": "toy", "methods": [name], "training": training, **options}
        config = resolve_config(None, given)
        _, prepared = make_ready(load(config), config, Reporter(quiet=True))
        (method,) = resolve_methods(config)
        return [plan_run(config, method, seed, prepared, "cpu") for seed in seeds], prepared

    return plan


def quiet(_spec):
    return ()


def assert_alike(record, alone):
    assert record.fingerprint == alone.fingerprint
    assert record.status == alone.status == "finished"
    assert record.training.losses == pytest.approx(alone.training.losses, rel=1e-3)
    assert record.learning.steps == alone.learning.steps
    for name, values in alone.learning.losses.items():
        assert record.learning.losses[name] == pytest.approx(values, rel=1e-3)
    for direction, scores in alone.retrieval.items():
        # An item or two may change places where two are nearly as near.
        assert record.retrieval[direction] == pytest.approx(scores, abs=0.03)


def test_records_are_those_of_each_seed_by_itself(planned, tmp_path):
    specs, prepared = planned()
    store, other = Store(tmp_path / "at-once", "toy"), Store(tmp_path / "alone", "toy")
    run_at_once(specs, prepared, store, quiet)
    for spec in specs:
        alone = run_unit(spec, prepared, other)
        record = store.find(spec.fingerprint)
        assert_alike(record, alone)
        assert (
            "trained a step at once with other seeds: its seconds are its share of theirs, its memory that of all"
            in record.warnings
        )
        assert not any("at once" in warning for warning in alone.warnings)
    assert len({tuple(store.find(spec.fingerprint).training.losses.values()) for spec in specs}) == len(SEEDS)
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_each_runs_listeners_are_told_of_it(planned, tmp_path):
    specs, prepared = planned()
    told = {spec.seed: [] for spec in specs}
    run_at_once(specs, prepared, Store(tmp_path / "at-once", "toy"), lambda spec: [told[spec.seed].append])
    for spec in specs:
        events = told[spec.seed]
        assert isinstance(events[0], RunStarted)
        assert [event.done for event in events if isinstance(event, Stepped)] == list(range(1, 13))
        measured = [event for event in events if isinstance(event, RunMeasured)]
        assert [event.point.step for event in measured] == sorted(curve_steps(12))
        assert {event.spec.seed for event in measured} == {spec.seed}
        assert isinstance(events[-1], RunFinished)
        assert events[-1].record.seed == spec.seed


def stop_after(step, kept):
    def listen(event):
        kept.append(event)
        if isinstance(event, Stepped) and event.done == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def test_a_signal_leaves_a_checkpoint_of_each_and_all_go_on_from_there(planned, tmp_path):
    specs, prepared = planned()
    store, whole = Store(tmp_path / "stopped", "toy"), Store(tmp_path / "whole", "toy")
    told = {spec.seed: [] for spec in specs}
    with pytest.raises(Stopped), stoppable(lambda _: None):
        # That of the last seed, when the others have been looked at.
        run_at_once(specs, prepared, store, lambda spec: [stop_after(7 if spec.seed == 5 else 99, told[spec.seed])])
    assert told[5][-1] == RunStopped(7, 7)
    # The others had been looked at before the signal came, and take one more step.
    assert {seed: told[seed][-1] for seed in (0, 1)} == {0: RunStopped(8, 8), 1: RunStopped(8, 8)}
    assert not [spec for spec in specs if store.find(spec.fingerprint)]

    again = {spec.seed: [] for spec in specs}
    run_at_once(specs, prepared, store, lambda spec: [again[spec.seed].append])
    for spec in specs:
        resumed = [event for event in again[spec.seed] if isinstance(event, RunResumed)]
        assert [event.step for event in resumed] == [7 if spec.seed == 5 else 8]
        # Trackers are told of all points once more, those from before the stop as well.
        measured = [event.point.step for event in again[spec.seed] if isinstance(event, RunMeasured)]
        assert measured == sorted(curve_steps(12))
        record = store.find(spec.fingerprint)
        assert_alike(record, run_unit(spec, prepared, whole))
        assert sum("at once" in warning for warning in record.warnings) == 1


def test_a_seed_that_diverges_is_a_record_that_says_so_and_the_others_finish(planned, tmp_path, monkeypatch):
    specs, prepared = planned()
    whole = Store(tmp_path / "whole", "toy")
    loss = hb.load("loss", "huse")
    forward, calls = loss.forward, [0]

    def spoilt(self, batch):
        calls[0] += 1
        terms = forward(self, batch)
        # The second of three seeds at their second step.
        return {name: value * float("nan") for name, value in terms.items()} if calls[0] == 5 else terms

    store, told = Store(tmp_path / "at-once", "toy"), {spec.seed: [] for spec in specs}
    with monkeypatch.context() as patched:
        patched.setattr(loss, "forward", spoilt)
        run_at_once(specs, prepared, store, lambda spec: [told[spec.seed].append])
    record = store.find(specs[1].fingerprint)
    assert record.status == "diverged"
    assert isinstance(told[1][-1], RunFailed)
    assert isinstance(told[1][-1].error, DivergedError)
    for spec in (specs[0], specs[2]):
        assert_alike(store.find(spec.fingerprint), run_unit(spec, prepared, whole))


def test_what_none_can_be_trained_by_is_a_record_of_each(planned, tmp_path, monkeypatch):
    specs, prepared = planned()
    store = Store(tmp_path / "at-once", "toy")

    def refuse(self, batch):
        raise ValueError("not today")

    monkeypatch.setattr(hb.load("loss", "huse"), "forward", refuse)
    run_at_once(specs, prepared, store, quiet)
    for spec in specs:
        record = store.find(spec.fingerprint)
        assert record.status == "failed"
        assert "not today" in record.error


def test_what_cannot_be_built_is_a_record_of_each(planned, tmp_path, monkeypatch):
    specs, prepared = planned()
    store = Store(tmp_path / "at-once", "toy")

    def refuse(self, **parameters):
        raise ValueError("never")

    monkeypatch.setattr(hb.load("loss", "huse"), "__init__", refuse)
    run_at_once(specs, prepared, store, quiet)
    assert [store.find(spec.fingerprint).status for spec in specs] == ["failed"] * 3


def test_seeds_of_one_method_on_a_gpu_belong_together(planned):
    specs, _ = planned()
    others, _ = planned("cme")
    limited, _ = planned(timeout=60.0)
    assert grouped([*specs, *others]) == [[spec] for spec in (*specs, *others)]

    def there(some):
        return [replace(spec, device="cuda:0") for spec in some]

    mixed = [spec for pair in zip(there(specs), there(others), strict=True) for spec in pair]
    assert grouped(mixed) == [there(specs), there(others)]
    assert grouped(there(limited)) == [[spec] for spec in there(limited)]
    controls = [replace(spec, method=shuffled_method(spec.method)) for spec in there(specs)]
    assert grouped(controls) == [[spec] for spec in controls]
