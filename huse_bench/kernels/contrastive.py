"""Softmax cross-entropy over all pairs of two sets of rows, in both directions, without the matrix of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from huse_bench.errors import ConfigError
from huse_bench.kernels._arguments import check_labels, check_rows, full_precision
from huse_bench.kernels._classes import ByClass, by_class
from huse_bench.kernels._fused import fused_on_device, tile_size

__all__ = ["contrastive"]

#: Elements of a tile of logits on the CPU.
_TILE = 1 << 19


def contrastive(
    image: Tensor,
    text: Tensor,
    scale: Tensor | float,
    labels: Tensor | None = None,
    *,
    exclude_self: bool = False,
) -> Tensor:
    """Mean cross-entropy of picking a row's partners among all rows of the other side, over both directions.

    ``-1/2N * sum_i mean_{p in P(i)} (log softmax_j(s x_i . y_j)[p] + log softmax_j(s y_i . x_j)[p])``, where P(i) is
    the item itself or, with labels, all items of its class. Memory is linear in the rows: the logits are formed twice,
    a few rows at a time. Runs on any device; there is no second derivative.

    Given one set of rows on both sides and ``exclude_self``, it is the supervised contrastive loss within that set.

    Args:
        image: (N, D) unit rows, floating point; less than float32 is computed in float32.
        text: (N, D) unit rows of the same items.
        scale: s, the inverse temperature; a scalar, differentiated by where it is a tensor.
        labels: (N,) int64 class indices.
        exclude_self: leave row i of the other side out of both the partners of row i and the softmax; a row that has no
            other partner then costs nothing. It needs labels.

    Returns:
        A scalar of the type of the rows, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape or type, or ``exclude_self`` without labels.

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (CLIP), 2021, figure 3;
        with labels Yang et al., "Unified Contrastive Learning in Image-Text-Label Space", CVPR 2022, equations 1-3;
        with ``exclude_self`` Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2.

    Examples:
        >>> import torch
        >>> contrastive(torch.eye(2), torch.eye(2), scale=1.0)
        tensor(0.3133)
    """
    check_rows(image=image, text=text)
    if labels is not None:
        check_labels(labels, image)
    elif exclude_self:
        raise ConfigError("exclude_self leaves no partners without labels: give labels, or leave it out")
    image, text = full_precision(image, text)
    if not isinstance(scale, Tensor):
        scale = torch.full((), scale, dtype=image.dtype, device=image.device)
    image, text, scale = full_precision(image, text, scale.to(image.device))
    if scale.ndim:
        raise ConfigError(f"scale must be a single number, got shape {tuple(scale.shape)}")

    classes = by_class(labels) if labels is not None else None
    alone = _alone(classes) if classes is not None and exclude_self else None

    def compute(x: Tensor, y: Tensor, scale: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        count = len(x)
        partners_of_x, partners_of_y = (_partners(side, classes, exclude_self=exclude_self) for side in (y, x))
        matched = _sum(x * partners_of_x)
        rows, columns = _log_sums(x, y, scale, exclude_self=exclude_self)
        total = rows.sum() + columns.sum()
        if alone is not None:
            # A row without a partner adds nothing to the sum, and nothing to a gradient: exp(-inf) of its logits.
            total = rows.masked_fill(alone, 0).sum() + columns.masked_fill(alone, 0).sum()
            rows, columns = rows.masked_fill(alone, torch.inf), columns.masked_fill(alone, torch.inf)
        value = total / (2 * count) - scale * matched / count
        share = 1 / (2 * count)
        x_gradient, y_gradient, logits_mean = torch.zeros_like(x), torch.zeros_like(y), torch.zeros_like(scale)
        for tile in _tiles(x):
            cosines = x[tile] @ y.T
            logits = _logits(cosines, scale, tile, exclude_self=exclude_self)
            weights = (logits - rows[tile, None]).exp_().add_((logits - columns).exp_())
            logits_mean += _sum(weights * cosines) * share
            x_gradient[tile] = weights @ y
            y_gradient.addmm_(weights.T, x[tile])
        x_gradient.sub_(partners_of_x, alpha=2).mul_(scale * share)
        y_gradient.sub_(partners_of_y, alpha=2).mul_(scale * share)
        return value, (x_gradient, y_gradient, logits_mean - matched / count)

    with torch.autocast(image.device.type, enabled=False):
        return fused_on_device(compute, image, text, scale)


def _sum(matrix: Tensor) -> Tensor:
    """The sum of all elements, to the last bit the same for any number of threads, among which rows are divided."""
    return matrix.sum(1).sum()


def _tiles(rows: Tensor) -> Iterator[slice]:
    count = len(rows)
    height = max(tile_size(rows, _TILE) // count, 1)
    for start in range(0, count, height):
        yield slice(start, start + height)


def _logits(cosines: Tensor, scale: Tensor, tile: slice, *, exclude_self: bool) -> Tensor:
    logits = scale * cosines
    if exclude_self:
        logits.diagonal(tile.start).fill_(-torch.inf)
    return logits


def _log_sums(x: Tensor, y: Tensor, scale: Tensor, *, exclude_self: bool) -> tuple[Tensor, Tensor]:
    """(N,) log-sum-exp of each row and of each column of the logits."""
    rows = x.new_empty(len(x))
    columns = x.new_full((len(y),), -torch.inf)
    for tile in _tiles(x):
        logits = _logits(x[tile] @ y.T, scale, tile, exclude_self=exclude_self)
        rows[tile] = logits.logsumexp(1)
        columns = torch.logaddexp(columns, logits.logsumexp(0))
    return rows, columns


def _partners(rows: Tensor, classes: ByClass | None, *, exclude_self: bool) -> Tensor:
    """(N, D) the mean of each item's partners; zeros where it has none."""
    if classes is None:
        return rows
    index = classes.unsorted(classes.classes)
    sums, counts = _class_sums(rows, index)[index], classes.sizes[index, None]
    if exclude_self:
        others: Tensor = (sums - rows) / (counts - 1).clamp_min(1)
        return others
    return sums / counts


def _class_sums(rows: Tensor, index: Tensor) -> Tensor:
    """(N, D) the sum of the rows of each class, by its number, the same bits each time."""
    if rows.device.type == "cpu":
        return torch.zeros_like(rows).index_add_(0, index, rows)
    # On CUDA index_add_ adds in the order of its threads.
    return _sums_by_sorting(rows, index)


def _sums_by_sorting(rows: Tensor, index: Tensor) -> Tensor:
    # So index_put_ goes about it on CUDA, and there alone.
    return torch.zeros_like(rows).index_put_((index,), rows, accumulate=True)


def _alone(classes: ByClass) -> Tensor:
    """(N,) bool, whether an item is the only one of its class."""
    return classes.unsorted(classes.sizes[classes.classes] == 1)
