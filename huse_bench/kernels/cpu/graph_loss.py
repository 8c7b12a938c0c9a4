"""The graph loss on the CPU: rows sorted by class, each unordered pair once, class pairs beyond reach skipped."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.kernels.cpu._fused import fused

__all__ = ["graph_loss"]

# Rows of a panel, at the least: few where many class pairs are skipped, so that the rows skip the same ones.
_NARROW, _WIDE = 16, 256
# Share of pairs from which wide panels are faster.
_DENSE = 0.5

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
    for first, last in _panels(runs):
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


def _panels(runs: _Runs) -> list[tuple[int, int]]:
    """Spans of the sorted rows, ending where a class ends unless that makes them too long."""
    counts = (runs.end - runs.start).astype(np.float64)
    share = counts @ (runs.limit > -np.inf) @ counts / counts.sum() ** 2
    least = _NARROW if share < _DENSE else _WIDE
    panels, first = [], 0
    for end in runs.end.tolist():
        while end - first > _WIDE:
            panels.append((first, first + _WIDE))
            first += _WIDE
        if end - first >= least or end == runs.end[-1]:
            panels.append((first, end))
            first = end
    return panels


def _panel(ordered: Tensor, gradient: Tensor, runs: _Runs, first: int, last: int) -> float:
    """Add the pairs of the rows [first, last) with each other and with later rows; returns their sum of squares."""
    of_rows = np.searchsorted(runs.end, np.arange(first, last), side="right")
    own = np.arange(of_rows[0], of_rows[-1] + 1)
    later = np.flatnonzero((runs.limit[own] > -np.inf).any(axis=0) & (runs.end > last))
    # The columns of the tile are runs of rows: first the panel's own, so that the tile starts with its diagonal.
    of_columns = np.concatenate([own, later])
    start = np.concatenate([np.maximum(runs.start[own], first), np.maximum(runs.start[later], last)])
    end = np.concatenate([np.minimum(runs.end[own], last), runs.end[later]])
    column_end = (end - start).cumsum()
    column_start = column_end - (end - start)

    columns, index = ordered[first:], None
    if column_end[-1] < len(columns):
        index = torch.from_numpy(np.arange(column_end[-1]) + np.repeat(start - column_start, end - start))
        columns = ordered.index_select(0, index)
    rows = ordered[first:last]
    tile = rows @ columns.T
    total: float = _residuals(
        tile.numpy(), of_rows, of_columns, column_start, column_end, len(own), runs.target, runs.limit
    )
    gradient[first:last].addmm_(tile, columns)
    mirrored = tile[:, len(rows) :].T
    if index is None:
        gradient[last:].addmm_(mirrored, rows)
    elif len(index) > len(rows):
        gradient.index_add_(0, index[len(rows) :], mirrored @ rows)
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _residuals(tile, of_rows, of_columns, start, end, own, target, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
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
            for column in range(start[k], end[k]):
                similarity = tile[row, column]
                residual = aim - similarity if similarity > above else aim * 0
                tile[row, column] = residual
                squares += residual * residual
            total += squares if k < own else 2 * squares
    return total
