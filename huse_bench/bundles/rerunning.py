"""Runs of a bundle drawn by chance, trained again here, and held against what it says of them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from huse_bench.bundles.checks import Check
from huse_bench.bundles.reading import Bundle
from huse_bench.bundles.schema import Level, Rerun
from huse_bench.bundles.verifying import machine_class
from huse_bench.errors import BundleError
from huse_bench.progress import Reporter
from huse_bench.results import Results, RunRecord, Store
from huse_bench.results.layout import LAYOUT, cannot_miss
from huse_bench.results.recurrence import FRESH_ALONE, FRESH_BESIDE, Columns, Recurrence, recurrences
from huse_bench.results.rows import Row
from huse_bench.results.samples import Samples
from huse_bench.runs.again import Again, data_of, run_again

__all__ = ["Reruns", "rerun"]


class _Drawn(NamedTuple):
    """A run that is trained again, of its folder and row."""

    folder: str
    row: Row
    record: RunRecord


@dataclass(frozen=True)
class Reruns:
    """What came of training runs again.

    Attributes:
        checks: the verdicts, one for each run.
        level: that they give where all passed.
        runs: what was trained.
        machine: class of the machine that trained.
    """

    checks: tuple[Check, ...]
    level: Level
    runs: tuple[Rerun, ...]
    machine: dict[str, str]


def rerun(bundle: Bundle, runs: int, given: Mapping[str, Any], *, quiet: bool = False) -> Reruns:
    """Train some runs of a bundle again, with seeds that nobody could know, and compare.

    A run whose code, versions and processor are those of here is also trained with its own seed, which has to give
    the same bits.

    Args:
        bundle: whose other checks it passed.
        runs: how many; each of another row.
        given: what the user says of the data, as :func:`huse_bench.run` takes it.
        quiet: show nothing.

    Returns:
        What came of it.

    Raises:
        BundleError: where there are fewer rows than that.
        UsageError: where the runs cannot be trained here.
    """
    chance = random.SystemRandom()
    results = {name: bundle.results(name) for name in bundle.facts.results}
    drawn = _drawn(bundle, results, runs, chance)
    reporter = Reporter(quiet=quiet)
    again: list[Again] = []
    with tempfile.TemporaryDirectory(prefix="huse-bench-") as made:
        # Of all, before the first training.
        prepared = {
            name: data_of(record, given, reporter) for name, record in {d.folder: d.record for d in drawn}.items()
        }
        for one in drawn:
            seeds = _fresh_seeds(one.row, chance)
            method = one.record.method.title
            reporter.say(f"{method}: seed {one.record.seed} of the bundle against {', '.join(map(str, seeds))}")
            folder = Path(made) / one.folder
            again.append(run_again(one.record, seeds, given, prepared[one.folder], folder, reporter))
        return _judged(results, drawn, again, Path(made))


def _drawn(bundle: Bundle, results: Mapping[str, Results], runs: int, chance: random.Random) -> list[_Drawn]:
    """Runs of methods, each of another row."""
    rows = [(name, row) for name, of in results.items() for row in of.rows if row.finished and not row.is_control]
    if len(rows) < runs:
        raise BundleError(
            f"{bundle.path} has finished runs of {len(rows)} rows, fewer than the {runs} that --rerun asks for"
        )
    return [_Drawn(name, row, chance.choice(row.finished)) for name, row in chance.sample(rows, runs)]


def _fresh_seeds(row: Row, chance: random.Random) -> list[int]:
    taken = {record.seed for record in row.records}
    count = FRESH_ALONE if len(row.finished) == 1 else FRESH_BESIDE
    # More than are needed, for some may be taken.
    return [seed for seed in chance.sample(range(2**31), count + len(taken)) if seed not in taken][:count]


def _judged(results: Mapping[str, Results], drawn: Sequence[_Drawn], again: Sequence[Again], made: Path) -> Reruns:
    machine = machine_class(again[0].processor)
    ended = [
        Check(f"again {run.method.title}", False, f"seed {run.seed} {run.status} here: {run.error}")
        for one in again
        for run in _runs(one)
        if run.status != "finished"
    ]
    if ended:
        return Reruns(tuple(ended), "self-reported", (), machine)
    compared: list[tuple[Rerun, Check]] = []
    for name, of in results.items():
        chosen = [(one.row, new) for one, new in zip(drawn, again, strict=True) if one.folder == name]
        if chosen:
            compared += _compared(of, chosen, made / name)
    elsewhere = all(one.processor != _processor(one.record) for one in again)
    return Reruns(
        tuple(check for _, check in compared),
        "reproduced elsewhere" if elsewhere else "spot-checked",
        tuple(run for run, _ in compared),
        machine,
    )


def _compared(of: Results, chosen: Sequence[tuple[Row, Again]], folder: Path) -> Iterator[tuple[Rerun, Check]]:
    """What came of the rows of one results folder."""
    old = Samples(of)
    new = Samples(Results([run for _, again in chosen for run in _runs(again)], (), folder))
    labels = {row.label for row, _ in chosen}
    found = recurrences(
        [_columns(old, row.finished) for row, _ in chosen],
        [_columns(new, again.fresh) for _, again in chosen],
        [
            _columns(old, row.finished)
            for row in of.rows
            if len(row.finished) > 1 and not row.is_control and row.label not in labels
        ],
        new.groups(chosen[0][1].fresh[0]),
    )
    for (row, again), one in zip(chosen, found, strict=True):
        exact = None if again.same is None else _is_same(of, Store(folder), again.record, again.same)
        run = Rerun(
            run=again.record.stem,
            seeds=tuple(run.seed for run in _runs(again)),
            exact=exact,
            p=one.p,
            column=" ".join(one.column),
            difference=one.difference,
            detectable=one.detectable,
        )
        passed = one.accepted and exact is not False
        yield run, Check(f"again {row.label}", passed, _words(row, again, run, one))


def _words(row: Row, again: Again, run: Rerun, found: Recurrence) -> str:
    bits = {
        True: f"seed {again.record.seed} gave the same bits",
        False: f"seed {again.record.seed} gave OTHER numbers, with the same code and versions on the same processor",
        None: f"not compared bit by bit, for {again.other}",
    }[run.exact]
    side = "better" if run.difference > 0 else "worse"
    verdict = "agree" if found.accepted else f"are not what the bundle says, which is {side}"
    seeds = f"{len(again.fresh)} fresh seed{'s' if len(again.fresh) > 1 else ''} and {len(row.finished)} of the bundle"
    found_there = f"{100 * run.difference:+.1f} points in {run.column}"
    return (
        f"{seeds} {verdict}: least p of {found.columns} columns {found.p:.3g}, corrected for all, for {found_there} "
        f"({100 * run.detectable:.1f} would be found every second time); {bits}"
    )


def _runs(again: Again) -> tuple[RunRecord, ...]:
    return (*(() if again.same is None else (again.same,)), *again.fresh)


def _columns(samples: Samples, records: Sequence[RunRecord]) -> Columns:
    """Scores of all numbers of the tables that a row has."""
    first = records[0]
    return {
        (column.task, column.metric): samples.values(records, column.task, column.metric)
        for columns in LAYOUT.values()
        for column in columns
        if (first.classification is not None if column.metric == "accuracy" else cannot_miss(first, column.metric) != 1)
    }


def _is_same(of: Results, store: Store, there: RunRecord, here: RunRecord) -> bool:
    """Whether all scores of single queries and all predictions of two runs are the same."""
    pairs = [
        *((of.per_query(there) or {}).items()),
        ("items", of.predictions(there) or {}),
    ]
    found = {**(store.per_query(here) or {}), "items": store.predictions(here) or {}}
    return all(
        np.array_equal(values, found.get(task, {}).get(name, np.arange(0)))
        for task, arrays in pairs
        for name, values in arrays.items()
    )


def _processor(record: RunRecord) -> str:
    return record.provenance.get("processor", "unknown") if record.device is None else record.device.name
