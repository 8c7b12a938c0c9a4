"""A seeded, stratified split of labelled items that does not depend on their order, and its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["held_out", "split_hash"]


def held_out(ids: Sequence[str], labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Choose a share of each class, by the order of hashes of the items' names.

    Args:
        ids: n unique names.
        labels: (n,) class indices.
        share: of each class's items that is chosen, rounded; at least one of a class that has two or more.
        seed: another one chooses others.

    Returns:
        (n,) whether an item is chosen; it depends on the set of names and labels, not on their order.
    """
    order = [hashlib.sha256(f"{seed}:{name}".encode()).digest() for name in ids]
    chosen = np.zeros(len(ids), dtype=np.bool_)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=order.__getitem__)
        count = max(round(share * len(members)), min(1, len(members) - 1))
        chosen[members[:count]] = True
    return chosen


def split_hash(ids: Sequence[str], splits: Sequence[str]) -> str:
    """SHA-256 in hexadecimal of which item is in which split, whatever their order."""
    lines = "".join(f"{name}\t{split}\n" for name, split in sorted(zip(ids, splits, strict=True)))
    return hashlib.sha256(lines.encode()).hexdigest()
