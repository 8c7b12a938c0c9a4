"""R@K and HP@K over K, a panel for each direction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS
from huse_bench.report.figures.held import methods_of, seeds_of, without
from huse_bench.report.figures.labels import Label, label_column
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import RULE, canvas, method_styles
from huse_bench.results.tables import Results

__all__ = ["MOST_NAMED", "curve_means", "curves", "named"]

#: Of more methods than these the best are named, and the others are thin grey lines.
MOST_NAMED = 18

# Where a line has its method's mark.
_MARKED = (1, 3, 10, 30)


def curve_means(results: Results, kind: str) -> dict[str, dict[str, NDArray[np.float64]]]:
    """The numbers of the figure.

    Args:
        results: the runs.
        kind: ``"R"`` or ``"HP"``.

    Returns:
        By method and direction, means over seeds (K,), at K = 1, 2, ...; as far as all seeds of the method go.

    Raises:
        NotHeldError: if no record has curves.
    """
    means: dict[str, dict[str, NDArray[np.float64]]] = {}
    for row in methods_of(results):
        held = [record.curves for record in row.finished if record.curves]
        for direction in DIRECTIONS:
            lines = [curves[direction][kind] for curves in held if kind in curves.get(direction, {})]
            if lines:
                last = min(map(len, lines))
                means.setdefault(row.label, {})[direction] = np.mean([line[:last] for line in lines], axis=0)
    if not means:
        raise NotHeldError("the records have no curves, which runs of schema 1 did not keep")
    return means


def named(scores: Mapping[str, float], most: int = MOST_NAMED) -> list[str]:
    """The methods that a crowded figure names.

    Args:
        scores: by method, larger is better.
        most: how many may be named.

    Returns:
        All of them, or the best twelve where there are more than may be named.
    """
    if len(scores) <= most:
        return list(scores)
    return sorted(scores, key=lambda label: -scores[label])[:12]


def curves(results: Results, name: str, title: str, kind: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.
        kind: ``"R"`` or ``"HP"``.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no record has curves.
    """
    means, styles = curve_means(results, kind), method_styles(results)
    chosen = named({label: float(np.mean([line[0] for line in of.values()])) for label, of in means.items()})
    figure, axes = canvas(7.0, 6.2, 2, 2, settled=True)
    # Names stand at the lines' ends, so the panels' places must be settled before.
    figure.subplots_adjust(left=0.06, right=0.82, top=0.96, bottom=0.07, wspace=0.68, hspace=0.24)
    for panel, direction in zip(axes, DIRECTIONS, strict=True):
        labels = []
        panel.set_xscale("log")
        for label, of in means.items():
            if direction not in of:
                continue
            line, style = of[direction], styles[label]
            ks = np.arange(1, len(line) + 1)
            if label in chosen:
                panel.plot(ks, line, zorder=2, **style.line())
                marked = [k for k in _MARKED if k <= len(line)]
                panel.plot(marked, line[np.array(marked) - 1], zorder=3, **style.mark(3.2))
                labels.append(Label(label, float(ks[-1]), float(line[-1]), style))
            else:
                panel.plot(ks, line, color=RULE, linewidth=0.7, zorder=1)
        last = max((len(of[direction]) for of in means.values() if direction in of), default=1)
        panel.set_xlim(1, max(last, 2))
        ticks = [k for k in (1, 2, 5, 10, 20, 50) if k <= last]
        panel.set_xticks(ticks, [str(k) for k in ticks])
        panel.set_xlabel("K")
        panel.set_title(f"{DIRECTION_TITLES[direction]}: {kind}@K")
        label_column(panel, labels)
    rows = [row for row in methods_of(results) if row.label in means]
    rest = len(means) - len(chosen)
    grey = f" The {len(chosen)} methods of the largest {kind}@1 are named; {rest} others are grey." if rest else ""
    what = (
        "R@K is the share of queries that find an item of their class among the first K"
        if kind == "R"
        else "HP@K is the share of the first K items whose class is near the query's in the taxonomy; it rises where "
        "the set of near classes grows with K"
    )
    caption = (
        f"{what}. Lines are of {seeds_of(rows)}, {results.records[0].dataset.items.test:,} test queries in "
        f"each direction, without bands; K is on a logarithmic scale, and each vertical axis has a range of its own."
        f"{grey}{without(methods_of(results), list(means), 'curves')}"
    )
    return Drawn(name, title, caption, figure)
