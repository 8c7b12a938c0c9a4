"""The graph loss on the CPU: rows sorted by class, each unordered pair once, class pairs beyond reach skipped."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels._fused import fused

__all__ = ["graph_loss"]

# Rows of a panel: the fewer, the more of the others they skip together, and the more panels there are.
_WIDTHS = np.array([16, 32, 64, 128, 384])
_WIDE = int(_WIDTHS[-1])
# Measured on one core: microseconds of a panel, of a pair of rows, and of each of a pair's dimensions.
_PANEL, _PAIR, _DIMENSION = 70.0, 2e-3, 9e-5

_Indices = NDArray[np.int64]


def graph_loss(x: Tensor, labels: Tensor, distances: Tensor, margin: float, relaxation: str) -> Tensor:
    """See :func:`huse_bench.kernels.graph_loss`."""
    return fused(
        partial(_value_and_gradient, labels=labels, distances=distances, margin=margin, relaxation=relaxation), x
    )


@dataclass(frozen=True)
class _Runs:
    """The classes of the batch as runs of the sorted rows, and how each two of them are compared.

    A pair of rows counts when its distance is under the ``limit`` of their classes: always for inf, never for
    -inf. Then the square of its distance from the ``target`` counts.
    """

    start: _Indices
    end: _Indices
    target: NDArray[np.floating]
    limit: NDArray[np.floating]


def _value_and_gradient(
    x: Tensor, *, labels: Tensor, distances: Tensor, margin: float, relaxation: str
) -> tuple[float, tuple[Tensor]]:
    order = labels.argsort(stable=True)
    present, counts = np.unique(labels.numpy(), return_counts=True)
    end = counts.cumsum()
    limit, target = _limit_and_target(distances[present][:, present], margin, relaxation)
    runs = _Runs(end - counts, end, target.numpy(), limit.numpy())

    ordered = x.index_select(0, order)
    gradient = torch.zeros_like(ordered)
    total = 0.0
    for first, last in _panels(runs, _width(runs, x.shape[1])):
        total += _panel(ordered, gradient, runs, first, last)
    gradient *= -4 / len(x) ** 2
    return total / len(x) ** 2, (gradient.index_select(0, order.argsort()),)


def _limit_and_target(distances: Tensor, margin: float, relaxation: str) -> tuple[Tensor, Tensor]:
    always = torch.full_like(distances, torch.inf)
    near = torch.full_like(distances, margin)
    similar = distances < margin
    limit = {
        "and": torch.where(similar, near, -always),
        "or": torch.where(similar, always, near),
        "hinge": torch.where(similar, always, near),
        "none": always,
    }[relaxation]
    return limit, distances.clamp(max=margin) if relaxation == "hinge" else distances


def _width(runs: _Runs, dim: int) -> int:
    """How many rows a panel has at the least, such that panels and the pairs in them take the least time together."""
    counts = (runs.end - runs.start).astype(np.float64)
    rows = counts.sum()
    share = counts @ (runs.limit > -np.inf) @ counts / rows**2
    reached = 1 - (1 - share) ** (1 + _WIDTHS * len(counts) / rows)
    cost = _PANEL * rows / _WIDTHS + (_PAIR + _DIMENSION * dim) * reached * rows**2 / 2
    return int(_WIDTHS[cost.argmin()])


def _panels(runs: _Runs, width: int) -> list[tuple[int, int]]:
    """Spans of the sorted rows, ending where a class ends unless that makes them too long."""
    panels, first = [], 0
    for end in runs.end.tolist():
        while end - first > _WIDE:
            panels.append((first, first + _WIDE))
            first += _WIDE
        if end - first >= width or end == runs.end[-1]:
            panels.append((first, end))
            first = end
    return panels


def _panel(ordered: Tensor, gradient: Tensor, runs: _Runs, first: int, last: int) -> float:
    """Add the pairs of the rows [first, last) with each other and with later rows; returns their sum of squares."""
    of_rows, of_columns, bounds, own, index = _columns(runs.start, runs.end, runs.limit, first, last)
    columns, skips = ordered[first:], len(index) < len(ordered) - first
    if skips:
        columns = ordered.index_select(0, torch.from_numpy(index))
    rows = ordered[first:last]
    tile = rows @ columns.T
    total: float = _residuals(tile.numpy(), of_rows, of_columns, bounds, own, runs.target, runs.limit)
    gradient[first:last].addmm_(tile, columns)
    mirrored = tile[:, len(rows) :].T
    if not skips:
        gradient[last:].addmm_(mirrored, rows)
    elif len(index) > len(rows):
        gradient.index_add_(0, torch.from_numpy(index[len(rows) :]), mirrored @ rows)
    return total


@njit(cache=True, nogil=True)
def _columns(start, end, limit, first, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """What the rows [first, last) are compared with: runs of themselves, so that the tile starts with its diagonal,
    then the later runs that one of their classes reaches.

    Returns the class of each row, the class of each run, the columns between which the runs lie, how many runs are
    of the rows themselves, and the sorted row that each column is.
    """
    classes = len(end)
    lowest = np.searchsorted(end, first, side="right")
    highest = np.searchsorted(end, last - 1, side="right")
    of_rows = np.empty(last - first, np.int64)
    of_columns = np.empty(2 * classes, np.int64)
    bounds = np.zeros(2 * classes + 1, np.int64)
    index = np.empty(end[-1] - first, np.int64)
    width = 0
    for a in range(lowest, highest + 1):
        for row in range(max(start[a], first), min(end[a], last)):
            of_rows[width] = a
            index[width] = row
            width += 1
        of_columns[a - lowest] = a
        bounds[a - lowest + 1] = width
    own = highest + 1 - lowest
    runs = own
    for b in range(highest, classes):
        near = False
        for a in range(lowest, highest + 1):
            near |= limit[a, b] > -np.inf
        if near and end[b] > last:
            for row in range(max(start[b], last), end[b]):
                index[width] = row
                width += 1
            of_columns[runs] = b
            runs += 1
            bounds[runs] = width
    return of_rows, of_columns[:runs], bounds[: runs + 1], own, index[:width]


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _residuals(tile, of_rows, of_columns, bounds, own, target, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Turn the similarities of a tile into the residuals of the pairs that count.

    Returns their sum of squares over both orders of each pair: the first ``own`` runs of columns hold both.
    """
    total = 0.0
    for row in range(tile.shape[0]):
        a = of_rows[row]
        tile[row, row] = 1 - target[a, a]
        for k in range(len(of_columns)):
            b = of_columns[k]
            # d < limit and d - target in terms of the similarity, 1 - d.
            above = 1 - limit[a, b]
            aim = 1 - target[a, b]
            squares = aim * 0
            for column in range(bounds[k], bounds[k + 1]):
                similarity = tile[row, column]
                residual = aim - similarity if similarity > above else aim * 0
                tile[row, column] = residual
                squares += residual * residual
            total += squares if k < own else 2 * squares
    return total
