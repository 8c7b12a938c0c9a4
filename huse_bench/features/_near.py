"""Near-duplicates: which items are so alike that they are no independent witnesses, and groups made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn import functional as F

from huse_bench.components import ClassGraph, Items
from huse_bench.features._pairs import near_pairs
from huse_bench.features._prepare import numbered

__all__ = [
    "COLLAPSED",
    "SAME",
    "Links",
    "classes_are_alike",
    "link",
    "near_duplicates_as_groups",
    "near_limit",
    "typical_distance",
]

#: Rounding, as of features kept in half precision or made in another batch: up to this distance rows are the same.
SAME = 1e-5
#: Cosine distances below this between random items are rounding: the encoder does not tell items apart.
COLLAPSED = 1e-4
# Near is a twentieth of the distance of two items taken at random. Encoders differ in how far apart they put any two
# items (some keep all cosines above 0.9), so no cosine means "near" for all of them.
_NEAR = 0.05

_SAMPLE = 512

_Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Links:
    """Items that chains of near pairs connect.

    Attributes:
        sets: (n,) the number of each item's set, from 0; one that is near to no other is a set of its own.
        crossing: (n,) whether an item is near to one of another part, to which it was not connected.
    """

    sets: _Numbers
    crossing: NDArray[np.bool_]


def typical_distance(train: Tensor) -> float:
    """The median cosine distance of items taken at random, from 512 of them.

    Args:
        train: (n, d).
    """
    # Of one item nothing is usual; 1 is the distance of what has nothing in common.
    if len(train) < 2:
        return 1.0
    # Evenly spread, so that items that are sorted by class are all drawn from.
    chosen = torch.linspace(0, len(train) - 1, min(_SAMPLE, len(train)), device=train.device).round().long()
    unit = F.normalize(train[chosen], dim=1)
    pairs = torch.triu_indices(len(unit), len(unit), 1, device=train.device)
    return float((1 - (unit @ unit.T)[pairs[0], pairs[1]]).median())


def classes_are_alike(graph: ClassGraph) -> bool:
    """Whether no two class embeddings differ by more than rounding, so that there is nothing to learn from them."""
    return bool(graph.distances.max() < COLLAPSED)


def near_limit(typical: float) -> float:
    """The largest cosine distance of near-duplicates, where items are usually so far apart."""
    return max(SAME, _NEAR * typical)


def link(rows: Tensor, limits: Sequence[float], parts: _Numbers | None = None) -> list[Links]:
    """Connect items whose cosine distance is at most a limit.

    Takes time and memory of :func:`~huse_bench.features._pairs.near_pairs`, however many pairs are near.

    Args:
        rows: (n, d) floating point.
        limits: L cosine distances.
        parts: (n,) items of different parts are not connected; by default all are of one.

    Returns:
        L answers.
    """
    count = len(rows)
    found = [Links(np.arange(count), np.zeros(count, dtype=np.bool_)) for _ in limits]
    for left, right, distances in near_pairs(rows, None, max(limits)):
        ends = left.cpu().numpy(), right.cpu().numpy()
        apart = np.zeros(len(left), dtype=np.bool_) if parts is None else parts[ends[0]] != parts[ends[1]]
        for index, limit in enumerate(limits):
            within = (distances <= limit).cpu().numpy()
            for end in ends:
                found[index].crossing[end[within & apart]] = True
            found[index] = _connected(found[index], *(end[within & ~apart] for end in ends))
    return found


def _connected(links: Links, left: _Numbers, right: _Numbers) -> Links:
    one, other = links.sets[left], links.sets[right]
    # Of many that are all alike, pairs that are connected already are almost all.
    differ = one != other
    if not differ.any():
        return links
    return replace(links, sets=_components(one[differ], other[differ], len(links.sets))[links.sets])


def _components(left: _Numbers, right: _Numbers, nodes: int) -> _Numbers:
    edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(nodes, nodes))
    labels: _Numbers = connected_components(edges, directed=False)[1].astype(np.int64)
    return labels


def near_duplicates_as_groups(items: Items, device: torch.device) -> tuple[Items, dict[str, str], list[str]]:
    """Items whose near-duplicates, by image or by text, are in one group with them and with their groups' items.

    Where the data have their own splits, items of different splits stay apart, and that is said.

    Args:
        items: with finite features.
        device: to compare them on.

    Returns:
        The items with their new groups, the new group by id, and what to tell the user about them.
    """
    names = list(items.ids if items.groups is None else items.groups)
    own = numbered(names)
    parts = None if items.redrawn is not None else numbered(items.splits.tolist())
    train = np.flatnonzero(items.splits == "train")
    crossing = np.zeros(len(names), dtype=np.bool_)
    sets = own
    for features in (items.image_features, items.text_features):
        assert features is not None
        rows = torch.from_numpy(np.array(features.values, dtype=np.float32)).to(device)
        typical = typical_distance(rows[torch.from_numpy(train).to(device)])
        # Of features that tell nothing apart all items are near-duplicates, which says nothing of the items.
        if typical < COLLAPSED:
            continue
        (links,) = link(rows, [near_limit(typical)], parts)
        crossing |= links.crossing
        sets = _components(sets, links.sets + len(names), 2 * len(names))[sets]
    first: dict[int, str] = {}
    for number, name in zip(sets.tolist(), names, strict=True):
        first[number] = min(name, first.get(number, name))
    groups = [first[number] for number in sets.tolist()]
    sizes = np.bincount(sets)
    counts = f"{len(names)} items in {len(first)} groups, the largest of {sizes.max()}"
    notices = [f"near-duplicates are groups: {counts} (in {len(set(names))} groups without this option)"]
    if crossing.any():
        notices.append(
            f"{np.count_nonzero(crossing)} items have a near-duplicate in another split; the data's own splits are "
            "kept, so those pairs are in no group: leave the splits out to have them drawn by group"
        )
    return replace(items, groups=groups), dict(zip(items.ids, groups, strict=True)), notices
