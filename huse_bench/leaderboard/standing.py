"""How methods stand over all data sets of a leaderboard together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.leaderboard.entries import Entry
from huse_bench.leaderboard.ranking import COLUMNS, RankedBoard, column_name
from huse_bench.results.across import Estimate, improvement, interquartile_mean
from huse_bench.results.chance import chance_level
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row

__all__ = ["ColumnStanding", "Standing", "standing"]

# Methods in the table of who beats whom: more are read by nobody.
_MOST_PAIRED = 20


@dataclass(frozen=True)
class ColumnStanding:
    """How the methods stand in one column.

    Attributes:
        means: interquartile mean of each method; None where it has no number on one of the data sets.
        order: places of the methods that have one, best first; of the first 20 it is known who beats whom.
        wins: by two places, the probability that the first is better than the second.
        corrected: whether 0 is chance on each data set, in place of a share of 0.
    """

    means: tuple[Estimate | None, ...]
    order: tuple[int, ...]
    wins: Mapping[tuple[int, int], Estimate]
    corrected: bool


@dataclass(frozen=True)
class Standing:
    """Methods over data sets.

    Attributes:
        boards: the data sets.
        methods: for each method its entry on each data set.
        missing: labels of methods that did not run on some of the data sets, with the titles of these.
        columns: by the column's name.
    """

    boards: tuple[RankedBoard, ...]
    methods: tuple[tuple[Entry, ...], ...]
    missing: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, ColumnStanding]


def standing(boards: Sequence[RankedBoard]) -> Standing:
    """Methods over the data sets that have ranks, as they come: those of a regime would count one twice.

    A method is the same on two data sets where its name and the distribution that provides it are, and where a search
    chose its parameters on both or on neither. Where a data set has several entries of it, the best checked counts,
    then the one of most runs, then the newest: never the best number.

    Args:
        boards: the data sets.

    Returns:
        How those methods stand that ran on all of the data sets.
    """
    ranked = tuple(
        board
        for board in boards
        if board.board.dataset.regime is None and any(not entry.unranked for entry in board.board.entries)
    )
    chosen: dict[tuple[str, str, bool], dict[int, Entry]] = {}
    for place, board in enumerate(ranked):
        # The most trusted first, as boards have them.
        for entry in board.board.entries:
            if not entry.unranked:
                chosen.setdefault(entry.method, {}).setdefault(place, entry)
    whole = [entries for entries in chosen.values() if len(entries) == len(ranked)]
    methods = tuple(tuple(entries[place] for place in range(len(ranked))) for entries in whole)
    missing: dict[str, tuple[str, ...]] = {}
    for entries in chosen.values():
        lacking = [board.board.dataset.title for place, board in enumerate(ranked) if place not in entries]
        if lacking:
            missing[next(iter(entries.values())).label] = tuple(lacking)
    return Standing(ranked, methods, missing, {column_name(c): _of_column(methods, c) for c in COLUMNS})


def _of_column(methods: Sequence[Sequence[Entry]], column: Column) -> ColumnStanding:
    corrected = all(chance_level(entry.first, column) is not None for entries in methods for entry in entries)
    runs = [[_runs(entry, column, corrected) for entry in entries] for entries in methods]
    usable = [bool(scores) and all(len(of_board) > 0 for of_board in scores) for scores in runs]
    means = [interquartile_mean(scores) if fine else None for scores, fine in zip(runs, usable, strict=True)]
    found = {place: mean.value for place, mean in enumerate(means) if mean is not None}
    order = sorted(found, key=lambda place: (-found[place], place))
    wins: dict[tuple[int, int], Estimate] = {}
    for number, first in enumerate(order[:_MOST_PAIRED]):
        for second in order[number + 1 : _MOST_PAIRED]:
            win = improvement(runs[first], runs[second])
            wins[first, second] = win
            wins[second, first] = win.turned()
    return ColumnStanding(tuple(means), tuple(order), wins, corrected)


def _runs(entry: Entry, column: Column, corrected: bool) -> NDArray[np.float64]:
    """Scores of the finished runs; with a correction 0 is chance, and 1 is 1."""
    values = np.array([Row("", (record,)).mean(column) for record in entry.finished])
    if math.isnan(entry.row.mean(column)) or np.isnan(values).any():
        return np.zeros(0)
    chance = chance_level(entry.first, column) if corrected else None
    return values if chance is None else (values - chance) / (1 - chance)
