"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import tabulate

from huse_bench.report.grid import FLAG_MARK, Cell, Grid, Line

__all__ = ["ESCAPED", "markdown_escaped", "markdown_table"]

#: Signs that Markdown would not show as they are. GitHub also reads ~ as struck out and $ as mathematics; & begins the
#: name of a sign.
ESCAPED = "\\|*_<`[]&~$"


def markdown_table(grid: Grid) -> str:
    """A table with its caption and notes.

    Args:
        grid: the table.

    Returns:
        Markdown, with the tables of GitHub.
    """
    mark = f" Bold: {grid.mark}." if grid.mark else ""
    blocks = [f"**{markdown_escaped(grid.caption)}** {markdown_escaped(grid.details + mark)}"]
    for section in grid.sections:
        if section.title:
            blocks.append(markdown_escaped(section.title))
        blocks.append(_table(grid, section.groups))
    return "\n\n".join([*blocks, *(markdown_escaped(note) for note in grid.footnotes)])


def _table(grid: Grid, groups: Sequence[Sequence[Line]]) -> str:
    columns = len(grid.columns)
    rows: list[list[str]] = []
    if any(title for title, _ in grid.headings):
        # Markdown has one heading line only: the second is the first row.
        headers = ["Method", *(title if i == 0 else "" for title, count in grid.headings for i in range(count))]
        rows.append(["", *grid.columns])
    else:
        headers = ["Method", *grid.columns]
    for index, group in enumerate(groups):
        if index:
            rows.append(["- - -"] * (columns + 1))
        for line in group:
            cells = [_cell(cell) for cell in line.cells] or [line.status, *[""] * (columns - 1)]
            rows.append([markdown_escaped(line.label), *cells])
    return tabulate.tabulate(
        rows, headers, tablefmt="pipe", disable_numparse=True, colalign=("left", *["right"] * columns)
    )


def _cell(cell: Cell) -> str:
    number = f"**{cell.text}**" if cell.best else cell.text
    return number + (FLAG_MARK if cell.flagged else "") + (f" {'/'.join(cell.interval)}" if cell.interval else "")


def markdown_escaped(text: str) -> str:
    """The text, to be shown as it is.

    Args:
        text: with any signs.

    Returns:
        Markdown.
    """
    for sign in ESCAPED:
        text = text.replace(sign, f"\\{sign}")
    return text
