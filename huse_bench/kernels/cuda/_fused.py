"""A loss whose gradients are formed together with its value, without waiting for the GPU."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["fused"]


def fused(compute: Callable[..., tuple[Tensor, ...]], *rows: Tensor) -> Tensor:
    """The loss as a scalar that autograd can go back from, once.

    Args:
        compute: called once, with the rows detached; gives the loss, a scalar, and its gradient for each.
        rows: what the loss is differentiated by.

    Returns:
        A scalar of the type of the rows. It and all gradients are NaN where the rows are not finite:
        comparisons with NaN are false, so a kernel skips such pairs and would hide a training that diverged.
    """
    loss: Tensor = _Fused.apply(compute, *rows)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, compute: Callable[..., tuple[Tensor, ...]], *rows: Tensor) -> Tensor:
        value, *gradients = compute(*rows)
        # 0, or NaN where a value is not finite.
        poison = sum(row.sum() * 0 for row in rows)
        ctx.save_for_backward(*(gradient + poison for gradient in gradients))
        return value.to(rows[0].dtype) + poison

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(upstream * gradient for gradient in ctx.saved_tensors))
