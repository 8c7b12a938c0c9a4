# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The hinge of the mismatched pairs on a GPU: one pass for the gradient of each modality."""

from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels.cuda._fused import fused
from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling, padded, similarities

__all__ = ["mismatch_hinge"]


def mismatch_hinge(image: Tensor, text: Tensor, margin: float, precision: str) -> Tensor:
    """See :func:`huse_bench.kernels.reference.mismatch_hinge`."""
    return fused(partial(_value_and_gradients, margin=margin, precision=precision), image, text)


def _value_and_gradients(
    image: Tensor, text: Tensor, *, margin: float, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    count, dim = image.shape
    tiling = Tiling.for_rows(dim, precision)
    images, texts = padded(image, tiling, precision), padded(text, tiling, precision)
    excess = image.new_empty(len(images))
    gradients = []
    with torch.cuda.device_of(image):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for queries, others in ((images, texts), (texts, images)):
            gradient = torch.empty_like(queries, dtype=torch.float32)
            mismatch_hinge_kernel[tiling.grid(count)](
                queries,
                others,
                gradient,
                excess,
                float(margin),
                count,
                PRECISION=DOT_PRECISION[precision],
                **tiling.constants,
                **tiling.options,
            )
            gradients.append(gradient)
    mismatches = max(count * (count - 1), 1)
    value = excess[:count].sum(dtype=torch.float64) / mismatches
    of_image, of_text = (gradient[:count, :dim] / mismatches for gradient in gradients)
    return value, of_image, of_text


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def mismatch_hinge_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    queries,
    others,
    gradient,
    excess,
    margin,
    row_count,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Sum each query's excess over the margin, and the others that exceed it."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    chunk = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    total = tl.zeros((ROWS,), tl.float32)
    summed = tl.zeros((ROWS, CHUNK), tl.float32)
    for first in range(0, row_count, COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        over = similarities(queries, others, rows, columns, DIM, WIDTH, STEP, PRECISION) - margin
        counted = (over > 0) & (rows[:, None] != columns[None, :])
        counted &= (rows[:, None] < row_count) & (columns[None, :] < row_count)
        total += tl.sum(tl.where(counted, over, 0.0), axis=1)
        others_chunk = tl.load(others + columns.to(tl.int64)[:, None] * WIDTH + chunk[None, :])
        summed = tl.dot(counted.to(others.dtype.element_ty), others_chunk, summed, input_precision=PRECISION)
    if tl.program_id(1) == 0:
        tl.store(excess + rows, total)
    tl.store(gradient + rows.to(tl.int64)[:, None] * WIDTH + chunk[None, :], summed)
