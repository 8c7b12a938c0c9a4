# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""What the losses share whose pairs cost each for themselves: products of rows, and sums of rows by the pairs' weights.

The weights of some rows' pairs are in memory at once, and their gradient is one more product: nothing is computed
twice. Float32 is had from float16, whose products tensor cores form twice as fast as those of tf32: each number is
split into two, ``x = high + low / 2048``, and the product of the lower parts left out, which is beyond float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling

__all__ = ["Operand", "Weights", "add_pair_sums", "pair_products", "spans", "stored", "sums_tiling"]

# Pairs whose weights are in memory at once, as long as these are enough rows: 1 GiB in float32.
_PAIRS = 2**28
_FEWEST = 1024
_TYPES = {"fp32": torch.float16, "tf32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Operand:
    """Numbers as tensor cores multiply them.

    Args:
        high: in the type of the precision.
        low: what float16 leaves, 2048 times; where the precision is not fp32, ``high`` once more, which none reads.
    """

    high: Tensor
    low: Tensor

    @classmethod
    def of(cls, rows: Tensor, tiling: Tiling, precision: str) -> "Operand":
        """Rows (M, D) of magnitudes at most those of float16, in whole tiles, zeros beyond."""
        count, dim = rows.shape
        full = triton.cdiv(count, tiling.rows) * tiling.rows
        whole = rows.new_zeros((full, tiling.width), dtype=torch.float32)
        whole[:count, :dim] = rows
        high = whole.to(_TYPES[precision])
        return cls(high, ((whole - high.float()) * 2048).half() if precision == "fp32" else high)

    def __getitem__(self, span: slice) -> "Operand":
        return Operand(self.high[span], self.low[span])

    def __len__(self) -> int:
        return len(self.high)


@dataclass(frozen=True)
class Weights:
    """Room for the weights of some rows' pairs.

    Args:
        operand: (R, M) weights.
        exact: whether they are 0 or 1, so that they have no lower part.
    """

    operand: Operand
    exact: bool

    @classmethod
    def empty(cls, rows: int, columns: int, like: Operand, *, exact: bool) -> "Weights":
        """Room for so many, in the type of the rows."""
        high = like.high.new_empty((rows, columns))
        has_low = like.low is not like.high and not exact
        return cls(Operand(high, torch.empty_like(high) if has_low else high), exact)

    @property
    def transposed(self) -> "Weights":
        """The weights with rows and columns exchanged."""
        return Weights(Operand(self.operand.high.T, self.operand.low.T), self.exact)


def spans(count: int, tiling: Tiling) -> Iterator[slice]:
    """Spans of so many padded rows, the weights of whose pairs are in memory at once."""
    most = max(_PAIRS // count, _FEWEST) // tiling.rows * tiling.rows
    for first in range(0, count, most):
        yield slice(first, min(first + most, count))


def add_pair_sums(
    out: Tensor,
    weights: Weights,
    x: Operand,
    tiling: Tiling,
    precision: str,
    schedule: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Add ``weights @ x`` to out.

    Args:
        out: (R, width) float32.
        weights: (R, M).
        x: (M, width) rows.
        tiling: of the rows.
        precision: a public one.
        schedule: (R / rows, M / columns) int32 blocks of columns that have weights, those of each block of rows
            first; and (R / rows,) int32, how many they are. All have, by default.
    """
    high, low = weights.operand.high, weights.operand.low
    tiling = sums_tiling(tiling, precision, listed=schedule is not None)
    # Never read where there is no schedule, but a kernel takes no None.
    others, reached = schedule or (out, out)
    pair_sums_kernel[tiling.grid(len(out))](
        out,
        high,
        low,
        x.high,
        x.low,
        others,
        reached,
        schedule[0].shape[1] if schedule else len(x) // tiling.columns,
        *high.stride(),
        LISTED=schedule is not None,
        SPLIT=precision == "fp32",
        EXACT=weights.exact,
        PRECISION=DOT_PRECISION[precision],
        WIDTH=tiling.width,
        CHUNK=tiling.chunk,
        STEP=tiling.step,
        ROWS=tiling.rows,
        COLUMNS=tiling.columns,
        **tiling.options,
    )


def sums_tiling(tiling: Tiling, precision: str, *, listed: bool) -> Tiling:
    """The tiling of the sums of rows, whose weights were made with another."""
    # Float32 has two accumulators, which leave the registers of an A100 no room for more.
    step = 16 if precision == "fp32" else tiling.step
    # Where a list says what to read, two stages more keep as many reads under way.
    return replace(tiling, step=step, stages=tiling.stages + 2 * listed)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def pair_products(  # type: ignore[no-untyped-def]  # compiled by triton
    x,
    x_low,
    y,
    y_low,
    rows,
    columns,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    SPLIT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """A tile of dot products of rows of x with rows of y, in float32."""
    steps = tl.arange(0, STEP)
    x_tile = rows.to(tl.int64)[:, None] * WIDTH + steps[None, :]
    y_tile = columns.to(tl.int64)[None, :] * WIDTH + steps[:, None]
    tile = tl.zeros((rows.shape[0], columns.shape[0]), tl.float32)
    cross = tl.zeros((rows.shape[0], columns.shape[0]), tl.float32)
    for k in range(0, DIM, STEP):
        left = tl.load(x + x_tile + k)
        right = tl.load(y + y_tile + k)
        if SPLIT:
            cross = tl.dot(left, tl.load(y_low + y_tile + k), cross)
            cross = tl.dot(tl.load(x_low + x_tile + k), right, cross)
        tile = tl.dot(left, right, tile, input_precision=PRECISION)
    if SPLIT:
        tile += cross * (1.0 / 2048)
    return tile


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def stored(high, low, at, weight, SPLIT: tl.constexpr):  # type: ignore[no-untyped-def]  # compiled by triton
    """Write a tile of weights, as :class:`Weights` has them."""
    part = weight.to(high.dtype.element_ty)
    tl.store(high + at, part)
    if SPLIT:
        tl.store(low + at, ((weight - part.to(tl.float32)) * 2048).to(tl.float16))


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def pair_sums_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    out,
    weights,
    weights_low,
    x,
    x_low,
    others,
    reached,
    column_blocks,
    row_stride,
    column_stride,
    LISTED: tl.constexpr,
    SPLIT: tl.constexpr,
    EXACT: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add to a tile of the sums all rows of x, or those of some blocks, weighted."""
    block = tl.program_id(0)
    rows = block * ROWS + tl.arange(0, ROWS)
    chunk = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    steps = tl.arange(0, STEP)
    row_weights = rows.to(tl.int64)[:, None] * row_stride
    total = tl.zeros((ROWS, CHUNK), tl.float32)
    cross = tl.zeros((ROWS, CHUNK), tl.float32)
    blocks = column_blocks
    if LISTED:
        blocks = tl.load(reached + block)
    # A block of columns is several steps.
    for i in range(blocks * (COLUMNS // STEP)):
        column = i * STEP
        if LISTED:
            other = tl.load(others + block * column_blocks + i // (COLUMNS // STEP))
            column = other * COLUMNS + i % (COLUMNS // STEP) * STEP
        places = (column + steps).to(tl.int64)
        weight_tile = row_weights + places[None, :] * column_stride
        x_tile = places[:, None] * WIDTH + chunk[None, :]
        weight = tl.load(weights + weight_tile)
        row = tl.load(x + x_tile)
        if SPLIT:
            cross = tl.dot(weight, tl.load(x_low + x_tile), cross)
            if not EXACT:
                cross = tl.dot(tl.load(weights_low + weight_tile), row, cross)
        total = tl.dot(weight, row, total, input_precision=PRECISION)
    if SPLIT:
        total += cross * (1.0 / 2048)
    out_tile = out + rows.to(tl.int64)[:, None] * WIDTH + chunk[None, :]
    tl.store(out_tile, tl.load(out_tile) + total)
