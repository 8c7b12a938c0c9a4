"""Names beside points that do not lie on each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from huse_bench.report.figures.style import MethodStyle, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Label", "label_column", "label_points", "spread"]


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
