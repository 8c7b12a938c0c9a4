"""The semi-hard triplet loss on the CPU: rows sorted by class, so that positives and negatives are whole spans."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels._fused import fused
from huse_bench.kernels.cpu._parts import Sum, parts_of, work_on
from huse_bench.kernels.cpu._products import add_product
from huse_bench.kernels.cpu._sorting import best_first

__all__ = ["semihard_triplet"]

_ROWS = 256


def semihard_triplet(x: Tensor, labels: Tensor, margin: float) -> Tensor:
    """See :func:`huse_bench.kernels.semihard_triplet`."""
    return fused(partial(_value_and_gradient, labels=labels, margin=margin), x)


def _value_and_gradient(x: Tensor, *, labels: Tensor, margin: float) -> tuple[float, tuple[Tensor]]:
    counts = np.unique_counts(labels.numpy()).counts
    pairs = int((counts * (counts - 1)).sum())
    if pairs == 0 or len(counts) == 1:
        return 0.0, (torch.zeros_like(x),)
    order = labels.argsort(stable=True)
    end = np.repeat(counts.cumsum(), counts)
    start = end - np.repeat(counts, counts)

    ordered = x.index_select(0, order).numpy()
    total = Sum()

    def work(panels: NDArray[np.int64]) -> tuple[float, NDArray[np.floating]]:
        gradient = np.zeros_like(ordered)
        return _add_panels(ordered, panels, start, end, margin, gradient), gradient

    work_on(parts_of(np.arange(0, len(x), _ROWS), *x.shape), work, total.add)
    return total.value / pairs, (torch.from_numpy(total.gradient / pairs).index_select(0, order.argsort()),)


@njit(cache=True, nogil=True)
def _add_panels(ordered, panels, start, end, margin, gradient):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the triplets of the panels' rows to the gradient; returns the sum of their hinges."""
    total = 0.0
    tiles, scratch = np.empty(_ROWS * len(ordered), ordered.dtype), np.empty_like(ordered)
    for first in panels:
        last = min(first + _ROWS, len(ordered))
        rows = ordered[first:last]
        tile = tiles[: len(rows) * len(ordered)].reshape(len(rows), len(ordered))
        np.dot(rows, ordered.T, tile)
        classes = slice(start[first], end[last - 1])
        costly = np.zeros((len(rows), classes.stop - classes.start), ordered.dtype)
        total += _mine(tile, first, start[first:last], end[first:last], margin, ordered, costly, gradient)
        add_product(costly, ordered[classes], scratch, gradient[first:last])
        add_product(costly.T, rows, scratch, gradient[classes])
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _mine(tile, first, start, end, margin, ordered, costly, gradient):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Find each positive pair's negative in a tile of similarities; returns the sum of the hinges.

    Marks the pairs that cost something in ``costly``, by their weight of -1, and adds the negatives' share of the
    gradient.
    """
    total = 0.0
    times = np.zeros(tile.shape[1], np.int64)
    for row in range(tile.shape[0]):
        similarity = tile[row]
        positives = best_first(similarity[start[row] : end[row]])[::-1]
        bounds = np.empty(len(positives), tile.dtype)
        for k in range(len(positives)):
            positives[k] += start[row]
            bounds[k] = similarity[positives[k]]
        # Now the row's own class is never under a bound, nor the farthest.
        similarity[start[row] : end[row]] = np.inf
        chosen = _nearest_under(similarity, bounds)
        for k in range(len(positives)):
            hinge = margin - bounds[k] + similarity[chosen[k]]
            if positives[k] == first + row or hinge <= 0:
                continue
            total += hinge
            costly[row, positives[k] - start[0]] = -1
            times[chosen[k]] += 1
        for negative in chosen:
            weight = tile.dtype.type(times[negative])
            if weight == 0:
                continue
            times[negative] = 0
            for column in range(ordered.shape[1]):
                gradient[first + row, column] += weight * ordered[negative, column]
                gradient[negative, column] += weight * ordered[first + row, column]
    return total


@njit(cache=True, nogil=True)
def _nearest_under(similarity, bounds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Index of the greatest similarity under each of the ascending bounds; of the least one where none is."""
    farthest = np.argmin(similarity)
    chosen = np.full(len(bounds), farthest)
    nearest = np.full(len(bounds), -np.inf, similarity.dtype)
    for n in range(len(similarity)):
        value = similarity[n]
        if value >= bounds[-1]:
            continue
        # The first bound over the value, by halving without branches.
        slot, size = 0, len(bounds)
        while size > 1:
            half = size // 2
            slot += half * (bounds[slot + half - 1] <= value)
            size -= half
        if value > nearest[slot]:
            nearest[slot] = value
            chosen[slot] = n
    for k in range(1, len(bounds)):
        if nearest[k - 1] > nearest[k]:
            nearest[k] = nearest[k - 1]
            chosen[k] = chosen[k - 1]
    return chosen
