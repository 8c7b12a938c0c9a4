"""The ranking of each query from its shortlist, when all tiles have been scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from huse_bench.compiling import njit
from huse_bench.kernels.cpu._shortlist import drop_hopeless, scores_of
from huse_bench.kernels.cpu._sorting import FEW, best_first, order_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huse_bench.kernels.cpu._shortlist import Shortlists

__all__ = ["settle", "settle_with_scores"]


@njit(cache=True, nogil=True)
def settle(lists: Shortlists, indices: NDArray[np.int64]) -> None:
    """Write each query's k best by score into ``indices`` (n, k), in the order of their scores."""
    for i in range(len(indices)):
        if lists.counts[i] > FEW:
            drop_hopeless(lists, i)
        order = best_first(lists.products[i, : lists.counts[i]])
        _order_near_ties(lists, i, order)
        for place in range(lists.k):
            indices[i, place] = lists.indices[i, order[place]]


@njit(cache=True, nogil=True)
def settle_with_scores(lists: Shortlists, values: NDArray[np.floating], indices: NDArray[np.int64]) -> None:
    """:func:`settle`, and each score into ``values`` (n, k)."""
    for i in range(len(indices)):
        drop_hopeless(lists, i)
        scores = scores_of(lists, i, lists.indices[i, : lists.counts[i]])
        order = best_first(scores)
        for place in range(lists.k):
            values[i, place] = scores[order[place]]
            indices[i, place] = lists.indices[i, order[place]]


@njit(cache=True, nogil=True)
def _order_near_ties(lists: Shortlists, query: int, order: NDArray[np.int64]) -> None:
    """Bring candidates that are in the order of their products into that of their scores.

    Products more than the margin apart are in the order of their scores, so only the others, in runs, are scored.
    """
    products = lists.products[query]
    near, stops = np.empty(len(order), np.int64), np.empty(lists.k, np.int64)
    found = 0
    start = 0
    while start < lists.k:
        stop = start + 1
        last = np.float64(products[order[start]])
        while stop < len(order):
            product = np.float64(products[order[stop]])
            if last - product > lists.margin:
                break
            last = product
            stop += 1
        stops[start] = stop
        if stop > start + 1:
            for place in range(start, stop):
                near[found] = order[place]
                found += 1
        start = stop
    if not found:
        return
    scores = scores_of(lists, query, lists.indices[query][near[:found]])
    found = 0
    start = 0
    while start < lists.k:
        stop = stops[start]
        if stop > start + 1:
            run = slice(found, found + stop - start)
            order_run(near[run], scores[run], order[start:stop])
            found += stop - start
        start = stop
