"""ReLU and dropout in one pass, with random numbers that are formed in the processor's vector lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from huse_bench.compiling import njit
from huse_bench.training.parallel import Part

__all__ = ["relu_dropout"]

_COMPILED = (torch.float32, torch.float64)


def relu_dropout(x: Tensor, rate: float, part: Part | None = None) -> Tensor:
    """Set negative values to zero and each other one too with a probability; the rest is scaled by 1 / (1 - rate).

    On the CPU the mask is a hash of the element's place under a key drawn from torch's generator, so that it
    does not depend on the number of threads; elsewhere, and in low precision, it is torch's own.

    Args:
        x: floating point, any shape.
        rate: probability of being dropped, in [0, 1); 0 draws nothing.
        part: which rows of a batch these are, where other processes have the others; the mask is that of the batch.

    Returns:
        The shape and type of x. There is no second derivative where the mask is a hash.

    Reference:
        Srivastava et al. 2014, in the inverted form that leaves evaluation as it is.
    """
    if rate == 0:
        return F.relu(x)
    if x.device.type != "cpu" or x.dtype not in _COMPILED:
        if part is None:
            return F.dropout(F.relu(x), rate)
        return F.relu(x) * F.dropout(x.new_ones(part.whole, *x.shape[1:]), rate)[part.start : part.stop]
    first = 0 if part is None else part.start * x[0].numel()
    dropped: Tensor = _ReluDropout.apply(x, rate, first)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return dropped


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, place: int) -> Tensor:
        x = x.contiguous()
        out = torch.empty_like(x)
        first, second = (np.uint32(word) for word in torch.randint(2**32, (2,)).tolist())
        ctx.scale = x.numpy().dtype.type(1 / (1 - rate))
        # The share of hashes under this bound is the rate.
        bound = np.uint32(min(round(rate * 2**32), 2**32 - 1))
        _drop(x.view(-1).numpy(), np.uint32(place), first, second, bound, ctx.scale, out.view(-1).numpy())
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        gradient = torch.empty_like(out)
        _pass_back(upstream.contiguous().view(-1).numpy(), out.view(-1).numpy(), ctx.scale, gradient.view(-1).numpy())
        return gradient, None, None


@njit(cache=True, nogil=True)
def _drop(
    x: NDArray[np.floating],
    place: np.uint32,
    first: np.uint32,
    second: np.uint32,
    bound: np.uint32,
    scale: np.floating,
    out: NDArray[np.floating],
) -> None:
    zero = x.dtype.type(0)
    for i in range(len(x)):
        # Two rounds, each under a word of its own: with one, the masks of all keys would be pieces of one sequence.
        drawn = _mixed(_mixed((place + np.uint32(i)) ^ first) ^ second)
        # So written that NaN stays, which shows a training that diverged.
        out[i] = zero if (drawn < bound) | (x[i] <= zero) else x[i] * scale


@njit(cache=True, nogil=True)
def _pass_back(
    upstream: NDArray[np.floating], out: NDArray[np.floating], scale: np.floating, gradient: NDArray[np.floating]
) -> None:
    zero = out.dtype.type(0)
    for i in range(len(out)):
        gradient[i] = zero if out[i] <= zero else upstream[i] * scale


@njit(cache=True, nogil=True)
def _mixed(word: np.uint32) -> np.uint32:
    """The finaliser of MurmurHash3 (Appleby, public domain): each bit of the result depends on all of the word."""
    word = np.uint32((word ^ (word >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    word = np.uint32((word ^ (word >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(word ^ (word >> np.uint32(16)))
