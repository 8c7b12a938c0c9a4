"""What each query could find: the whole split but the items of its own group, in memory linear in the items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from huse_bench.compiling import njit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from huse_bench.taxonomy import Taxonomy

__all__ = ["Galleries", "chance_levels"]


class Galleries:
    """The galleries of n queries in each direction.

    In-modal, the items of the query's group are not in its gallery; across modalities its own pair alone is.

    Args:
        labels: (n,) class indices of all items.
        groups: (n,) numbers, equal for items of one group; None where each item is a group of its own.
        classes: how many classes there are.
    """

    def __init__(self, labels: NDArray[np.int64], groups: ArrayLike | None, classes: int) -> None:
        self._labels = labels
        self._counts = np.bincount(labels, minlength=classes)
        numbers = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
        self._group_sizes = np.bincount(numbers)[numbers]
        # Of items that have group and class in common, one stands for all.
        pairs, self._pair_of_item, self._pair_counts = np.unique(
            numbers * classes + labels, return_inverse=True, return_counts=True
        )
        self._pair_labels = pairs % classes
        self._starts = np.append(np.flatnonzero(np.diff(pairs // classes, prepend=-1)), len(pairs))

    def sizes(self, direction: str) -> NDArray[np.int64]:
        """(n,) number of items in the gallery of each query."""
        sizes: NDArray[np.int64] = len(self._labels) - self._group_sizes + _pair(direction)
        return sizes

    def count(self, marks: NDArray[np.bool_], direction: str) -> NDArray[np.int64]:
        """(n,) number of gallery items whose class is marked for the query's class.

        Args:
            marks: (classes, classes) bool; row ``c`` marks classes for queries of class ``c``.
            direction: of the retrieval.
        """
        in_group = np.zeros(len(self._pair_labels), dtype=np.int64)
        _count_in_groups(marks, self._pair_labels, self._pair_counts, self._starts, in_group)
        own_pair = _pair(direction) * marks.diagonal()
        counts: NDArray[np.int64] = (marks @ self._counts + own_pair)[self._labels] - in_group[self._pair_of_item]
        return counts

    def ideals(
        self, steps: NDArray[np.int64], height: int, ks: Sequence[int], direction: str
    ) -> dict[int, NDArray[np.int64]]:
        """(n,) greatest sums of the similarities of K gallery items, for every K.

        Args:
            steps: (classes, classes) similarities from 0 to the height.
            height: the similarity of a class with itself.
            ks: each at most the size of the smallest gallery.
            direction: of the retrieval.
        """
        places = np.array(ks)[:, None]
        taken = sums = np.zeros((len(ks), len(self._labels)), dtype=np.int64)
        # The most similar items first, as many as there are.
        for similarity in range(height, 0, -1):
            new = np.minimum(self.count(steps == similarity, direction), places - taken)
            taken, sums = taken + new, sums + similarity * new
        return dict(zip(ks, sums, strict=True))


def _random_hits(same: NDArray[np.int64], sizes: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """(n,) chances that a random order has one of ``same`` items among the top k of galleries of ``sizes`` items."""
    miss = np.ones(len(same))
    for drawn in range(k):
        miss *= np.maximum(sizes - same - drawn, 0) / (sizes - drawn)
    return 1 - miss


def chance_levels(
    galleries: Galleries, taxonomy: Taxonomy, direction: str, recall_ks: Sequence[int], hp_ks: Sequence[int]
) -> dict[str, float]:
    """What a random order of each query's gallery reaches on average.

    Args:
        galleries: of the queries.
        taxonomy: what HP@K is measured against.
        direction: of the retrieval.
        recall_ks: the K of R@K, each at most the size of the smallest gallery.
        hp_ks: the K of HP@K.

    Returns:
        Shares from 0 to 1 by metric: ``R@K``, then ``HP@K``.
    """
    sizes = galleries.sizes(direction)
    same = galleries.count(np.eye(len(taxonomy.classes), dtype=bool), direction)
    levels = {f"R@{k}": _random_hits(same, sizes, k) for k in recall_ks}
    levels |= {f"HP@{k}": galleries.count(taxonomy.correct_sets(k), direction) / sizes for k in hp_ks}
    return {metric: float(values.mean()) for metric, values in levels.items()}


def _pair(direction: str) -> int:
    """1 where the query's own pair is in the gallery."""
    return int(direction[0] != direction[-1])


@njit(cache=True)
def _count_in_groups(
    marks: NDArray[np.bool_],
    labels: NDArray[np.int64],
    counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> None:
    for group in range(len(starts) - 1):
        for one in range(starts[group], starts[group + 1]):
            for other in range(starts[group], starts[group + 1]):
                if marks[labels[one], labels[other]]:
                    totals[one] += counts[other]
