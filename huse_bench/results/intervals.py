"""The uncertainty of each number of the tables: its interval, its ranks, and what it ties with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row
from huse_bench.results.samples import shared_seeds
from huse_bench.results.simultaneous import holm_of_pairs, may_be_best, rank_intervals
from huse_bench.results.statistics import LEVEL, RESAMPLES, SETTLED
from huse_bench.results.tables import Results

__all__ = ["CellUncertainty", "Uncertainty", "uncertainty"]


Layout = Mapping[str, Sequence[Column]]


@dataclass(frozen=True)
class CellUncertainty:
    """What is known about one number.

    Attributes:
        low: the lower end of the 95 % interval over seeds and groups of queries, at least 0; None where the row has one
            seed.
        high: its upper end, at most 1; where the number is near 0 or 1, the ends are not as far from it.
        tied: whether it may be the best of its column, no other being significantly better; None where not tested.
        ranks: lowest and highest rank in its column, simultaneous 95 % intervals; None where not tested.
    """

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
        mark: what a marked number is, to stand behind the mark; empty where none is marked.
    """

    cells: Mapping[tuple[str, object], CellUncertainty] = field(default_factory=dict)
    tested: bool = False
    about: str = ""
    mark: str = "best of its column"

    def cell(self, label: object, heading: object) -> CellUncertainty:
        """What is known about one number; nothing where it is none of the results'."""
        return self.cells.get((str(label), heading), CellUncertainty())


def uncertainty(results: Results) -> Uncertainty:
    """Intervals over seeds and groups of queries, and paired tests of all rows in each column.

    A row has intervals where it has two finished seeds with per-query scores. Methods are tested where all that
    finished have them and share two seeds: the mark of a column with a correction for the methods that each is compared
    with, the ranks with Holm's correction over all pairs of the column. Rounding alone moves the numbers of one seed,
    so a table with rows of one seed marks none.

    Args:
        results: the runs.

    Returns:
        What is known about each number.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    finished = [row for row in results.rows if row.finished]
    if not any(len(row.finished) > 1 for row in finished):
        return Uncertainty(about="No interval, no mark: one seed.", mark="") if finished else Uncertainty()
    evidence = Evidence(results)
    if not evidence.rows:
        alike = evidence.group_count == 1
        why = "all test items are of one group" if alike else "there are no per-query scores beside the records"
        return Uncertainty(about=f"No intervals: {why}.")
    cells = _intervals(evidence, results.layout)
    about = f"±: 95 % interval over seeds and {evidence.describe_queries()}"
    methods = [row for row in finished if not row.is_control]
    if any(row not in evidence.rows for row in methods):
        about += "; none for rows of one seed or without per-query scores"
        if any(len(row.finished) < 2 for row in methods):
            return Uncertainty(cells, about=f"{about}. No mark: rows of one seed.", mark="")
        return Uncertainty(cells, about=f"{about}.")
    seeds = shared_seeds(methods) if len(methods) > 1 else []
    if len(seeds) < 2:
        return Uncertainty(cells, about=f"{about}.")
    for key, (tied, ranks) in _tests(methods, seeds, evidence, results.layout).items():
        cells[key] = replace(cells[key], tied=tied, ranks=ranks)
    mark = f"may be the best of its column: no other is significantly better (paired permutation tests, {LEVEL:.0%})"
    return Uncertainty(cells, tested=True, about=f"{about}.", mark=mark)


def _intervals(evidence: Evidence, layout: Layout) -> dict[tuple[str, object], CellUncertainty]:
    cells: dict[tuple[str, object], CellUncertainty] = {}
    for row in evidence.rows:
        for column in _columns(row, layout):
            low, high = evidence.interval(row, column.task, column.metric)
            cells[row.label, column.heading] = CellUncertainty(low, high)
    return cells


def _tests(
    rows: Sequence[Row], seeds: Sequence[int], evidence: Evidence, layout: Layout
) -> dict[tuple[str, object], tuple[bool, tuple[int, int]]]:
    """Whether each number may be the best of its column, and its ranks."""
    cells: dict[tuple[str, object], tuple[bool, tuple[int, int]]] = {}
    columns = sorted((column for table in layout.values() for column in table), key=lambda column: column.task)
    for _, group in groupby(columns, key=lambda column: column.task):
        # Columns of one task have the same rows, so that one set of flips serves them all.
        # HP@K that no ranking can miss is in no row.
        task_columns = [column for column in group if any(column in _columns(row, layout) for row in rows)]
        if not task_columns:
            continue
        entries = [row for row in rows if task_columns[0] in _columns(row, layout)]
        if len(entries) < 2:
            continue
        # A correction for n pairs multiplies the smallest p-value by n, which must be able to stay small.
        flips = max(RESAMPLES, 50 * len(entries) ** 2) - 1
        values, p_values = evidence.tests(
            entries, seeds, [(c.task, c.metric) for c in task_columns], flips, settled=SETTLED
        )
        for column, means, column_p in zip(task_columns, values.mean(axis=(2, 3)), p_values, strict=True):
            cells |= _column_cells(entries, column, means, column_p)
    return cells


def _column_cells(
    rows: Sequence[Row], column: Column, means: NDArray[np.float64], p_values: NDArray[np.float64]
) -> dict[tuple[str, object], tuple[bool, tuple[int, int]]]:
    tied = may_be_best(means, p_values).tolist()
    ranks = rank_intervals(means, holm_of_pairs(p_values)).tolist()
    return {
        (row.label, column.heading): (tie, (low, high)) for row, tie, (low, high) in zip(rows, tied, ranks, strict=True)
    }


def _columns(row: Row, layout: Layout) -> list[Column]:
    """Columns of all tables in which the row has numbers."""
    return [column for table in layout.values() for column in table if not np.isnan(row.mean(column))]
