"""Near-duplicates: groups of items that are so alike, by text or picture, that no split may divide them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["near_groups", "near_pairs", "normalised"]

# As the audit of every run has it: near is a twentieth of the distance of two items taken at random.
_NEAR = 0.05
_SAMPLE = 512
_CHUNK = 1024


def normalised(text: str) -> str:
    """A text without case, punctuation and white space at its ends: what it says, however it is written."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def near_pairs(rows: NDArray[np.floating]) -> NDArray[np.int64]:
    """Pairs of items whose features are near.

    Near are two whose cosine distance is at most a twentieth of the median of that of pairs of 512 items, which are
    taken evenly spread.

    Args:
        rows: (n, d) features.

    Returns:
        (pairs, 2) numbers of rows, the first the smaller.
    """
    unit = rows.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    chosen = unit[np.linspace(0, len(unit) - 1, min(_SAMPLE, len(unit))).round().astype(int)]
    typical = np.median((1 - chosen @ chosen.T)[np.triu_indices(len(chosen), 1)])
    found = []
    for start in range(0, len(unit), _CHUNK):
        left, right = np.nonzero(1 - unit[start : start + _CHUNK] @ unit.T <= _NEAR * typical)
        found.append(np.stack([left + start, right], axis=1))
    pairs = np.concatenate(found)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def near_groups(ids: Sequence[str], texts: Sequence[str], features: Iterable[NDArray[np.floating]]) -> list[str]:
    """Group items that chains of equal normalised texts and of near features connect.

    Args:
        ids: n unique names.
        texts: of each item.
        features: arrays (n, d) of each item, such as of its picture and its text.

    Returns:
        The group of each item: the least id in it.
    """
    first: dict[str, int] = {}
    same = [(first.setdefault(normalised(text), row), row) for row, text in enumerate(texts)]
    left, right = np.concatenate([np.array(same), *map(near_pairs, features)]).T
    edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(ids), len(ids)))
    components = connected_components(edges, directed=False)[1].tolist()
    least: dict[int, str] = {}
    for number, name in zip(components, ids, strict=True):
        least[number] = min(name, least.get(number, name))
    return [least[number] for number in components]
