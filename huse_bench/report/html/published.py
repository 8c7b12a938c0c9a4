"""Measured numbers beside a paper's: verdicts by number, and by column the order of the methods and who leads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from huse_bench.measures import DIRECTION_TITLES
from huse_bench.report.agreement import (
    leads_said,
    nothing_said,
    orderings_said,
    verdict_number,
    verdicts_said,
)
from huse_bench.report.grid import Cell
from huse_bench.report.html.section import Section
from huse_bench.report.html.tables import Column, Group, Heading, TableRow, formats
from huse_bench.results.agreement import Lead, Ordering, Verdict, leads, orderings, verdicts
from huse_bench.results.published import Published
from huse_bench.results.tables import Results

__all__ = ["sections"]

_TITLE = "Beside the paper"

_NONE = Cell("-")


def sections(results: Results, published: Published | None) -> list[Section]:
    """What a paper's numbers say of the measured ones.

    Args:
        results: the runs.
        published: the tables of a paper; None where none was asked for.

    Returns:
        One section, or none.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    if published is None:
        return []
    found = verdicts(results, published)
    if not found:
        return [Section("published", _TITLE, "published.html", {"intro": nothing_said(published), "tables": []})]
    intro, *below = verdicts_said(results, published, found)
    tables = [_by_number(results, found, below)] if below else []
    tables.append(_by_column(results, orderings(results, published), leads(results, published)))
    rows = [row for table in tables for group in table["groups"] for row in group.rows]
    context = {
        "intro": intro,
        "tables": tables,
        "find": bool(below),
        "kinds": {row.kind: row.kind for row in rows if row.kind != "plain"},
        "directions": list(dict.fromkeys(row.direction for row in rows)),
    }
    words = ("caption", "details", "mark", "notes", "label")
    said = {str(table["name"]): {name: table[name] for name in words} | {"flat": True} for table in tables}
    data = formats(results) | {"notes": [], "tables": said}
    return [Section("published", _TITLE, "published.html", context, data, "tables.js", "tables.css")]


def _table(name: str, label: str, columns: Sequence[Column], rows: Sequence[TableRow], **words: Any) -> dict[str, Any]:
    """A table of one group, as the template takes it."""
    headings: list[Heading] = []
    for column in columns:
        count = headings.pop().count if headings and headings[-1].title == column.heading else 0
        headings.append(Heading(column.heading, count + 1))
    return {
        "name": name,
        "label": label,
        "mark": "",
        "headings": headings,
        "headed": any(column.heading for column in columns),
        "columns": columns,
        "groups": [Group("", dashed=False, rows=tuple(rows))],
        "without": "",
        "flag": "",
        **words,
    }


def _by_number(results: Results, found: Sequence[Verdict], below: Sequence[str]) -> dict[str, Any]:
    places = {row.label: place for place, row in enumerate(results.rows)}
    columns = [
        Column("Task", "", words=True),
        Column("Metric", "", words=True),
        Column("Mean", "Here"),
        Column("From", "Here"),
        Column("To", "Here"),
        Column("Value", "Printed"),
        Column("Verdict", "", words=True),
    ]
    rows = [
        TableRow(
            verdict.label,
            (),
            verdict.outcome,
            places.get(verdict.label),
            _cells(verdict),
            direction=_task(verdict.task),
        )
        for verdict in sorted(found, key=lambda verdict: verdict.table)
    ]
    details = "From and to: the ends of the 95 % interval. Accuracies are percents, all else is shares from 0 to 1."
    caption = "Verdicts: numbers here and in the paper"
    return _table("verdicts", "Method", columns, rows, caption=caption, details=details, notes=below)


def _cells(verdict: Verdict) -> tuple[Cell, ...]:
    number = partial(verdict_number, verdict)
    shares = (verdict.ours, verdict.low, verdict.high, verdict.theirs)
    numbers = (_NONE if share is None else Cell(number(share)) for share in shares)
    return Cell(_task(verdict.task)), Cell(verdict.metric), *numbers, Cell(verdict.outcome)


def _by_column(results: Results, orders: Sequence[Ordering], leading: Sequence[Lead]) -> dict[str, Any]:
    columns = [
        Column("Metric", "", words=True),
        Column("Tau", "Order of the methods"),
        Column("From", "Order of the methods"),
        Column("To", "Order of the methods"),
        Column("p", "Order of the methods"),
        Column("Printed", "Best", words=True),
        Column("Here", "Best", words=True),
    ]
    leaders = {(lead.table, lead.task, lead.metric): lead for lead in leading}
    rows = [
        TableRow(
            _task(order.task),
            (),
            "plain",
            None,
            (
                Cell(order.metric),
                _number(order.tau, 2),
                _number(order.low, 2),
                _number(order.high, 2),
                # Of 9,999 orders, none is seldomer.
                _number(order.p_value, 4),
                *_leaders(leaders.get((order.table, order.task, order.metric))),
            ),
            direction=_task(order.task),
        )
        for order in orders
    ]
    details = orderings_said(results, orders)
    notes = [leads_said(leading)] if leading else []
    caption = "Columns: in which order the methods stand, and who leads"
    return _table("orders", "Task", columns, rows, caption=caption, details=details, notes=notes)


def _task(task: str) -> str:
    return DIRECTION_TITLES.get(task, task.capitalize())


def _number(value: float | None, decimals: int) -> Cell:
    return _NONE if value is None else Cell(f"{value:.{decimals}f}")


def _leaders(lead: Lead | None) -> tuple[Cell, Cell]:
    if lead is None:
        return _NONE, _NONE
    return Cell(", ".join(lead.printed)), Cell(", ".join(lead.measured))
