"""A table ready to be shown: formatted cells with their marks, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from huse_bench.results.notes import BUDGET_MARK, budget_marked, seeds_text
from huse_bench.results.published import Published, PublishedTable
from huse_bench.results.tables import LAYOUT, Results

__all__ = ["FLAG_MARK", "Cell", "Grid", "Line", "Section", "build_grid"]

#: Behind a printed number that cannot be.
FLAG_MARK = "†"

_CAPTIONS = {
    "table1": "Retrieval performance of various methods on four retrieval tasks of {dataset}.",
    "table2": "Hierarchical precision of various methods on four retrieval tasks of {dataset}.",
    "table3": "Classification accuracy (%) on {dataset}.",
}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the number as printed, ``-`` where there is none.
        best: whether it is the best of its column, at the printed precision.
        flagged: whether it is a printed number that cannot be.
    """

    text: str
    best: bool = False
    flagged: bool = False


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        label: the method.
        cells: its cells; empty where ``status`` says why there are none.
        status: ``"diverged"`` or ``"failed"``, else empty.
    """

    label: str
    cells: tuple[Cell, ...]
    status: str = ""


@dataclass(frozen=True)
class Section:
    """Rows from one source, in groups with a dashed line between.

    Attributes:
        title: where the numbers are from; empty for the measured ones.
        groups: the rows.
    """

    title: str
    groups: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Grid:
    """A table ready to be shown.

    Attributes:
        name: which table it is, such as ``"table1"``.
        caption: what it shows.
        details: what the numbers were taken over and how to read the marks.
        headings: titles of the column groups with their number of columns; empty titles where there are none.
        columns: titles of the columns.
        sections: the rows.
        footnotes: explanations of marks in the rows.
    """

    name: str
    caption: str
    details: str
    headings: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]


def build_grid(name: str, table: pd.DataFrame, results: Results, printed: Published | None) -> Grid:
    """Format one table.

    Args:
        name: which table it is, such as ``"table1"``.
        table: its values, as :meth:`Results.tables` gives them, perhaps with rows or columns changed.
        results: the runs behind it.
        printed: a paper's own numbers for below the measured ones.

    Returns:
        The grid.
    """
    dataset = results.records[0].dataset
    columns: list[object] = list(table.columns)
    pairs = [column if isinstance(column, tuple) else ("", column) for column in columns]
    headings = tuple((str(title), len(list(group))) for title, group in groupby(title for title, _ in pairs))
    groups = _measured(name, table, results)
    counted = "items" if name == "table3" else "queries per direction"
    details = f"{dataset.items.test:,} test {counted}; {seeds_text(results)}."
    if len(groups) > 1:
        details += " Below the dashed line: with semantic information."
    sections = [Section("", groups)]
    footnotes = [f"{BUDGET_MARK} saw more training pairs than other rows."] if budget_marked(results.rows) else []
    if printed is not None:
        sections += _printed(name, table, printed, dataset.name)
        footnotes += [f"{FLAG_MARK} {note}." for note in dict.fromkeys(printed.flagged(name).values())]
    return Grid(
        name=name,
        caption=f"Table {name.removeprefix('table')}: {_CAPTIONS[name].format(dataset=dataset.title)}",
        details=details,
        headings=headings,
        columns=tuple(str(metric) for _, metric in pairs),
        sections=tuple(sections),
        footnotes=tuple(footnotes),
    )


def _measured(name: str, table: pd.DataFrame, results: Results) -> tuple[tuple[Line, ...], ...]:
    rows = {row.label: row for row in results.rows}
    more = budget_marked(results.rows)
    cells = _marked([[_text(name, value) for value in values] for values in table.to_numpy().tolist()])
    lines: dict[bool, list[Line]] = {False: [], True: []}
    for label, line in zip(table.index, cells, strict=True):
        row = rows.get(label)
        status = "" if row is None or row.status == "finished" else row.status
        shown = f"{label}{BUDGET_MARK}" if label in more else str(label)
        lines[row is not None and row.semantic].append(Line(shown, () if status else line, status))
    return tuple(tuple(group) for group in lines.values() if group)


def _printed(name: str, table: pd.DataFrame, printed: Published, dataset: str) -> list[Section]:
    source = printed.tables[name]
    title = f"Numbers printed in the paper on {printed.dataset_title} ({printed.source}, {source.place})."
    if dataset != printed.dataset:
        title += " Not comparable with the rows above: other data, features and split."
    lookup = {column.heading: (column.task, column.metric) for column in LAYOUT[name]}
    flagged = printed.flagged(name)
    scale = _scale(source)
    tasks = [lookup.get(heading, ("", "")) for heading in table.columns]
    cells = _marked(
        [
            [_text(name, row.cells.get(task, {}).get(metric, math.nan) * scale) for task, metric in tasks]
            for row in source.rows
        ],
        [[(row.method, *task) in flagged for task in tasks] for row in source.rows],
    )
    lines = [Line(row.title, line) for row, line in zip(source.rows, cells, strict=True)]
    groups = groupby(zip(source.rows, lines, strict=True), key=lambda pair: pair[0].group)
    return [Section(title, tuple(tuple(line for _, line in group) for _, group in groups))]


def _scale(table: PublishedTable) -> float:
    return 0.01 if table.unit == "percent" else 1.0


def _text(name: str, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{100 * value:.1f}" if name == "table3" else f"{value:.3f}"


def _marked(texts: Sequence[Sequence[str]], flags: Sequence[Sequence[bool]] | None = None) -> list[tuple[Cell, ...]]:
    """Mark the best of each column; numbers that print alike are equally good, flagged ones are none."""
    flags = flags or [[False] * len(line) for line in texts]
    candidates = [
        ["-" if flag else text for text, flag in zip(line, marks, strict=True)]
        for line, marks in zip(texts, flags, strict=True)
    ]
    tops = [_best(column) for column in zip(*candidates, strict=True)]
    return [
        tuple(Cell(text, not flag and text == top, flag) for text, flag, top in zip(line, marks, tops, strict=True))
        for line, marks in zip(texts, flags, strict=True)
    ]


def _best(column: Sequence[str]) -> str | None:
    numbers = [text for text in column if _is_number(text)]
    # The only number of a column is best of nothing.
    return max(numbers, key=float) if len(numbers) > 1 else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
