"""The ranks of a board: the entries of several bundles tested against each other, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import HuseBenchError
from huse_bench.fingerprint import fingerprint
from huse_bench.leaderboard.entries import Board, Entry
from huse_bench.results import Results, RunRecord
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import LAYOUT, Column
from huse_bench.results.recomputed import contradiction
from huse_bench.results.rows import Row
from huse_bench.results.scores import item_scores, query_scores
from huse_bench.results.simultaneous import holm_of_pairs, may_be_best, rank_intervals
from huse_bench.results.statistics import RESAMPLES, SETTLED

__all__ = ["COLUMNS", "Place", "RankedBoard", "column_name", "rank"]

#: The columns of the paper's three tables.
COLUMNS: tuple[Column, ...] = tuple(column for table in LAYOUT.values() for column in table)


@dataclass(frozen=True)
class Place:
    """What is known of an entry in one column.

    Attributes:
        value: mean over the finished seeds, as a share from 0 to 1.
        low: lower end of its 95 % interval; None where it has no rank.
        high: upper end.
        best: whether it may be the best, no other being significantly better.
        ranks: lowest and highest rank, simultaneous 95 % intervals; None where it has no rank.
    """

    value: float
    low: float | None = None
    high: float | None = None
    best: bool = False
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class RankedBoard:
    """A board with the ranks of its entries.

    Attributes:
        board: its entries say why they have no rank, where they have none.
        places: by the column's name, of each entry in the order of the board; None where it has no number.
    """

    board: Board
    places: Mapping[str, tuple[Place | None, ...]]


def column_name(column: Column) -> str:
    """What a column is called, such as ``"i2t R@1"`` or ``"fusion accuracy"``."""
    return f"{column.task} {column.metric}"


def rank(board: Board, columns: Sequence[Column] = COLUMNS) -> RankedBoard:
    """Test all entries of a board against each other in each column.

    An entry has ranks where it has two finished seeds whose numbers are the means of its per-query scores, on the same
    test items as the others'. Two entries are compared on as many seeds as both have, so that an entry of two seeds
    does not take from what is known of the others.

    Args:
        board: the entries.
        columns: in which.

    Returns:
        The entries with their places.
    """
    entries = _with_reasons(board.entries)
    ranked = [number for number, entry in enumerate(entries) if not entry.unranked]
    places = {column_name(column): [_unranked(entry.row, column) for entry in entries] for column in columns}
    if ranked:
        joined = _Joined([entries[number] for number in ranked])
        evidence = Evidence(joined)
        by_task: dict[str, list[Column]] = {}
        for column in columns:
            by_task.setdefault(column.task, []).append(column)
        for of_task in by_task.values():
            for column, found in _of_task(evidence, of_task).items():
                for row, place in found:
                    places[column_name(column)][ranked[int(row.label)]] = place
    return RankedBoard(replace(board, entries=entries), {name: tuple(of_column) for name, of_column in places.items()})


class _Joined(Results):
    """Runs of several bundles on the same data, each read from its own folder.

    Rows are named by the entry's place, since titles and fingerprints are what each bundle says, and seeds counted,
    since those of different people have nothing in common.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._sources: dict[str, tuple[Results, RunRecord]] = {}
        records = []
        for number, entry in enumerate(entries):
            for seed, record in enumerate(entry.finished):
                method = record.method.model_copy(update={"name": str(number), "title": str(number), "section": ""})
                identity = fingerprint({"entry": number, "seed": seed})
                self._sources[identity] = (entry.results, record)
                changes = {"method": method, "seed": seed, "fingerprint": identity}
                records.append(record.model_copy(update=changes))
        super().__init__(records)
        # Says that there are arrays.
        self.folder = entries[0].results.folder

    def per_query(self, record: RunRecord) -> dict[str, dict[str, NDArray[np.integer]]] | None:
        results, original = self._sources[record.fingerprint]
        return results.per_query(original)

    def predictions(self, record: RunRecord) -> dict[str, NDArray[np.integer]] | None:
        results, original = self._sources[record.fingerprint]
        return results.predictions(original)


def _of_task(evidence: Evidence, columns: Sequence[Column]) -> dict[Column, list[tuple[Row, Place]]]:
    """The places of all rows that have numbers in the columns of one task."""
    columns = [column for column in columns if any(not math.isnan(row.mean(column)) for row in evidence.rows)]
    if not columns:
        return {}
    rows = [row for row in evidence.rows if not math.isnan(row.mean(columns[0]))]
    p_values = _p_values(evidence, rows, columns)
    found: dict[Column, list[tuple[Row, Place]]] = {}
    for column, of_column in zip(columns, p_values, strict=True):
        means = np.array([row.mean(column) for row in rows])
        best = may_be_best(means, of_column).tolist()
        ranks = rank_intervals(means, holm_of_pairs(of_column)).tolist()
        found[column] = [
            (row, Place(mean, *evidence.interval(row, column.task, column.metric), is_best, (low, high)))
            for row, mean, is_best, (low, high) in zip(rows, means.tolist(), best, ranks, strict=True)
        ]
    return found


def _p_values(evidence: Evidence, rows: Sequence[Row], columns: Sequence[Column]) -> NDArray[np.float64]:
    """(columns, rows, rows) p-values, each pair compared on as many seeds as both rows have."""
    p_values = np.ones((len(columns), len(rows), len(rows)))
    # A correction for n pairs multiplies the smallest p-value by n, which must be able to stay small.
    flips = max(RESAMPLES, 50 * len(rows) ** 2) - 1
    counts = np.array([len(row.finished) for row in rows])
    asked = [(column.task, column.metric) for column in columns]
    for seeds in np.unique(counts).tolist():
        (chosen,) = np.nonzero(counts >= seeds)
        if len(chosen) > 1:
            # Of two that both have more seeds, the test on these is the one that counts.
            fewer = counts[chosen] == seeds
            pairs = fewer[:, None] | fewer
            chosen_rows = [rows[place] for place in chosen.tolist()]
            _, found = evidence.tests(chosen_rows, range(seeds), asked, flips, asked=pairs, settled=SETTLED)
            places = np.ix_(chosen, chosen)
            for of_column, new in zip(p_values, found, strict=True):
                of_column[places] = np.where(pairs, new, of_column[places])
    return p_values


def _unranked(row: Row, column: Column) -> Place | None:
    value = row.mean(column)
    return None if math.isnan(value) else Place(value)


def _with_reasons(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, each with the reason why it has no rank; the first that is sound says what the test items are."""
    shared: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None
    checked = []
    for entry in entries:
        reason = _fault(entry)
        if not reason:
            own = _items(entry)
            shared = shared or own
            if not _same(own, shared):
                reason = "its test items are other ones, or grouped otherwise, than those of the others"
            elif len(np.unique(own[1])) < 2:
                reason = "all test items are of one group"
        checked.append(replace(entry, unranked=reason))
    return tuple(checked)


def _fault(entry: Entry) -> str:
    if len(entry.finished) < 2:
        return "one seed: two are needed to tell it from luck"
    if len({record.seed for record in entry.finished}) < len(entry.finished):
        return "a seed is there twice"
    if len({record.classification is None for record in entry.finished}) > 1:
        return "some of its runs have a classifier and some have none"
    try:
        reasons = (_fault_of_run(entry, record) for record in entry.finished)
        return next(filter(None, reasons), "")
    except (HuseBenchError, KeyError, TypeError, ValueError) as error:
        return f"its scores cannot be read ({error})"


def _fault_of_run(entry: Entry, record: RunRecord) -> str:
    per_query, predictions = entry.results.per_query(record), entry.results.predictions(record)
    if per_query is None or predictions is None:
        return "no per-query scores beside the records"
    if wrong := contradiction(record, per_query, predictions):
        return f"its numbers are not those of its per-query scores: seed {record.seed}, {wrong}"
    for column in COLUMNS:
        if math.isnan(entry.row.mean(column)):
            continue
        accuracy = column.metric == "accuracy"
        scores = (
            item_scores(predictions, column.task) if accuracy else query_scores(per_query[column.task], column.metric)
        )
        if scores.shape != (record.dataset.items.test,) or scores.min() < 0 or scores.max() > 1:
            return f"its scores are not those of single queries: seed {record.seed}, {column_name(column)}"
    if not _same(_items_of(entry, record), _items(entry)):
        return f"its runs are on different test items: seed {record.seed}"
    return ""


def _same(first: Sequence[NDArray[np.integer]], second: Sequence[NDArray[np.integer]]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def _items(entry: Entry) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return _items_of(entry, entry.finished[0])


def _items_of(entry: Entry, record: RunRecord) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The classes of the test items and their groups."""
    predictions = entry.results.predictions(record) or {}
    labels = predictions["label"]
    return labels, predictions.get("group", np.arange(len(labels)))
