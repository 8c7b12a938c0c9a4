# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""What the kernels share: the shape of their tiles, rows laid out for them, and the product that fills one."""

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["DOT_PRECISION", "OPTIONS", "Tiling", "padded", "similarities"]

#: What ``tl.dot`` is told for each public precision; that of fp16 is the type of its operands.
DOT_PRECISION = {"fp32": "tf32x3", "tf32": "tf32", "fp16": "tf32"}

#: The compiler's options of every kernel. Triton's default for the first is about to change, and it warns of that.
OPTIONS = {"enable_fp_fusion": True, "num_warps": 4}


@dataclass(frozen=True)
class Tiling:
    """How rows of one dimension are cut into tiles.

    Args:
        dim: dimension of the rows, rounded up to whole steps.
        width: dimension of the rows in memory, rounded up to whole chunks of the gradient.
        chunk: columns of the gradient that one program accumulates.
        step: columns of the rows that are multiplied at once.
        rows: rows of a tile, a multiple of its columns.
        columns: other rows, those that a tile compares with.
        warps: of 32 threads, that share a tile.
        stages: of a loop over products, that are under way at once.
    """

    dim: int
    width: int
    chunk: int
    step: int
    rows: int
    columns: int
    warps: int
    stages: int

    @classmethod
    def for_pairs(cls, dim: int) -> "Tiling":
        """The tiling of products whose results are weights of pairs."""
        chunk = min(max(triton.next_power_of_2(dim), 16), 128)
        step = min(chunk, 32)
        return cls(
            dim=triton.cdiv(dim, step) * step,
            width=triton.cdiv(dim, chunk) * chunk,
            chunk=chunk,
            step=step,
            rows=128,
            columns=64,
            warps=8,
            stages=3,
        )

    @classmethod
    def for_products(cls, dim: int) -> "Tiling":
        """The tiling of plain products, which nothing else shares the registers with."""
        chunk = min(max(triton.next_power_of_2(dim), 16), 64)
        step = min(chunk, 32)
        return cls(
            dim=triton.cdiv(dim, step) * step,
            width=triton.cdiv(dim, chunk) * chunk,
            chunk=chunk,
            step=step,
            rows=64,
            columns=64,
            warps=4,
            stages=3,
        )

    @property
    def constants(self) -> dict[str, int]:
        """The kernels' compile-time arguments that follow from the tiling."""
        names = ("dim", "width", "chunk", "step", "rows", "columns")
        return {name.upper(): getattr(self, name) for name in names}

    @property
    def options(self) -> dict[str, Any]:
        """The compiler's options."""
        return {**OPTIONS, "num_warps": self.warps, "num_stages": self.stages}

    def grid(self, count: int) -> tuple[int, int]:
        """The programs for a count of rows: one a block of them and chunk of the gradient."""
        return triton.cdiv(count, self.rows), self.width // self.chunk


def padded(rows: Tensor, tiling: Tiling, precision: str) -> Tensor:
    """A copy of the rows in whole tiles, zeros beyond, in the type that is multiplied."""
    count, dim = rows.shape
    full = triton.cdiv(count, tiling.rows) * tiling.rows
    whole = rows.new_zeros((full, tiling.width), dtype=torch.float16 if precision == "fp16" else torch.float32)
    whole[:count, :dim] = rows
    return whole


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def similarities(  # type: ignore[no-untyped-def]  # compiled by triton
    x, y, rows, columns, DIM: tl.constexpr, WIDTH: tl.constexpr, STEP: tl.constexpr, PRECISION: tl.constexpr
):
    """A tile of dot products of rows of x with rows of y, in float32."""
    steps = tl.arange(0, STEP)
    x_tile = x + rows.to(tl.int64)[:, None] * WIDTH + steps[None, :]
    y_tile = y + columns.to(tl.int64)[None, :] * WIDTH + steps[:, None]
    tile = tl.zeros((rows.shape[0], columns.shape[0]), tl.float32)
    for k in range(0, DIM, STEP):
        tile = tl.dot(tl.load(x_tile + k), tl.load(y_tile + k), tile, input_precision=PRECISION)
    return tile
