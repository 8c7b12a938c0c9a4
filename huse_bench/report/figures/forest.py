"""The methods' numbers with their intervals, a panel for each direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS
from huse_bench.report.figures.held import methods_of, seeds_of
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import RULE, canvas, method_styles, plain
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import Column
from huse_bench.results.tables import Results

__all__ = ["ForestRow", "forest", "forest_rows", "precision_metric"]


@dataclass(frozen=True)
class ForestRow:
    """A method's number in each direction.

    Attributes:
        label: the method.
        means: over seeds, by direction; a direction without a number is left out.
        intervals: ends of the 95 % intervals by direction; empty where the row has one seed, or no per-query scores.
    """

    label: str
    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def precision_metric(results: Results, k: int = 5) -> str:
    """The hierarchical precision that the results' tables show, such as ``"HP@5"`` or ``"BHP@5"``."""
    kind = results.layout["table2"][0].metric.partition("@")[0]
    return f"{kind}@{k}"


def forest_rows(results: Results, metric: str) -> list[ForestRow]:
    """The numbers of the figure.

    Args:
        results: the runs.
        metric: such as ``"R@1"``.

    Returns:
        A row for each method, the largest mean over the directions first.

    Raises:
        NotHeldError: if no method has the metric.
        RecordError: if the scores of a run cannot be read.
    """
    return _rows(results, metric, Evidence(results))


def _rows(results: Results, metric: str, evidence: Evidence) -> list[ForestRow]:
    known = {row.label for row in evidence.rows}
    rows = []
    for row in methods_of(results):
        of_all: dict[str, float] = {direction: row.mean(Column(direction, metric, "")) for direction in DIRECTIONS}
        means: dict[str, float] = {direction: value for direction, value in of_all.items() if value == value}  # noqa: PLR0124  not NaN
        if means:
            intervals: dict[str, tuple[float, float]] = (
                {d: evidence.interval(row, d, metric) for d in means} if row.label in known else {}
            )
            rows.append(ForestRow(row.label, means, intervals))
    if not rows:
        raise NotHeldError(f"no method has {metric} that a ranking can miss")
    return sorted(rows, key=lambda row: -sum(row.means.values()) / len(row.means))


def forest(results: Results, name: str, title: str, metric: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.
        metric: such as ``"R@1"``.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no method has the metric.
        RecordError: if the scores of a run cannot be read.
    """
    evidence, styles = Evidence(results), method_styles(results)
    rows = _rows(results, metric, evidence)
    figure, axes = canvas(7.0, 0.165 * len(rows) + 0.85, 1, 4, sharey=True)
    for panel, direction in zip(axes, DIRECTIONS, strict=True):
        for place, row in enumerate(rows):
            if direction not in row.means:
                continue
            style = styles[row.label]
            if direction in row.intervals:
                panel.plot(row.intervals[direction], [place, place], color=style.color, linewidth=1.4, zorder=2)
            panel.plot([row.means[direction]], [place], zorder=3, **style.mark(4.5))
        panel.set_title(DIRECTION_TITLES[direction])
        panel.set_xlabel(metric)
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.set_yticks(range(len(rows)), [plain(row.label, 26) for row in rows])
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.set_axisbelow(True)
        panel.hlines(range(len(rows)), 0, 1, transform=panel.get_yaxis_transform(), color=RULE, linewidth=0.4, zorder=0)
        panel.locator_params(axis="x", nbins=4)
    return Drawn(name, title, _caption(results, rows, metric, evidence), figure)


def _caption(results: Results, rows: list[ForestRow], metric: str, evidence: Evidence) -> str:
    shown = [row for row in methods_of(results) if row.label in {row.label for row in rows}]
    queries = f"{results.records[0].dataset.items.test:,} test queries in each direction"
    if all(row.intervals for row in rows):
        bars = f"bars are 95 % intervals over seeds and {evidence.describe_queries()}"
    elif any(row.intervals for row in rows):
        bars = (
            f"bars are 95 % intervals over seeds and {evidence.describe_queries()}; rows of one seed, or without "
            f"per-query scores, have none"
        )
    else:
        bars = "there are no intervals, since no row has two seeds with per-query scores: do not read small gaps"
    return (
        f"{metric} of each method, {seeds_of(shown)}, {queries}; {bars}. Methods by their mean over the "
        f"directions, the best on top; filled marks use the class graph. Intervals that overlap may still differ: "
        f"the tables and huse-bench compare test pairs. Each axis has a range of its own."
    )
