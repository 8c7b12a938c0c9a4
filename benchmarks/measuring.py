"""How anything here is timed: all competitors of an operation side by side, and none whose result is wrong.

One process, rounds in which every competitor runs once, the order turned around each round: what disturbs the machine
then disturbs all of them. A ratio is formed inside a round, and its median and quartiles over the rounds are reported.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.record import Entry, Measurement, Spread

OURS = "huse-bench"
BOUND = "bare products"


class ParityError(AssertionError):
    """A competitor's result differs, so that its time would mean nothing.

    Attributes:
        competitor: its name.
    """

    def __init__(self, message: str, competitor: str) -> None:
        super().__init__(message)
        self.competitor = competitor


@dataclass(frozen=True)
class Competitor:
    """One way to compute an operation.

    Args:
        name: ``OURS`` or that of the peer.
        run: does it once and returns its outcome; calls what it is given with the name of each phase that it finished.
        note: what it computes exactly, where the name does not say.
        calls: how many runs are timed as one, where one takes less than a clock can tell.
        probe: gives the outcome to compare, where that of a run depends on chance.
        tolerance: the largest difference that may be timed, where it is not the case's.
    """

    name: str
    run: Callable[[Callable[[str], None]], Any]
    note: str = ""
    calls: int = 1
    probe: Callable[[], Any] | None = None
    tolerance: float | None = None

    @property
    def outcome(self) -> Any:
        """What is compared before anything is timed."""
        return self.probe() if self.probe is not None else self.run(_no_lap)


@dataclass(frozen=True)
class Case:
    """An operation on data of one size.

    Args:
        operation: its name.
        rows: how many rows the data has.
        dim: their dimension.
        competitors: ours and the peers; the first is what the others are compared with, by value and in parity.
        difference: how far an outcome is from the expected one.
        tolerance: the largest difference that may be timed.
        bound: the matrix products that the operation cannot do without, and nothing else.
        bound_share: of the time of ``bound``, what is needed.
        device: where the data is.
        facts: what a figure of this operation means nothing without.
    """

    operation: str
    rows: int
    dim: int
    competitors: Sequence[Competitor]
    difference: Callable[[Any, Any], float]
    tolerance: float
    bound: Callable[[], object] | None = None
    bound_share: float = 1.0
    device: str = "cpu"
    facts: dict[str, float] = field(default_factory=dict)

    def only(self, *names: str) -> "Case":
        """The case with some of its competitors."""
        chosen = [competitor for competitor in self.competitors if competitor.name in names]
        return replace(self, competitors=chosen)


@dataclass(frozen=True)
class Effort:
    """How long to measure: until the seconds are over, but no fewer and no more rounds than these."""

    seconds: float
    least: int = 3
    most: int = 15


def thread_counts() -> list[int]:
    """The threads that timings are made with: one, two, and as many as there are processors."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({1, min(2, available), available})


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Every library that competes uses so many threads."""
    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def measure(case: Case, effort: Effort) -> Measurement:
    """Time all competitors, after each gave the expected outcome.

    Raises:
        ParityError: if one did not; nothing is timed then.
    """
    differences = _parity(case)
    count = torch.get_num_threads()
    clock = "cuda events" if case.device == "cuda" else "processor" if count == 1 else "wall"
    rounds = _rounds(case, effort, _WATCHES[clock])
    totals = {name: np.array([sum(laps.values()) for laps in runs]) for name, runs in rounds.items()}
    entries = []
    for competitor in case.competitors:
        name = competitor.name
        ours = name == OURS
        entries.append(
            Entry(
                name=name,
                note=competitor.note,
                difference=differences[name],
                seconds={phase: Spread.of([laps[phase] for laps in rounds[name]]) for phase in rounds[name][0]},
                total=Spread.of(totals[name]),
                ratio=None if ours else Spread.of(totals[name] / totals[OURS]),
                bound_share=Spread.of(case.bound_share * totals[BOUND] / totals[OURS]) if ours and case.bound else None,
            )
        )
    return Measurement(
        operation=case.operation,
        rows=case.rows,
        dim=case.dim,
        threads=count,
        clock=clock,
        rounds=len(totals[OURS]),
        facts=case.facts,
        entries=entries,
    )


def _parity(case: Case) -> dict[str, float]:
    first, *others = case.competitors
    expected = first.outcome
    differences = {first.name: 0.0}
    for competitor in others:
        difference = case.difference(competitor.outcome, expected)
        tolerance = case.tolerance if competitor.tolerance is None else competitor.tolerance
        # Written so that NaN fails.
        if not difference <= tolerance:
            raise ParityError(
                f"{case.operation} {case.rows}x{case.dim}: {competitor.name} differs from {first.name} by "
                f"{difference:.2e}, more than {tolerance:.0e}; its time is refused",
                competitor.name,
            )
        differences[competitor.name] = difference
    return differences


def _rounds(case: Case, effort: Effort, watch_of: Callable[[], Any]) -> dict[str, list[dict[str, float]]]:
    work = list(case.competitors)
    if case.bound is not None:
        products = case.bound
        work.append(Competitor(BOUND, lambda lap: (products(), lap("all"))))
    for competitor in work:
        competitor.run(_no_lap)
    laps: dict[str, list[dict[str, float]]] = {competitor.name: [] for competitor in work}
    gc.collect()
    start = time.perf_counter()
    while len(laps[OURS]) < effort.most:
        if len(laps[OURS]) >= effort.least and time.perf_counter() - start > effort.seconds:
            break
        for competitor in work:
            watch = watch_of()
            for _ in range(competitor.calls):
                competitor.run(watch)
            taken = watch.seconds()
            laps[competitor.name].append({phase: seconds / competitor.calls for phase, seconds in taken.items()})
        work.reverse()
    return laps


class _Stopwatch:
    """Seconds by phase, by a clock of the processor's or the wall's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._seconds: dict[str, float] = {}
        self._clock = clock
        self._last = clock()

    def __call__(self, phase: str) -> None:
        now = self._clock()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        return self._seconds


class _EventWatch:
    """Seconds by phase as a GPU went through them, its cache filled with something else before."""

    def __init__(self) -> None:
        # Twice the cache is certain to displace what it held.
        size = 2 * torch.cuda.get_device_properties(0).L2_cache_size
        torch.empty(size, dtype=torch.int8, device="cuda").zero_()
        self._marks = [("", self._mark())]

    def __call__(self, phase: str) -> None:
        self._marks.append((phase, self._mark()))

    def seconds(self) -> dict[str, float]:
        torch.cuda.synchronize()
        pairs = pairwise(self._marks)
        return {phase: before.elapsed_time(after) / 1000 for (_, before), (phase, after) in pairs}

    @staticmethod
    def _mark() -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


# On one thread the processor's time is what counts, which other programs disturb least.
_WATCHES = {
    "processor": lambda: _Stopwatch(time.process_time),
    "wall": lambda: _Stopwatch(time.perf_counter),
    "cuda events": _EventWatch,
}


def _no_lap(_phase: str) -> None:
    pass
