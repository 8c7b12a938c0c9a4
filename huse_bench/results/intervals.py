"""The uncertainty of each number of the tables: its interval, its ranks, and what it ties with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.samples import Samples
from huse_bench.results.statistics import (
    LEVEL,
    RESAMPLES,
    holm,
    may_be_best,
    mean_interval,
    paired_tests,
    rank_intervals,
)
from huse_bench.results.tables import Column, Results, Row

__all__ = ["CellUncertainty", "Uncertainty", "has_samples", "shared_seeds", "uncertainty"]


Layout = Mapping[str, Sequence[Column]]


@dataclass(frozen=True)
class CellUncertainty:
    """What is known about one number.

    Attributes:
        half: half the width of the 95 % interval over seeds and queries; None where the row has one seed.
        low: the interval's lower end, at least 0.
        high: its upper end, at most 1.
        tied: whether it may be the best of its column, no other being significantly better; None where not tested.
        ranks: lowest and highest rank in its column, simultaneous 95 % intervals; None where not tested.
    """

    half: float | None = None
    low: float | None = None
    high: float | None = None
    tied: bool | None = None
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class Uncertainty:
    """What is known about the numbers of all tables.

    Attributes:
        cells: by the row's label and the column's heading.
        tested: whether the rows were tested against each other.
        about: what the reader should know about the intervals, a sentence.
        mark: what a marked number is, to stand behind the mark.
    """

    cells: Mapping[tuple[str, object], CellUncertainty] = field(default_factory=dict)
    tested: bool = False
    about: str = ""
    mark: str = "best of its column"

    def cell(self, label: object, heading: object) -> CellUncertainty:
        """What is known about one number; nothing where it is none of the results'."""
        return self.cells.get((str(label), heading), CellUncertainty())


def uncertainty(results: Results) -> Uncertainty:
    """Intervals over seeds and queries, and paired tests of all rows in each column.

    A row has intervals where it has two finished seeds with per-query scores. Methods are tested where all that
    finished have them and share two seeds: the mark of a column with a correction for the methods that each is compared
    with, the ranks with Holm's correction over all pairs of the column.

    Args:
        results: the runs.

    Returns:
        What is known about each number.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    finished = [row for row in results.rows if row.finished]
    several = [row for row in finished if len(row.finished) > 1]
    if not several:
        return Uncertainty(about="No interval: one seed." if finished else "")
    known = [row for row in several if results.folder is not None and has_samples(row)]
    if not known:
        return Uncertainty(about="No intervals: there are no per-query scores beside the records.")
    samples = Samples(results)
    cells = _intervals(known, samples, results.layout)
    about = "±: 95 % interval over seeds and queries"
    methods = [row for row in finished if not row.is_control]
    if any(row not in known for row in methods):
        return Uncertainty(cells, about=f"{about}; none for rows of one seed or without per-query scores.")
    seeds = shared_seeds(methods) if len(methods) > 1 else []
    if len(seeds) < 2:
        return Uncertainty(cells, about=f"{about}.")
    for key, (tied, ranks) in _tests(methods, seeds, samples, results.layout).items():
        cells[key] = replace(cells[key], tied=tied, ranks=ranks)
    mark = f"may be the best of its column: no other is significantly better (paired permutation tests, {LEVEL:.0%})"
    return Uncertainty(cells, tested=True, about=f"{about}.", mark=mark)


def has_samples(row: Row) -> bool:
    """Whether every finished run of a row has stored the scores of single queries and items."""
    return all(
        record.per_query is not None and (record.classification is None or record.predictions is not None)
        for record in row.finished
    )


def shared_seeds(rows: Sequence[Row]) -> list[int]:
    """Seeds that every row finished, ascending."""
    return sorted(set.intersection(*({record.seed for record in row.finished} for row in rows)))


def _intervals(rows: Sequence[Row], samples: Samples, layout: Layout) -> dict[tuple[str, object], CellUncertainty]:
    cells: dict[tuple[str, object], CellUncertainty] = {}
    for row in rows:
        for column in _columns(row, layout):
            low, high = mean_interval(samples.values(row.finished, column.task, column.metric))
            # No share is outside 0 to 1, wherever a symmetric interval may end.
            half = float(high - low) / 2
            cells[row.label, column.heading] = CellUncertainty(half, max(float(low), 0.0), min(float(high), 1.0))
    return cells


def _tests(
    rows: Sequence[Row], seeds: Sequence[int], samples: Samples, layout: Layout
) -> dict[tuple[str, object], tuple[bool, tuple[int, int]]]:
    """Whether each number may be the best of its column, and its ranks."""
    cells: dict[tuple[str, object], tuple[bool, tuple[int, int]]] = {}
    columns = sorted((column for table in layout.values() for column in table), key=lambda column: column.task)
    for _, group in groupby(columns, key=lambda column: column.task):
        # Columns of one task have the same rows, so that one set of flips serves them all.
        task_columns = list(group)
        entries = [row for row in rows if task_columns[0] in _columns(row, layout)]
        # HP@K that no ranking can miss is in no row.
        task_columns = [column for column in task_columns if all(column in _columns(row, layout) for row in entries)]
        if len(entries) < 2:
            continue
        values = np.stack(
            [
                [samples.values(row.of_seeds(seeds), column.task, column.metric) for row in entries]
                for column in task_columns
            ]
        )
        # A correction for n pairs multiplies the smallest p-value by n, which must be able to stay small.
        p_values = paired_tests(values, max(RESAMPLES, 50 * len(entries) ** 2) - 1)
        for column, column_values, column_p in zip(task_columns, values, p_values, strict=True):
            cells |= _column_cells(entries, column, column_values.mean(axis=(1, 2)), column_p)
    return cells


def _column_cells(
    rows: Sequence[Row], column: Column, means: NDArray[np.float64], p_values: NDArray[np.float64]
) -> dict[tuple[str, object], tuple[bool, tuple[int, int]]]:
    tied = may_be_best(means, p_values).tolist()
    ranks = rank_intervals(means, _adjusted(p_values)).tolist()
    return {
        (row.label, column.heading): (tie, (low, high)) for row, tie, (low, high) in zip(rows, tied, ranks, strict=True)
    }


def _adjusted(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    upper = np.triu_indices(len(p_values), 1)
    adjusted = np.ones_like(p_values)
    adjusted[upper] = holm(p_values[upper])
    adjusted.T[upper] = adjusted[upper]
    return adjusted


def _columns(row: Row, layout: Layout) -> list[Column]:
    """Columns of all tables in which the row has numbers."""
    return [column for table in layout.values() for column in table if not np.isnan(row.mean(column))]
