"""Tables as text for a terminal, Markdown, LaTeX, CSV, JSON or Every Eval Ever."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Literal

from huse_bench.report.agreement import agreement_text
from huse_bench.report.every_eval_ever import as_every_eval_ever
from huse_bench.report.grid import DIGITS, build_grid
from huse_bench.report.identity import cited
from huse_bench.report.latex import latex_document
from huse_bench.report.markdown import markdown_escaped, markdown_table
from huse_bench.report.notes import notes
from huse_bench.report.shown import Change, shown_tables
from huse_bench.report.text import text_table
from huse_bench.report.tidy import csv_text, document, json_text, numbers
from huse_bench.report.words import wrapped
from huse_bench.results.consistency import refuse_unflagged
from huse_bench.results.intervals import uncertainty
from huse_bench.results.published import published_tables
from huse_bench.results.tables import Results

__all__ = ["FORMATS", "Format", "render"]

Format = Literal["text", "markdown", "latex", "csv", "json", "every-eval-ever"]

#: The formats of :func:`render`.
FORMATS: tuple[Format, ...] = ("text", "markdown", "latex", "csv", "json", "every-eval-ever")


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
    label: str = "",
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
        label: begins the labels of LaTeX tables, where several data sets go into one document.

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
        return csv_text(numbers(results, shown, printed))
    if format == "json":
        return json_text(document(results, shown, printed))
    if format == "every-eval-ever":
        return as_every_eval_ever(results, shown)
    grids = [build_grid(table, results, known, printed, digits) for table in shown]
    if format == "latex":
        grids = [replace(grid, name=f"{label}{grid.name}") for grid in grids]
        return latex_document(grids, notes(results), cited(results), footnote=footnote)
    if format == "markdown":
        beside = [agreement_text(results, printed, markdown=True)] if printed else []
        return "\n\n".join([*(markdown_table(grid) for grid in grids), *beside, *map(markdown_escaped, notes(results))])
    below = [line for note in notes(results) for line in wrapped(note)]
    beside = [agreement_text(results, printed)] if printed else []
    return "\n\n".join([*(text_table(grid, color=color) for grid in grids), *beside, "\n".join(below)])
