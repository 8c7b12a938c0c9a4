"""The summary over several data sets as tables, and as rows for other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from huse_bench.report.grid import DIGITS, TAXONOMY_MARK, Cell, Form, Grid, Line, Section, uses_taxonomy
from huse_bench.report.notes import BUDGET_MARK, budget_marked
from huse_bench.report.words import listed
from huse_bench.results.across import Estimate
from huse_bench.results.statistics import LEVEL
from huse_bench.results.summary import Over, ScoreSummary, Summary, SummaryRow

__all__ = [
    "MOST_PAIRED",
    "SHOWN_SCORE",
    "best_first",
    "improvement_grid",
    "summary_grid",
    "summary_notes",
    "summary_numbers",
]

#: Methods in the table of who beats whom: more are read by nobody.
MOST_PAIRED = 20

#: The score whose pairs are shown where there is room for those of one: retrieval across modalities is what the methods
#: are for.
SHOWN_SCORE = "R@1 cross-modal"


# How titles of held-out classes end.
_FOLD = re.compile(r"(?P<data>.+) \(fold (?P<fold>\d+) of (?P<folds>\d+)\)")


def summary_grid(summary: Summary, digits: int = DIGITS) -> Grid:
    """The means of all methods, each with its interval and its ranks.

    Args:
        summary: the methods over the data sets.
        digits: decimals.

    Returns:
        The table.
    """
    form = Form(percent=False, decimals=digits)
    shown = [of_score for of_score in summary.scores if any(of_score.cells)]
    tested = any(cell is not None and cell.ranks for of_score in shown for cell in of_score.cells)
    more = {label for each in summary.results for label in budget_marked(each.rows)}
    groups: dict[tuple[str, bool], list[Line]] = {}
    for place, row in enumerate(summary.rows):
        label = row.label
        if any(each.label in more for each in row.rows):
            label += BUDGET_MARK
        if any(uses_taxonomy(each) for each in row.rows):
            label += TAXONOMY_MARK
        cells = [cell for of_score in shown for cell in _cells(of_score.cells[place], form)]
        first = row.rows[0]
        groups.setdefault((first.section, first.semantic), []).append(Line(label, tuple(cells), row=first))
    sections: dict[str, list[tuple[Line, ...]]] = {}
    for (title, _), lines in groups.items():
        sections.setdefault(title, []).append(tuple(lines))
    footnotes = []
    if any(BUDGET_MARK in line.label for lines in groups.values() for line in lines):
        footnotes.append(f"{BUDGET_MARK} saw more training pairs than other rows of a data set.")
    if any(TAXONOMY_MARK in line.label for lines in groups.values() for line in lines):
        footnotes.append(f"{TAXONOMY_MARK} is trained with the taxonomy that HP@K is measured against.")
    count, names = _counted_and_named(summary.titles)
    details = f"Interquartile means over {names} and {_seeds(summary.rows)}."
    if any(len(lines) > 1 for lines in sections.values()):
        details += " Below the dashed line: with semantic information."
    return Grid(
        name="summary",
        caption=f"Summary: Methods over {count}.",
        details=details,
        mark=f"may be the best of its column: no other is significantly better ({LEVEL:.0%})" if tested else "",
        headings=tuple((of_score.score.name, 2) for of_score in shown),
        columns=("mean", "rank") * len(shown),
        sections=tuple(Section(title, tuple(lines)) for title, lines in sections.items()),
        footnotes=(*footnotes, *summary_notes(summary)),
    )


def _counted_and_named(titles: Sequence[str]) -> tuple[str, str]:
    """How many data sets there are and which, the folds of one as one."""
    found = [_FOLD.fullmatch(title) for title in titles]
    parts = [(match["data"], match["folds"], match["fold"]) for match in found if match is not None]
    if len(parts) < len(titles) or len({part[:2] for part in parts}) > 1:
        return f"{len(titles)} data sets", listed(titles)
    data, folds, _ = parts[0]
    return f"{len(titles)} folds", f"{data} (folds {listed([fold for *_, fold in parts])} of {folds})"


def _cells(cell: Over | None, form: Form) -> tuple[Cell, Cell]:
    if cell is None:
        return Cell("-"), Cell("-")
    interval: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    if cell.low is not None and cell.high is not None:
        interval = form.reach(cell.value, cell.low, cell.high)
        ends = form.text(cell.low), form.text(cell.high)
    mean = Cell(form.text(cell.value), bool(cell.best), interval=interval, ends=ends, ranks=cell.ranks)
    return mean, Cell("-" if cell.ranks is None else _ranks(cell.ranks))


def _ranks(ranks: tuple[int, int]) -> str:
    low, high = ranks
    return str(low) if low == high else f"{low}-{high}"


def _seeds(rows: Sequence[SummaryRow]) -> str:
    counts = {len(each.finished) for row in rows for each in row.rows}
    few, many = min(counts), max(counts)
    return f"{few} to {many} seeds" if few < many else f"{few} seed{'' if few == 1 else 's'}"


def summary_notes(summary: Summary) -> list[str]:
    """What the numbers are, what could have been otherwise, and what is left out and why.

    Args:
        summary: the methods over the data sets.

    Returns:
        A sentence or two on each.
    """
    intervals = any(cell is not None and cell.low is not None for each in summary.scores for cell in each.cells)
    classes = [each.records[0].dataset.classes for each in summary.results]
    lines = []
    if any(each.corrected for each in summary.scores):
        of_classes = listed([f"{title} {count:,}" for title, count in zip(summary.titles, classes, strict=True)])
        differ = f", so that data sets of different numbers of classes ({of_classes}) are on one scale"
        lines.append(
            f"0 is what chance gets on each data set and 1 all right{differ if len(set(classes)) > 1 else ''}."
        )
    raw = [each.score.name for each in summary.scores if not each.corrected and any(each.cells)]
    if raw:
        lines.append(f"Shares as they are, since the records do not say what chance gets: {listed(raw)}.")
    if intervals:
        lines.append(
            "The data sets are taken as they are. Other seeds and other groups of test items could have been: ± is the "
            "95 % interval over these, by a bootstrap within each data set."
        )
        if any(cell is not None and cell.low is None for each in summary.scores for cell in each.cells):
            lines.append("No interval where a data set has one seed, or no scores of single queries.")
        if any(cell is not None and cell.ranks for each in summary.scores for cell in each.cells):
            lines.append("rank: lowest and highest rank, simultaneous 95 % intervals from tests of all pairs (Holm).")
    else:
        lines.append("No interval, no mark: one seed, or no scores of single queries.")
    for each in summary.scores:
        if not any(each.cells) and len(set(each.left_out.values())) == 1:
            lines.append(f"{each.score.name} is left out: {next(iter(each.left_out.values()))}.")
            continue
        lines += [f"{each.score.name} leaves out {title}: {reason}." for title, reason in each.left_out.items()]
    return [*lines, *(f"Left out: {each}." for each in summary.missing())]


def best_first(of_score: ScoreSummary) -> list[int]:
    """Places of the methods that have a mean, the best first.

    Args:
        of_score: one score of all methods.
    """
    found = {place: cell.value for place, cell in enumerate(of_score.cells) if cell is not None}
    return sorted(found, key=lambda place: (-found[place], place))


def improvement_grid(
    summary: Summary, of_score: ScoreSummary, wins: Mapping[tuple[int, int], Estimate] | None = None
) -> Grid:
    """Who beats whom: the probability that a run of the row's method is better than one of the column's.

    Args:
        summary: the methods over the data sets.
        of_score: one of its scores.
        wins: its improvements, where they are known already.

    Returns:
        The table, in percent, the best method first.
    """
    places = best_first(of_score)[:MOST_PAIRED]
    wins = of_score.improvements() if wins is None else wins
    lines = [
        Line(
            f"{number} {summary.rows[first].label}",
            tuple(_win(wins.get((first, second))) for second in places),
            row=summary.rows[first].rows[0],
        )
        for number, first in enumerate(places, start=1)
    ]
    sure = any(cell.best for line in lines for cell in line.cells)
    more = len(best_first(of_score)) - len(places)
    return Grid(
        name="improvement",
        caption="Improvement: Probability (%) that a run of the row's method is better than one of the column's, "
        f"on a data set drawn at random: {of_score.score.name}.",
        details="The columns are the rows' methods by their numbers, the best mean first."
        + (f" {more} more are left out." if more else ""),
        mark="its 95 % interval over seeds, on these test items and not corrected for the number of pairs, is above 50"
        if sure
        else "",
        headings=(("", len(places)),),
        columns=tuple(str(number) for number in range(1, len(places) + 1)),
        sections=(Section("", (tuple(lines),)),),
        footnotes=(),
    )


def _win(win: Estimate | None) -> Cell:
    if win is None:
        return Cell("")
    ends = () if win.low is None or win.high is None else (f"{100 * win.low:.0f}", f"{100 * win.high:.0f}")
    return Cell(f"{100 * win.value:.0f}", win.low is not None and win.low > 0.5, ends=ends)


def summary_numbers(summary: Summary) -> Iterator[dict[str, object]]:
    """One row per number, with the fields of those of single tables.

    Args:
        summary: the methods over the data sets.

    Yields:
        The means, of ``table`` ``"summary"``; then of ``"improvement"`` the probability that a run of the row's method
        is better than one of the method that is named under ``task``.
    """
    for of_score in summary.scores:
        for row, cell in zip(summary.rows, of_score.cells, strict=True):
            known = cell or Over(float("nan"))
            yield _number(summary, row, "summary", "", of_score, None if cell is None else cell.value, known)
    for of_score in summary.scores:
        for (first, second), win in of_score.improvements().items():
            row, other = summary.rows[first], summary.rows[second]
            yield _number(summary, row, "improvement", other.label, of_score, win.value, win)


def _number(
    summary: Summary,
    row: SummaryRow,
    table: str,
    task: str,
    of_score: ScoreSummary,
    value: float | None,
    known: Over | Estimate,
) -> dict[str, object]:
    ranks = (known.ranks if isinstance(known, Over) else None) or (None, None)
    return {
        "table": table,
        "source": "measured",
        "dataset": " ".join(each.records[0].dataset.name for each in summary.results),
        "method": row.rows[0].records[0].method.name,
        "title": row.label,
        "configuration": None,
        "status": "finished",
        "seeds": sorted({record.seed for each in row.rows for record in each.finished}),
        "task": task,
        "metric": of_score.score.name,
        "value": value,
        "low": known.low,
        "high": known.high,
        "ties_with_best": known.best if isinstance(known, Over) else None,
        "rank_low": ranks[0],
        "rank_high": ranks[1],
        "note": "; ".join(f"without {title}: {reason}" for title, reason in of_score.left_out.items()) or None,
    }
