"""Draw the figure of the README: forest plots of the tuned methods on each data set, from their records.

    python docs/figures/result.py > docs/figures/result.svg

It is light or dark as the page around it. A filled dot may be the best of the column, no other being significantly
better; these are the stars of Table 1.
"""

import sys
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from huse_bench.bundles import read_bundle
from huse_bench.results import Results
from huse_bench.results.intervals import Uncertainty, uncertainty
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row

ROOT = Path(__file__).parents[2]
BUNDLES = [ROOT / "results" / name / "bundle.zip" for name in ("emoji", "clipart", "icons")]
TASK, METRIC, HEADING = "i2t", "R@1", "Image to text, R@1"
LEFT, PANEL, BETWEEN, TOP, STEP, GAP = 140, 178, 18, 108, 22, 30
ENDS = (0.0, 0.7)
TICKS = (0.0, 0.2, 0.4, 0.6)
FILLED = "Filled: may be the best, no other being significantly better. Dashed: chance."

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .data { font-weight: 600; }
    .quiet { fill: #59636e; font-size: 12px; }
    .grid { stroke: #d1d9e0; }
    .chance { stroke: #59636e; stroke-dasharray: 3 3; }
    .interval { stroke: #0072b2; stroke-width: 2; }
    circle { stroke: #0072b2; stroke-width: 2; fill: #fff; }
    .best circle { fill: #0072b2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .quiet { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .chance { stroke: #9198a1; }
      .interval { stroke: #56b4e9; }
      circle { stroke: #56b4e9; fill: #0d1117; }
      .best circle { fill: #56b4e9; }
    }
"""


class Panel:
    """The methods of one data set, beside those of the others."""

    def __init__(self, number: int, results: Results) -> None:
        self._left = LEFT + number * (PANEL + BETWEEN)
        self._column: Column = next(
            each for each in results.layout["table1"] if (each.task, each.metric) == (TASK, METRIC)
        )
        # Only the columns of one task are tested, each as it is among all.
        results.layout = {"table1": [each for each in results.layout["table1"] if each.task == TASK]}
        self._known: Uncertainty = uncertainty(results)
        self._rows = {row.label: row for row in results.rows}
        about = results.records[0].dataset
        self._words = about.title, f"{about.items.test:,} queries"
        self.seeds = {len(row.finished) for row in results.rows if not row.is_control}

    def head(self) -> Iterator[str]:
        """What data they are of."""
        for kind, words, y in zip(("data", "quiet"), self._words, (TOP - 38, TOP - 22), strict=True):
            yield f'<text class="{kind}" x="{self._left}" y="{y}">{escape(words)}</text>'

    def lines(self, top: int, bottom: int) -> Iterator[str]:
        """The grid behind some rows."""
        for kind, value in [*(("grid", tick) for tick in TICKS), ("chance", self._rows["Chance"].mean(self._column))]:
            yield f'<line class="{kind}" x1="{self._x(value):.0f}" x2="{self._x(value):.0f}" y1="{top}" y2="{bottom}"/>'

    def dot(self, label: str, y: int) -> Iterator[str]:
        """A method's mean and interval."""
        cell = self._known.cell(label, self._column.heading)
        assert cell.low is not None
        assert cell.high is not None
        ends = f'x1="{self._x(cell.low):.0f}" x2="{self._x(cell.high):.0f}" y1="{y}" y2="{y}"'
        yield f'<g class="{"best" if cell.tied else "behind"}">'
        yield f'  <line class="interval" {ends}/>'
        yield f'  <circle cx="{self._x(self._rows[label].mean(self._column)):.0f}" cy="{y}" r="4.5"/>'
        yield "</g>"

    def axis(self, y: int) -> Iterator[str]:
        """The numbers below."""
        for tick in TICKS:
            words = f"{tick:.1f}".lstrip("0")
            yield f'<text class="quiet" x="{self._x(tick):.0f}" y="{y}" text-anchor="middle">{words}</text>'

    def _x(self, value: float) -> float:
        low, high = ENDS
        return self._left + (value - low) / (high - low) * PANEL


def drawing(of_data: Sequence[Results]) -> str:
    """The figure as SVG."""
    groups = list(_groups(of_data[0]))
    panels = [Panel(number, results) for number, results in enumerate(of_data)]
    body, y = [line for panel in panels for line in panel.head()], TOP
    for heading, labels in groups:
        body.append(f'<text class="quiet" x="12" y="{y + 4}">{escape(heading)}</text>')
        y += STEP
        for panel in panels:
            # Behind the rows, and not through the heading.
            body += panel.lines(y - STEP // 2, y + STEP * len(labels) - STEP // 2)
        for label in labels:
            body.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(label)}</text>')
            for panel in panels:
                body += panel.dot(label, y)
            y += STEP
        y += GAP - STEP
    for panel in panels:
        body += panel.axis(y - GAP + STEP + 8)
    width, height = LEFT + len(panels) * (PANEL + BETWEEN), y + 8
    (seeds,) = set().union(*(panel.seeds for panel in panels))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            f"<title>{HEADING}, of tuned methods on each data set</title>",
            "<desc>A dot for each method with its interval; the numbers are in the tables of the bundles.</desc>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="12" y="24">{HEADING}</text>',
            f'<text class="quiet" x="12" y="44">Mean of {seeds} seeds, 95 % intervals. {FILLED}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _groups(results: Results) -> Iterator[tuple[str, list[str]]]:
    methods: list[Row] = [row for row in results.rows if not row.is_control]
    for (section, semantic), rows in groupby(methods, lambda row: (row.section, row.semantic)):
        heading = (section or "Of the HUSE paper") + (", with class semantics" if semantic else "")
        yield heading, [row.label for row in rows]


if __name__ == "__main__":
    bundles = [read_bundle(path) for path in BUNDLES]
    sys.stdout.write(drawing([bundle.results("tuned") for bundle in bundles]))
