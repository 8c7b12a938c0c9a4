# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""Products of less than float64, and for each query the blocks of the gallery that they cannot rule out.

Of a tile only each block's greatest product is written, so that what torch sorts is a small part of the pairs. The
k greatest of these belong to k different gallery rows, whose scores are at most the bound below them. A block whose
greatest product is more than twice the bound below the k-th has only rows with lower scores: not one is among the k
best, whatever ties.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels.cuda._keys import BLOCK, Scores, own_pairs
from huse_bench.kernels.cuda._pairs import Operand
from huse_bench.kernels.cuda._tiles import Tiling

__all__ = ["Rounded", "Shortlist", "block_maxima", "block_maxima_kernel", "bound", "slots"]

# Blocks that a shortlist has room for beyond k: tight classes fill it, and have all their pairs scored in float64.
_SPARE = 64


class Rounded(NamedTuple):
    """Rows as tensor cores multiply them, in two parts of float16.

    Args:
        parts: of the rows, the longest of which a power of two brings to 1, or as near as it can in float32.
        scale: () float32 that power.
        lengths: (n,) float64 of the rows so scaled.
        tiling: of the products.
    """

    parts: Operand
    scale: Tensor
    lengths: Tensor
    tiling: Tiling

    @classmethod
    def of(cls, rows: Tensor) -> Self:
        """Rows (n, D) float32."""
        tiling = Tiling.for_pairs(rows.shape[1])
        lengths = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        # A power of two by its bits: any other factor would round.
        exponent = 127 - torch.frexp(lengths.max()).exponent
        scale = (exponent.clamp(1, 254).to(torch.int32) << 23).view(torch.float32)
        return cls(Operand.of(rows * scale, tiling, "fp32"), scale, lengths * scale, tiling)


def bound(queries: Rounded, gallery: Rounded) -> Tensor:
    """Bound (n,) float64 on the difference between a query's products and its scores, both of the scaled rows.

    With X and Y the lengths, and u = 2^-22: the parts of float16 keep each number but for u times it, or 2^-36, and
    the product of the lower parts is left out, which makes 3 u X Y (Cauchy and Schwarz) and, of small numbers, less
    than sqrt(D) 2^-33 (X + Y) + D 2^-50. Tensor cores shift the addends of a sum to the greatest of them and keep 24
    bits of each at least (Fasi et al., "Numerical behavior of NVIDIA tensor cores", 2021): whatever the order, a
    product loses at most u times the greatest number there is. That is a product or a sum of a step's rows, so at most
    the product of the lengths of these; and those of all steps add up to X Y at most, again by Cauchy and Schwarz. A
    step of S has S products, those with lower parts counting for one more; each of the D / S steps is added in float32,
    at u / 4. The score is rounded too, and where it is small in its own type, by 2^-149. Three u more are for terms of
    second order.
    """
    tiling, longest = gallery.tiling, gallery.lengths.max()
    roundings = tiling.step + tiling.dim / (4 * tiling.step) + 8
    lost = 2.0**-22 * roundings * queries.lengths * longest
    of_small = 2.0**-33 * math.sqrt(tiling.dim) * (queries.lengths + longest) + 2.0**-50 * tiling.dim
    return lost + of_small + 2.0**-149 * queries.scale.double() * gallery.scale.double()


def slots(k: int) -> int:
    """How many blocks a shortlist has room for: whole tiles of them."""
    return (k + _SPARE + 3) // 4 * 4


class Shortlist:
    """The blocks so far with the greatest products of each query.

    Args:
        count: of queries.
        k: how many gallery rows are to be found.
        device: of the maxima.
    """

    def __init__(self, count: int, k: int, device: torch.device) -> None:
        self._k = k
        self._maxima = torch.full((count, slots(k)), -torch.inf, device=device)
        self._blocks = torch.zeros((count, slots(k)), dtype=torch.int32, device=device)

    def add(self, queries: slice, gallery: slice, maxima: Tensor) -> None:
        """Take what is greatest of some queries' maxima (r, b) in blocks of neighbouring gallery rows."""
        found, places = maxima.topk(min(slots(self._k), maxima.shape[1]), sorted=False)
        known, blocks = self._maxima[queries], self._blocks[queries]
        found, order = torch.cat([known, found], dim=1).topk(slots(self._k))
        places = (gallery.start // BLOCK + places).to(torch.int32)
        self._maxima[queries], self._blocks[queries] = found, torch.cat([blocks, places], dim=1).gather(1, order)

    def candidates(self, queries: slice, bound: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks (r, S) int32 of some queries, best first, and (r,) int32 how many of them cannot be ruled out.

        Where that is all of them, there may be more.
        """
        maxima = self._maxima[queries]
        floors = maxima[:, self._k - 1].double() - 2 * bound[queries]
        return self._blocks[queries], (maxima >= floors[:, None]).sum(dim=1, dtype=torch.int32)


def block_maxima(
    scores: Scores, sides: tuple[Rounded, Rounded], row: slice, column: slice, *, both: bool = False
) -> tuple[Tensor, Tensor]:
    """The greatest product of each block.

    Args:
        scores: of the same queries and gallery rows, which says what is left out.
        sides: queries and gallery rows.
        row: of the queries, from a multiple of the tile on.
        column: of the gallery, likewise.
        both: whether the queries' blocks are asked for too.

    Returns:
        (r, ceil(c / BLOCK)) float32 for the queries and, with ``both``, (c, ceil(r / BLOCK)) for the gallery rows.
    """
    (queries, gallery), tiling = sides, sides[0].tiling
    rows, columns = row.stop - row.start, column.stop - column.start
    of_rows = queries.lengths.new_empty((rows, triton.cdiv(columns, BLOCK)), dtype=torch.float32)
    of_columns = of_rows.new_empty((columns, triton.cdiv(rows, BLOCK)) if both else (0, 0))
    some, others = queries.parts[row.start :], gallery.parts[column.start :]
    with torch.cuda.device_of(of_rows):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        block_maxima_kernel[triton.cdiv(rows, tiling.rows), triton.cdiv(columns, tiling.columns)](
            some.high,
            some.low,
            others.high,
            others.low,
            of_rows,
            of_columns,
            scores.groups,
            row.start,
            column.start,
            rows,
            columns,
            scores.gallery_count,
            BOTH=both,
            **scores.exclusions,
            BLOCK=BLOCK,
            DIM=tiling.dim,
            WIDTH=tiling.width,
            STEP=tiling.step,
            ROWS=tiling.rows,
            COLUMNS=tiling.columns,
            **tiling.options,
        )
    return of_rows, of_columns


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def block_maxima_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    queries,
    queries_low,
    gallery,
    gallery_low,
    of_rows,
    of_columns,
    groups,
    first_row,
    first_column,
    row_count,
    column_count,
    gallery_count,
    BOTH: tl.constexpr,
    EXCLUDE_SELF: tl.constexpr,
    EXCLUDE_GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write the greatest product of each block of a tile."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    steps = tl.arange(0, STEP)
    query_tile = rows.to(tl.int64)[:, None] * WIDTH + steps[None, :]
    gallery_tile = columns.to(tl.int64)[None, :] * WIDTH + steps[:, None]
    tile = tl.zeros((ROWS, COLUMNS), tl.float32)
    for k in range(0, DIM, STEP):
        query = tl.load(queries + query_tile + k)
        other = tl.load(gallery + gallery_tile + k)
        part = tl.dot(query, tl.load(gallery_low + gallery_tile + k))
        part = tl.dot(tl.load(queries_low + query_tile + k), other, part)
        # A step's sum begins with what its lower parts give, and is added to those before in float32: one sum of tensor
        # cores over all of the dimension would be less exact, and the bound several times as wide.
        tile += tl.dot(query, other, part * (1.0 / 2048))
    if EXCLUDE_SELF or EXCLUDE_GROUP:
        own = own_pairs(first_row + rows, first_column + columns, groups, gallery_count, EXCLUDE_SELF, EXCLUDE_GROUP)
        tile = tl.where(own, float("-inf"), tile)
    # What is beyond the rows is no product.
    tile = tl.where((rows[:, None] < row_count) & (columns[None, :] < column_count), tile, float("-inf"))
    blocks = tl.program_id(1) * (COLUMNS // BLOCK) + tl.arange(0, COLUMNS // BLOCK)
    count = tl.cdiv(column_count, BLOCK)
    best = tl.max(tl.reshape(tile, (ROWS, COLUMNS // BLOCK, BLOCK)), axis=2)
    here = (rows[:, None] < row_count) & (blocks[None, :] < count)
    tl.store(of_rows + rows.to(tl.int64)[:, None] * count + blocks[None, :], best, mask=here)
    if BOTH:
        blocks = tl.program_id(0) * (ROWS // BLOCK) + tl.arange(0, ROWS // BLOCK)
        count = tl.cdiv(row_count, BLOCK)
        best = tl.max(tl.reshape(tile, (ROWS // BLOCK, BLOCK, COLUMNS)), axis=1)
        here = (blocks[:, None] < count) & (columns[None, :] < column_count)
        tl.store(of_columns + columns.to(tl.int64)[None, :] * count + blocks[:, None], best, mask=here)
