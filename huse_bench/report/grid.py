"""A table ready to be shown: formatted cells with their marks, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import groupby

from huse_bench.report.chance import CHANCE_MARK, below_chance, chance_notes
from huse_bench.report.notes import BUDGET_MARK, budget_marked, hp_notes, seeds_text
from huse_bench.report.shown import ShownTable
from huse_bench.results.consistency import flagged_cells
from huse_bench.results.intervals import CellUncertainty, Uncertainty
from huse_bench.results.published import Published
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = [
    "DIGITS",
    "FLAG_MARK",
    "TAXONOMY_MARK",
    "Cell",
    "Form",
    "Grid",
    "Line",
    "Section",
    "build_grid",
    "uses_taxonomy",
]

#: Behind a printed number that cannot be.
FLAG_MARK = "†"

#: Behind the label of a row whose class graph is made of the taxonomy.
TAXONOMY_MARK = "§"

#: Decimals of a share as the paper prints it; a percent has two fewer.
DIGITS = 3

# The table of percents, as in the paper.
_PERCENT = "table3"

_CAPTIONS = {
    "table1": "Retrieval performance of various methods on four retrieval tasks of {dataset}.",
    "table2": "Hierarchical precision of various methods on four retrieval tasks of {dataset}.",
    "table3": "Classification accuracy (%) on {dataset}.",
}


@dataclass(frozen=True)
class Form:
    """How the numbers of a table are printed.

    Attributes:
        percent: as percents, where not as shares.
        decimals: so many.
    """

    percent: bool
    decimals: int

    def scaled(self, share: float) -> float:
        """A share in the unit of the table."""
        return 100 * share if self.percent else share

    def text(self, value: object) -> str:
        """A number as it is printed, and anything else as text."""
        if not isinstance(value, float):
            return str(value)
        return "-" if math.isnan(value) else f"{self.scaled(value):.{self.decimals}f}"

    def rounded(self, value: object) -> float | None:
        """A number as it is printed, for numbers that print alike are equally good; None for what is none."""
        if isinstance(value, float):
            return None if math.isnan(value) else round(self.scaled(value), self.decimals)
        return value if isinstance(value, int) else None

    def distance(self, distance: float) -> str:
        """How far an interval reaches, as it is printed."""
        text = f"{distance:.{self.decimals}f}"
        # The columns are narrow: .012 for 0.012, as statisticians write it.
        return text if self.percent else text.removeprefix("0")

    def reach(self, value: float, low: float, high: float) -> tuple[str, ...]:
        """How far an interval reaches, to both sides or upwards and downwards."""
        up, down = (round(self.scaled(distance), self.decimals) for distance in (high - value, value - low))
        # So small a difference is no more than rounding, or nothing to a reader.
        if abs(up - down) < max(1.5 * 10.0**-self.decimals, max(up, down) / 8):
            return (f"±{self.distance(max(up, down))}",)
        return f"+{self.distance(up)}", f"-{self.distance(down)}"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the number as printed, ``-`` where there is none.
        best: whether it is marked: the best of its column at the printed precision, or tied with it.
        flagged: whether it is a printed number that cannot be.
        interval: how far its 95 % interval reaches as printed, with signs: one number where it reaches as far to both
            sides, else upwards and downwards; empty where there is none.
        ends: the ends of that interval as printed; empty where there is none.
        ranks: lowest and highest rank in its column; None where not tested.
    """

    text: str
    best: bool = False
    flagged: bool = False
    interval: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        label: the method.
        cells: its cells; empty where ``status`` says why there are none.
        status: ``"diverged"`` or ``"failed"``, else empty.
        row: the runs behind it; None of printed numbers, and where a plugin added it.
    """

    label: str
    cells: tuple[Cell, ...]
    status: str = ""
    row: Row | None = None


@dataclass(frozen=True)
class Section:
    """Rows of one kind, in groups with a dashed line between.

    Attributes:
        title: where printed numbers are from, or which measured methods these are; empty for the paper's own.
        groups: the rows.
        printed: whether a paper's own numbers are in them.
    """

    title: str
    groups: tuple[tuple[Line, ...], ...]
    printed: bool = False


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


def build_grid(
    table: ShownTable, results: Results, known: Uncertainty, printed: Published | None, digits: int = DIGITS
) -> Grid:
    """Format one table.

    Args:
        table: its numbers.
        results: the runs behind it.
        known: the uncertainty of their numbers.
        printed: a paper's own numbers for below the measured ones.
        digits: decimals of a share, at least 2; percents have two fewer.

    Returns:
        The grid.
    """
    name, dataset = table.name, results.records[0].dataset
    form = Form(name == _PERCENT, digits - 2 if name == _PERCENT else digits)
    pairs = [c.heading if isinstance(c.heading, tuple) else ("", c.heading) for c in table.columns]
    headings = tuple((str(title), len(list(group))) for title, group in groupby(title for title, _ in pairs))
    sections = _measured(table, results, known, form)
    counted = "items" if name == "table3" else "queries per direction"
    details = f"{dataset.items.test:,} test {counted}; {seeds_text(results)}. {known.about}".rstrip()
    if any(len(section.groups) > 1 for section in sections):
        details += " Below the dashed line: with semantic information."
    footnotes = [f"{BUDGET_MARK} saw more training pairs than other rows."] if budget_marked(results.rows) else []
    if any(uses_taxonomy(row) for row in results.rows):
        footnotes.append(f"{TAXONOMY_MARK} is trained with the taxonomy that HP@K is measured against.")
    if name == "table2":
        footnotes += hp_notes(results)
    footnotes += chance_notes(results.rows, results.layout[name])
    caption = _CAPTIONS[name].format(dataset=dataset.title)
    mark = known.mark
    if name == "table2" and results.hp == "barz":
        caption = caption.replace("precision", "precision by Barz and Denzler (BHP@K)")
    elif printed is not None and name in printed.tables:
        mark = mark or "best of its column in the paper"
        notes = flagged_cells(printed, name)
        sections.append(_printed(table, printed, notes, dataset.name, form))
        footnotes += [f"{FLAG_MARK} {note}." for note in dict.fromkeys(notes.values())]
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


def _measured(table: ShownTable, results: Results, known: Uncertainty, form: Form) -> list[Section]:
    more = budget_marked(results.rows)
    low = below_chance(results.rows, results.layout[table.name])
    methods = [row for row in table.rows if row.row is None or not row.row.is_control]
    tops = _tops(len(table.columns), [[form.rounded(value) for value in row.values] for row in methods])
    lines: dict[tuple[str, bool], list[Line]] = {}
    for shown in table.rows:
        row, label = shown.row, shown.label
        if shown.label in more:
            label += BUDGET_MARK
        if row is not None and uses_taxonomy(row):
            label += TAXONOMY_MARK
        if shown.label in low:
            label += CHANCE_MARK
        status = "" if row is None or row.status == "finished" else row.status
        # None is the best where the seeds are too few, and a ceiling would be the best of every column.
        may_lead = known.mark and (row is None or not row.is_control)
        cells = tuple(
            _measured_cell(form, value, about, known.tested, top if may_lead else None)
            for value, about, top in zip(shown.values, shown.known, tops, strict=True)
        )
        place = ("", False) if row is None else (row.section, row.semantic)
        lines.setdefault(place, []).append(Line(label, () if status else cells, status, row))
    by_section = groupby(sorted(lines), key=lambda place: place[0])
    return [Section(title, tuple(tuple(lines[place]) for place in places)) for title, places in by_section]


def _measured_cell(form: Form, value: object, about: CellUncertainty | None, tested: bool, top: float | None) -> Cell:
    """A cell with its interval; ``top`` is the best of its column, None where it cannot be the best."""
    best = bool(about.tied) if about is not None and tested else top is not None and form.rounded(value) == top
    ranks = None if about is None else about.ranks
    if about is None or about.low is None or about.high is None or not isinstance(value, float):
        return Cell(form.text(value), best, ranks=ranks)
    ends = form.text(about.low), form.text(about.high)
    return Cell(form.text(value), best, interval=form.reach(value, about.low, about.high), ends=ends, ranks=ranks)


def uses_taxonomy(row: Row) -> bool:
    """Whether a method's class graph is made of the taxonomy."""
    return row.records[0].method.class_graph == "taxonomy"


def _printed(
    table: ShownTable, printed: Published, notes: Container[tuple[str, str, str]], dataset: str, form: Form
) -> Section:
    source = printed.tables[table.name]
    title = f"Numbers printed in the paper on {printed.dataset_title} ({printed.source}, {source.place})."
    if dataset != printed.dataset:
        title += " Not comparable with the rows above: other data, features and split."
    scale = 0.01 if source.unit == "percent" else 1.0
    values = [[row.cells.get(c.task, {}).get(c.metric, math.nan) * scale for c in table.columns] for row in source.rows]
    # Numbers that cannot be are best of nothing.
    barred = [[(row.key, c.task, c.metric) in notes for c in table.columns] for row in source.rows]
    rounded = [
        [None if bar else form.rounded(value) for value, bar in zip(line, bars, strict=True)]
        for line, bars in zip(values, barred, strict=True)
    ]
    tops = _tops(len(table.columns), rounded)
    lines = [
        Line(
            row.title,
            tuple(
                Cell(form.text(value), number is not None and number == top, bar)
                for value, number, top, bar in zip(line, numbers, tops, bars, strict=True)
            ),
        )
        for row, line, numbers, bars in zip(source.rows, values, rounded, barred, strict=True)
    ]
    groups = groupby(zip(source.rows, lines, strict=True), key=lambda pair: pair[0].group)
    return Section(title, tuple(tuple(line for _, line in group) for _, group in groups), printed=True)


def _tops(columns: int, rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The largest number of each column; None where there are fewer than two, for the only one is best of nothing."""
    found = [[number for line in rows if (number := line[column]) is not None] for column in range(columns)]
    return [max(numbers) if len(numbers) > 1 else None for numbers in found]
