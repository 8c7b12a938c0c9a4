"""Seeds of one method trained a step at once, which a GPU has the room for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch

from huse_bench.features import Prepared
from huse_bench.results import RunRecord, Store
from huse_bench.runs.events import Event, Listener, Measured, RunMeasured, RunResumed, points_of
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.steps import Steps
from huse_bench.runs.stopping import Stopped, deferred
from huse_bench.runs.unit import placed_for, unit
from huse_bench.training import Stack, Training
from huse_bench.training.parallel import processes

__all__ = ["grouped", "run_at_once"]

_REMARK = "trained a step at once with other seeds: its seconds are its share of theirs, its memory that of all"


def grouped(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs that are trained a step at once, together; each other run by itself.

    Those of a GPU that differ in their seed alone belong together. But a limit of time is that of one run, controls
    have labels of their own, and processes that share batches take one run after another.

    Args:
        specs: the planned runs.

    Returns:
        The same runs, each group where its first run was.
    """
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        by_itself = torch.device(spec.device).type != "cuda" or spec.method.is_control or spec.config.timeout
        alone = by_itself or processes() > 1
        groups.setdefault(spec.fingerprint if alone else spec.configuration, []).append(spec)
    return list(groups.values())


@deferred()
def run_at_once(
    specs: Sequence[RunSpec], prepared: Prepared, store: Store, listeners: Callable[[RunSpec], Sequence[Listener]]
) -> None:
    """Do planned runs, as :func:`huse_bench.runs.unit.run_unit` does one, with each step of all of them taken at once.

    Args:
        specs: plans that differ in their seed alone.
        prepared: the dataset on the host.
        store: the results folder.
        listeners: gives those of a run.

    Raises:
        ResultsError: if a record or a file beside it cannot be written; the checkpoints of all are left then.
        Stopped: if a signal asked for the end of the process, with a checkpoint of each.
    """
    placed = placed_for(specs[0], prepared)
    works = [unit(spec, prepared, store, [_of_run(spec, one) for one in listeners(spec)], placed) for spec in specs]
    waiting: dict[Training, Steps[RunRecord]] = {}
    stopped: list[Stopped] = []
    try:
        for work in works:
            _go_on(work, work.__next__, waiting, stopped)
        if len(waiting) > 1:
            for training in waiting:
                if _REMARK not in training.remarks:
                    training.remarks.append(_REMARK)
        stack = Stack(list(waiting)) if waiting else None
        while waiting and stack is not None:
            failed = stack.step()
            for training, work in list(waiting.items()):
                del waiting[training]
                on = partial(work.throw, failed[training]) if training in failed else work.__next__
                _go_on(work, on, waiting, stopped)
            stack.keep(waiting)
    finally:
        for work in waiting.values():
            work.close()
    if stopped:
        raise stopped[0]


def _go_on(
    work: Steps[RunRecord],
    on: Callable[[], Training],
    waiting: dict[Training, Steps[RunRecord]],
    stopped: list[Stopped],
) -> None:
    """Do what is to be done of a run before its next step, if there is one."""
    try:
        waiting[on()] = work
    except StopIteration:
        return
    except Stopped as error:
        # The others keep a checkpoint too.
        stopped.append(error)


def _of_run(spec: RunSpec, listener: Listener) -> Listener:
    """A listener that is told whose points of a learning curve are measured, where several runs are under way."""

    def listen(event: Event) -> None:
        match event:
            case Measured():
                listener(RunMeasured(spec, event))
            case RunResumed(_, earlier):
                listener(replace(event, earlier=()))
                for point in points_of(map(json.loads, earlier)):
                    listener(RunMeasured(spec, point))
            case _:
                listener(event)

    return listen
