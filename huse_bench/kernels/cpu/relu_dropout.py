"""ReLU and dropout for CPUs: one pass, with random numbers that are formed in the processor's vector lanes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels import reference

__all__ = ["drop", "pass_back"]

_COMPILED = (torch.float32, torch.float64)


def drop(x: Tensor, keys: Tensor, bound: int, place: int, scale: float) -> Tensor:
    """The values that stay, scaled, and zeros.

    Args:
        x: S batches, contiguous.
        keys: (S, 2) int64 keys of their masks.
        bound: hashes under it are dropped.
        place: of a batch's first element in its mask.
        scale: of what stays.
    """
    wide = x if x.dtype in _COMPILED else x.float()
    out = torch.empty_like(wide)
    batches = zip(wide.view(len(keys), -1).numpy(), keys.numpy(), out.view(len(keys), -1).numpy(), strict=True)
    for of, (first, second), to in batches:
        _drop(of, np.uint32(place), np.uint32(first), np.uint32(second), np.uint32(bound), of.dtype.type(scale), to)
    return out.to(x.dtype)


def pass_back(upstream: Tensor, out: Tensor, scale: float) -> Tensor:
    """The gradient of what :func:`drop` took.

    Args:
        upstream: the gradient of what it gave, contiguous.
        out: what it gave.
        scale: as it was told.
    """
    if out.dtype not in _COMPILED:
        return reference.pass_back(upstream, out, scale)
    gradient = torch.empty_like(out)
    there = out.view(-1).numpy()
    _pass_back(upstream.view(-1).numpy(), there, there.dtype.type(scale), gradient.view(-1).numpy())
    return gradient


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
