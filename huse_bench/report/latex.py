"""Tables as LaTeX for a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from huse_bench.report.grid import FLAG_MARK, Cell, Grid, Line

__all__ = ["ESCAPES", "latex_document"]

#: LaTeX of the signs that it would not print as they are.
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "<": r"$<$",
    ">": r"$>$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


# What pdflatex knows of itself: Latin letters up to Extended-A, dashes and quotation marks.
_PDFLATEX = (range(0x180), range(0x2010, 0x2027))


def latex_document(grids: Sequence[Grid], notes: Sequence[str]) -> str:
    """The tables, to be pasted into a document that loads the packages named on top.

    Args:
        grids: the tables.
        notes: lines that go along as comments.

    Returns:
        LaTeX source.
    """
    tables = [_table(grid) for grid in grids]
    head = [r"% needs \usepackage{booktabs} and \usepackage{arydshln}"]
    signs = sorted(set("".join(tables)))
    beyond = [sign for sign in signs if not any(ord(sign) in known for known in _PDFLATEX)]
    if beyond:
        head.append(f"% and lualatex or xelatex, with a font that has the signs {' '.join(beyond)}")
    # A note of several lines must not end its comment.
    comments = [f"% {' '.join(note.splitlines())}" for note in notes]
    return "\n\n".join(["\n".join(head), *tables, "\n".join(comments)])


def _table(grid: Grid) -> str:
    width = len(grid.columns) + 1
    # Twelve columns of numbers need both columns of a two-column page.
    environment = "table*" if len(grid.columns) > 6 else "table"
    mark = f" Bold: {grid.mark}." if grid.mark else ""
    lines = [
        rf"\begin{{{environment}}}",
        r"\centering",
        r"\small",
        rf"\caption{{{_escaped(_title(grid))} {_escaped(grid.details)}{_escaped(mark)}}}",
        rf"\label{{tab:{grid.name}}}",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
        r"\toprule",
        *_headings(grid),
        _row("Method", [_escaped(title) for title in grid.columns]),
    ]
    for section in grid.sections:
        lines.append(r"\midrule")
        if section.title:
            # A paragraph: the line is longer than the table is wide.
            box = rf"\parbox{{0.9\linewidth}}{{\raggedright\emph{{{_escaped(section.title)}}}}}"
            lines += [rf"\multicolumn{{{width}}}{{l}}{{{box}}} \\", r"\midrule"]
        for index, group in enumerate(section.groups):
            if index:
                lines.append(r"\hdashline")
            lines += [row for line in group for row in _rows(line, width)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {_escaped(note)}}}" for note in grid.footnotes]
    return "\n".join([*lines, rf"\end{{{environment}}}"])


def _title(grid: Grid) -> str:
    """The caption without its number, which LaTeX gives."""
    return grid.caption.partition(": ")[2]


def _headings(grid: Grid) -> list[str]:
    if not any(title for title, _ in grid.headings):
        return []
    cells, rules, start = [], [], 2
    for title, count in grid.headings:
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{_escaped(title)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    return [_row("", cells), "".join(rules)]


def _rows(line: Line, width: int) -> list[str]:
    cells = [_cell(cell) for cell in line.cells] or [rf"\multicolumn{{{width - 1}}}{{l}}{{{_escaped(line.status)}}}"]
    rows = [_row(_escaped(line.label), cells)]
    if any(cell.interval for cell in line.cells):
        # Below the numbers, for twelve columns have no room beside them.
        rows.append(_row("", [rf"{{\scriptsize {_reach(cell.interval)}}}" for cell in line.cells]))
    return rows


def _cell(cell: Cell) -> str:
    text = "--" if cell.text == "-" else _escaped(cell.text)
    if cell.best:
        text = rf"\textbf{{{text}}}"
    return text + (_escaped(FLAG_MARK) if cell.flagged else "")


def _reach(interval: Sequence[str]) -> str:
    if len(interval) < 2:
        return _escaped("".join(interval))
    above, below = interval
    return rf"$^{{{above}}}_{{{below}}}$"


def _row(label: str, cells: Sequence[str]) -> str:
    # LaTeX would take a leading bracket or star for an option of the line break before it.
    guard = "{}" if label[:1] in {"[", "*"} else ""
    return " & ".join([guard + label, *cells]) + r" \\"


def _escaped(text: str) -> str:
    escaped = "".join(ESCAPES.get(sign, sign) for sign in text.replace(">=", "≥"))
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-{}", escaped)
