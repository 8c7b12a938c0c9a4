"""The three tables of a page: those of every other format, to be sorted, filtered and taken along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from huse_bench.report.grid import FLAG_MARK, Cell, Grid, Line, build_grid
from huse_bench.report.html.section import Section
from huse_bench.report.identity import short_hash
from huse_bench.report.latex import NARROW, PACKAGES
from huse_bench.report.latex_signs import ESCAPES, KNOWN
from huse_bench.report.markdown import ESCAPED
from huse_bench.report.notes import notes
from huse_bench.report.shown import Change, shown_tables
from huse_bench.results.intervals import uncertainty
from huse_bench.results.published import Published
from huse_bench.results.tables import Results

__all__ = ["Column", "Group", "Heading", "TableRow", "formats", "sections"]

# What may be shown or hidden, by the kind of a row.
_KINDS = {
    "plain": "without semantic information",
    "semantic": "with semantic information",
    "control": "controls",
    "trained": "trained on shuffled labels",
    "printed": "printed in the paper",
}


@dataclass(frozen=True)
class Heading:
    """What stands above columns of a table that belong together."""

    title: str
    count: int


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, what stands above it, and whether it holds words."""

    title: str
    heading: str
    words: bool = False

    @property
    def name(self) -> str:
        """What tells it from every other column."""
        return f"{self.heading} {self.title}".strip()


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes:
        label: what it is of.
        marks: signs behind the label, each with what it means.
        kind: by which rows are filtered, and methods sorted among each other.
        method: number of the method's entry on the page; None where it has none.
        cells: the row's cells.
        status: why it has none, or empty.
        direction: by which rows are filtered too, where columns are not of directions.
    """

    label: str
    marks: tuple[tuple[str, str], ...]
    kind: str
    method: int | None
    cells: tuple[Cell, ...]
    status: str = ""
    direction: str = ""


@dataclass(frozen=True)
class Group:
    """Rows with a heading of their own, or below a dashed line."""

    title: str
    dashed: bool
    rows: tuple[TableRow, ...]


def sections(results: Results, change: Change | None = None, printed: Published | None = None) -> list[Section]:
    """Tables 1-3 as a part of a page.

    Args:
        results: the runs.
        change: called with each table and its name, and may change the table in place.
        printed: a paper's own numbers for below the measured ones.

    Returns:
        One section.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    known = uncertainty(results)
    grids = [build_grid(table, results, known, printed) for table in shown_tables(results, known, None, change)]
    tables = [_context(grid, results) for grid in grids]
    kinds = {row.kind for table in tables for group in table["groups"] for row in group.rows}
    cells = [cell for grid in grids for line in _lines(grid) for cell in line.cells]
    below = notes(results)
    context = {
        "tables": tables,
        "directions": list(dict.fromkeys(title for grid in grids for title, _ in grid.headings if title)),
        "kinds": {kind: words for kind, words in _KINDS.items() if kind in kinds},
        "find": True,
        "intervals": any(cell.interval for cell in cells),
        "ranks": any(cell.ranks for cell in cells),
        "notes": below,
    }
    data = formats(results) | {"notes": below, "tables": {grid.name: _words(grid) for grid in grids}}
    return [Section("tables", "Tables", "tables.html", context, data, "tables.js", "tables.css")]


def formats(results: Results) -> dict[str, object]:
    """What the script of the tables is told of formats, which follow the same rules as those of the command line.

    Args:
        results: the runs.

    Returns:
        JSON values.
    """
    return {
        "latex": {
            "escapes": ESCAPES,
            "known": "".join(sorted(KNOWN)),
            "packages": PACKAGES,
            "narrow": NARROW,
            "identity": short_hash(results),
        },
        "markdown": ESCAPED,
    }


def _words(grid: Grid) -> dict[str, object]:
    """What an exported table says beside its numbers."""
    return {
        "caption": grid.caption,
        "label": "Method",
        "details": grid.details,
        "mark": grid.mark,
        "notes": grid.footnotes,
        "unit": "percent" if grid.name == "table3" else "share",
    }


def _context(grid: Grid, results: Results) -> dict[str, Any]:
    titles = [title for title, count in grid.headings for _ in range(count)]
    places = {row.label: place for place, row in enumerate(results.rows)}
    return {
        "name": grid.name,
        "label": "Method",
        "caption": grid.caption,
        "details": grid.details,
        "mark": grid.mark,
        "headings": [Heading(title, count) for title, count in grid.headings],
        "headed": any(titles),
        "columns": [Column(title, heading) for title, heading in zip(grid.columns, titles, strict=True)],
        "groups": [
            Group(
                section.title if not number else "",
                bool(number),
                tuple(_row(line, grid, places, printed=section.printed) for line in lines),
            )
            for section in grid.sections
            for number, lines in enumerate(section.groups)
        ],
        "notes": grid.footnotes,
        "without": "No marks.",
        "flag": " ".join(note.removeprefix(FLAG_MARK).strip() for note in grid.footnotes if note[:1] == FLAG_MARK),
    }


def _row(line: Line, grid: Grid, places: dict[str, int], *, printed: bool) -> TableRow:
    label = line.label if line.row is None else line.row.label
    marks = line.label.removeprefix(label)
    meanings = {
        mark: [note.removeprefix(mark).strip() for note in grid.footnotes if note[:1] == mark] for mark in marks
    }
    # Of a mark that each row explains for itself, only its own explanation.
    own = {mark: [text for text in texts if text.startswith(f"{label} ")] or texts for mark, texts in meanings.items()}
    marked = tuple((mark, " ".join(texts)) for mark, texts in own.items())
    if printed:
        return TableRow(label, marked, "printed", None, line.cells)
    return TableRow(label, marked, _kind(line), places.get(label), line.cells, line.status)


def _kind(line: Line) -> str:
    if line.row is None:
        return "plain"
    kind = line.row.records[0].kind
    if kind == "method":
        return "semantic" if line.row.semantic else "plain"
    return "trained" if kind == "trained control" else "control"


def _lines(grid: Grid) -> Iterator[Line]:
    return (line for section in grid.sections for group in section.groups for line in group)
