"""The graph loss on the CPU: rows sorted by class, each unordered pair once, class pairs beyond reach skipped."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels._fused import fused
from huse_bench.kernels.cpu._parts import Sum, parts_of, work_on
from huse_bench.kernels.cpu._products import add_product

__all__ = ["graph_loss"]

# Rows of a panel: the fewer, the more of the others they skip together, and the slower are products.
_WIDTHS = np.array([8, 16, 32, 64, 128, 384])
_WIDE = int(_WIDTHS[-1])
# Measured on one core: microseconds of a panel, of a pair of rows, and of each of a pair's dimensions; and rows whose
# time a panel's products lose.
_PANEL, _PAIR, _DIMENSION, _LOST = 3.0, 1.1e-3, 5.5e-5, 4
# Other rows that a panel is compared with at once: the tile and both products of it stay in a core's cache.
_BLOCK = 256

_Indices = NDArray[np.int64]


def graph_loss(x: Tensor, labels: Tensor, distances: Tensor, margin: float, relaxation: str) -> Tensor:
    """See :func:`huse_bench.kernels.graph_loss`."""
    return fused(
        partial(_value_and_gradient, labels=labels, distances=distances, margin=margin, relaxation=relaxation), x
    )


class _Runs(NamedTuple):
    """The classes of the batch as runs of the sorted rows, and how each two of them are compared.

    A pair of rows counts when its distance is under the ``limit`` of their classes: always for inf, never for
    -inf. Then the square of its distance from the ``target`` counts.
    """

    start: _Indices
    end: _Indices
    target: NDArray[np.floating]
    limit: NDArray[np.floating]


class _Panel(NamedTuple):
    """Sorted rows that are compared with others together, their gradient, and where their classes are: from the
    ``lowest`` on, each between two of the bounds.
    """

    rows: NDArray[np.floating]
    gradient: NDArray[np.floating]
    lowest: int
    bounds: _Indices


def _value_and_gradient(
    x: Tensor, *, labels: Tensor, distances: Tensor, margin: float, relaxation: str
) -> tuple[float, tuple[Tensor]]:
    order = labels.argsort(stable=True)
    present, counts = np.unique(labels.numpy(), return_counts=True)
    end = counts.cumsum()
    limit, target = _limit_and_target(distances[present][:, present], margin, relaxation)
    runs = _Runs(end - counts, end, target.numpy(), limit.numpy())

    ordered = x.index_select(0, order).numpy()
    total = Sum()

    def work(panels: _Indices) -> tuple[float, NDArray[np.floating]]:
        gradient = np.zeros_like(ordered[panels[0, 0] :])
        return _add_panels(ordered, panels, runs, gradient), gradient

    work_on(parts_of(_panels(runs, _width(runs, x.shape[1])), *x.shape, ahead=True), work, total.add)
    gradient = torch.from_numpy(total.gradient).mul_(-4 / len(x) ** 2)
    return total.value / len(x) ** 2, (gradient.index_select(0, order.argsort()),)


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
    pairs = reached * (1 + _LOST / _WIDTHS) * rows**2 / 2
    cost = _PANEL * rows / _WIDTHS + (_PAIR + _DIMENSION * dim) * pairs
    return int(_WIDTHS[cost.argmin()])


def _panels(runs: _Runs, width: int) -> _Indices:
    """(P, 2) spans of the sorted rows, ending where a class ends unless that makes them too long."""
    panels, first = [], 0
    for end in runs.end.tolist():
        while end - first > _WIDE:
            panels.append((first, first + _WIDE))
            first += _WIDE
        if end - first >= width or end == runs.end[-1]:
            panels.append((first, end))
            first = end
    return np.array(panels)


@njit(cache=True, nogil=True)
def _add_panels(ordered, panels, runs, gradient):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the pairs of the panels' rows with each other and with later rows to the gradient, which begins with the
    first panel's row; returns their sum of squares over both orders of each pair.
    """
    begin, dim, kind = panels[0, 0], ordered.shape[1], ordered.dtype
    widest = 0
    for first, last in panels:
        widest = max(widest, last - first)
    height = max(_BLOCK, widest)
    tiles, products = np.empty(height * widest, kind), np.empty((height, dim), kind)
    others, places = np.empty((height, dim), kind), np.empty(height, np.int64)
    classes = np.empty(height, np.int64)
    total = 0.0
    lowest = highest = 0
    for first, last in panels:
        while runs.end[lowest] <= first:
            lowest += 1
        while runs.end[highest] < last:
            highest += 1
        bounds = _bounds(first, last, lowest, highest, runs)
        panel = _Panel(ordered[first:last], gradient[first - begin : last - begin], lowest, bounds)

        # Among themselves, in both orders.
        for a in range(lowest, highest + 1):
            classes[bounds[a - lowest] : bounds[a - lowest + 1]] = a
        tile = tiles[: (last - first) ** 2].reshape(last - first, last - first)
        np.dot(panel.rows, panel.rows.T, tile)
        total += _residuals(tile, panel, classes, True, runs)
        add_product(tile.T, panel.rows, products, panel.gradient)

        # With the later rows that one of the panel's classes reaches, block by block.
        filled = 0
        for b in range(highest, len(runs.end)):
            near = False
            for a in range(lowest, highest + 1):
                near |= runs.limit[a, b] > -np.inf
            if not near:
                continue
            for row in range(max(runs.start[b], last), runs.end[b]):
                for d in range(dim):
                    others[filled, d] = ordered[row, d]
                places[filled], classes[filled] = row - begin, b
                filled += 1
                if filled == _BLOCK:
                    total += 2 * _add_block(panel, others, places[:filled], classes, runs, tiles, products, gradient)
                    filled = 0
        if filled:
            total += 2 * _add_block(panel, others, places[:filled], classes, runs, tiles, products, gradient)
    return total


@njit(cache=True, nogil=True)
def _bounds(first, last, lowest, highest, runs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Where each of a panel's classes begins among its rows, and where the last one ends."""
    bounds = np.full(highest - lowest + 2, last - first)
    for a in range(lowest, highest + 1):
        bounds[a - lowest] = max(runs.start[a], first) - first
    return bounds


@njit(cache=True, nogil=True)
def _add_block(panel, others, places, classes, runs, tiles, products, gradient):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the pairs of a panel with the first of some others, which have these places in the gradient; returns their
    sum of squares.
    """
    some, height = others[: len(places)], len(panel.rows)
    tile = tiles[: len(some) * height].reshape(len(some), height)
    np.dot(some, panel.rows.T, tile)
    total = _residuals(tile, panel, classes, False, runs)
    add_product(tile.T, some, products, panel.gradient)
    of_others = products[: len(some)]
    np.dot(tile, panel.rows, of_others)
    for i in range(len(places)):
        of_row = gradient[places[i]]
        for d in range(len(of_row)):
            of_row[d] += of_others[i, d]
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _residuals(tile, panel, classes, themselves, runs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Turn the similarities of other rows, of the given classes, with those of a panel into the residuals of the pairs
    that count; returns their sum of squares. The others may be the panel's rows themselves.
    """
    total = 0.0
    for i in range(tile.shape[0]):
        b = classes[i]
        similarities = tile[i]
        if themselves:
            similarities[i] = 1 - runs.target[b, b]
        for k in range(len(panel.bounds) - 1):
            # d < limit and d - target in terms of the similarity, 1 - d.
            above = 1 - runs.limit[panel.lowest + k, b]
            aim = 1 - runs.target[panel.lowest + k, b]
            squares = aim * 0
            for row in range(panel.bounds[k], panel.bounds[k + 1]):
                similarity = similarities[row]
                residual = aim - similarity if similarity > above else aim * 0
                similarities[row] = residual
                squares += residual * residual
            total += squares
    return total
