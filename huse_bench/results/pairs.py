"""All pairs of some methods: paired differences with intervals, for a page on which any two may be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTIONS, TABLE_METRICS, TASKS
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import cannot_miss
from huse_bench.results.rows import Row
from huse_bench.results.samples import shared_seeds
from huse_bench.results.statistics import hierarchical_bootstrap, stretched_interval
from huse_bench.results.tables import Results
from huse_bench.results.variance import stacked

__all__ = ["COLUMNS", "PairColumn", "Pairs", "all_pairs"]

#: Task and metric of the columns, in the order of the tables.
COLUMNS = (
    *((task, metric) for task in DIRECTIONS for metric in TABLE_METRICS),
    *((task, "accuracy") for task in TASKS),
)


@dataclass(frozen=True)
class PairColumn:
    """One column of two methods, as shares from 0 to 1.

    Attributes:
        task: direction of a retrieval, or what was classified.
        metric: name of the metric.
        first: the first method's mean over seeds and queries.
        second: the second method's.
        low: lower end of the 95 % interval of the difference; None where the two share a single seed, or all test items
            are one group.
        high: its upper end.
        won: share of queries on which the first is better, averaged over seeds.
        lost: share on which it is worse.
    """

    task: str
    metric: str
    first: float
    second: float
    low: float | None
    high: float | None
    won: float
    lost: float


@dataclass(frozen=True)
class Pairs:
    """Pairs of methods that share the same seeds.

    Attributes:
        seeds: the seeds that both finished.
        columns: by the places of two rows, first before second, the columns in which both have numbers.
    """

    seeds: tuple[int, ...]
    columns: dict[tuple[int, int], list[PairColumn]]


def all_pairs(results: Results, rows: Sequence[Row], evidence: Evidence) -> list[Pairs]:
    """Compare each of some methods with each other, on the seeds and queries that both have.

    The intervals are those of :func:`huse_bench.results.comparison.compare`.

    Args:
        results: runs from a results folder.
        rows: of methods, with scores of single queries.
        evidence: of these results.

    Returns:
        The pairs by the seeds that they share; pairs without a seed in common are left out.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    by_seeds: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for pair in combinations(range(len(rows)), 2):
        if seeds := tuple(shared_seeds([rows[place] for place in pair])):
            by_seeds.setdefault(seeds, []).append(pair)
    found = []
    for seeds, pairs in by_seeds.items():
        columns: dict[tuple[int, int], list[PairColumn]] = {pair: [] for pair in pairs}
        for task, metric in COLUMNS:
            for pair, column in _column(results, rows, evidence, seeds, pairs, task, metric):
                columns[pair].append(column)
        found.append(Pairs(seeds, columns))
    return found


def _column(
    results: Results,
    rows: Sequence[Row],
    evidence: Evidence,
    seeds: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    task: str,
    metric: str,
) -> Iterator[tuple[tuple[int, int], PairColumn]]:
    if cannot_miss(results.records[0], metric) == 1:
        return
    places = [place for place in sorted({place for pair in pairs for place in pair}) if _has(rows[place], task, metric)]
    if not places:
        return
    values = np.stack([evidence.samples.values(rows[place].of_seeds(seeds), task, metric) for place in places])
    means = values.mean(axis=(1, 2))
    told = len(seeds) > 1 and evidence.group_count > 1
    units = evidence.studies.means(values, seeds)
    resampled = hierarchical_bootstrap(units, evidence.groups) if told else None
    at = {place: number for number, place in enumerate(places)}
    for pair in pairs:
        if pair[0] not in at or pair[1] not in at:
            continue
        one, other = at[pair[0]], at[pair[1]]
        paired = values[one] - values[other]
        low = high = None
        if resampled is not None:
            spread = stacked([evidence.spread([rows[place] for place in pair], task, metric)]).of_pairs().of(1).of(0)
            ends = stretched_interval(
                (resampled[:, one] - resampled[:, other])[:, None],
                (units[one] - units[other])[None],
                spread,
                evidence.groups,
            )
            low, high = float(ends.low[0]), float(ends.high[0])
        won, lost = _share(paired > 0), _share(paired < 0)
        yield pair, PairColumn(task, metric, float(means[one]), float(means[other]), low, high, won, lost)


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean())


def _has(row: Row, task: str, metric: str) -> bool:
    record = row.finished[0]
    return record.classification is not None if metric == "accuracy" else task in (record.retrieval or {})
