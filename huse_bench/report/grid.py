"""A table ready to be shown: formatted cells with their marks, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pandas as pd

from huse_bench.report.notes import BUDGET_MARK, budget_marked, hp_notes, seeds_text
from huse_bench.results.chance import CHANCE_MARK, below_chance, chance_notes
from huse_bench.results.intervals import CellUncertainty, Uncertainty
from huse_bench.results.layout import LAYOUT
from huse_bench.results.published import Published, PublishedTable
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["FLAG_MARK", "Cell", "Grid", "Line", "Section", "build_grid"]

#: Behind a printed number that cannot be.
FLAG_MARK = "†"

# Behind the label of a row whose class graph is made of the taxonomy.
_TAXONOMY_MARK = "§"

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
        best: whether it is marked: the best of its column at the printed precision, or tied with it.
        flagged: whether it is a printed number that cannot be.
        interval: how far its 95 % interval reaches as printed, with signs: one number where it reaches as far to both
            sides, else upwards and downwards; empty where there is none.
    """

    text: str
    best: bool = False
    flagged: bool = False
    interval: tuple[str, ...] = ()


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
    """Rows of one kind, in groups with a dashed line between.

    Attributes:
        title: where printed numbers are from, or which measured methods these are; empty for the paper's own.
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
        details: what the numbers were taken over and how to read them.
        mark: what a marked number is, as a phrase; empty where none is marked.
        headings: titles of the column groups with their number of columns; empty titles where there are none.
        columns: titles of the columns.
        sections: the rows.
        footnotes: explanations of marks in the rows.
    """

    name: str
    caption: str
    details: str
    mark: str
    headings: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]


def build_grid(name: str, table: pd.DataFrame, results: Results, known: Uncertainty, printed: Published | None) -> Grid:
    """Format one table.

    Args:
        name: which table it is, such as ``"table1"``.
        table: its values, as :meth:`Results.tables` gives them, perhaps with rows or columns changed.
        results: the runs behind it.
        known: the uncertainty of their numbers.
        printed: a paper's own numbers for below the measured ones.

    Returns:
        The grid.
    """
    dataset = results.records[0].dataset
    columns: list[object] = list(table.columns)
    pairs = [column if isinstance(column, tuple) else ("", column) for column in columns]
    headings = tuple((str(title), len(list(group))) for title, group in groupby(title for title, _ in pairs))
    sections = _measured(name, table, results, known)
    counted = "items" if name == "table3" else "queries per direction"
    details = f"{dataset.items.test:,} test {counted}; {seeds_text(results)}. {known.about}".rstrip()
    if any(len(section.groups) > 1 for section in sections):
        details += " Below the dashed line: with semantic information."
    footnotes = [f"{BUDGET_MARK} saw more training pairs than other rows."] if budget_marked(results.rows) else []
    if any(_uses_taxonomy(row) for row in results.rows):
        footnotes.append(f"{_TAXONOMY_MARK} is trained with the taxonomy that HP@K is measured against.")
    if name == "table2":
        footnotes += hp_notes(results)
    footnotes += chance_notes(results.rows, results.layout[name])
    caption = _CAPTIONS[name].format(dataset=dataset.title)
    mark = known.mark
    if results.layout[name] != LAYOUT[name]:
        caption = caption.replace("precision", "precision by Barz and Denzler (BHP@K)")
    elif printed is not None and name in printed.tables:
        mark = mark or "best of its column in the paper"
        sections += _printed(name, table, printed, dataset.name)
        footnotes += [f"{FLAG_MARK} {note}." for note in dict.fromkeys(printed.flagged(name).values())]
    return Grid(
        name=name,
        caption=f"Table {name.removeprefix('table')}: {caption}",
        details=details,
        mark=mark,
        headings=headings,
        columns=tuple(str(metric) for _, metric in pairs),
        sections=tuple(sections),
        footnotes=tuple(footnotes),
    )


def _measured(name: str, table: pd.DataFrame, results: Results, known: Uncertainty) -> list[Section]:
    rows = {row.label: row for row in results.rows}
    more = budget_marked(results.rows)
    low = below_chance(results.rows, results.layout[name])
    # A ceiling would be the best of every column.
    candidates = [bool(known.mark) and not (label in rows and rows[label].is_control) for label in table.index]
    cells = _with_uncertainty(name, table, results, known, candidates)
    lines: dict[tuple[str, bool], list[Line]] = {}
    for label, line in zip(table.index, cells, strict=True):
        row = rows.get(label)
        status = "" if row is None or row.status == "finished" else row.status
        shown = f"{label}{BUDGET_MARK}" if label in more else str(label)
        if row is not None and _uses_taxonomy(row):
            shown += _TAXONOMY_MARK
        if label in low:
            shown += CHANCE_MARK
        place = ("", False) if row is None else (row.section, row.semantic)
        lines.setdefault(place, []).append(Line(shown, () if status else line, status))
    by_section = groupby(sorted(lines), key=lambda place: place[0])
    return [Section(title, tuple(tuple(lines[place]) for place in places)) for title, places in by_section]


def _with_uncertainty(
    name: str, table: pd.DataFrame, results: Results, known: Uncertainty, candidates: Sequence[bool]
) -> list[tuple[Cell, ...]]:
    own = results.tables()[name]
    texts = [[_text(name, value) for value in values] for values in table.to_numpy().tolist()]
    columns = []
    for heading, cells in zip(table.columns, zip(*_marked(texts, candidates=candidates), strict=True), strict=True):
        # A column that a plugin changed holds other numbers than those whose uncertainty is known.
        if heading in own and own[heading].equals(table[heading]):
            labelled = zip(table.index, table[heading].tolist(), cells, strict=True)
            columns.append(
                [_known(name, value, cell, known.cell(label, heading), known.tested) for label, value, cell in labelled]
            )
        else:
            columns.append(list(cells))
    return list(zip(*columns, strict=True))


def _known(name: str, value: object, cell: Cell, about: CellUncertainty, tested: bool) -> Cell:
    best = bool(about.tied) if tested else cell.best
    if about.low is None or about.high is None or not isinstance(value, float):
        return replace(cell, best=best)
    return replace(cell, best=best, interval=_reach(name, value, about.low, about.high))


def _reach(name: str, value: float, low: float, high: float) -> tuple[str, ...]:
    up, down = (_text(name, distance) for distance in (high - value, value - low))
    # The columns are narrow: .012 for 0.012, as statisticians write it.
    above, below = ((text if name == "table3" else text.removeprefix("0")) for text in (up, down))
    last_digit = 0.1 if name == "table3" else 0.001
    # So small a difference is no more than rounding, or nothing to a reader.
    if abs(float(up) - float(down)) < max(1.5 * last_digit, max(float(up), float(down)) / 8):
        return (f"±{max(above, below, key=float)}",)
    return f"+{above}", f"-{below}"


def _uses_taxonomy(row: Row) -> bool:
    return row.records[0].method.class_graph == "taxonomy"


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
        [[(row.key, *task) in flagged for task in tasks] for row in source.rows],
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


def _marked(
    texts: Sequence[Sequence[str]],
    flags: Sequence[Sequence[bool]] | None = None,
    candidates: Sequence[bool] | None = None,
) -> list[tuple[Cell, ...]]:
    """Mark the best of each column among the candidate rows; numbers that print alike are equally good."""
    flags = flags or [[False] * len(line) for line in texts]
    candidates = candidates or [True] * len(texts)
    # Numbers that cannot be, and rows that are no methods, are best of nothing.
    barred = [[flag or not candidate for flag in marks] for marks, candidate in zip(flags, candidates, strict=True)]
    eligible = [
        ["-" if bar else text for text, bar in zip(line, bars, strict=True)]
        for line, bars in zip(texts, barred, strict=True)
    ]
    tops = [_best(column) for column in zip(*eligible, strict=True)]
    return [
        tuple(
            Cell(text, not bar and text == top, flag)
            for text, flag, bar, top in zip(line, marks, bars, tops, strict=True)
        )
        for line, marks, bars in zip(texts, flags, barred, strict=True)
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
