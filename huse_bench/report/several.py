"""The tables of several results folders, one after another, and one summary over them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from huse_bench.errors import ResultsError
from huse_bench.report.grid import DIGITS, Grid
from huse_bench.report.identity import Cited, short_hash
from huse_bench.report.latex import latex_document
from huse_bench.report.markdown import markdown_escaped, markdown_table
from huse_bench.report.render import Format, render
from huse_bench.report.shown import Change, shown_tables
from huse_bench.report.summary import SHOWN_SCORE, improvement_grid, summary_grid, summary_notes, summary_numbers
from huse_bench.report.text import text_table
from huse_bench.report.tidy import csv_text, document, json_text, numbers
from huse_bench.report.words import wrapped
from huse_bench.results.consistency import refuse_unflagged
from huse_bench.results.intervals import uncertainty
from huse_bench.results.published import published_tables
from huse_bench.results.summary import Summary, folder_titles, summarise
from huse_bench.results.tables import Results

__all__ = ["SUMMARY", "render_several", "render_summary", "summary_or_reason"]

#: Name of the summary among the tables.
SUMMARY = "summary"


def summary_or_reason(results: Sequence[Results]) -> Summary | str:
    """The summary over several data sets, or why there is none.

    Args:
        results: those of each.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    try:
        return summarise(results)
    except ResultsError as error:
        return f"No summary: {error}"


def render_several(
    results: Sequence[Results],
    format: Format = "text",  # noqa: A002  the command line's name for it
    published: bool | str | Path = False,
    color: bool = False,
    tables: Collection[str] | None = None,
    change: Change | None = None,
    **style: Any,
) -> str:
    """The tables of each folder as :func:`huse_bench.report.render` gives them, and a summary over all of them.

    Args:
        results: those of each folder.
        format: as of a single folder; CSV has all numbers in one table, and JSON an object with the documents of the
            folders under ``results`` and the summary. ``"every-eval-ever"`` has no summary.
        published: as of a single folder.
        color: as of a single folder.
        tables: as of a single folder, and ``"summary"``.
        change: as of a single folder.
        **style: ``footnote`` and ``digits`` of a single folder.

    Returns:
        The text, without a newline at its end. Where there can be no summary, it says why, but for CSV.

    Raises:
        ResultsError, RecordError: as for a single folder.
    """
    own = None if tables is None else set(tables) - {SUMMARY}
    summed = tables is None or SUMMARY in tables
    if format in ("csv", "json"):
        return _tidy(results, format, published, own, change, summed=summed)
    titles = folder_titles(results)
    parts = []
    for number, (title, each) in enumerate(zip(titles, results, strict=True), start=1):
        if own is None or own:
            text = render(each, format, published, color, own, change, label=f"d{number}-", **style)
            parts.append(f"{_heading(title, format)}{text}")
    if summed and format != "every-eval-ever":
        parts.append(_heading("Summary", format) + render_summary(results, format, color, **style))
    return ("\n" if format == "every-eval-ever" else "\n\n").join(parts)


def render_summary(
    results: Sequence[Results],
    format: Format = "text",  # noqa: A002  as above
    color: bool = False,
    *,
    footnote: bool = False,
    digits: int = DIGITS,
) -> str:
    """The summary alone, as text, Markdown or LaTeX.

    Args:
        results: those of each data set.
        format: ``"text"``, ``"markdown"`` or ``"latex"``.
        color: set the marked numbers in bold by ANSI codes, for a terminal; text only.
        footnote: name the results by their short hash below each table; LaTeX only.
        digits: decimals.

    Returns:
        The text, or why there is no summary.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    found = summary_or_reason(results)
    if isinstance(found, str):
        lines = found.splitlines()
        if format == "latex":
            return "\n".join(f"% {line}" for line in lines)
        return (
            markdown_escaped(found)
            if format == "markdown"
            else "\n".join(part for line in lines for part in wrapped(line))
        )
    grids = _grids(found, digits)
    if format == "latex":
        return latex_document(grids, [], Cited("results", short_hash(*results)), footnote=footnote)
    return "\n\n".join(
        markdown_table(grid) if format == "markdown" else text_table(grid, color=color) for grid in grids
    )


def _grids(summary: Summary, digits: int) -> list[Grid]:
    grids = [summary_grid(summary, digits)]
    shown = next(each for each in summary.scores if each.score.name == SHOWN_SCORE)
    if sum(runs is not None for runs in shown.runs) > 1:
        grids.append(improvement_grid(summary, shown))
    return grids


def _heading(title: str, form: Format) -> str:
    if form == "markdown":
        return f"## {markdown_escaped(title)}\n\n"
    if form == "latex":
        return f"% {' '.join(title.splitlines())}\n"
    return "" if form == "every-eval-ever" else f"{title}\n{'=' * len(title)}\n\n"


def _tidy(
    results: Sequence[Results],
    form: Format,
    published: bool | str | Path,
    tables: Collection[str] | None,
    change: Change | None,
    *,
    summed: bool,
) -> str:
    printed = published_tables("huse" if published is True else published) if published else None
    if printed is not None:
        refuse_unflagged(printed)
    asked = results if tables is None or tables else ()
    shown = [shown_tables(each, uncertainty(each), tables, change) for each in asked]
    found = summary_or_reason(results) if summed else ""
    if form == "csv":
        # What a paper printed is the same for all.
        papers = [printed, *[None] * (len(asked) - 1)]
        rows = [
            row
            for each, of_each, paper in zip(asked, shown, papers, strict=bool(asked))
            for row in numbers(each, of_each, paper)
        ]
        return csv_text([*rows, *([] if isinstance(found, str) else summary_numbers(found))])
    documents = [document(each, of_each, printed) for each, of_each in zip(asked, shown, strict=True)]
    if isinstance(found, str):
        return json_text({"results": documents, "summary": None, "notes": [found] if found else []})
    over: dict[str, object] = {
        "datasets": [each.records[0].dataset.name for each in results],
        "titles": found.titles,
        "left_out": dict(found.left_out),
        "numbers": list(summary_numbers(found)),
        "notes": summary_notes(found),
    }
    return json_text({"results": documents, "summary": over, "notes": []})
