"""Measured numbers beside a paper's: which agree, which differ, and which cannot be compared, with the reason."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

from huse_bench.results.consistency import flagged_cells
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import LAYOUT
from huse_bench.results.published import Published, PublishedTable
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["Outcome", "Verdict", "incomparable", "verdicts"]

Outcome = Literal["agrees", "differs", "not comparable"]

_Place = tuple[str, str, str]

_IMPOSSIBLE = "the printed number cannot be"


@dataclass(frozen=True)
class Verdict:
    """One measured number beside the printed one of the same method.

    Attributes:
        table: name of the table.
        label: label of the measured row.
        task: direction of a retrieval, or what was classified.
        metric: name of the metric.
        ours: mean over seeds, as a share from 0 to 1.
        low: lower end of its 95 % interval over seeds and queries; None where they are not compared.
        high: upper end.
        theirs: the printed number, as a share.
        outcome: ``"agrees"`` where the printed number, rounded as it is, lies within the interval.
        reason: why they cannot be compared; empty where they can.
    """

    table: str
    label: str
    task: str
    metric: str
    ours: float
    low: float | None
    high: float | None
    theirs: float
    outcome: Outcome
    reason: str


def incomparable(results: Results, published: Published) -> list[str]:
    """Why no measured number can be compared with a printed one; empty where nothing speaks against it.

    What the paper does not say is taken for different: two numbers are of one kind only where that is known.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        Clauses such as ``"other data: Emoji here, UPMC Food-101 there"``.
    """
    data, setup = results.records[0].dataset, published.setup
    if data.name != published.dataset:
        # Features and splits of other data are others anyway.
        return [f"other data: {data.title} here, {published.dataset_title} there"]
    reasons = []
    for what, ours, theirs in (
        ("image features", data.image_backbone, setup.image),
        ("text features", data.text_backbone, setup.text),
        ("class embeddings", data.class_backbone, setup.classes),
    ):
        # A record names the revision as well, NAME@REVISION, which papers hardly do.
        if (ours or "").partition("@")[0] != theirs:
            reasons.append(f"other {what}: {ours or 'none'} here, {theirs or 'unknown ones'} there")
    for split, here, there in (
        ("train", data.items.train + data.items.validation, setup.train),
        ("test", data.items.test, setup.test),
    ):
        if here != there:
            number = "an unknown number" if there is None else f"{there:,}"
            reasons.append(f"other {split} split: {here:,} items here, {number} there")
    return reasons


def verdicts(results: Results, published: Published) -> list[Verdict]:
    """Every measured number that the paper has printed as well, beside the printed one.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        One verdict for each row and column, in the order of the tables. A method's configurations are rows of their
        own.
    """
    reasons = "; ".join(incomparable(results, published))
    flagged = {name: flagged_cells(published, name) for name in published.tables}
    evidence = Evidence(results)
    return [
        verdict
        for row in results.rows
        if row.finished
        for name, table in published.tables.items()
        for verdict in _of_row(name, table, row, flagged[name], reasons, evidence)
    ]


def _of_row(
    name: str, table: PublishedTable, row: Row, flagged: Container[_Place], reasons: str, evidence: Evidence
) -> Iterator[Verdict]:
    printed = table.row(row.records[0].method.name)
    if printed is None:
        return
    known = row in evidence.rows
    for column in LAYOUT[name]:
        value = printed.cells.get(column.task, {}).get(column.metric)
        ours = row.mean(column)
        if value is None or math.isnan(ours):
            continue
        theirs, slack = value / table.top, table.rounding / table.top
        impossible = (printed.key, column.task, column.metric) in flagged
        reason = reasons or (_IMPOSSIBLE if impossible else "") or ("" if known else _no_interval(row, evidence))
        low = high = None
        outcome: Outcome = "not comparable"
        if not reason:
            low, high = evidence.interval(row, column.task, column.metric)
            outcome = "agrees" if low - slack <= theirs <= high + slack else "differs"
        yield Verdict(name, row.label, column.task, column.metric, ours, low, high, theirs, outcome, reason)


def _no_interval(row: Row, evidence: Evidence) -> str:
    if len(row.finished) < 2:
        return "one seed gives no interval"
    if evidence.group_count == 1:
        return "all test items are of one group"
    return "there are no per-query scores for an interval"
