"""What stands on top of a page of several data sets: one answer over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from huse_bench.report.figures import draw_over
from huse_bench.report.figures.writing import figure_bytes
from huse_bench.report.grid import Grid
from huse_bench.report.html.figures import PageFigure
from huse_bench.report.html.section import Section
from huse_bench.report.several import summary_or_reason
from huse_bench.report.summary import SHOWN_SCORE, improvement_grid, summary_grid
from huse_bench.results.tables import Results

__all__ = ["sections"]


@dataclass(frozen=True)
class _Pairs:
    """Who beats whom in one score, which is open at first or closed."""

    name: str
    opened: bool
    grid: Grid


def sections(folders: Sequence[Results]) -> list[Section]:
    """The summary over several data sets as a part of a page.

    Args:
        folders: the runs of each folder.

    Returns:
        One section, which says why there is no summary where there can be none; no section where all are of one data
        set.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        RecordError: if the scores of a run cannot be read.
    """
    if len({results.records[0].dataset.content_hash for results in folders}) < 2:
        return []
    found = summary_or_reason(folders)
    if isinstance(found, str):
        context: dict[str, Any] = {"reason": found, "table": None, "pairs": [], "figures": []}
        return [Section("summary", "Over all data sets", "summary.html", context)]
    figures = [PageFigure(of.name, of.title, of.caption, figure_bytes(of, "svg")) for of in draw_over(found)]
    pairs = [
        _Pairs(each.score.name, each.score.name == SHOWN_SCORE, improvement_grid(found, each))
        for each in found.scores
        if sum(runs is not None for runs in each.runs) > 1
    ]
    context = {"reason": "", "table": summary_grid(found), "pairs": pairs, "figures": figures}
    return [Section("summary", "Over all data sets", "summary.html", context, style="figures.css")]
