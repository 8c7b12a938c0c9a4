"""What a command would do, what that would cost by a few real steps of each method, and nothing done."""

from __future__ import annotations

import heapq
import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from huse_bench.config import RunConfig
from huse_bench.execution.threads import cores, gpus, limited, threads_each
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.controls import CONTROLS
from huse_bench.runs.data import device_of, load, make_ready, refuse_other_data
from huse_bench.runs.device import device_info
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.identity import control_fingerprint
from huse_bench.runs.listeners import reason
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.steps import Measured, Stepped, curve_steps
from huse_bench.runs.tuned import AskedRuns
from huse_bench.runs.unit import placed_for
from huse_bench.runs.workers import check_workers
from huse_bench.training.shares import steps_to_measure

__all__ = ["Cost", "ForeseenRun", "Rehearsal", "rehearse"]

# Enough for a median of those at which nothing else is measured.
_STEPS = 16


@dataclass(frozen=True)
class Cost:
    """What one run of a method would take.

    Attributes:
        step_seconds: of a step of the training.
        seconds: of the whole run; None where a step failed.
        peak_memory_bytes: most memory in use at once, on a CPU of the whole process; None where it cannot be told.
        error: why a step failed; None where none did.
    """

    step_seconds: float | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class ForeseenRun:
    """A run of the plan.

    Attributes:
        method: name of the method.
        title: name of its row in the tables.
        seed: of the run.
        fingerprint: identity of the run.
        waiting: whether it would be run.
        record: how the run of its record ended; None where it has no record.
        cost: what it would take; None where it would not be run, and of a control that needs no training.
    """

    method: str
    title: str
    seed: int
    fingerprint: str
    waiting: bool
    record: str | None
    cost: Cost | None


@dataclass(frozen=True)
class Rehearsal:
    """What a command would do.

    Attributes:
        config: of the command.
        device: torch device that it would train on.
        at_once: how many runs would go on at once, each as fast as if it were alone.
        threads: of the CPU, for each of them.
        runs: its runs, in their order.
    """

    config: RunConfig
    device: str
    at_once: int
    threads: int
    runs: tuple[ForeseenRun, ...]

    @property
    def waiting(self) -> tuple[ForeseenRun, ...]:
        """Those that would be run."""
        return tuple(run for run in self.runs if run.waiting)

    @property
    def seconds(self) -> float:
        """What they would take together, as far as that can be told: each is given to the first that is free."""
        free = [0.0] * self.at_once
        for run in self.waiting:
            heapq.heapreplace(free, free[0] + ((run.cost.seconds if run.cost else None) or 0.0))
        return max(free)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that one of them would use."""
        return max((run.cost.peak_memory_bytes or 0 for run in self.waiting if run.cost), default=0) or None


def rehearse(config: RunConfig, *, quiet: bool = False, verbose: bool = False) -> Rehearsal:
    """Plan what a configuration asks for, and take a few steps of each method that would be trained.

    Nothing is written into the results folder. Features that the data lack are made and kept in the cache, for without
    them no run has an identity.

    Args:
        config: of the command.
        quiet: show neither progress nor notices.
        verbose: show details.

    Returns:
        The plan.

    Raises:
        UsageError: for anything that could not be run as asked.
    """
    reporter = Reporter(quiet=quiet, verbose=verbose)
    asked = AskedRuns(config)
    config = asked.config
    check_workers(config)
    loaded = load(config)
    store = Store.peek(config.results_folder, config.dataset)
    _, prepared = make_ready(loaded, config, reporter)
    specs, notices = asked.plan(prepared)
    for notice in notices:
        reporter.say(notice)
    if store is not None:
        refuse_other_data(store.read()[0], prepared, config, store.card())
    at_once, threads = _shared_out(config)
    with limited(threads) if config.elsewhere else nullcontext():
        costs = _costs([spec for spec in specs if _waits(store, spec.fingerprint, config)], prepared, reporter)
    runs = [
        ForeseenRun(
            method=spec.method.name,
            title=spec.method.title,
            seed=spec.seed,
            fingerprint=spec.fingerprint,
            waiting=(waits := _waits(store, spec.fingerprint, config)),
            record=_ended(store, spec.fingerprint),
            cost=costs[_kind(spec)] if waits else None,
        )
        for spec in specs
    ]
    for control in CONTROLS if config.controls else ():
        identity = control_fingerprint(control, config, prepared)
        waits, ended = _waits(store, identity, config), _ended(store, identity)
        runs.append(ForeseenRun(control.name, control.title, 0, identity, waits, ended, None))
    return Rehearsal(config, device_of(config), at_once, threads, tuple(runs))


def _shared_out(config: RunConfig) -> tuple[int, int]:
    """How many runs go on at once without sharing a core or a GPU, and the CPU threads of each."""
    jobs = config.jobs or 1
    if not config.elsewhere or config.engine not in {None, "loky"}:
        # Machines of a cluster are taken to be as this one.
        return jobs, torch.get_num_threads()
    device = torch.device(device_of(config))
    room = cores() if device.type == "cpu" else len(gpus()) if device.index is None else 1
    return max(1, min(jobs, room)), threads_each(jobs)


def _waits(store: Store | None, fingerprint: str, config: RunConfig) -> bool:
    return store is None or store.should_run(fingerprint, config.overwrite)


def _ended(store: Store | None, fingerprint: str) -> str | None:
    record = None if store is None else store.find(fingerprint)
    return None if record is None else record.status


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """What runs of one cost share; labels that are shuffled cost what others do."""
    return (spec.method.loss_class, repr(sorted(spec.method.parameters.items())))


def _costs(specs: list[RunSpec], prepared: Prepared, reporter: Reporter) -> dict[tuple[object, ...], Cost]:
    """The cost of each distinct method."""
    distinct = {_kind(spec): spec for spec in reversed(specs)}
    costs = {}
    with reporter.items("measuring a few steps of each method", len(distinct)) as advance:
        for kind, spec in reversed(distinct.items()):
            costs[kind] = _cost(spec, prepared)
            advance(len(costs))
    return costs


def _cost(spec: RunSpec, prepared: Prepared) -> Cost:
    """Go through the very run with fewer steps, and reckon from that."""
    clock = _Clock(spec.device)
    steps = spec.config.training.steps
    few = spec.config.training.model_copy(update={"steps": min(_STEPS, steps)})
    try:
        placed = placed_for(spec, prepared)
        clock.start()
        outcome = run_experiment(spec.method, placed, few, spec.seed, spec.config.protocol, clock)
        rest = clock.since_last()
    # A method that fails is a line that says so, as in the run itself.
    except Exception as error:  # noqa: BLE001
        return Cost(error=reason(error))
    step, point = clock.medians(few.steps)
    device = device_info(next(outcome.model.parameters()).device, few.precision, "cpu")
    return Cost(step, steps * step + len(curve_steps(steps)) * point + rest, device.peak_memory_bytes)


class _Clock:
    """Takes the time of steps and of the points of the learning curve between them."""

    def __init__(self, device: str) -> None:
        self._wait = torch.device(device).type == "cuda"
        self._device = device
        self._last = 0.0
        self._steps: dict[int, float] = {}
        self._points: list[float] = []

    def __call__(self, event: Stepped | Measured) -> None:
        seconds = self.since_last()
        if isinstance(event, Stepped):
            self._steps[event.done] = seconds
        else:
            self._points.append(seconds)
        self.start()

    def start(self) -> None:
        self._last = time.perf_counter()

    def since_last(self) -> float:
        if self._wait:
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - self._last

    def medians(self, steps: int) -> tuple[float, float]:
        """Seconds of a step and of a point, without the steps that also measure shares of gradients."""
        plain = [seconds for step, seconds in self._steps.items() if step not in steps_to_measure(steps)]
        return statistics.median(plain or self._steps.values()), statistics.median(self._points)
