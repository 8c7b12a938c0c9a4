"""Shortlists of ranking candidates: what a tile of products cannot rule out, kept by compiled loops.

A product and the score it stands for differ by at most half the margin, so a candidate whose product is more than
the margin below the k-th best product has a score below the k-th best score and is dropped. A list that stays full
is cut to the k best by score. Tiles come in the order of the gallery, and so do the candidates in a list: equal scores
need no comparison of indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from huse_bench.compiling import njit
from huse_bench.kernels.cpu._sorting import best_first, kth_best

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Shortlists",
    "drop_hopeless",
    "longest",
    "raise_floors_of_columns",
    "raise_floors_of_rows",
    "scan_columns",
    "scan_rows",
    "scores_of",
]

# Products compared at once against what a query already has.
_STRIP = 64
# Maxima that a floor is first taken from, for each of the k.
_SAMPLES = 2
# But as many as make the loops over them vector instructions.
_VECTOR = 32
# Room for candidates within the margin beyond k: with less, tight classes are scored too early and too often.
_SPARE = 64


class Shortlists(NamedTuple):
    """The candidates so far of n queries in a gallery of m rows."""

    queries: NDArray[np.floating]  # (n, D)
    gallery: NDArray[np.floating]  # (m, D)
    k: int
    margin: float
    products: NDArray[np.floating]  # (n, room), of the first counts[i] candidates
    indices: NDArray[np.int64]  # (n, room), into the gallery, ascending
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


# See _two_dots of reassociation.
@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def longest(rows: NDArray[np.floating]) -> float:
    """The greatest length of a row, in a fraction of the time that torch takes."""
    greatest = 0.0
    for i in range(len(rows)):
        total = 0.0
        for d in range(rows.shape[1]):
            total += np.float64(rows[i, d]) * np.float64(rows[i, d])
        greatest = max(greatest, total)
    return float(np.sqrt(greatest))


@njit(cache=True, nogil=True)
def raise_floors_of_rows(tile: NDArray[np.floating], lists: Shortlists) -> None:
    """Let empty lists of a tile's rows (n, c) start from its products, so that few of them become candidates.

    Of as many maxima of distinct products, the k-th is at most the k-th best product.
    """
    groups = max(_SAMPLES * lists.k, _VECTOR)
    if lists.counts[0] or tile.shape[1] < groups:
        return
    maxima = np.empty(groups, tile.dtype)
    for i in range(tile.shape[0]):
        row = tile[i]
        for group in range(groups):
            maxima[group] = row[group]
        for start in range(groups, len(row) - groups + 1, groups):
            for group in range(groups):
                maxima[group] = max(maxima[group], row[start + group])
        lists.floors[i] = max(lists.floors[i], kth_best(maxima, lists.k) - lists.margin)


@njit(cache=True, nogil=True)
def raise_floors_of_columns(tile: NDArray[np.floating], lists: Shortlists) -> None:
    """:func:`raise_floors_of_rows` for a tile's columns (c, n)."""
    groups = max(_SAMPLES * lists.k, _VECTOR)
    if lists.counts[0] or tile.shape[0] < groups:
        return
    maxima = tile[:groups].copy()
    for start in range(groups, tile.shape[0] - groups + 1, groups):
        for group in range(groups):
            best, row = maxima[group], tile[start + group]
            for j in range(len(best)):
                best[j] = max(best[j], row[j])
    for j in range(tile.shape[1]):
        lists.floors[j] = max(lists.floors[j], kth_best(maxima[:, j].copy(), lists.k) - lists.margin)


@njit(cache=True, nogil=True)
def scan_rows(tile: NDArray[np.floating], first_index: int, lists: Shortlists) -> None:
    """Add what is new in a tile (n, c) whose columns are the gallery rows from ``first_index`` on."""
    hits = np.empty(_STRIP, np.int64)
    products, indices, counts, limits = lists.products, lists.indices, lists.counts, lists.limits
    floors = np.empty(tile.shape[1], tile.dtype)
    whole = tile.shape[1] - tile.shape[1] % _STRIP
    for i in range(tile.shape[0]):
        row = tile[i]
        floors[:] = lists.floors[i]
        for start in range(0, len(row), _STRIP):
            if start < whole and not _reaches(row, floors, start):
                continue
            found = 0
            for j in range(start, min(start + _STRIP, len(row))):
                hits[found] = j
                found += row[j] >= floors[j]
            for j in hits[:found]:
                if _add(products, indices, counts, i, row[j], first_index + j) == limits[i]:
                    _make_room(lists, i)
                    floors[:] = lists.floors[i]


@njit(cache=True, nogil=True)
def scan_columns(tile: NDArray[np.floating], first_index: int, lists: Shortlists) -> None:
    """Add what is new in a tile (r, n) whose rows are the gallery rows from ``first_index`` on."""
    hits = np.empty(_STRIP, np.int64)
    products, indices, counts, limits = lists.products, lists.indices, lists.counts, lists.limits
    floors = lists.floors
    whole = tile.shape[1] - tile.shape[1] % _STRIP
    for i in range(tile.shape[0]):
        row = tile[i]
        for start in range(0, len(row), _STRIP):
            if start < whole and not _reaches(row, floors, start):
                continue
            found = 0
            for j in range(start, min(start + _STRIP, len(row))):
                hits[found] = j
                found += row[j] >= floors[j]
            for j in hits[:found]:
                if _add(products, indices, counts, j, row[j], first_index + i) == limits[j]:
                    _make_room(lists, j)


@njit(cache=True, nogil=True)
def _reaches(row: NDArray[np.floating], floors: NDArray[np.floating], start: int) -> np.uint8:
    # A loop of constant length without a branch, which the compiler turns into vector instructions.
    reached = np.uint8(0)
    for j in range(_STRIP):
        reached |= np.uint8(row[start + j] >= floors[start + j])
    return reached


@njit(cache=True, nogil=True)
def _add(
    products: NDArray[np.floating],
    indices: NDArray[np.int64],
    counts: NDArray[np.int64],
    query: int,
    product: np.floating,
    index: int,
) -> int:
    count: int = counts[query]
    products[query, count] = product
    indices[query, count] = index
    counts[query] = count + 1
    return count + 1


@njit(cache=True, nogil=True)
def _make_room(lists: Shortlists, query: int) -> None:
    """Drop candidates of a list that has reached its limit."""
    drop_hopeless(lists, query)
    room = lists.products.shape[1]
    if 4 * lists.counts[query] > 3 * room:
        _keep_best(lists, query)
    # A floor from a later tile may have dropped all but a few.
    lists.limits[query] = min(room, 2 * max(lists.k, lists.counts[query]))


@njit(cache=True, nogil=True)
def drop_hopeless(lists: Shortlists, query: int) -> None:
    """Drop what is more than the margin below the k-th best product so far."""
    count = lists.counts[query]
    products, indices = lists.products[query, :count], lists.indices[query, :count]
    floor = max(lists.floors[query], kth_best(products.copy(), lists.k) - lists.margin)
    kept = 0
    for j in range(count):
        products[kept] = products[j]
        indices[kept] = indices[j]
        kept += products[j] >= floor
    lists.counts[query] = kept
    lists.floors[query] = floor


@njit(cache=True, nogil=True)
def _keep_best(lists: Shortlists, query: int) -> None:
    scores = scores_of(lists, query, lists.indices[query, : lists.counts[query]])
    best = best_first(scores)[: lists.k]
    lists.floors[query] = max(lists.floors[query], scores[best[-1]] - lists.margin)
    kept = np.zeros(len(scores), np.bool_)
    for place in best:
        kept[place] = True
    count = 0
    # They stay in the order of the indices.
    for place in range(len(scores)):
        if kept[place]:
            lists.products[query, count] = lists.products[query, place]
            lists.indices[query, count] = lists.indices[query, place]
            count += 1
    lists.counts[query] = count


@njit(cache=True, nogil=True)
def scores_of(lists: Shortlists, query: int, indices: NDArray[np.int64]) -> NDArray[np.floating]:
    """The scores of a query and these rows of its gallery."""
    scores = np.empty(len(indices), lists.products.dtype)
    row = lists.queries[query].astype(np.float64)
    last = len(indices) - 1
    for j in range(0, last + 1, 2):
        # In pairs, since the rows come from memory; the last may be its own partner.
        partner = min(j + 1, last)
        scores[j], scores[partner] = _two_dots(row, lists.gallery[indices[j]], lists.gallery[indices[partner]])
    return scores


# Reassociation lets the compiler sum in vector lanes: another order than left to right, but one for all pairs.
@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _two_dots(row: NDArray[np.float64], one: NDArray[np.floating], other: NDArray[np.floating]) -> tuple[float, float]:
    to_one = to_other = 0.0
    for d in range(len(row)):
        to_one += row[d] * one[d]
        to_other += row[d] * other[d]
    return to_one, to_other
