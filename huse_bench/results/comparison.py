"""Two methods against each other: who wins where, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from huse_bench.errors import ResultsError
from huse_bench.hints import closest
from huse_bench.measures import DIRECTIONS, TABLE_METRICS, TASKS
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import TELLS_NOTHING, cannot_miss
from huse_bench.results.rows import Row, rows_named
from huse_bench.results.samples import has_samples, shared_seeds
from huse_bench.results.simultaneous import holm
from huse_bench.results.statistics import LEVEL, bootstrap_interval, effect_size
from huse_bench.results.tables import Results
from huse_bench.results.variance import stacked

__all__ = ["Comparison", "Difference", "compare"]

_ACCURACY = "accuracy"


@dataclass(frozen=True)
class Difference:
    """The first method's score less the second's.

    Attributes:
        task: direction of a retrieval, or ``"image"``, ``"text"`` or ``"fusion"``.
        metric: ``"R@K"``, ``"P@K"``, ``"HP@K"`` or ``"accuracy"``.
        first: the first method's mean over seeds and queries, a share from 0 to 1.
        second: the second method's.
        difference: of the two.
        low: lower end of the difference's 95 % interval, a hierarchical bootstrap widened for few seeds.
        high: its upper end.
        p_value: of the paired permutation test.
        adjusted: the same after Holm's correction over the comparisons made.
        effect: Cohen's d_z over groups of queries; None where all differ alike.
        won: share of queries on which the first is better, averaged over seeds.
        lost: share on which it is worse.
    """

    task: str
    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    adjusted: float
    effect: float | None
    won: float
    lost: float

    @property
    def winner(self) -> Literal["first", "second", "none"]:
        """Which is significantly better."""
        if self.adjusted >= LEVEL or self.difference == 0:
            return "none"
        return "first" if self.difference > 0 else "second"


@dataclass(frozen=True)
class Comparison:
    """All differences between two methods.

    Attributes:
        first: the row of the first.
        second: the row of the second.
        seeds: seeds that both finished; others were left out.
        groups: number of groups of test items; as many as items where each is its own.
        differences: by direction and metric, in the order of the tables.
        skipped: metrics that were asked for or are usual and that not both have, with the reason; empty where none.
    """

    first: Row
    second: Row
    seeds: tuple[int, ...]
    groups: int
    differences: tuple[Difference, ...]
    skipped: str = ""


def compare(results: Results, first: str, second: str, metrics: Sequence[str] = ()) -> Comparison:
    """Compare two methods on the seeds and queries that both have.

    Args:
        results: runs from a results folder.
        first: name, title or label of a row.
        second: of another.
        metrics: which to compare, such as ``"R@1"`` or ``"accuracy"``; empty for those of the tables.

    Returns:
        The comparison.

    Raises:
        ResultsError: if a method or metric is unknown or ambiguous, both are the same row, a method has no scores of
            single queries, or fewer than two seeds are shared.
        RecordError: if the scores of a run cannot be read.
    """
    rows = [_row(results, name) for name in (first, second)]
    if rows[0] is rows[1]:
        raise ResultsError(f"{first!r} and {second!r} are the same row, {rows[0].label}; name two rows to compare")
    seeds = _seeds(results, rows)
    evidence = Evidence(results)
    if evidence.group_count < 2:
        raise ResultsError("all test items are of one group, so there is no telling what others would give")
    asked = _metrics(metrics, evidence.samples.metrics(rows[0].finished[0]))
    untold = [metric for metric in asked if cannot_miss(rows[0].finished[0], metric) == 1]
    asked = [metric for metric in asked if metric not in untold]
    # Controls may lack directions.
    tasks = [task for task in DIRECTIONS if all(task in (row.finished[0].retrieval or {}) for row in rows)]
    differences = [
        difference
        for task in tasks
        for difference in _differences(evidence, rows, seeds, task, [metric for metric in asked if metric != _ACCURACY])
    ]
    skipped = f"No {', '.join(untold)}: {TELLS_NOTHING}. " if untold else ""
    if _ACCURACY in asked:
        without = [row.label for row in rows if row.finished[0].classification is None]
        if rows[0].records[0].dataset.held_out:
            skipped += "No accuracies: nothing was trained to name the held-out classes."
        elif without:
            skipped += f"No accuracies: {' and '.join(without)} {'has' if len(without) == 1 else 'have'} no classifier."
        else:
            differences += [d for task in TASKS for d in _differences(evidence, rows, seeds, task, [_ACCURACY])]
    if not differences:
        raise ResultsError(
            f"{rows[0].label} and {rows[1].label} have no score in common. {skipped} Compare another --metric".rstrip()
        )
    adjusted = holm(np.array([difference.p_value for difference in differences]))
    corrected = tuple(replace(d, adjusted=float(p)) for d, p in zip(differences, adjusted, strict=True))
    return Comparison(rows[0], rows[1], tuple(seeds), evidence.group_count, corrected, skipped.rstrip())


def _differences(
    evidence: Evidence, rows: Sequence[Row], seeds: Sequence[int], task: str, metrics: Sequence[str]
) -> Iterable[Difference]:
    if not metrics:
        return
    values, tests = evidence.tests(rows, seeds, [(task, metric) for metric in metrics])
    means = values.mean(axis=(2, 3))
    paired = values[:, 0] - values[:, 1]
    spread = stacked([evidence.spread(rows, task, metric) for metric in metrics]).of_pairs().of(1).of(0)
    low, high = bootstrap_interval(evidence.studies.means(paired, seeds), spread, evidence.groups)
    p_values = tests[:, 0, 1]
    effects = effect_size(paired, evidence.groups)
    for i, metric in enumerate(metrics):
        yield Difference(
            task=task,
            metric=metric,
            first=float(means[i, 0]),
            second=float(means[i, 1]),
            difference=float(paired[i].mean()),
            low=float(low[i]),
            high=float(high[i]),
            p_value=float(p_values[i]),
            adjusted=float(p_values[i]),
            effect=float(effects[i]) if np.isfinite(effects[i]) else None,
            won=float((paired[i] > 0).mean()),
            lost=float((paired[i] < 0).mean()),
        )


def _row(results: Results, name: str) -> Row:
    """The row of that name, title or label, whatever the case."""
    found = rows_named(results.rows, name)
    if len(found) > 1:
        labels = ", ".join(repr(row.label) for row in found)
        raise ResultsError(f"{name!r} was run in {len(found)} configurations; name one of them: {labels}")
    return found[0]


def _seeds(results: Results, rows: Sequence[Row]) -> list[int]:
    for row in rows:
        if not row.finished:
            raise ResultsError(f"no run of {row.label} finished ({row.status}), so it has no scores to compare")
        if results.folder is None or not has_samples(row):
            raise ResultsError(
                f"the runs of {row.label} have no scores of single queries, which comparisons are made of; "
                f"run them again with --overwrite always"
            )
    seeds = shared_seeds(rows)
    if len(seeds) < 2:
        have = "; ".join(
            f"{row.label} has seed {', '.join(str(record.seed) for record in row.finished)}" for row in rows
        )
        raise ResultsError(
            f"an interval over seeds needs at least two seeds that both methods finished ({have}); "
            f"make more with: huse-bench run --seeds 5"
        )
    return seeds


def _metrics(asked: Sequence[str], stored: Sequence[str]) -> list[str]:
    if not asked:
        return [*TABLE_METRICS, _ACCURACY]
    known = {metric.casefold(): metric for metric in (*stored, _ACCURACY)}
    found = []
    for name in asked:
        if name.casefold() not in known:
            close = closest(name.casefold(), known)
            hint = f"Did you mean {known[close]!r}? " if close else ""
            raise ResultsError(f"unknown metric {name!r}. {hint}The metrics are {', '.join(known.values())}")
        found.append(known[name.casefold()])
    return list(dict.fromkeys(found))
