"""A loss whose gradients are formed together with its value."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["finite", "fused", "fused_on_device", "poison", "tile_size"]

# 256 MiB of float32.
_ON_GPU = 1 << 26

#: Takes detached rows, gives the value of the loss and its gradient for each.
Compute = Callable[..., tuple[float | Tensor, tuple[Tensor, ...]]]


def fused(compute: Compute, *rows: Tensor) -> Tensor:
    """The loss as a scalar that autograd can go back from, once.

    Args:
        compute: called once, with the rows detached; not called for rows that are not finite.
        rows: what the loss is differentiated by.

    Returns:
        A scalar of the type of the rows, NaN where they are not finite.
    """

    def guarded(*rows: Tensor) -> tuple[float | Tensor, tuple[Tensor, ...]]:
        return compute(*rows) if finite(*rows) else (torch.nan, tuple(row * torch.nan for row in rows))

    return _applied(guarded, rows)


def fused_on_device(compute: Compute, *rows: Tensor) -> Tensor:
    """As :func:`fused`, without waiting for the device to say whether the rows are finite.

    Args:
        compute: called once, with the rows detached; gives the loss as a scalar tensor, and gradients of its own.
        rows: what the loss is differentiated by.

    Returns:
        A scalar of the type of the rows. It and all gradients are NaN where the rows are not finite: comparisons with
        NaN are false, so a kernel skips such pairs and would hide a training that diverged.
    """

    def poisoned(*rows: Tensor) -> tuple[float | Tensor, tuple[Tensor, ...]]:
        value, gradients = compute(*rows)
        spoilt = poison(*rows)
        return value + spoilt, tuple(gradient.add_(spoilt) for gradient in gradients)

    return _applied(poisoned, rows)


def poison(*rows: Tensor) -> Tensor:
    """A scalar to be added: 0, or NaN where a value of the rows is not finite."""
    return torch.stack([row.sum() * 0 for row in rows]).sum()


def finite(*rows: Tensor) -> bool:
    """Whether no value is NaN or infinite.

    Comparisons with NaN are false, so a pass over a tile would skip its pairs and hide a training that diverged.
    """
    return all(bool(row.sum().isfinite()) for row in rows)


def tile_size(rows: Tensor, on_cpu: int) -> int:
    """Elements of a tile of pairs: as many as suit the cores' caches, and on a GPU enough to keep all of it at work.

    Args:
        rows: what is compared, where it lies.
        on_cpu: elements of a tile there.

    Returns:
        The number on the rows' device. The few copies of a tile that a loss needs take some 2 GB of a GPU.
    """
    return on_cpu if rows.device.type == "cpu" else _ON_GPU


def _applied(compute: Compute, rows: tuple[Tensor, ...]) -> Tensor:
    loss: Tensor = _Fused.apply(compute, *rows)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, compute: Compute, *rows: Tensor) -> Tensor:
        value, gradients = compute(*rows)
        ctx.save_for_backward(*gradients)
        return value.to(rows[0].dtype) if isinstance(value, Tensor) else rows[0].new_tensor(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(upstream * gradient for gradient in ctx.saved_tensors))
