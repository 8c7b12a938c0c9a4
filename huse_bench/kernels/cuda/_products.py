# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""What the triplet losses share: similarities of some rows with all others, and sums of rows weighted by slopes.

A triplet's negative is known only when all similarities of its query are, so these are in memory, for some queries
at a time.
"""

from collections.abc import Iterator

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling, similarities

__all__ = ["add_weighted", "products", "spans"]

# Rows whose similarities are in memory at once: enough for each multiprocessor of a GPU to have work, few enough for
# those with 4096 others, and their slopes, to fit into the second-level cache of an A100.
_ROWS = 1024


def spans(rows: Tensor) -> Iterator[slice]:
    """Spans of padded rows, whose similarities are in memory at once."""
    for first in range(0, len(rows), _ROWS):
        yield slice(first, min(first + _ROWS, len(rows)))


def products(x: Tensor, y: Tensor, tiling: Tiling, precision: str) -> Tensor:
    """(B, M) float32 dot products of padded rows x (B, width) and y (M, width)."""
    out = x.new_empty((len(x), len(y)), dtype=torch.float32)
    products_kernel[len(x) // tiling.rows, len(y) // tiling.columns](
        x,
        y,
        out,
        len(y),
        PRECISION=DOT_PRECISION[precision],
        DIM=tiling.dim,
        WIDTH=tiling.width,
        STEP=tiling.step,
        ROWS=tiling.rows,
        COLUMNS=tiling.columns,
        **tiling.options,
    )
    return out


def add_weighted(out: Tensor, weights: Tensor, x: Tensor, tiling: Tiling, precision: str) -> None:
    """Add ``weights @ x`` to out.

    Args:
        out: (B, width) float32.
        weights: (B, M) float32, of any strides.
        x: (M, width) padded rows.
        tiling: of the rows.
        precision: of the products.
    """
    weighted_kernel[tiling.grid(len(out))](
        out,
        weights,
        x,
        weights.shape[1],
        *weights.stride(),
        PRECISION=DOT_PRECISION[precision],
        WIDTH=tiling.width,
        CHUNK=tiling.chunk,
        STEP=tiling.step,
        ROWS=tiling.rows,
        **tiling.options,
    )


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def products_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    x,
    y,
    out,
    row_stride,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write a tile of dot products."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    tile = similarities(x, y, rows, columns, DIM, WIDTH, STEP, PRECISION)
    tl.store(out + rows.to(tl.int64)[:, None] * row_stride + columns[None, :], tile)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def weighted_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    out,
    weights,
    x,
    count,
    row_stride,
    column_stride,
    PRECISION: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
):
    """Add to a tile of the sums all rows of x, weighted."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    chunk = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    steps = tl.arange(0, STEP).to(tl.int64)
    weight_tile = weights + rows.to(tl.int64)[:, None] * row_stride + steps[None, :] * column_stride
    x_tile = x + steps[:, None] * WIDTH + chunk[None, :]
    out_tile = out + rows.to(tl.int64)[:, None] * WIDTH + chunk[None, :]
    total = tl.load(out_tile)
    for _ in range(0, count, STEP):
        weight = tl.load(weight_tile).to(x.dtype.element_ty)
        total = tl.dot(weight, tl.load(x_tile), total, input_precision=PRECISION)
        weight_tile += STEP * column_stride
        x_tile += STEP * WIDTH
    tl.store(out_tile, total)
