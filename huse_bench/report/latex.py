"""Tables as LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Sequence

from huse_bench.report.grid import FLAG_MARK, Cell, Grid, Line
from huse_bench.report.identity import Cited
from huse_bench.report.latex_signs import escaped, unknown_signs

__all__ = ["NARROW", "PACKAGES", "latex_document"]

#: What a document has to load. Numbers of a column have as many decimals, so that columns set to the right are in line
#: without siunitx.
PACKAGES = ("booktabs", "arydshln", "adjustbox")

#: Columns that fit one column of a two-column page.
NARROW = 6


def latex_document(grids: Sequence[Grid], notes: Sequence[str], identity: Cited, *, footnote: bool = False) -> str:
    """The tables, to be pasted into a document that loads the packages named on top.

    A wide table spans both columns of a two-column page; one that is still too wide, or too high, is made smaller.

    Args:
        grids: the tables.
        notes: lines that go along as comments.
        identity: what tells the results from others; a comment in each table.
        footnote: say it below each table too, where readers see it.

    Returns:
        LaTeX source.
    """
    tables = [_table(grid, identity, footnote) for grid in grids]
    head = ["% needs " + "".join(rf"\usepackage{{{package}}}" for package in PACKAGES)]
    beyond = unknown_signs("".join(tables))
    if beyond:
        head.append(f"% and lualatex or xelatex, with a font that has the signs {' '.join(beyond)}")
    # A note of several lines must not end its comment.
    comments = [f"% {' '.join(note.splitlines())}" for note in notes]
    return "\n\n".join(["\n".join(head), *tables, "\n".join(comments)])


def _table(grid: Grid, identity: Cited, footnote: bool) -> str:
    wide = len(grid.columns) > NARROW
    environment = "table*" if wide else "table"
    mark = f" Bold: {grid.mark}." if grid.mark else ""
    lines = [
        rf"\begin{{{environment}}}",
        f"% huse-bench {identity.kind} {identity.hash}",
        r"\centering",
        r"\small",
        rf"\caption{{{escaped(_title(grid))} {escaped(grid.details)}{escaped(mark)}}}",
        rf"\label{{tab:{grid.name}}}",
        r"\setlength{\tabcolsep}{4pt}",
        r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.7\textheight}",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
        r"\toprule",
        *_headings(grid),
        _row("Method", [escaped(title) for title in grid.columns]),
    ]
    for section in grid.sections:
        lines.append(r"\midrule")
        if section.title:
            lines += [_section_title(section.title, len(grid.columns) + 1, wide), r"\midrule"]
        for index, group in enumerate(section.groups):
            if index:
                lines.append(r"\addlinespace[2pt]\hdashline\addlinespace[2pt]")
            lines += [row for line in group for row in _rows(line, len(grid.columns) + 1)]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}"]
    lines += [rf"\par\smallskip{{\footnotesize {escaped(note)}\par}}" for note in grid.footnotes]
    if footnote:
        kind = identity.kind.capitalize()
        lines.append(rf"\par\smallskip{{\footnotesize {kind}: \texttt{{{identity.hash}}} (huse-bench).\par}}")
    return "\n".join([*lines, rf"\end{{{environment}}}"])


def _section_title(title: str, width: int, wide: bool) -> str:
    # A paragraph: the line may be longer than the table is wide.
    room = "0.9" if wide else "0.6"
    box = rf"\parbox{{{room}\linewidth}}{{\raggedright\strut\emph{{{escaped(title)}}}\strut}}"
    return rf"\multicolumn{{{width}}}{{l}}{{{box}}} \\"


def _title(grid: Grid) -> str:
    """The caption without its number, which LaTeX gives."""
    return grid.caption.partition(": ")[2]


def _headings(grid: Grid) -> list[str]:
    if not any(title for title, _ in grid.headings):
        return []
    cells, rules, start = [], [], 2
    for title, count in grid.headings:
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escaped(title)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    return [_row("", cells), "".join(rules)]


def _rows(line: Line, width: int) -> list[str]:
    cells = [_cell(cell) for cell in line.cells] or [rf"\multicolumn{{{width - 1}}}{{l}}{{{escaped(line.status)}}}"]
    row = _row(escaped(line.label), cells)
    if not any(cell.interval for cell in line.cells):
        return [row]
    # Below the numbers, for twelve columns have no room beside them, and nearer to these than to the next row.
    reach = _row("", [rf"{{\scriptsize {_reach(cell.interval)}}}" for cell in line.cells])
    return [f"{row}[-2pt]", f"{reach}[2pt]"]


def _cell(cell: Cell) -> str:
    text = "--" if cell.text == "-" else escaped(cell.text)
    if cell.best:
        text = rf"\textbf{{{text}}}"
    return text + (rf"\rlap{{{escaped(FLAG_MARK)}}}" if cell.flagged else "")


def _reach(interval: Sequence[str]) -> str:
    if len(interval) < 2:
        return escaped("".join(interval))
    above, below = interval
    return rf"$^{{{above}}}_{{{below}}}$"


def _row(label: str, cells: Sequence[str]) -> str:
    # LaTeX would take a leading bracket or star for an option of the line break before it.
    guard = "{}" if label[:1] in {"[", "*"} else ""
    return " & ".join([guard + label, *cells]) + r" \\"
