"""Tables as text for a terminal, Markdown, LaTeX, CSV, JSON or Every Eval Ever."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from rich.cells import cell_len, set_cell_size

from huse_bench.report.agreement import agreement_text
from huse_bench.report.every_eval_ever import as_every_eval_ever
from huse_bench.report.grid import DIGITS, FLAG_MARK, Cell, Grid, Line, build_grid
from huse_bench.report.identity import cited
from huse_bench.report.latex import latex_document
from huse_bench.report.markdown import markdown_escaped, markdown_table
from huse_bench.report.notes import notes
from huse_bench.report.shown import Change, shown_tables
from huse_bench.report.tidy import as_csv, as_json
from huse_bench.report.words import WIDTH, wrapped
from huse_bench.results.consistency import refuse_unflagged
from huse_bench.results.intervals import uncertainty
from huse_bench.results.published import published_tables
from huse_bench.results.tables import Results

__all__ = ["FORMATS", "Format", "render"]

Format = Literal["text", "markdown", "latex", "csv", "json", "every-eval-ever"]

#: The formats of :func:`render`.
FORMATS: tuple[Format, ...] = ("text", "markdown", "latex", "csv", "json", "every-eval-ever")

# Places of the labels where many decimals leave no room for them.
_NARROWEST = 12

_BOLD, _PLAIN = "\033[1m", "\033[0m"


def render(
    results: Results,
    format: Format = "text",  # noqa: A002  the command line's name for it
    published: bool | str | Path = False,
    color: bool = False,
    tables: Collection[str] | None = None,
    change: Change | None = None,
    *,
    footnote: bool = False,
    digits: int = DIGITS,
) -> str:
    """Tables 1-3 with the paper's layout, their uncertainty, and notes on what the numbers depend on.

    Args:
        results: the runs.
        format: ``"text"``, ``"markdown"`` and ``"latex"`` round as the paper does; ``"csv"`` and ``"json"``
            hold one row per number, at full precision and as shares from 0 to 1; ``"every-eval-ever"`` a line of JSON
            for each method, by the schema of that store.
        published: add a paper's own numbers and what they say of ours: True for the HUSE paper's, else the paper's
            name or file as in :func:`published_tables`. The comparison is not in LaTeX and CSV, and a paper's
            numbers are not in ``"every-eval-ever"``.
        color: set the marked numbers in bold by ANSI codes, for a terminal; text only.
        tables: names of the tables to show, such as ``"table1"``; None for all.
        change: called with each of them, as :meth:`Results.tables` gives them, and its name; it may change the table in
            place.
        footnote: name the results, or the bundle that they lie in, by their short hash below each table; LaTeX only,
            which always has it in comments.
        digits: decimals of the rounded shares, at least 2; percents have two fewer.

    Returns:
        The text, without a newline at its end.

    Raises:
        ResultsError: if the paper is unknown, or has a number that cannot be and that carries no flag.
        RecordError: if the scores of a run cannot be read.
    """
    printed = published_tables("huse" if published is True else published) if published else None
    if printed is not None:
        refuse_unflagged(printed)
    known = uncertainty(results)
    shown = shown_tables(results, known, tables, change)
    if format == "csv":
        return as_csv(results, shown, printed)
    if format == "json":
        return as_json(results, shown, printed)
    if format == "every-eval-ever":
        return as_every_eval_ever(results, shown)
    grids = [build_grid(table, results, known, printed, digits) for table in shown]
    if format == "latex":
        return latex_document(grids, notes(results), cited(results), footnote=footnote)
    if format == "markdown":
        beside = [agreement_text(results, printed, markdown=True)] if printed else []
        return "\n\n".join([*(markdown_table(grid) for grid in grids), *beside, *map(markdown_escaped, notes(results))])
    below = [line for note in notes(results) for line in wrapped(note)]
    beside = [agreement_text(results, printed)] if printed else []
    return "\n\n".join([*(_text(grid, color) for grid in grids), *beside, "\n".join(below)])


def _text(grid: Grid, color: bool) -> str:
    widths = [
        max(len(title), *(len(part) for line in _lines(grid) if line.cells for part in _parts(line.cells[i])), 1)
        for i, title in enumerate(grid.columns)
    ]
    starts = _group_starts(grid)
    gaps = ["  " if i in starts else " " for i in range(len(widths))]
    # Each number has a place for its mark behind it, so that the digits stay in line.
    body = sum(len(gap) + width + 1 for gap, width in zip(gaps, widths, strict=True))
    label_width = min(
        max(len("Method"), *(cell_len(line.label) for line in _lines(grid))), max(WIDTH - body, _NARROWEST)
    )
    rule = "-" * (label_width + body)

    def row(label: str, cells: Sequence[str]) -> str:
        # In places of a terminal: a Chinese sign takes two, a combining accent none.
        return (set_cell_size(label, label_width) + "".join(cells)).rstrip()

    mark = wrapped(f"* {grid.mark}.") if grid.mark else []
    out = [*wrapped(grid.caption), *wrapped(grid.details), *mark, ""]
    if any(title for title, _ in grid.headings):
        out.append(row("", _text_headings(grid, widths, gaps)))
    titles = zip(gaps, grid.columns, widths, strict=True)
    out += [row("Method", [f"{gap}{title:>{width}} " for gap, title, width in titles]), rule]
    for number, section in enumerate(grid.sections):
        if number:
            out.append(rule)
        if section.title:
            out += [*wrapped(section.title), rule]
        for index, group in enumerate(section.groups):
            if index:
                out.append(("- " * len(rule))[: len(rule)].rstrip())
            for line in group:
                cells = [
                    f"{gap}{_text_cell(cell, width, color)}"
                    for gap, cell, width in zip(gaps, line.cells, widths, strict=bool(line.cells))
                ]
                out.append(row(_shortened(line.label, label_width), cells or [f"  {line.status}"]))
                for part in zip_longest(*(cell.interval for cell in line.cells), fillvalue=""):
                    reach = zip(gaps, part, widths, strict=True)
                    out.append(row("", [f"{gap}{text:>{width}} " for gap, text, width in reach]))
    out += [rule, *(line for note in grid.footnotes for line in wrapped(note))]
    return "\n".join(out)


def _text_headings(grid: Grid, widths: Sequence[int], gaps: Sequence[str]) -> list[str]:
    headings, start = [], 0
    for title, count in grid.headings:
        span = slice(start, start + count)
        room = sum(len(gap) + width + 1 for gap, width in zip(gaps[span], widths[span], strict=True))
        headings.append(gaps[start] + title.center(room - len(gaps[start])))
        start += count
    return headings


def _parts(cell: Cell) -> tuple[str, ...]:
    return cell.text, *cell.interval


def _text_cell(cell: Cell, width: int, color: bool) -> str:
    number = cell.text.rjust(width)
    if cell.best:
        return f"{_BOLD}{number}*{_PLAIN}" if color else f"{number}*"
    return number + (FLAG_MARK if cell.flagged else " ")


def _shortened(label: str, width: int) -> str:
    """A label that fits; its end stays, where the configuration's hash and the marks are."""
    if cell_len(label) <= width:
        return label
    tail = width // 2
    return f"{set_cell_size(label, width - tail - 1)}…{set_cell_size(label[::-1], tail)[::-1]}"


def _lines(grid: Grid) -> list[Line]:
    return [line for section in grid.sections for group in section.groups for line in group]


def _group_starts(grid: Grid) -> set[int]:
    starts, position = set(), 0
    for _, count in grid.headings:
        starts.add(position)
        position += count
    return starts
