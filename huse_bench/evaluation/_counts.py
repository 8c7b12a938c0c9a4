"""Compiled counting over rankings: first hits, same-class items, items in a correct set, curves over K."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from huse_bench.compiling import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


def first_hits(query: NDArray[np.int64], retrieved: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) rank, from 1, of the first item of the query's class; 0 where there is none."""
    ranks = np.zeros(len(query), dtype=np.int64)
    _first_hits(query, retrieved, ranks)
    return ranks


def hit_counts(
    query: NDArray[np.int64], retrieved: NDArray[np.int64], ks: Sequence[int]
) -> dict[int, NDArray[np.int64]]:
    """(n,) number of same-class items among the top K, for every K."""
    depths = np.unique(np.asarray(ks, dtype=np.int64))
    counts = np.zeros((len(depths), len(query)), dtype=np.int64)
    _hit_counts(query, retrieved, depths, counts)
    return dict(zip(depths.tolist(), counts, strict=True))


def correct_counts(
    query: NDArray[np.int64], retrieved: NDArray[np.int64], sets: Mapping[int, NDArray[np.bool_]]
) -> dict[int, NDArray[np.int64]]:
    """(n,) number of items among the top K whose class is in the K-th correct set, for every K.

    Args:
        query: (n,) class indices.
        retrieved: (n, at least the largest K) class indices.
        sets: by K, (classes, classes) bool; row ``c`` marks what is correct for class ``c``.

    Returns:
        The counts by K, in ascending order.
    """
    depths = sorted(sets)
    # One word of the table counts for all K at once, each in bits of its own that must hold the largest count.
    width = depths[-1].bit_length()
    if width * len(depths) > 64:
        half = len(depths) // 2
        parts = [correct_counts(query, retrieved, {k: sets[k] for k in ks}) for ks in (depths[:half], depths[half:])]
        return parts[0] | parts[1]
    marks = np.zeros(sets[depths[0]].shape, dtype=np.uint64)
    for level, k in enumerate(depths):
        marks |= sets[k].astype(np.uint64) << np.uint64(width * level)
    # The nearest cache holds the short words of a hundred classes, and not the long ones.
    words = marks.astype(np.uint16) if width * len(depths) <= 16 else marks
    counts = np.empty((len(depths), len(query)), dtype=np.int64)
    _correct_counts(query, retrieved, words, np.array(depths), width, counts)
    return dict(zip(depths, counts, strict=True))


def correct_totals(
    query: NDArray[np.int64], retrieved: NDArray[np.int64], first_depths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(k,) number of all queries' items among the top K whose class is in the K-th correct set, for K = 1 to k.

    An item at rank r whose class joins the set at depth d counts for every K from the greater of the two on, so one
    pass over the items serves all K.

    Args:
        query: (n,) class indices.
        retrieved: (n, k) class indices.
        first_depths: (classes, classes) the least depth at which a class is in the set of another.
    """
    new = np.zeros(retrieved.shape[1], dtype=np.int64)
    _new_at_depth(query, retrieved, first_depths, new)
    return new.cumsum()


def similarity_sums(
    query: NDArray[np.int64], retrieved: NDArray[np.int64], steps: NDArray[np.int64], ks: Sequence[int]
) -> dict[int, NDArray[np.int64]]:
    """(n,) sum of the similarities of the top K, for every K.

    Args:
        query: (n,) class indices.
        retrieved: (n, at least the largest K) class indices.
        steps: (classes, classes) similarities.
        ks: ascending.
    """
    depths = np.array(ks, dtype=np.int64)
    sums = np.empty((len(depths), len(query)), dtype=np.int64)
    _similarity_sums(query, retrieved, steps, depths, sums)
    return dict(zip(depths.tolist(), sums, strict=True))


@njit(cache=True)
def _first_hits(query: NDArray[np.int64], retrieved: NDArray[np.int64], ranks: NDArray[np.int64]) -> None:
    for i in range(len(query)):
        for j in range(retrieved.shape[1]):
            if retrieved[i, j] == query[i]:
                ranks[i] = j + 1
                break


@njit(cache=True)
def _hit_counts(
    query: NDArray[np.int64], retrieved: NDArray[np.int64], depths: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    for i in range(len(query)):
        total = 0
        start = 0
        for level in range(len(depths)):
            for j in range(start, depths[level]):
                total += retrieved[i, j] == query[i]
            start = depths[level]
            counts[level, i] = total


@njit(cache=True)
def _correct_counts(
    query: NDArray[np.int64],
    retrieved: NDArray[np.int64],
    marks: NDArray[np.uint16] | NDArray[np.uint64],
    depths: NDArray[np.int64],
    width: int,
    counts: NDArray[np.int64],
) -> None:
    totals = np.empty(depths[-1], np.uint64)
    mask = ~np.uint64(0) >> np.uint64(64 - width)
    for i in range(len(query)):
        marked = marks[query[i]]
        total = np.uint64(0)
        for j in range(len(totals)):
            # Unsigned, or every access would be checked for counting from the end.
            total += np.uint64(marked[np.uint64(retrieved[i, j])])
            totals[j] = total
        for level in range(len(depths)):
            counts[level, i] = totals[depths[level] - 1] >> np.uint64(width * level) & mask


@njit(cache=True)
def _new_at_depth(
    query: NDArray[np.int64],
    retrieved: NDArray[np.int64],
    first_depths: NDArray[np.int64],
    new: NDArray[np.int64],
) -> None:
    for i in range(len(query)):
        depths = first_depths[query[i]]
        for j in range(retrieved.shape[1]):
            depth = max(j, depths[retrieved[i, j]] - 1)
            if depth < len(new):
                new[depth] += 1


@njit(cache=True)
def _similarity_sums(
    query: NDArray[np.int64],
    retrieved: NDArray[np.int64],
    steps: NDArray[np.int64],
    depths: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    for i in range(len(query)):
        total = 0
        start = 0
        for level in range(len(depths)):
            for j in range(start, depths[level]):
                total += steps[query[i], retrieved[i, j]]
            start = depths[level]
            sums[level, i] = total
