# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The semi-hard triplet loss on a GPU: rows sorted by class, a program an anchor finds the negatives of its pairs."""

from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels._classes import by_class
from huse_bench.kernels._fused import fused_on_device
from huse_bench.kernels.cuda._products import add_weighted, products, spans
from huse_bench.kernels.cuda._tiles import OPTIONS, Tiling, padded

__all__ = ["CONSTANTS", "semihard_triplet"]

#: Compile-time arguments of the kernel: positives that look for their negative together, and among how many at once.
CONSTANTS = {"SLOTS": 16, "COLUMNS": 128}


def semihard_triplet(x: Tensor, labels: Tensor, margin: float, precision: str) -> Tensor:
    """See :func:`huse_bench.kernels.semihard_triplet`."""
    return fused_on_device(partial(_value_and_gradient, labels=labels, margin=margin, precision=precision), x)


def _value_and_gradient(x: Tensor, *, labels: Tensor, margin: float, precision: str) -> tuple[Tensor, tuple[Tensor]]:
    count, dim = x.shape
    order, classes, sizes = sorted_rows = by_class(labels)
    start, end = (places[classes].to(torch.int32) for places in (sorted_rows.starts, sizes.cumsum(0)))

    tiling = Tiling.for_products(dim)
    ordered = padded(x.index_select(0, order), tiling, precision)
    gradient = torch.zeros_like(ordered, dtype=torch.float32)
    costs = x.new_empty(count)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for span in spans(ordered):
            similarity = products(ordered[span], ordered, tiling, precision)
            slopes = torch.zeros_like(similarity)
            semihard_triplet_kernel[(min(span.stop, count) - span.start,)](
                similarity,
                slopes,
                start,
                end,
                costs,
                float(margin),
                span.start,
                count,
                len(ordered),
                **CONSTANTS,
                **OPTIONS,
            )
            add_weighted(gradient[span], slopes, ordered, tiling, precision)
            add_weighted(gradient, slopes.T, ordered[span], tiling, precision)
    pairs = (sizes * (sizes - 1)).sum()
    # Without a pair or without a negative there is nothing to learn from.
    nothing = (pairs == 0) | (sizes[0] == count)
    found = costs.sum(dtype=torch.float64), sorted_rows.unsorted(gradient[:count, :dim])
    value, slopes = (torch.where(nothing, 0, one / pairs) for one in found)
    return value, (slopes,)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def semihard_triplet_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    similarity,
    slopes,
    starts,
    ends,
    costs,
    margin,
    first_row,
    row_count,
    row_stride,
    SLOTS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Sum the hinges of an anchor's pairs, and count what each similarity adds to them or takes from them."""
    anchor = first_row + tl.program_id(0)
    start = tl.load(starts + anchor)
    end = tl.load(ends + anchor)
    similarity += tl.program_id(0).to(tl.int64) * row_stride
    slopes += tl.program_id(0).to(tl.int64) * row_stride
    slots = tl.arange(0, SLOTS)
    lanes = tl.arange(0, COLUMNS)

    least = tl.full((COLUMNS,), float("inf"), tl.float32)
    least_at = lanes
    for first in range(0, row_count, COLUMNS):
        columns = first + lanes
        negative = (columns < row_count) & ((columns < start) | (columns >= end))
        values = tl.load(similarity + columns, mask=negative, other=float("inf"))
        least_at = tl.where(values < least, columns, least_at)
        least = tl.minimum(values, least)
    farthest = tl.min(least, axis=0)
    farthest_at = tl.min(tl.where(least == farthest, least_at, row_count), axis=0)

    total = 0.0
    for some in range(start, end, SLOTS):
        positives = some + slots
        pair = (positives < end) & (positives != anchor)
        bounds = tl.load(similarity + positives, mask=pair, other=0.0)
        near = tl.full((SLOTS, COLUMNS), float("-inf"), tl.float32)
        near_at = tl.zeros((SLOTS, COLUMNS), tl.int32)
        for first in range(0, row_count, COLUMNS):
            columns = first + lanes
            negative = (columns < row_count) & ((columns < start) | (columns >= end))
            values = tl.load(similarity + columns, mask=negative, other=float("-inf"))
            nearer = (values[None, :] < bounds[:, None]) & (values[None, :] > near)
            near_at = tl.where(nearer, columns[None, :], near_at)
            near = tl.where(nearer, values[None, :], near)
        nearest = tl.max(near, axis=1)
        nearest_at = tl.min(tl.where(near == nearest[:, None], near_at, row_count), axis=1)
        found = nearest > float("-inf")
        cost = margin - bounds + tl.where(found, nearest, farthest)
        active = pair & (cost > 0)
        total += tl.sum(tl.where(active, cost, 0.0), axis=0)
        chosen = tl.where(active, tl.where(found, nearest_at, farthest_at), -1)
        positives = tl.where(active, positives, -1)
        for first in range(0, row_count, COLUMNS):
            columns = first + lanes
            there = columns < row_count
            adds = (chosen[:, None] == columns[None, :]).to(tl.float32)
            takes = (positives[:, None] == columns[None, :]).to(tl.float32)
            slope = tl.load(slopes + columns, mask=there, other=0.0) + tl.sum(adds - takes, axis=0)
            tl.store(slopes + columns, slope, mask=there)
        # The next positives may be another thread's to add to the same slopes.
        tl.debug_barrier()
    tl.store(costs + anchor, total)
