"""Shortlists of ranking candidates: what a tile of products cannot rule out, kept by compiled loops.

A product and the score it stands for differ by at most half the margin, so a candidate whose product is more than
the margin below the k-th best product has a score below the k-th best score and is dropped. A list that stays full
is cut to the k best by score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shortlists", "raise_floors", "scan_columns", "scan_rows", "settle"]

# Products compared at once against what a query already has.
_STRIP = 64
# Room for candidates within the margin beyond k: with less, tight classes are scored too early and too often.
_SPARE = 64


class Shortlists(NamedTuple):
    """The candidates so far of n queries in a gallery of m rows."""

    queries: NDArray[np.floating]  # (n, D)
    gallery: NDArray[np.floating]  # (m, D)
    k: int
    margin: float
    products: NDArray[np.floating]  # (n, room), of the first counts[i] candidates
    indices: NDArray[np.int64]  # (n, room), into the gallery
    counts: NDArray[np.int64]  # (n,)
    limits: NDArray[np.int64]  # (n,), the counts at which hopeless candidates are looked for
    floors: NDArray[np.floating]  # (n,), what a product must reach to be a candidate

    @classmethod
    def empty(cls, queries: NDArray[np.floating], gallery: NDArray[np.floating], k: int, margin: float) -> Shortlists:
        """Lists without candidates."""
        n, room = len(queries), 2 * k + _SPARE
        products, indices = np.empty((n, room), dtype=queries.dtype), np.empty((n, room), dtype=np.int64)
        # Not minus infinity, which marks the products that are no candidates at all.
        floors = np.full(n, np.finfo(queries.dtype).min, dtype=queries.dtype)
        counts = np.zeros(n, dtype=np.int64)
        return cls(queries, gallery, k, margin, products, indices, counts, np.full(n, 2 * k), floors)

    def part(self, span: slice) -> Shortlists:
        """The lists of some queries."""
        return self._replace(
            queries=self.queries[span],
            products=self.products[span],
            indices=self.indices[span],
            counts=self.counts[span],
            limits=self.limits[span],
            floors=self.floors[span],
        )


@njit(cache=True, nogil=True)
def raise_floors(tile: NDArray[np.floating], lists: Shortlists) -> None:
    """Start from a tile (n, c) of each query's first products, so that few of them become candidates.

    Of as many maxima of distinct columns, the k-th is at most the k-th best product.
    """
    groups = 3 * lists.k
    width = tile.shape[1] // groups
    if width < 2:
        return
    maxima = np.empty(groups, tile.dtype)
    for i in range(tile.shape[0]):
        for group in range(groups):
            maximum = tile[i, group * width]
            for j in range(group * width + 1, (group + 1) * width):
                maximum = max(maximum, tile[i, j])
            maxima[group] = maximum
        lists.floors[i] = max(lists.floors[i], _kth_best(maxima, lists.k) - lists.margin)


@njit(cache=True, nogil=True)
def scan_rows(tile: NDArray[np.floating], first_index: int, lists: Shortlists) -> None:
    """Add what is new in a tile (n, c) whose columns are the gallery rows from ``first_index`` on."""
    for i in range(tile.shape[0]):
        row = tile[i]
        for start in range(0, len(row), _STRIP):
            strip = row[start : start + _STRIP]
            floor = lists.floors[i]
            reached = np.uint8(0)
            for j in range(len(strip)):
                reached = np.uint8(reached | np.uint8(strip[j] >= floor))
            if reached:
                for j in range(len(strip)):
                    if strip[j] >= floor:
                        floor = _add(lists, i, strip[j], first_index + start + j)


@njit(cache=True, nogil=True)
def scan_columns(tile: NDArray[np.floating], first_index: int, lists: Shortlists) -> None:
    """Add what is new in a tile (r, n) whose rows are the gallery rows from ``first_index`` on."""
    for i in range(tile.shape[0]):
        row = tile[i]
        for start in range(0, len(row), _STRIP):
            strip = row[start : start + _STRIP]
            floors = lists.floors[start : start + _STRIP]
            reached = np.uint8(0)
            for j in range(len(strip)):
                reached = np.uint8(reached | np.uint8(strip[j] >= floors[j]))
            if reached:
                for j in range(len(strip)):
                    if strip[j] >= floors[j]:
                        _add(lists, start + j, strip[j], first_index + i)


@njit(cache=True, nogil=True)
def settle(lists: Shortlists, values: NDArray[np.floating], indices: NDArray[np.int64]) -> None:
    """Write each query's k best by score into ``values`` and ``indices`` (n, k)."""
    for i in range(len(values)):
        _drop_hopeless(lists, i)
        _score(lists, i, values[i], indices[i])


@njit(cache=True, nogil=True)
def _add(lists: Shortlists, query: int, product: np.floating, index: int) -> np.floating:
    """Add a candidate, make room for the next, and give the floor from now on."""
    count = lists.counts[query]
    lists.products[query, count] = product
    lists.indices[query, count] = index
    lists.counts[query] = count + 1
    if count + 1 == lists.limits[query]:
        _drop_hopeless(lists, query)
        room = lists.products.shape[1]
        if 4 * lists.counts[query] > 3 * room:
            _keep_best(lists, query)
        lists.limits[query] = min(room, 2 * lists.counts[query])
    floor: np.floating = lists.floors[query]
    return floor


@njit(cache=True, nogil=True)
def _drop_hopeless(lists: Shortlists, query: int) -> None:
    count = lists.counts[query]
    products, indices = lists.products[query, :count], lists.indices[query, :count]
    floor = max(lists.floors[query], _kth_best(products, lists.k) - lists.margin)
    kept = 0
    for j in range(count):
        products[kept] = products[j]
        indices[kept] = indices[j]
        kept += products[j] >= floor
    lists.counts[query] = kept
    lists.floors[query] = floor


@njit(cache=True, nogil=True)
def _keep_best(lists: Shortlists, query: int) -> None:
    k = lists.k
    values, indices = np.empty(k, lists.products.dtype), np.empty(k, np.int64)
    _score(lists, query, values, indices)
    lists.products[query, :k] = values
    lists.indices[query, :k] = indices
    lists.counts[query] = k
    lists.floors[query] = max(lists.floors[query], values[k - 1] - lists.margin)


@njit(cache=True, nogil=True)
def _kth_best(values: NDArray[np.floating], k: int) -> np.floating:
    """The k-th greatest value, by quickselect: several times faster here than numpy's partition."""
    left, right = 0, len(values) - 1
    values = values.copy()
    while left < right:
        pivot = values[(left + right) // 2]
        low, high = left, right
        while low <= high:
            while values[low] > pivot:
                low += 1
            while values[high] < pivot:
                high -= 1
            if low <= high:
                values[low], values[high] = values[high], values[low]
                low += 1
                high -= 1
        if k - 1 <= high:
            right = high
        elif k - 1 >= low:
            left = low
        else:
            break
    best: np.floating = values[k - 1]
    return best


@njit(cache=True, nogil=True)
def _score(lists: Shortlists, query: int, values: NDArray[np.floating], indices: NDArray[np.int64]) -> None:
    values[:] = -np.inf
    indices[:] = -1
    for j in range(lists.counts[query]):
        index = lists.indices[query, j]
        _insert(values, indices, _dot(lists.queries[query], lists.gallery[index]), index)


@njit(cache=True, nogil=True)
def _insert(values: NDArray[np.floating], indices: NDArray[np.int64], value: np.floating, index: int) -> None:
    """Insert into a list that is sorted by descending value, then by index, and drops its last."""
    last = len(values) - 1
    if value < values[last] or (value == values[last] and index > indices[last]):
        return
    place = last
    while place > 0 and (values[place - 1] < value or (values[place - 1] == value and indices[place - 1] > index)):
        values[place] = values[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    values[place] = value
    indices[place] = index


# Reassociation lets the compiler sum in vector lanes: another order than left to right, but one for all pairs.
@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _dot(left: NDArray[np.floating], right: NDArray[np.floating]) -> np.floating:
    total = 0.0
    for d in range(len(left)):
        total += np.float64(left[d]) * np.float64(right[d])
    return left.dtype.type(total)
