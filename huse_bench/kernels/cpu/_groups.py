"""Leaving the items of a query's own group out of its ranking, in a tile of products."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from huse_bench.compiling import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Groups", "leave_out_groups"]


class Groups(NamedTuple):
    """The groups of n items, in memory linear in n however large a group is."""

    members: NDArray[np.int64]  # (n,) items, those of one group together, ascending
    starts: NDArray[np.int64]  # (n,), where in members the group of item i begins
    stops: NDArray[np.int64]  # (n,), where it ends

    @classmethod
    def of(cls, numbers: NDArray[np.int64]) -> Groups:
        """The groups of (n,) numbers, which are equal within a group."""
        members = np.argsort(numbers, kind="stable")
        ordered = numbers[members]
        return cls(members, np.searchsorted(ordered, numbers), np.searchsorted(ordered, numbers, side="right"))


@njit(cache=True, nogil=True)
def leave_out_groups(
    tile: NDArray[np.floating], first_row: int, first_column: int, groups: Groups, keep_pairs: bool
) -> None:
    """Mark the products of items of one group as no candidates, but for an item's with itself where pairs are kept."""
    last_column = first_column + tile.shape[1]
    for i in range(tile.shape[0]):
        item = first_row + i
        members = groups.members[groups.starts[item] : groups.stops[item]]
        first, stop = 0, len(members)
        while first < stop:
            middle = (first + stop) // 2
            if members[middle] < first_column:
                first = middle + 1
            else:
                stop = middle
        for place in range(first, len(members)):
            member = members[place]
            if member >= last_column:
                break
            if not (keep_pairs and member == item):
                tile[i, member - first_column] = -np.inf
