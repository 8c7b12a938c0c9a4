"""A heat map of shares: rows by methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.style import PAPER, QUIET, canvas, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["heat_map"]

# In steps, which a reader tells apart better than a slope.
_STEPS = 10

# Above these a number would not fit into its cell.
_MOST_NUMBERS = 640

# Of numbers in cells, whose colours are the same on light and dark pages: neither the paper's nor the text's.
_ON_DARK, _ON_LIGHT = "#fefefe", "#111111"


def heat_map(
    values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], legend: str, low: float, high: float
) -> Figure:
    """Draw a heat map.

    Args:
        values: (rows, columns) shares; NaN where there is none.
        rows: their names, from top to bottom.
        columns: their names.
        legend: what the colour is.
        low: share of the lightest colour.
        high: share of the darkest colour.

    Returns:
        The figure.
    """
    import matplotlib as mpl  # noqa: PLC0415  optional
    from matplotlib.colors import BoundaryNorm  # noqa: PLC0415  optional

    named = [plain(row, 60) for row in rows]
    width = min(7.0, max(2.9, 1.5 + 0.055 * max(map(len, named))) + 0.36 * len(columns))
    figure, axes = canvas(width, 0.135 * len(rows) + 1.9, 1, 1)
    panel = axes[0]
    bounds = np.linspace(low, high, _STEPS + 1)
    colors = mpl.colormaps["Blues"].resampled(_STEPS).with_extremes(bad=PAPER)
    mesh = panel.pcolormesh(
        np.ma.masked_invalid(values),
        cmap=colors,
        norm=BoundaryNorm(bounds, _STEPS, clip=True),
        edgecolors=PAPER,
        linewidth=0.4,
    )
    panel.set_xlim(0, len(columns))
    panel.set_ylim(len(rows), 0)
    panel.set_yticks(np.arange(len(rows)) + 0.5, named, fontsize=6.5)
    panel.set_xticks(np.arange(len(columns)) + 0.5, [plain(column, 24) for column in columns], rotation=55, ha="left")
    panel.xaxis.tick_top()
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
    if values.size <= _MOST_NUMBERS:
        for row, column in np.ndindex(values.shape):
            share = float(values[row, column])
            if share == share:  # noqa: PLR0124  not NaN
                dark = share > low + 0.55 * (high - low)
                panel.text(
                    column + 0.5,
                    row + 0.52,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=5.5,
                    color=_ON_DARK if dark else _ON_LIGHT,
                )
    bar = figure.colorbar(mesh, ax=panel, location="bottom", shrink=0.6, aspect=40, pad=0.01, ticks=bounds[::2])
    bar.ax.set_xticklabels([f"{100 * bound:.0f}" for bound in bounds[::2]])
    bar.outline.set_edgecolor(QUIET)
    bar.outline.set_linewidth(0.4)
    bar.set_label(legend, fontsize=7.5)
    return figure
