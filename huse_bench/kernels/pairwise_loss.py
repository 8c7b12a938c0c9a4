"""A loss over all pairs of rows from one elementwise function, without the matrix of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from huse_bench.errors import ConfigError
from huse_bench.kernels._arguments import check_distances, check_labels, check_rows, full_precision
from huse_bench.kernels._fused import fused

__all__ = ["PairFunction", "Pairs", "pairwise_loss"]

#: Elements of a tile: small enough for its few copies to stay in a core's cache, large enough for the product.
_TILE = 1 << 18


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

    def compute(x: Tensor, other: Tensor, *own: Tensor) -> tuple[float, tuple[Tensor, ...]]:
        total = 0.0
        gradients = [torch.zeros_like(tensor) for tensor in (x, other, *own)]
        share = 1 / (len(x) * len(other))
        items = torch.arange(len(labels), device=labels.device)
        for tile, (rows, columns) in enumerate(_tiles(len(x), len(other))):
            pairs = _pairs(x[rows], other[columns], labels, items, table, rows, columns)
            if tile == 0:
                _check(function, pairs, own)
            value, (weights, *slopes) = _differentiated(function, pairs, own)
            total += value * share
            # d_ij falls as x_i . y_j grows.
            gradients[0][rows].addmm_(weights, other[columns], alpha=-share)
            gradients[1][columns].addmm_(weights.T, x[rows], alpha=-share)
            for gradient, slope in zip(gradients[2:], slopes, strict=True):
                gradient.add_(slope, alpha=share)
        return total, tuple(gradients)

    with torch.autocast(x.device.type, enabled=False):
        return fused(compute, x, other, *own)


def _tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    width = min(columns, 1024)
    height = max(_TILE // width, 1)
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


def _differentiated(function: PairFunction, pairs: Pairs, parameters: Sequence[Tensor]) -> tuple[float, list[Tensor]]:
    """The sum of a tile's values, and its derivatives by each distance and by each parameter."""
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in (pairs.distance, *parameters)]
        total = function(pairs._replace(distance=inputs[0]), *inputs[1:]).sum()
        if not total.requires_grad:
            return float(total), [torch.zeros_like(tensor) for tensor in inputs]
        slopes = torch.autograd.grad(total, inputs, allow_unused=True)
    return float(total), [
        torch.zeros_like(tensor) if slope is None else slope for tensor, slope in zip(inputs, slopes, strict=True)
    ]


def _check(function: PairFunction, pairs: Pairs, parameters: Sequence[Tensor]) -> None:
    fixed = [parameter.detach() for parameter in parameters]
    with torch.enable_grad():
        values = function(pairs, *fixed)
    expected = tuple(pairs.distance.shape)
    if not isinstance(values, Tensor) or values.shape != expected:
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ConfigError(
            f"the function must return one value a pair, a tensor of shape {expected} as pairs.distance has, got {got}"
        )
    if values.requires_grad:
        raise ConfigError(
            "the function uses a tensor that requires a gradient, which would get none; give it in parameters, and "
            "take it as an argument after the pairs"
        )
    # A softmax or a mean over the pairs has the right shape, but would be taken over a tile.
    corner = Pairs(*(field[: (len(field) + 1) // 2, : (field.shape[1] + 1) // 2] for field in pairs))
    alone = function(corner, *fixed)
    if alone.shape != corner.distance.shape or not torch.allclose(
        alone.to(pairs.distance), values[: len(alone), : alone.shape[1]].to(pairs.distance), rtol=1e-4, equal_nan=True
    ):
        raise ConfigError(
            "the function is not elementwise: its value at a pair changes with the pairs beside it, and those come a "
            "tile at a time. Sums over a row or column (as in a softmax) need a loss written on the rows themselves"
        )
