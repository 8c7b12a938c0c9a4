"""Pairs of rows that are near to each other, without the distances of those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Pairs", "near_pairs"]

# Rows of a tile, whose 4 MB of distances stay in a processor's cache.
_TILE = 1024

# Directions that rows are compared in first. Of image and text features they hold most of the length, and
# their product costs a twentieth of one over 1,280 features.
_AXES = 64

# Rows that the directions are found from.
_SAMPLE = 512

# Multiplications below which finding directions costs more than it saves.
_FEW = 1e10

# Where more pairs of a tile may be near than this share, gathering their rows costs more than the product.
_MANY = 0.01

# Of rows of length 1 in single precision: squares of lengths, and products, are wrong by less.
_ROUNDING = 1e-5


class Pairs(NamedTuple):
    """P pairs of rows and how far apart they are.

    Attributes:
        left: (P,) int64 places, ascending.
        right: (P,) int64 places, ascending for each of the left.
        distances: (P,) cosine distances.
    """

    left: Tensor
    right: Tensor
    distances: Tensor


def near_pairs(left: Tensor, right: Tensor | None, limit: float) -> Iterator[Pairs]:
    """Find the pairs of rows within a cosine distance, tile by tile.

    The cosine of two rows is at most the product of their parts along some axes and the product of the lengths of what
    remains of each (Cauchy and Schwarz). Only pairs whose bound is within the limit are compared in full, or a whole
    tile where these are many. So no near pair is missed, whatever the rows. Takes time proportional to n m d where the
    bound tells nothing, a fraction of it for features of 1,280 numbers where it does, and memory for a tile's pairs and
    for the parts of the rows.

    Args:
        left: (n, d) floating point, finite and none of them zero.
        right: (m, d) alike; None for the left rows themselves, of which each pair is then met once, or twice within a
            tile.
        limit: cosine distance.

    Yields:
        The near pairs of each tile that has some, by ascending right and then left rows.
    """
    alone = right is None
    other = left if right is None else right
    large = len(left) * len(other) * other.shape[1] > _FEW
    # A product over a few features is hardly dearer than its bound.
    axes = _axes(other) if large and other.shape[1] >= 2 * _AXES else None
    of_other = None if axes is None else _parts(other, axes)
    of_left = of_other if alone or axes is None else _parts(left, axes)
    for second in range(0, len(other), _TILE):
        to = slice(second, second + _TILE)
        for first in range(0, second + 1 if alone else len(left), _TILE):
            of = slice(first, first + _TILE)
            possible = None
            if of_left is not None and of_other is not None:
                possible = _possible(of_left[of] @ of_other[to].T, 1 - limit - _ROUNDING)
            pairs = _near(left[of], other[to], possible, limit)
            if len(pairs.left):
                yield Pairs(pairs.left + first, pairs.right + second, pairs.distances)


def _axes(rows: Tensor) -> Tensor:
    """(d, axes) orthonormal directions in which rows of length 1 are long."""
    # Evenly spread, so that data sorted by class are all drawn from.
    chosen = torch.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows)), device=rows.device).round().long()
    unit = F.normalize(rows[chosen], dim=1)
    weights = torch.linalg.eigh(unit @ unit.T).eigenvectors[:, -_AXES:]
    axes: Tensor = torch.linalg.qr(unit.T @ weights).Q
    return axes


def _parts(rows: Tensor, axes: Tensor) -> Tensor:
    """(n, axes + 1) the parts of rows of length 1 along the axes, and the length of what remains."""
    found = []
    for start in range(0, len(rows), _TILE):
        along = F.normalize(rows[start : start + _TILE], dim=1) @ axes
        # Never less than it is, so that what is made of it is a bound.
        across = ((1 - (along**2).sum(dim=1, keepdim=True)).clamp(min=0) + _ROUNDING).sqrt()
        found.append(torch.cat([along, across], dim=1))
    return torch.cat(found)


def _possible(bounds: Tensor, least: float) -> Tensor | None:
    """(P, 2) places in a tile where a bound is reached; None where these are many."""
    # Largest values of rows are found ten times faster than a mask of the tile.
    rows = torch.nonzero(bounds.amax(dim=1) >= least)[:, 0]
    pairs = torch.nonzero(bounds[rows] >= least)
    return None if len(pairs) > _MANY * bounds.numel() else torch.stack([rows[pairs[:, 0]], pairs[:, 1]], dim=1)


def _near(left: Tensor, right: Tensor, possible: Tensor | None, limit: float) -> Pairs:
    if possible is None:
        distances = 1 - F.normalize(left, dim=1) @ F.normalize(right, dim=1).T
        one, two = torch.nonzero(distances <= limit).unbind(dim=1)
        return Pairs(one, two, distances[one, two])
    one, two = possible.unbind(dim=1)
    unit = F.normalize(left[one], dim=1)
    found = 1 - (unit * F.normalize(right[two], dim=1)).sum(dim=1)
    near = found <= limit
    return Pairs(one[near], two[near], found[near])
