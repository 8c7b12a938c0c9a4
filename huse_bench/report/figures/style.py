"""How figures look: one palette, one style for each method, labels that do not lie on each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from huse_bench.errors import MissingExtraError
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DIRECTION_COLORS",
    "MODALITY_COLORS",
    "PALETTE",
    "PAPER",
    "QUIET",
    "RULE",
    "TEXT",
    "Label",
    "MethodStyle",
    "canvas",
    "label_column",
    "label_points",
    "method_styles",
    "panels",
    "plain",
    "require_matplotlib",
    "spread",
    "styled",
]

#: Hues that readers of any colour vision tell apart: those of Okabe and Ito that show on white, with a wine, an olive.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#882255", "#808000")

#: What figures are drawn on, and hollow marks are filled with.
PAPER = "#ffffff"

#: Of words and axes, of what stands behind the data, and of thin lines.
TEXT, QUIET, RULE = "#222222", "#767676", "#d0d0d0"

#: Of what is known of pictures and of texts.
MODALITY_COLORS = (PALETTE[0], PALETTE[1])

#: Of the four directions.
DIRECTION_COLORS = {"i2i": PALETTE[0], "i2t": PALETTE[1], "t2i": PALETTE[2], "t2t": PALETTE[3]}

# Seven, so that no two of 56 methods share both hue and mark.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (5, 1.2, 1, 1.2), (2.5, 1), (7, 2, 2, 2, 2, 2))

_SETTINGS: dict[str, Any] = {
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.unicode_minus": False,
    "figure.dpi": 100,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "huse-bench",
    "text.color": TEXT,
    # A dollar sign in a name is one.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": TEXT,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.color": TEXT,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 0,
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn, the same in every figure.

    Attributes:
        color: its hue.
        marker: its mark.
        dashes: of its lines; empty for a solid one.
        filled: whether its mark is filled: methods that use the class graph.
    """

    color: str
    marker: str
    dashes: tuple[float, ...]
    filled: bool

    def mark(self, size: float = 5) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for a mark without a line."""
        return {
            "color": self.color,
            "linestyle": "none",
            "marker": self.marker,
            "markersize": size,
            "markeredgewidth": size / 4.5,
            "markerfacecolor": self.color if self.filled else PAPER,
        }

    def line(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for a line without a mark."""
        return {"color": self.color, "linestyle": (0, self.dashes)} if self.dashes else {"color": self.color}


@dataclass(frozen=True)
class Label:
    """A name to stand beside a point.

    Attributes:
        text: the name.
        x: place of the point.
        y: likewise.
        style: of the method.
    """

    text: str
    x: float
    y: float
    style: MethodStyle


def require_matplotlib() -> None:
    """Raise MissingExtraError where matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("drawing figures", "report", "matplotlib") from error


@contextmanager
def styled() -> Iterator[None]:
    """Draw and write in the style of the figures, whatever the user's own settings are."""
    import matplotlib as mpl  # noqa: PLC0415  optional

    with mpl.rc_context():
        mpl.rcdefaults()
        # Settings go by names of matplotlib's own, which older versions do not type.
        settings: Any = mpl.rcParams
        settings.update(_SETTINGS)
        yield


def method_styles(results: Results) -> dict[str, MethodStyle]:
    """The style of each row, by its label.

    Args:
        results: the runs; a method's place in their tables chooses its style.

    Returns:
        The styles; controls are grey.
    """
    styles: dict[str, MethodStyle] = {}
    methods = [row for row in results.rows if not row.is_control]
    for place, row in enumerate(methods):
        hue, mark, dash = (place % len(kind) for kind in (PALETTE, _MARKERS, _DASHES))
        styles[row.label] = MethodStyle(PALETTE[hue], _MARKERS[mark], _DASHES[dash], row.semantic)
    return styles | {row.label: MethodStyle(QUIET, "|", (), False) for row in results.rows if row.is_control}


def plain(text: str, most: int = 32) -> str:
    """A name as it can be drawn: no sign that steers, turns or hides others, and no longer than there is room.

    Args:
        text: the name.
        most: number of signs.

    Returns:
        The name, with an ellipsis where it is cut.
    """
    shown = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign)[0] == "C" else sign for sign in text)
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1, *, settled: bool = False, **sharing: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure.

    Args:
        width: in inches.
        height: in inches.
        rows: of panels.
        columns: of panels.
        settled: whether the panels' places are given by ``subplots_adjust``, in place of what they need.
        sharing: arguments of matplotlib's ``Figure.subplots``.

    Returns:
        The figure and its axes, from left to right and from top to bottom.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  optional

    figure = Figure(figsize=(width, height), layout=None if settled else "constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **sharing)
    return figure, list(axes.flat)


def panels(count: int, height: float = 1.55, **sharing: Any) -> tuple[Figure, list[Axes]]:
    """A figure of as many small panels as are asked for, four beside each other where there are more than three.

    Args:
        count: number of panels.
        height: of one, in inches.
        sharing: arguments of matplotlib's ``Figure.subplots``.

    Returns:
        The figure and its axes, from left to right and from top to bottom.
    """
    columns = min(count, 4 if count != 5 else 3)
    rows = -(-count // columns)
    figure, axes = canvas(max(7.0 * columns / 4, 3.4), height * rows + 0.5, rows, columns, **sharing)
    for place, unused in enumerate(axes[count:], start=count):
        unused.set_visible(False)
        # With a shared axis the panel above the gap has the last numbers of its column.
        axes[place - columns].tick_params(labelbottom=True)
    return figure, axes[:count]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """The places nearest to those asked for that are apart from each other.

    Args:
        places: (n,) places asked for.
        gap: the least distance of two; less where n of them have no room.
        low: the lowest place.
        high: the highest.

    Returns:
        (n,) places in the same order, from low to high.
    """
    wanted = np.asarray(places, dtype=float)
    if not len(wanted):
        return wanted
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    # Least squares under z[i + 1] - z[i] >= gap; the bounds are kept by clipping the ascending part.
    fitted = isotonic_regression(wanted[order] - steps).x
    placed = np.empty(len(wanted))
    placed[order] = np.clip(fitted, low, high - steps[-1]) + steps
    return placed


def label_column(axes: Axes, labels: Sequence[Label], size: float = 7) -> None:
    """Write names in a column right of a panel, with a thin line from each point to its name and its mark.

    Args:
        axes: the panel, whose limits and place in the figure's inches are settled.
        labels: the names.
        size: of the letters, in points.
    """
    if not labels:
        return
    _, height = _inches(axes)
    inside = _inside(axes, labels)
    heights = spread(inside[:, 1].tolist(), size * 1.25 / 72 / height, 0.0, 1.0)
    for label, (x, y), place in zip(labels, inside, heights, strict=True):
        color = label.style.color
        way = [x, 1.015, 1.055, 1.07], [y, y, place, place]
        axes.plot(*way, transform=axes.transAxes, color=color, linewidth=0.5, alpha=0.7, clip_on=False, zorder=1)
        axes.plot([1.095], [place], transform=axes.transAxes, clip_on=False, **label.style.mark(3.2))
        text = plain(label.text, 20)
        axes.text(1.125, place, text, transform=axes.transAxes, va="center", fontsize=size, color=color)


def label_points(axes: Axes, labels: Sequence[Label], size: float = 7) -> None:
    """Write each name beside its point, as near as it has room there.

    Args:
        axes: the panel, whose limits and place in the figure's inches are settled.
        labels: the names.
        size: of the letters, in points.
    """
    if not labels:
        return
    room = np.array(_inches(axes)) * 72
    points = _inside(axes, labels) * room
    taken = [(*(point - 4), *(point + 4)) for point in points]
    # The highest first, so that a column of names goes downwards.
    for number in np.argsort(-points[:, 1], kind="stable"):
        label, point = labels[number], points[number]
        text = plain(label.text, 24)
        wide, tall = 0.58 * size * len(text), 1.1 * size
        best = min(
            ((_overlap(box, taken, room), far, box) for far, box in _boxes(point, wide, tall)),
            key=lambda found: found[:2],
        )
        _, far, box = best
        taken.append((box[0] - 2, box[1], box[2] + 2, box[3]))
        middle = np.array([box[0] + wide / 2, box[1] + tall / 2])
        if far > 8:
            near = np.clip(point, [box[0], box[1] + 1], [box[2], box[3] - 1])
            way = np.stack([point, near]) / room
            axes.plot(*way.T, transform=axes.transAxes, color=label.style.color, linewidth=0.5, zorder=1, clip_on=False)
        x, y = middle / room
        axes.text(
            x, y, text, transform=axes.transAxes, ha="center", va="center", fontsize=size, color=label.style.color
        )


_Box = tuple[float, float, float, float]


def _boxes(point: NDArray[np.float64], wide: float, tall: float) -> Iterator[tuple[float, _Box]]:
    """Places for a name around a point, with how far they are from it, in points."""
    for far in (6, 12, 18, 26, 36, 48):
        for angle in np.deg2rad([0, 180, 90, 270, 30, 330, 150, 210, 60, 300, 120, 240]):
            aside, above = np.cos(angle), np.sin(angle)
            x = point[0] + far * aside + (aside - 1) / 2 * wide
            y = point[1] + far * above + (above - 1) / 2 * tall
            yield float(far), (float(x), float(y), float(x + wide), float(y + tall))


def _overlap(box: _Box, taken: Sequence[_Box], room: NDArray[np.float64]) -> float:
    """How much of a box lies on others or outside of the panel, in square points."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    inside = max(0.0, min(box[2], room[0]) - max(box[0], 0)) * max(0.0, min(box[3], room[1]) - max(box[1], 0))
    shared = sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )
    return float(area - inside + shared)


def _inches(axes: Axes) -> tuple[float, float]:
    figure: Any = axes.figure
    width, height = figure.get_size_inches()
    place = axes.get_position()
    return place.width * float(width), place.height * float(height)


def _inside(axes: Axes, labels: Sequence[Label]) -> NDArray[np.float64]:
    """(n, 2) places of the points as shares of the panel."""
    data = axes.transData.transform([(label.x, label.y) for label in labels])
    return np.asarray(axes.transAxes.inverted().transform(data))
