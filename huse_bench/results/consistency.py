"""Which numbers of a paper cannot be: arithmetic between its cells, and its text against its tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from huse_bench.errors import ResultsError
from huse_bench.results.published import Claim, Published, PublishedTable

__all__ = ["BrokenClaim", "ImpossibleCell", "broken_claims", "flagged_cells", "impossible_cells", "refuse_unflagged"]

# Sums of decimals in binary are off by about this much; no printed number is this fine.
_BINARY = 1e-9

_RANGE = "lies outside the values that there can be"
_MONOTONE = "whoever has a hit among the first few has one among more: R@K cannot fall as K grows"
_FIRST = "the first result is a hit or not: P@1 is R@1"
_ONE_HIT = "a hit is one correct item of K: HP@K >= R@J / K for all J up to K, and P@K likewise"
_OWN_CLASS = "the query's own class is in its correct set: HP@K >= P@K"
_SHARE = "a query with any correct item has a hit: P@K <= R@K"
_GROWING = "correct items among the first J stay so among the first K: K HP@K >= J HP@J, and P likewise"
_FEW_MORE = "K items hold at most K - J that the first J do not: K P@K <= J P@J + K - J"


@dataclass(frozen=True)
class ImpossibleCell:
    """A printed value that cannot be, if the other one that it is held against is right.

    Attributes:
        table: name of its table.
        place: where in the paper that is.
        row: key of its row.
        title: label of the row as printed.
        task: its task.
        metric: its metric.
        text: the values and the bound.
        rule: why the bound holds.
    """

    table: str
    place: str
    row: str
    title: str
    task: str
    metric: str
    text: str
    rule: str


@dataclass(frozen=True)
class BrokenClaim:
    """A statement of the text that the paper's own table contradicts.

    Attributes:
        claim: the statement.
        place: where in the paper its table is.
        cells: what it says of each cell where it does not hold, and what the table says.
    """

    claim: Claim
    place: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class _Value:
    """A printed value as a share, with the interval that it may be rounded from."""

    table: str
    metric: str
    kind: str
    k: int
    printed: str
    low: float
    high: float


@dataclass(frozen=True)
class _Conflict:
    value: _Value
    excess: float
    text: str
    rule: str


def impossible_cells(published: Published) -> list[ImpossibleCell]:
    """Cells that no evaluation can give, found by arithmetic alone.

    R@K is the share of queries with a hit among the first K, P@K and HP@K the shares of correct items among the first
    K, where the items of the query's own class are correct for HP@K and the correct sets grow with K; all of one row
    are taken of the same rankings. Then, with J <= K:

    - all values are from 0 to 1 (or 100), and R@J <= R@K;
    - HP@K >= R@J / K and P@K >= R@J / K, HP@K >= P@K, P@K <= R@K and P@1 = R@1 = HP@1;
    - K HP@K >= J HP@J and K P@K >= J P@J, and K P@K <= J P@J + K - J.

    Each value may be anything that rounds to what is printed. Of two values that contradict each other the later in
    this list (R, then P, then HP; the larger K) is the one that is named.

    Args:
        published: the tables of a paper; rows of one key belong together across its tables.

    Returns:
        The cells in the order of the tables, each once, with the rule that it breaks the most.
    """
    by_row: dict[tuple[str, str], list[_Value]] = {}
    for name, table in published.tables.items():
        for row in table.rows:
            for task, scores in row.cells.items():
                values = by_row.setdefault((row.key, task), [])
                values += [_value(name, table, metric, number) for metric, number in scores.items()]
    found: dict[tuple[str, str, str, str], _Conflict] = {}
    for (key, task), values in by_row.items():
        for conflict in _conflicts(values):
            place = (conflict.value.table, key, task, conflict.value.metric)
            if place not in found or found[place].excess < conflict.excess:
                found[place] = conflict
    return [
        ImpossibleCell(name, table.place, row.key, row.title, task, metric, worst.text, worst.rule)
        for name, table in published.tables.items()
        for row in table.rows
        for task, scores in row.cells.items()
        for metric in scores
        if (worst := found.get((name, row.key, task, metric))) is not None
    ]


def flagged_cells(published: Published, table: str) -> dict[tuple[str, str, str], str]:
    """The cells of a table that a reader must not take at face value.

    Args:
        published: the tables of a paper.
        table: name of one of them.

    Returns:
        Notes by row key, task and metric: the rule of a cell that cannot be, or what its flag says.
    """
    found = {
        (cell.row, cell.task, cell.metric): f"cannot be: {cell.rule}"
        for cell in impossible_cells(published)
        if cell.table == table
    }
    flags = (flag for flag in published.flags if flag.table == table)
    return found | {(flag.method, task, metric): flag.note for flag in flags for task, metric in flag.cells}


def refuse_unflagged(published: Published) -> None:
    """Raise ResultsError where a cell that cannot be carries no flag: it may be a slip of whoever typed the numbers.

    Args:
        published: the tables of a paper.
    """
    flags = {(flag.table, flag.method, *cell) for flag in published.flags for cell in flag.cells}
    cells = [c for c in impossible_cells(published) if (c.table, c.row, c.task, c.metric) not in flags]
    if cells:
        first = cells[0]
        more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
        flag = {"table": first.table, "method": first.row, "cells": [[first.task, first.metric]], "note": "..."}
        raise ResultsError(
            f"the published tables {published.name!r} hold a number that cannot be: {first.place}, {first.title}, "
            f"{first.task} {first.text}; {first.rule}{more}. Correct it, or where the paper printed it so, say that "
            f"under flags: {json.dumps(flag, ensure_ascii=False)}. huse-bench published check lists all"
        )


def broken_claims(published: Published) -> list[BrokenClaim]:
    """Statements of the text that do not hold in the paper's own tables.

    A gain is allowed the rounding of both its values, and the statement its own.

    Args:
        published: the tables and claims of a paper.

    Returns:
        The statements with the cells that contradict them, in the order of the file.
    """
    broken = []
    for claim in published.claims:
        table = published.tables[claim.table]
        cells = tuple(_contradictions(claim, table))
        if cells:
            broken.append(BrokenClaim(claim, table.place, cells))
    return broken


def _value(name: str, table: PublishedTable, metric: str, number: float) -> _Value:
    kind, _, k = metric.partition("@")
    low, high = (number - table.rounding) / table.top, (number + table.rounding) / table.top
    return _Value(name, metric, kind, int(k or 0), f"{number:.{table.decimals}f}", low - _BINARY, high + _BINARY)


def _conflicts(values: list[_Value]) -> Iterator[_Conflict]:
    for value in values:
        if value.high < 0 or value.low > 1:
            yield _Conflict(value, math.inf, f"{value.metric} {value.printed}", _RANGE)
    order = ("R", "P", "HP")
    ranked = sorted((v for v in values if v.kind in order), key=lambda v: (order.index(v.kind), v.k))
    for first, second in combinations(ranked, 2):
        yield from _pair(first, second)


def _pair(a: _Value, b: _Value) -> Iterator[_Conflict]:
    """What is wrong between two values of one row and task, ``a`` before ``b`` in R, P, HP and in K."""
    kinds = (a.kind, b.kind)
    if kinds == ("R", "R"):
        yield from _at_least(b, a, a.low, _MONOTONE)
    elif a.kind == "R":
        if a.k <= b.k:
            yield from _at_least(b, a, a.low / b.k, _ONE_HIT, divisor=b.k)
        if a.k == b.k == 1:
            yield from _at_most(b, a, a.high, _FIRST)
        elif a.k >= b.k and b.kind == "P":
            # R grows with K, so a bound by R@K holds for the shorter ranking as well.
            yield from _at_most(b, a, a.high, _SHARE)
    elif kinds == ("P", "HP"):
        if a.k == b.k:
            yield from _at_least(b, a, a.low, _OWN_CLASS)
        elif a.k < b.k:
            yield from _at_least(b, a, a.low * a.k / b.k, _GROWING, divisor=b.k / a.k)
    else:
        yield from _at_least(b, a, a.low * a.k / b.k, _GROWING, divisor=b.k / a.k)
        if kinds == ("P", "P"):
            yield from _at_most(b, a, (a.high * a.k + b.k - a.k) / b.k, _FEW_MORE)


def _at_least(value: _Value, other: _Value, bound: float, rule: str, divisor: float = 1) -> Iterator[_Conflict]:
    if value.high < bound:
        by = f" / {divisor:g}" if divisor != 1 else ""
        text = f"{value.metric} {value.printed} < {bound:.4f}, the least that {other.metric} {other.printed}{by} allows"
        yield _Conflict(value, bound - value.high, text, rule)


def _at_most(value: _Value, other: _Value, bound: float, rule: str) -> Iterator[_Conflict]:
    if value.low > bound:
        text = f"{value.metric} {value.printed} > {bound:.4f}, the most that {other.metric} {other.printed} allows"
        yield _Conflict(value, value.low - bound, text, rule)


def _contradictions(claim: Claim, table: PublishedTable) -> Iterator[str]:
    rows = {row.key: row.cells for row in table.rows}
    slack = claim.rounding + table.rounding * (2 if claim.over else 1) + _BINARY
    for task in claim.tasks:
        for metric in claim.metrics:
            value = rows[claim.row][task][metric]
            shown = f"{value:.{table.decimals}f}"
            if claim.over:
                best = max(claim.over, key=lambda key: rows[key][task][metric])
                rival = rows[best][task][metric]
                shown = f"{value - rival:.{table.decimals}f} ({shown} - {rival:.{table.decimals}f} of {best})"
                value -= rival
            if claim.low is not None and value < claim.low - slack:
                yield f"{task} {metric}: {shown}, and the text says at least {claim.low:g}"
            if claim.high is not None and value > claim.high + slack:
                yield f"{task} {metric}: {shown}, and the text says at most {claim.high:g}"
