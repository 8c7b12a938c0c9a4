"""Tables as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

from huse_bench.report.grid import FLAG_MARK, Cell, Grid, Line
from huse_bench.report.words import WIDTH, wrapped

__all__ = ["text_table"]

# Places of the labels where many decimals leave no room for them.
_NARROWEST = 12

_BOLD, _PLAIN = "\033[1m", "\033[0m"


def text_table(grid: Grid, *, color: bool = False) -> str:
    """A table with its caption and notes.

    Args:
        grid: the table.
        color: set the marked numbers in bold by ANSI codes.

    Returns:
        Text of lines that fit a terminal.
    """
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
