"""What the runs of a results folder tell together: which queries are no independent witnesses, how seeds vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.rows import Row
from huse_bench.results.samples import Samples, has_samples
from huse_bench.results.statistics import RESAMPLES, mean_interval, paired_tests
from huse_bench.results.studies import Studies
from huse_bench.results.tables import Results
from huse_bench.results.variance import SeedSpread, seed_spread, stacked

__all__ = ["Evidence"]


class Evidence:
    """The scores of the rows that have two finished seeds with per-query scores, and what they have in common.

    Args:
        results: the runs.

    Attributes:
        rows: these rows; none where the results have no folder, or fewer than two groups of test items.
        groups: (queries,) numbers of the groups of test items.
        samples: the scores.
        studies: the searches whose winners seeds of the methods share.

    Raises:
        RecordError: if the groups of a run cannot be read, or two runs differ in them.
    """

    def __init__(self, results: Results) -> None:
        several = [row for row in results.rows if len(row.finished) > 1 and has_samples(row)]
        rows = several if results.folder is not None else []
        self.samples = Samples(results)
        records = [record for row in rows for record in row.finished]
        self.groups: NDArray[np.int64] = self.samples.shared_groups(records) if rows else np.arange(0)
        self.rows = rows if self.group_count > 1 else []
        self.studies = Studies([row for row in self.rows if not row.is_control])
        self._spreads: dict[tuple[bool, str, str], dict[str, SeedSpread]] = {}

    @property
    def group_count(self) -> int:
        """How many groups of test items there are."""
        return len(np.unique(self.groups))

    def describe_queries(self, noun: str = "queries") -> str:
        """What is drawn beside the seeds, such as ``"queries"`` or ``"356 groups of queries"``."""
        return noun if self.group_count == len(self.groups) else f"{self.group_count:,} groups of {noun}"

    def spread(self, rows: Sequence[Row], task: str, metric: str) -> SeedSpread:
        """How much seeds vary, learnt from all rows that have a number in the column.

        Args:
            rows: some of the evidence's rows. Methods learn from methods, and controls from controls, which vary in
                ways of their own.
            task: direction of a retrieval, or what was classified.
            metric: name of the metric.

        Returns:
            The spread, of shape (rows,).

        Raises:
            RecordError: if the scores of a run cannot be read.
        """
        chosen = [self._of_kind(row.is_control, task, metric)[row.label] for row in rows]
        return stacked(chosen)

    def interval(self, row: Row, task: str, metric: str) -> tuple[float, float]:
        """Ends of the 95 % interval of a row's number.

        Args:
            row: one of the evidence's.
            task: direction of a retrieval, or what was classified.
            metric: name of the metric.

        Returns:
            The ends, as shares from 0 to 1.

        Raises:
            RecordError: if the scores of a run cannot be read.
        """
        values = self._units(row, task, metric)
        ends = mean_interval(values, self.spread([row], task, metric).of(0), self.groups)
        return float(ends.low), float(ends.high)

    def tests(
        self, rows: Sequence[Row], seeds: Sequence[int], columns: Sequence[tuple[str, str]], flips: int = RESAMPLES - 1
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Paired tests of all pairs of rows in some columns.

        Args:
            rows: M of the evidence's rows, all of them methods.
            seeds: S seeds that all of them finished.
            columns: task and metric of each of C columns in which all of them have numbers.
            flips: how many.

        Returns:
            (C, M, S, Q) scores, and (C, M, M) p-values that are not corrected.

        Raises:
            RecordError: if the scores of a run cannot be read.
        """
        values = np.stack(
            [[self.samples.values(row.of_seeds(seeds), task, metric) for row in rows] for task, metric in columns]
        )
        spread = stacked([self.spread(rows, task, metric) for task, metric in columns])
        return values, paired_tests(self.studies.means(values, seeds), spread, self.groups, flips)

    def _of_kind(self, controls: bool, task: str, metric: str) -> dict[str, SeedSpread]:
        key = (controls, task, metric)
        if key not in self._spreads:
            pool = [row for row in self.rows if row.is_control == controls and _has_number(row, task, metric)]
            values = [self._units(row, task, metric) for row in pool]
            of_all = seed_spread(values, self.groups)
            self._spreads[key] = {row.label: of_all.of(place) for place, row in enumerate(pool)}
        return self._spreads[key]

    def _units(self, row: Row, task: str, metric: str) -> NDArray[np.float64]:
        """(units, queries) scores of what is independent in a row: its seeds, or the studies that they share."""
        values = self.samples.values(row.finished, task, metric)
        return values if row.is_control else self.studies.means(values, [record.seed for record in row.finished])


def _has_number(row: Row, task: str, metric: str) -> bool:
    record = row.finished[0]
    return record.classification is not None if metric == "accuracy" else task in (record.retrieval or {})
