# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""Scores summed in float64 on tensor cores, and sorted with their indices in one integer.

A key holds a score and, in its lower half, an index: a greater score is a greater key, and of equal scores the one of
the smaller index. No two keys of a query are equal, so that torch may find the greatest in whatever order it likes.
Whether all gallery rows are scored or some, the instruction is one and so is the order of its sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Self

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels._arguments import Ranking
from huse_bench.kernels.cuda._tiles import Tiling, padded

__all__ = ["BLOCK", "CONSTANTS", "Scores", "block_keys_kernel", "keys_kernel", "own_pairs", "ranking", "spans"]

#: Neighbouring gallery rows that are scored together where not all are.
BLOCK = 16
#: Compile-time arguments of the kernel that scores blocks: as few equal queries as tensor cores take in any triton.
CONSTANTS = {"BLOCK": BLOCK, "QUERIES": 16}
# Queries and gallery rows whose keys are in memory at once, 128 MiB of them.
_TILE = 4096
# The other half of a key, from the greatest down, so that of equal scores the first index is the greatest key.
_LOW = 2**32 - 1
# Of what is not scored.
_NONE = -(2**63)


def spans(count: int, most: int) -> Iterator[slice]:
    """Spans of so many rows at most, that follow each other."""
    for first in range(0, count, most):
        yield slice(first, min(first + most, count))


def _greatest(keys: Tensor, k: int, known: Tensor | None = None) -> Tensor:
    """The k greatest of each row's keys, or all where these are fewer, with those that are known."""
    keys = keys.topk(min(k, keys.shape[1])).values
    return keys if known is None else _greatest(torch.cat([known, keys], dim=1), k)


def ranking(keys: Tensor) -> Ranking:
    """Scores and indices of keys."""
    bits = (keys >> 32).to(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32), _LOW - (keys & _LOW)


class Scores:
    """Scores of queries and gallery rows, as keys.

    Args:
        queries: (n, D) float32.
        gallery: (m, D) float32.
        groups: (n,) int64 numbers; with these, row i of both is item i, and others of its group are left out.
        exclude_self: whether gallery row i is left out for query i.
    """

    def __init__(self, queries: Tensor, gallery: Tensor, groups: Tensor | None, *, exclude_self: bool) -> None:
        self.count, self.gallery_count = len(queries), len(gallery)
        self.exclusions = {"EXCLUDE_SELF": exclude_self, "EXCLUDE_GROUP": groups is not None}
        # Never read where there are no groups, but a kernel takes no None.
        self.groups = torch.empty(1, dtype=torch.int64, device=queries.device) if groups is None else groups
        self._tiling = Tiling.for_products(queries.shape[1])
        self._queries = padded(queries, self._tiling, "fp32")
        self._gallery = self._queries if gallery is queries else padded(gallery, self._tiling, "fp32")

    def turned(self) -> Self:
        """Scores of the gallery rows as queries."""
        turned = copy(self)
        turned.count, turned.gallery_count = self.gallery_count, self.count
        turned._queries, turned._gallery = self._gallery, self._queries  # noqa: SLF001 - another of this class
        return turned

    def of_all(self, numbers: Tensor, k: int) -> Tensor:
        """The k greatest keys (r, k) int64 of the queries of these numbers (r,) int64, all gallery rows scored."""
        best = []
        for span in spans(len(numbers), _TILE):
            known = None
            for column in spans(self.gallery_count, _TILE):
                known = _greatest(self._tile(numbers[span], column), k, known)
            best.append(known)
        return torch.cat([found for found in best if found is not None])

    def of_blocks(self, span: slice, blocks: Tensor, needed: Tensor, k: int) -> Tensor:
        """The k greatest keys (r, k) int64 of neighbouring queries, of some blocks of the gallery each.

        Args:
            span: of the queries.
            blocks: (r, S) int32 numbers of blocks, S a multiple of 4.
            needed: (r,) int32, how many of these are to be scored.
            k: how many keys there are to be, at most those scored.
        """
        rows, slots = blocks.shape
        keys = torch.full((rows, slots * BLOCK), _NONE, dtype=torch.int64, device=blocks.device)
        with torch.cuda.device_of(keys):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            block_keys_kernel[rows, slots * BLOCK // self._tiling.columns](
                self._queries,
                self._gallery,
                keys,
                blocks,
                needed,
                self.groups,
                span.start,
                slots,
                self.gallery_count,
                **self.exclusions,
                **self._constants,
                **CONSTANTS,
                **self._tiling.options,
            )
        return keys.topk(k).values

    def _tile(self, numbers: Tensor, column: slice) -> Tensor:
        tiling = self._tiling
        rows, columns = len(numbers), column.stop - column.start
        keys = torch.empty((rows, columns), dtype=torch.int64, device=numbers.device)
        with torch.cuda.device_of(keys):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            keys_kernel[triton.cdiv(rows, tiling.rows), triton.cdiv(columns, tiling.columns)](
                self._queries,
                self._gallery,
                keys,
                numbers,
                self.groups,
                column.start,
                rows,
                columns,
                self.gallery_count,
                ROWS=tiling.rows,
                **self.exclusions,
                **self._constants,
                **tiling.options,
            )
        return keys

    @property
    def _constants(self) -> dict[str, int]:
        tiling = self._tiling
        return {"DIM": tiling.dim, "WIDTH": tiling.width, "STEP": tiling.step, "COLUMNS": tiling.columns}


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def own_pairs(  # type: ignore[no-untyped-def]  # compiled by triton
    rows, columns, groups, item_count, EXCLUDE_SELF: tl.constexpr, EXCLUDE_GROUP: tl.constexpr
):
    """Which pairs of a tile are left out: the query itself, or other items of its group, or both."""
    same = rows[:, None] == columns[None, :]
    own = same
    if EXCLUDE_GROUP:
        row_groups = tl.load(groups + rows, mask=rows < item_count, other=0)
        column_groups = tl.load(groups + columns, mask=columns < item_count, other=0)
        own = row_groups[:, None] == column_groups[None, :]
        if not EXCLUDE_SELF:
            own = own & (same == 0)
    return own


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def _keys_of(  # type: ignore[no-untyped-def]  # compiled by triton
    tile, rows, columns, groups, item_count, EXCLUDE_SELF: tl.constexpr, EXCLUDE_GROUP: tl.constexpr
):
    """Keys of a tile of float64 sums."""
    scores = tile.to(tl.float32)
    if EXCLUDE_SELF or EXCLUDE_GROUP:
        own = own_pairs(rows, columns, groups, item_count, EXCLUDE_SELF, EXCLUDE_GROUP)
        scores = tl.where(own, float("-inf"), scores)
    # The two zeros are one score. Of negative scores the bits ascend downwards.
    bits = tl.where(scores == 0, 0.0, scores).to(tl.int32, bitcast=True)
    high = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64) << 32
    return high + (0xFFFFFFFF - columns.to(tl.int64))[None, :]


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def _sums(  # type: ignore[no-untyped-def]  # compiled by triton
    queries, gallery, rows, columns, DIM: tl.constexpr, WIDTH: tl.constexpr, STEP: tl.constexpr
):
    """A tile of dot products in float64."""
    steps = tl.arange(0, STEP)
    query_tile = queries + rows.to(tl.int64)[:, None] * WIDTH + steps[None, :]
    gallery_tile = gallery + columns.to(tl.int64)[None, :] * WIDTH + steps[:, None]
    tile = tl.zeros((rows.shape[0], columns.shape[0]), tl.float64)
    for k in range(0, DIM, STEP):
        query = tl.load(query_tile + k).to(tl.float64)
        tile = tl.dot(query, tl.load(gallery_tile + k).to(tl.float64), tile, out_dtype=tl.float64)
    return tile


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def keys_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    queries,
    gallery,
    keys,
    numbers,
    groups,
    first_column,
    row_count,
    column_count,
    gallery_count,
    EXCLUDE_SELF: tl.constexpr,
    EXCLUDE_GROUP: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write a tile of keys of some queries and neighbouring gallery rows."""
    places = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    others = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    rows = tl.load(numbers + places, mask=places < row_count, other=0).to(tl.int32)
    columns = first_column + others
    here = (places[:, None] < row_count) & (others[None, :] < column_count)
    tile = _sums(queries, gallery, rows, columns, DIM, WIDTH, STEP)
    found = _keys_of(tile, rows, columns, groups, gallery_count, EXCLUDE_SELF, EXCLUDE_GROUP)
    tl.store(keys + places.to(tl.int64)[:, None] * column_count + others[None, :], found, mask=here)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def block_keys_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    queries,
    gallery,
    keys,
    blocks,
    needed,
    groups,
    first_row,
    slots,
    gallery_count,
    EXCLUDE_SELF: tl.constexpr,
    EXCLUDE_GROUP: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    QUERIES: tl.constexpr,
):
    """Write the keys of a query and some blocks of gallery rows, as far as these are needed."""
    place = tl.program_id(0)
    first = tl.program_id(1) * COLUMNS
    end = tl.load(needed + place) * BLOCK
    if first < end:
        lanes = first + tl.arange(0, COLUMNS)
        block = tl.load(blocks + place.to(tl.int64) * slots + lanes // BLOCK)
        columns = block * BLOCK + lanes % BLOCK
        # Tensor cores take no single query, so that it stands in each row of the tile.
        rows = tl.zeros((QUERIES,), tl.int32) + first_row + place
        tile = _sums(queries, gallery, rows, columns, DIM, WIDTH, STEP)
        found = _keys_of(tile, rows, columns, groups, gallery_count, EXCLUDE_SELF, EXCLUDE_GROUP)
        out = keys + place.to(tl.int64) * slots * BLOCK + lanes
        tl.store(out, tl.max(found, axis=0), mask=(lanes < end) & (columns < gallery_count))
