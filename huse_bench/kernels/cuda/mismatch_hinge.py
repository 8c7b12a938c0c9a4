# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The hinge of the mismatched pairs on a GPU: which exceed the margin is found once, for both modalities."""

from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels._fused import fused_on_device
from huse_bench.kernels.cuda._pairs import Operand, Weights, add_pair_sums, pair_products, spans
from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling

__all__ = ["mismatch_hinge"]


def mismatch_hinge(image: Tensor, text: Tensor, margin: float, precision: str) -> Tensor:
    """See :func:`huse_bench.kernels.reference.mismatch_hinge`."""
    return fused_on_device(partial(_value_and_gradients, margin=margin, precision=precision), image, text)


def _value_and_gradients(
    image: Tensor, text: Tensor, *, margin: float, precision: str
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    count, dim = image.shape
    tiling = Tiling.for_pairs(dim)
    images, texts = (Operand.of(rows, tiling, precision) for rows in (image, text))
    of_image, of_text = (image.new_zeros(images.high.shape) for _ in range(2))
    value = image.new_zeros((), dtype=torch.float64)
    with torch.cuda.device_of(image):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for span in spans(len(images), tiling):
            weights = Weights.empty(span.stop - span.start, len(texts), images, exact=True)
            blocks = (span.stop - span.start) // tiling.rows, len(texts) // tiling.columns
            excess = image.new_empty((blocks[1], span.stop - span.start))
            excess_kernel[blocks](
                images.high,
                images.low,
                texts.high,
                texts.low,
                weights.operand.high,
                excess,
                float(margin),
                span.start,
                count,
                len(texts),
                SPLIT=precision == "fp32",
                PRECISION=DOT_PRECISION[precision],
                DIM=tiling.dim,
                WIDTH=tiling.width,
                STEP=tiling.step,
                ROWS=tiling.rows,
                COLUMNS=tiling.columns,
                **tiling.options,
            )
            add_pair_sums(of_image[span], weights, texts, tiling, precision)
            add_pair_sums(of_text, weights.transposed, images[span], tiling, precision)
            value += excess.sum(dtype=torch.float64)
    mismatches = max(count * (count - 1), 1)
    return value / mismatches, (of_image[:count, :dim] / mismatches, of_text[:count, :dim] / mismatches)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def excess_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    images,
    images_low,
    texts,
    texts_low,
    weights,
    excess,
    margin,
    first_row,
    row_count,
    row_stride,
    SPLIT: tl.constexpr,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write which pairs of a tile exceed the margin, and the sums of what they do by."""
    places = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    rows = first_row + places
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    over = (
        pair_products(images, images_low, texts, texts_low, rows, columns, DIM, WIDTH, STEP, SPLIT, PRECISION) - margin
    )
    counted = (over > 0) & (rows[:, None] != columns[None, :])
    counted &= (rows[:, None] < row_count) & (columns[None, :] < row_count)
    at = places.to(tl.int64)[:, None] * row_stride + columns[None, :]
    tl.store(weights + at, counted.to(weights.dtype.element_ty))
    rows_here = tl.num_programs(0) * ROWS
    sums = tl.sum(tl.where(counted, over, 0.0), axis=1)
    tl.store(excess + tl.program_id(1).to(tl.int64) * rows_here + places, sums)
