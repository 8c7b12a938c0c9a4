"""Compiled counting over rankings: first hits, same-class items and items in a correct set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

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
    if not all(bool((sets[inner] <= sets[outer]).all()) for inner, outer in pairwise(depths)):
        # One table serves all K only where the sets nest; a single set always does.
        return {k: correct_counts(query, retrieved, {k: sets[k]})[k] for k in depths}
    # The first level whose set holds the class; len(depths) where none does.
    # Small integers, so that the table stays in the processor's nearest cache.
    levels = len(depths) - np.stack([sets[k] for k in depths]).sum(axis=0, dtype=np.uint8)
    counts = np.zeros((len(depths), len(query)), dtype=np.int64)
    _nested_counts(query, retrieved, levels, np.array(depths), counts)
    return dict(zip(depths, counts, strict=True))


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
def _nested_counts(
    query: NDArray[np.int64],
    retrieved: NDArray[np.int64],
    levels: NDArray[np.uint8],
    depths: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    for i in range(len(query)):
        first_level = levels[query[i]]
        for level in range(len(depths)):
            total = 0
            for j in range(depths[level]):
                # Unsigned, or every access would be checked for counting from the end.
                total += first_level[np.uint64(retrieved[i, j])] <= level
            counts[level, i] = total
