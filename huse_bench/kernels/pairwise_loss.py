"""A loss over all pairs of rows from one elementwise function, without the matrix of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from huse_bench.errors import ConfigError
from huse_bench.kernels._arguments import (
    check_distances,
    check_labels,
    check_rows,
    full_precision,
    values_are_checked,
)
from huse_bench.kernels._fused import fused_on_device, tile_size

__all__ = ["PairFunction", "Pairs", "pairwise_loss"]

#: Elements of a tile on the CPU: few enough for its copies to stay in a core's cache, enough for the product.
_TILE = 1 << 18

#: Rows and columns of the parts of a tile that the function is tried on by themselves.
_PART = (24, 17)


class Pairs(NamedTuple):
    """A tile of pairs, row i of one side with row j of the other; what an elementwise function is given.

    Attributes:
        distance: (m, n) cosine distances of the rows, in [0, 2].
        class_distance: (m, n) distances of the rows' classes; zeros where none were given.
        same_class: (m, n) bool, whether both rows are of one class.
        same_item: (m, n) bool, whether both rows have the same row number.
    """

    distance: Tensor
    class_distance: Tensor
    same_class: Tensor
    same_item: Tensor


#: Takes the pairs and the tensors given as ``parameters``, gives an (m, n) tensor of values.
PairFunction = Callable[..., Tensor]


def pairwise_loss(
    function: PairFunction,
    x: Tensor,
    y: Tensor | None = None,
    *,
    labels: Tensor,
    distances: Tensor | None = None,
    parameters: Sequence[Tensor] = (),
) -> Tensor:
    """Mean of an elementwise function of all pairs of rows, with its gradient, in memory linear in the rows.

    ``1/(M N) * sum_ij f(d_ij, A_ij, [same class], [same item])`` with ``d_ij = 1 - x_i . y_j``. Value and gradient
    are formed together, a tile of pairs at a time: f is called on each tile and differentiated there, so it must be
    elementwise: its value at a pair may depend on nothing but that pair. Runs on any device; there is no second
    derivative.

    Args:
        function: takes :class:`Pairs` and then each of ``parameters``, returns (m, n) values.
        x: (M, D) unit rows, floating point; less than float32 is computed in float32.
        y: (M, D) unit rows of the same items; x itself by default.
        labels: (M,) int64 class indices of the items.
        distances: (K, K) distances of the classes, where the function uses them.
        parameters: tensors that the function is differentiated by besides the rows, such as a temperature.

    Returns:
        A scalar of the type of x, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape or type; a function that returns another shape, or that uses a
            tensor that requires a gradient without having it in ``parameters``.

    Examples:
        A pull with a margin between all images and texts of one class:

        >>> import torch
        >>> image, text = torch.eye(4)[:3], torch.eye(4)[1:]
        >>> labels = torch.tensor([0, 1, 1])
        >>> def pull(pairs):
        ...     return pairs.same_class * (pairs.distance - 0.25).relu()
        >>> pairwise_loss(pull, image, text, labels=labels)
        tensor(0.3333)
    """
    other = x if y is None else y
    check_rows(x=x, y=other)
    classes = None if distances is None else check_distances(distances)
    check_labels(labels, x, classes)
    x, other, *own = full_precision(x, other, *parameters)
    table = None if distances is None else distances.detach().to(x)

    def compute(x: Tensor, other: Tensor, *own: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        gradients = [torch.zeros_like(tensor) for tensor in (x, other, *own)]
        share = 1 / (len(x) * len(other))
        items = torch.arange(len(labels), device=labels.device)
        for tile, (rows, columns) in enumerate(_tiles(len(x), len(other), tile_size(x, _TILE))):
            pairs = _pairs(x[rows], other[columns], labels, items, table, rows, columns)
            values, (weights, *slopes) = _differentiated(function, pairs, own)
            if tile == 0 and values_are_checked():
                _check(function, pairs, own, values, weights)
            total += values.sum().double() * share
            # d_ij falls as x_i . y_j grows.
            gradients[0][rows].addmm_(weights, other[columns], alpha=-share)
            gradients[1][columns].addmm_(weights.T, x[rows], alpha=-share)
            for gradient, slope in zip(gradients[2:], slopes, strict=True):
                gradient.add_(slope, alpha=share)
        return total, tuple(gradients)

    with torch.autocast(x.device.type, enabled=False):
        return fused_on_device(compute, x, other, *own)


def _tiles(rows: int, columns: int, size: int) -> Iterator[tuple[slice, slice]]:
    width = min(columns, max(math.isqrt(size), 1024))
    height = max(size // width, 1)
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield slice(row, row + height), slice(column, column + width)


def _pairs(
    x: Tensor, y: Tensor, labels: Tensor, items: Tensor, table: Tensor | None, rows: slice, columns: slice
) -> Pairs:
    distance = torch.addmm(x.new_ones(()), x, y.T, alpha=-1)
    upper, across = labels[rows, None], labels[None, columns]
    return Pairs(
        distance=distance,
        class_distance=torch.zeros_like(distance) if table is None else table[upper, across],
        same_class=upper == across,
        same_item=items[rows, None] == items[None, columns],
    )


def _differentiated(function: PairFunction, pairs: Pairs, parameters: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A tile's values, and the derivatives of their sum by each distance and by each parameter."""
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in (pairs.distance, *parameters)]
        values = function(pairs._replace(distance=inputs[0]), *inputs[1:])
        expected = tuple(pairs.distance.shape)
        if not isinstance(values, Tensor) or values.shape != expected:
            got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise ConfigError(
                f"the function must return one value a pair, a tensor of shape {expected} as pairs.distance has, "
                f"got {got}"
            )
        slopes: Sequence[Tensor | None] = [None] * len(inputs)
        if values.requires_grad:
            slopes = torch.autograd.grad(values.sum(), inputs, allow_unused=True)
    return values.detach(), [
        torch.zeros_like(tensor) if slope is None else slope for tensor, slope in zip(inputs, slopes, strict=True)
    ]


def _check(function: PairFunction, pairs: Pairs, parameters: Sequence[Tensor], values: Tensor, slopes: Tensor) -> None:
    """Raises ConfigError unless a tile's pairs have the same values and slopes among fewer pairs, in another order.

    A mean over the pairs, or a pair's place in its tile, would be another in each tile, and in each batch.
    """
    fixed = [parameter.detach() for parameter in parameters]
    for rows, columns in _parts(len(values), values.shape[1], values.device):
        part = Pairs(*(field[rows, columns] for field in pairs))
        try:
            with torch.enable_grad():
                captured = function(part, *fixed).requires_grad
            alone, (alone_slopes, *_) = _differentiated(function, part, fixed)
        except (ConfigError, RuntimeError, IndexError) as error:
            shapes = f"{tuple(part.distance.shape)} of its pairs and not of all {tuple(values.shape)}"
            raise ConfigError(f"the function is not elementwise: it fails on {shapes}: {error}") from error
        if captured:
            raise ConfigError(
                "the function uses a tensor that requires a gradient, which would get none; give it in parameters, and "
                "take it as an argument after the pairs"
            )
        if not (_close(alone, values[rows, columns]) and _close(alone_slopes, slopes[rows, columns])):
            raise ConfigError(
                "the function is not elementwise: its value or slope at a pair changes with the pairs beside it or "
                "with their order, and those come a tile at a time. Sums over a row or column (as in a softmax) and "
                "what is known by row number need a loss written on the rows themselves"
            )


@lru_cache
def _parts(height: int, width: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Rows and columns of two small parts of a tile, in disorder; the second has no row with itself."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.randperm(count, generator=generator) for count in (height, width))
    parts = [(rows, columns[: max(width - 1, 1)]), (rows[rows % 2 == 1], columns[columns % 2 == 0])]
    return [
        (some[: _PART[0], None].to(device), others[None, : _PART[1]].to(device))
        for some, others in parts
        if len(some) and len(others)
    ]


def _close(found: Tensor, expected: Tensor) -> bool:
    # Vectorised functions may round an element otherwise at another place.
    rounding = 64 * torch.finfo(torch.promote_types(expected.dtype, torch.float32)).eps
    largest = float(expected.abs().nan_to_num(0, 0, 0).max()) if expected.is_floating_point() else 0.0
    return torch.allclose(found.to(expected), expected, rtol=1e-4, atol=rounding * largest, equal_nan=True)
