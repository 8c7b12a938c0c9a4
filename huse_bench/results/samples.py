"""Scores of single queries and items, as the arrays that a table's numbers are means of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import RecordError
from huse_bench.results.rows import Row
from huse_bench.results.schema import RunRecord
from huse_bench.results.scores import item_scores, query_scores
from huse_bench.results.tables import Results

__all__ = ["Samples", "has_samples", "shared_seeds"]

# Name of the task that items are classified by, in place of a direction.
_ITEMS = "items"


class Samples:
    """The per-query scores and per-item predictions of runs, each file read once.

    Args:
        results: runs that come from a results folder.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._counts: dict[str, dict[str, dict[str, NDArray[np.int32]]]] = {}

    def values(self, records: Sequence[RunRecord], task: str, metric: str) -> NDArray[np.float64]:
        """Scores whose mean is a number of a table.

        Args:
            records: finished runs that have per-query scores; for accuracies also predictions.
            task: direction of a retrieval, or ``"image"``, ``"text"`` or ``"fusion"``.
            metric: ``"R@K"``, ``"P@K"``, ``"HP@K"``, ``"BHP@K"``, or ``"accuracy"``.

        Returns:
            (records, queries) shares from 0 to 1.

        Raises:
            RecordError: if a file cannot be read, or does not hold these scores of every test item.
        """
        return np.stack([self._values(record, task, metric) for record in records])

    def groups(self, record: RunRecord) -> NDArray[np.int64]:
        """Which test items are no independent witnesses.

        Of held-out classes the items of one are a group: other classes would have been other questions, and their items
        are easy or hard together.

        Args:
            record: a finished run.

        Returns:
            (queries,) numbers of groups; where the record does not say, each item is its own.

        Raises:
            RecordError: if the file cannot be read.
        """
        numbers = self._read(record)[_ITEMS].get("label" if record.dataset.held_out else "group")
        return np.arange(record.dataset.items.test) if numbers is None else numbers.astype(np.int64)

    def shared_groups(self, records: Sequence[RunRecord]) -> NDArray[np.int64]:
        """The groups of test items that runs have in common.

        Args:
            records: finished runs on one dataset.

        Returns:
            (queries,) numbers of groups.

        Raises:
            RecordError: if a file cannot be read, or two runs group their items differently.
        """
        first, groups = records[0], self.groups(records[0])
        for record in records[1:]:
            if not np.array_equal(self.groups(record), groups):
                raise RecordError(
                    f"the runs {first.stem} and {record.stem} group their test items differently, so they cannot be "
                    f"compared; run one of them again with --overwrite always"
                )
        return groups

    def metrics(self, record: RunRecord) -> list[str]:
        """Retrieval metrics that the scores of a run give, such as ``"R@1"``.

        Args:
            record: a finished run that has per-query scores.

        Returns:
            Their names: R@K, P@K, HP@K and BHP@K, by ascending K.

        Raises:
            RecordError: if the file cannot be read.
        """
        columns = next(iter(self._read(record).values()))
        names = {"hits": ("R", "P"), "hp": ("HP",), "similarity": ("BHP",)}
        found = [
            (letters, int(k))
            for kind, _, k in (column.partition("@") for column in columns)
            for letters in names.get(kind, ())
        ]
        order = ("R", "P", "HP", "BHP")
        return [f"{name}@{k}" for name, k in sorted(found, key=lambda pair: (order.index(pair[0]), pair[1]))]

    def _values(self, record: RunRecord, task: str, metric: str) -> NDArray[np.float64]:
        counts = self._read(record)
        try:
            accuracy = metric == "accuracy"
            values = item_scores(counts[_ITEMS], task) if accuracy else query_scores(counts[task], metric)
        except KeyError as error:
            raise RecordError(
                f"the scores of the run {record.stem} lack {error.args[0]!r}, which {metric} of {task} is taken from; "
                f"run it again with --overwrite always"
            ) from error
        if len(values) != record.dataset.items.test:
            raise RecordError(
                f"the scores of the run {record.stem} are those of {len(values)} queries, its dataset has "
                f"{record.dataset.items.test} test items; run it again with --overwrite always"
            )
        return values

    def _read(self, record: RunRecord) -> dict[str, dict[str, NDArray[np.int32]]]:
        if record.fingerprint not in self._counts:
            arrays = {**(self._results.per_query(record) or {}), _ITEMS: self._results.predictions(record) or {}}
            # Narrow, since all runs of a table are held at once; confidences are not scored.
            self._counts[record.fingerprint] = {
                task: {
                    name: column.astype(np.int32)
                    for name, column in columns.items()
                    if np.issubdtype(column.dtype, np.integer)
                }
                for task, columns in arrays.items()
            }
        return self._counts[record.fingerprint]


def has_samples(row: Row) -> bool:
    """Whether every finished run of a row has stored the scores of single queries and items."""
    return all(
        record.per_query is not None and (record.classification is None or record.predictions is not None)
        for record in row.finished
    )


def shared_seeds(rows: Sequence[Row]) -> list[int]:
    """Seeds that every row finished, ascending."""
    return sorted(set.intersection(*({record.seed for record in row.finished} for row in rows)))
