"""ReLU and dropout in one pass, with random numbers that are a hash of a key and of each element's place.

So a mask depends neither on the number of threads, nor on the device, nor on what else is trained beside it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from huse_bench.kernels import reference
from huse_bench.kernels._arguments import backend_for
from huse_bench.kernels.cpu import relu_dropout as cpu

__all__ = ["drawn_keys", "relu_dropout"]


def drawn_keys(count: int) -> Tensor:
    """(count, 2) int64 keys of as many masks, drawn from torch's global generator of the CPU."""
    return torch.randint(2**32, (count, 2))


def relu_dropout(x: Tensor, rate: float, keys: Tensor, place: int = 0) -> Tensor:
    """Set negative values to zero and each other one too with a probability; the rest is scaled by 1 / (1 - rate).

    Args:
        x: floating point, any shape.
        rate: probability of being dropped, in [0, 1).
        keys: (2,) int64 on the device of x, as :func:`drawn_keys` gives them; or (S, 2), where x is S batches that have
            masks of their own.
        place: of the first element in a batch's mask, where the batch is a part of another.

    Returns:
        The shape and type of x. There is no second derivative.

    Reference:
        Srivastava et al. 2014, in the inverted form that leaves evaluation as it is.
    """
    dropped: Tensor = _ReluDropout.apply(x, rate, keys.view(-1, 2), place)  # type: ignore[no-untyped-call]  # as torch leaves it
    return dropped


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, keys: Tensor, place: int) -> Tensor:
        ctx.backend, ctx.scale = _backend(x), 1 / (1 - rate)
        # The share of hashes under this bound is the rate.
        bound = min(round(rate * 2**32), 2**32 - 1)
        out: Tensor = ctx.backend.drop(x.contiguous(), keys, bound, place, ctx.scale)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (out,) = ctx.saved_tensors
        return ctx.backend.pass_back(upstream.contiguous(), out, ctx.scale), None, None, None


def _backend(x: Tensor) -> Any:
    chosen = backend_for(x, None, work="dropout")
    if chosen == "cuda":
        from huse_bench.kernels.cuda import relu_dropout as cuda  # noqa: PLC0415 - only who has a GPU pays for triton

        return cuda
    return cpu if chosen == "cpu" else reference
