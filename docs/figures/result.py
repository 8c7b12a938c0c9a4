"""Draw the figure of the README: a forest plot of the tuned methods on the emoji data, from their records.

    python docs/figures/result.py > docs/figures/result.svg

It is light or dark as the page around it. A filled dot may be the best of the column, no other being significantly
better; these are the stars of Table 1.
"""

import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from huse_bench.results import Results, load_results
from huse_bench.results.intervals import uncertainty
from huse_bench.results.rows import Row

ROOT = Path(__file__).parents[2]
TASK, METRIC, HEADING = "i2t", "R@1", "Image to text, R@1"
WIDTH, LEFT, RIGHT, TOP, STEP, GAP = 720, 150, 20, 74, 22, 30
ENDS = (0.0, 0.7)
TICKS = (0.0, 0.2, 0.4, 0.6)
FILLED = "Filled: may be the best, no other being significantly better."

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .quiet { fill: #59636e; font-size: 12px; }
    .best text { font-weight: 600; }
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


def drawing(results: Results) -> str:
    """The figure as SVG."""
    column = next(each for each in results.layout["table1"] if (each.task, each.metric) == (TASK, METRIC))
    # Only the columns of one task are tested, each as it is among all.
    results.layout = {"table1": [each for each in results.layout["table1"] if each.task == TASK]}
    known = uncertainty(results)
    (chance,) = (row.mean(column) for row in results.rows if row.label == "Chance")
    body, y = [], TOP
    for heading, rows in _groups(results):
        body.append(f'<text class="quiet" x="12" y="{y + 4}">{escape(heading)}</text>')
        y += STEP
        # Behind the rows, and not through the heading.
        body += _lines(chance, y - STEP // 2, y + STEP * len(rows) - STEP // 2)
        for row in rows:
            cell = known.cell(row.label, column.heading)
            assert cell.low is not None
            assert cell.high is not None
            ends = f'x1="{_x(cell.low):.0f}" x2="{_x(cell.high):.0f}" y1="{y}" y2="{y}"'
            body += [
                f'<g class="{"best" if cell.tied else "behind"}">',
                f'  <text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row.label)}</text>',
                f'  <line class="interval" {ends}/>',
                f'  <circle cx="{_x(row.mean(column)):.0f}" cy="{y}" r="4.5"/>',
                "</g>",
            ]
            y += STEP
        y += GAP - STEP
    height = y + 8
    about = f"{results.records[0].dataset.items.test:,} queries, {len(results.rows[0].finished)} seeds, 95 % intervals."
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">',
            f"<title>{HEADING}, of sixteen tuned methods on the emoji data</title>",
            "<desc>A dot for each method with its interval; the numbers are in Table 1 of results/emoji.</desc>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="12" y="24">{HEADING}</text>',
            f'<text class="quiet" x="12" y="44">{about} {FILLED}</text>',
            *body,
            *_axis(chance, y - GAP + STEP + 8),
            "</svg>",
            "",
        ]
    )


def _groups(results: Results) -> Iterator[tuple[str, list[Row]]]:
    methods = [row for row in results.rows if not row.is_control]
    for (section, semantic), rows in groupby(methods, lambda row: (row.section, row.semantic)):
        yield (section or "Of the HUSE paper") + (", with class semantics" if semantic else ""), list(rows)


def _lines(chance: float, top: int, bottom: int) -> Iterator[str]:
    for kind, value in [*(("grid", tick) for tick in TICKS), ("chance", chance)]:
        yield f'<line class="{kind}" x1="{_x(value):.0f}" x2="{_x(value):.0f}" y1="{top}" y2="{bottom}"/>'


def _axis(chance: float, bottom: int) -> Iterator[str]:
    for tick in TICKS:
        words = f"{tick:.1f}".lstrip("0")
        yield f'<text class="quiet" x="{_x(tick):.0f}" y="{bottom}" text-anchor="middle">{words}</text>'
    yield f'<text class="quiet" x="{_x(chance):.0f}" y="{TOP + 4}" text-anchor="middle">chance</text>'


def _x(value: float) -> float:
    low, high = ENDS
    return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)


if __name__ == "__main__":
    sys.stdout.write(drawing(load_results(ROOT / "results" / "emoji" / "tuned")))
