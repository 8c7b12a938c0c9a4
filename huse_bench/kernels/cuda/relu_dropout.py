# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""ReLU and dropout on a GPU: one pass, with the random numbers that a CPU would have."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels.cuda._tiles import OPTIONS

__all__ = ["BLOCK", "drop", "pass_back"]

#: Elements that a program has.
BLOCK = 1024


def drop(x: Tensor, keys: Tensor, bound: int, place: int, scale: float) -> Tensor:
    """See :func:`huse_bench.kernels.cpu.relu_dropout.drop`."""
    out = torch.empty_like(x)
    count = x.numel() // len(keys)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        drop_kernel[triton.cdiv(count, BLOCK), len(keys)](
            x, keys, out, count, place, scale, keys.stride(0), BOUND=bound, BLOCK=BLOCK, **OPTIONS
        )
    return out


def pass_back(upstream: Tensor, out: Tensor, scale: float) -> Tensor:
    """See :func:`huse_bench.kernels.cpu.relu_dropout.pass_back`."""
    gradient = torch.empty_like(out)
    count = out.numel()
    with torch.cuda.device_of(out):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        pass_back_kernel[(triton.cdiv(count, BLOCK),)](upstream, out, gradient, count, scale, BLOCK=BLOCK, **OPTIONS)
    return gradient


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def drop_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    x,
    keys,
    out,
    count,
    place,
    scale,
    key_stride,
    BOUND: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Some elements of one of the batches."""
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    batch = tl.program_id(1).to(tl.int64)
    here = element < count
    first = tl.load(keys + batch * key_stride).to(tl.uint32)
    second = tl.load(keys + batch * key_stride + 1).to(tl.uint32)
    drawn = _mixed(_mixed((element + place).to(tl.uint32) ^ first) ^ second)
    value = tl.load(x + batch * count + element, mask=here)
    kept = value.to(tl.float32) * scale
    # So written that NaN stays, which shows a training that diverged.
    kept = tl.where((drawn < BOUND) | (value <= 0), 0.0, kept)
    tl.store(out + batch * count + element, kept.to(value.dtype), mask=here)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def pass_back_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    upstream,
    out,
    gradient,
    count,
    scale,
    BLOCK: tl.constexpr,
):
    """The gradients of some elements."""
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    here = element < count
    value, above = tl.load(out + element, mask=here), tl.load(upstream + element, mask=here)
    passed = tl.where(value <= 0, 0.0, above.to(tl.float32) * scale)
    tl.store(gradient + element, passed.to(value.dtype), mask=here)


@triton.jit
def _mixed(word):  # type: ignore[no-untyped-def]  # compiled by triton
    """The finaliser of MurmurHash3 (Appleby, public domain), as on the CPU."""
    word = (word ^ (word >> 16)) * 0x85EBCA6B
    word = (word ^ (word >> 13)) * 0xC2B2AE35
    return word ^ (word >> 16)
