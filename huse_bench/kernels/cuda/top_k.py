# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""Exact ranking on a GPU: scores summed in float64 on tensor cores, and sorted with their indices in one integer.

A key holds a score and, in its lower half, an index: a greater score is a greater key, and of equal scores the one of
the smaller index. No two keys of a query are equal, so that torch may find the greatest in whatever order it likes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import triton
import triton.language as tl
from torch import Tensor

from huse_bench.kernels._arguments import Ranking
from huse_bench.kernels.cuda._tiles import Tiling, padded

__all__ = ["top_k", "top_k_directions"]

# Queries and gallery rows whose keys are in memory at once, 128 MiB of them.
_TILE = 4096
# The other half of a key, from the greatest down, so that of equal scores the first index is the greatest key.
_LOW = 2**32 - 1


def top_k(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool) -> Ranking:
    """See :func:`huse_bench.kernels.top_k`; of float32 rows."""
    product = _Product(queries, gallery)
    best = _Best(len(queries), k)
    for row in _spans(len(queries)):
        for column in _spans(len(gallery)):
            keys, _ = product.keys(row, column, exclude_self=exclude_self)
            best.add(row, keys)
    return best.ranking()


def top_k_directions(image: Tensor, text: Tensor, k: int, groups: Tensor | None = None) -> dict[str, Ranking]:
    """See :func:`huse_bench.kernels.top_k_directions`; of float32 rows."""
    product = _Product(image, text, groups)
    i2t, t2i = _Best(len(image), k), _Best(len(text), k)
    for row in _spans(len(image)):
        for column in _spans(len(text)):
            of_image, of_text = product.keys(row, column, both=True)
            i2t.add(row, of_image)
            t2i.add(column, of_text)
    return {
        "i2i": _in_modal(image, k, groups),
        "i2t": i2t.ranking(),
        "t2i": t2i.ranking(),
        "t2t": _in_modal(text, k, groups),
    }


def _in_modal(rows: Tensor, k: int, groups: Tensor | None) -> Ranking:
    product = _Product(rows, rows, groups)
    best = _Best(len(rows), k)
    for row in _spans(len(rows)):
        for column in _spans(len(rows)):
            # Off the diagonal, a tile's rows and columns are different queries: one tile serves both.
            if column.start == row.start:
                best.add(row, product.keys(row, column, exclude_self=True)[0])
            elif column.start > row.start:
                of_rows, of_columns = product.keys(row, column, both=True)
                best.add(row, of_rows)
                best.add(column, of_columns)
    return best.ranking()


def _spans(count: int) -> Iterator[slice]:
    for first in range(0, count, _TILE):
        yield slice(first, min(first + _TILE, count))


class _Best:
    """The greatest keys so far of each query."""

    def __init__(self, count: int, k: int) -> None:
        self._k = k
        self._keys: list[Tensor | None] = [None for _ in _spans(count)]

    def add(self, span: slice, keys: Tensor) -> None:
        """Take the greatest of some queries' new keys."""
        known = self._keys[span.start // _TILE]
        keys = keys.topk(min(self._k, keys.shape[1])).values
        if known is not None:
            keys = torch.cat([known, keys], dim=1)
            keys = keys.topk(min(self._k, keys.shape[1])).values
        self._keys[span.start // _TILE] = keys

    def ranking(self) -> Ranking:
        """Scores and indices."""
        keys = torch.cat([found for found in self._keys if found is not None])
        bits = (keys >> 32).to(torch.int32)
        return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32), _LOW - (keys & _LOW)


class _Product:
    """Scores of queries and gallery rows, as keys."""

    def __init__(self, queries: Tensor, gallery: Tensor, groups: Tensor | None = None) -> None:
        self._groups = groups
        self._tiling = Tiling.for_products(queries.shape[1])
        self._queries = padded(queries, self._tiling, "fp32")
        self._gallery = self._queries if gallery is queries else padded(gallery, self._tiling, "fp32")

    def keys(
        self, row: slice, column: slice, *, exclude_self: bool = False, both: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Keys (r, c) int64 of some gallery rows for some queries and, with ``both``, (c, r) of these for those."""
        tiling = self._tiling
        rows, columns = row.stop - row.start, column.stop - column.start
        of_rows = self._queries.new_empty((rows, columns), dtype=torch.int64)
        of_columns = of_rows.new_empty((columns, rows) if both else (0, 0))
        # Never read where there are no groups, but a kernel takes no None.
        groups = of_rows if self._groups is None else self._groups
        with torch.cuda.device_of(of_rows):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            keys_kernel[triton.cdiv(rows, tiling.rows), triton.cdiv(columns, tiling.columns)](
                self._queries[row.start :],
                self._gallery[column.start :],
                of_rows,
                of_columns,
                groups,
                row.start,
                column.start,
                rows,
                columns,
                EXCLUDE_SELF=exclude_self,
                EXCLUDE_GROUP=self._groups is not None,
                BOTH=both,
                DIM=tiling.dim,
                WIDTH=tiling.width,
                STEP=tiling.step,
                ROWS=tiling.rows,
                COLUMNS=tiling.columns,
                **tiling.options,
            )
        return of_rows, of_columns


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def keys_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    queries,
    gallery,
    of_rows,
    of_columns,
    groups,
    first_row,
    first_column,
    row_count,
    column_count,
    EXCLUDE_SELF: tl.constexpr,
    EXCLUDE_GROUP: tl.constexpr,
    BOTH: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write a tile of keys."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    steps = tl.arange(0, STEP)
    query_tile = queries + rows.to(tl.int64)[:, None] * WIDTH + steps[None, :]
    gallery_tile = gallery + columns.to(tl.int64)[None, :] * WIDTH + steps[:, None]
    tile = tl.zeros((ROWS, COLUMNS), tl.float64)
    for k in range(0, DIM, STEP):
        query = tl.load(query_tile + k).to(tl.float64)
        tile = tl.dot(query, tl.load(gallery_tile + k).to(tl.float64), tile, out_dtype=tl.float64)
    scores = tile.to(tl.float32)
    # The two zeros are one score. Of negative scores the bits ascend downwards.
    bits = tl.where(scores == 0, 0.0, scores).to(tl.int32, bitcast=True)
    high = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64) << 32
    here = (rows[:, None] < row_count) & (columns[None, :] < column_count)
    keys = high + (0xFFFFFFFF - (first_column + columns).to(tl.int64))[None, :]
    same = first_row + rows[:, None] == first_column + columns[None, :]
    if EXCLUDE_GROUP:
        row_groups = tl.load(groups + first_row + rows, mask=rows < row_count, other=0)
        column_groups = tl.load(groups + first_column + columns, mask=columns < column_count, other=0)
        own = row_groups[:, None] == column_groups[None, :]
        if not EXCLUDE_SELF:
            own = own & (same == 0)
    else:
        own = same
    if EXCLUDE_SELF or EXCLUDE_GROUP:
        keys = tl.where(own, -0x8000000000000000, keys)
    tl.store(of_rows + rows.to(tl.int64)[:, None] * column_count + columns[None, :], keys, mask=here)
    if BOTH:
        keys = high + (0xFFFFFFFF - (first_row + rows).to(tl.int64))[:, None]
        if EXCLUDE_SELF or EXCLUDE_GROUP:
            keys = tl.where(own, -0x8000000000000000, keys)
        tl.store(of_columns + columns.to(tl.int64)[None, :] * row_count + rows[:, None], keys, mask=here)
