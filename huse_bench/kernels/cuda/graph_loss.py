# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The graph loss on a GPU: rows sorted by class, blocks of classes beyond reach skipped."""

from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from huse_bench.kernels.cuda._fused import fused
from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling, padded, similarities

__all__ = ["graph_loss"]


def graph_loss(x: Tensor, labels: Tensor, distances: Tensor, margin: float, relaxation: str, precision: str) -> Tensor:
    """See :func:`huse_bench.kernels.graph_loss`."""
    return fused(
        partial(
            _value_and_gradient,
            labels=labels,
            distances=distances,
            margin=margin,
            relaxation=relaxation,
            precision=precision,
        ),
        x,
    )


def _value_and_gradient(
    x: Tensor, *, labels: Tensor, distances: Tensor, margin: float, relaxation: str, precision: str
) -> tuple[Tensor, Tensor]:
    count, dim = x.shape
    tiling = Tiling.for_rows(dim, precision)
    order = labels.argsort(stable=True)
    present, classes = labels.index_select(0, order).unique_consecutive(return_inverse=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    target = distances[present][:, present].contiguous()
    reach = target < margin if relaxation == "and" else torch.ones_like(target, dtype=torch.bool)
    others, reached = _schedule(classes, reach, tiling.rows, tiling.columns)

    ordered = padded(x.index_select(0, order), tiling, precision)
    gradient = ordered.new_empty(ordered.shape, dtype=torch.float32)
    squares = ordered.new_empty(len(ordered), dtype=torch.float32)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        graph_loss_kernel[tiling.grid(count)](
            ordered,
            pad(classes, (0, len(ordered) - count)).to(torch.int32),
            target,
            others,
            reached,
            gradient,
            squares,
            float(margin),
            count,
            len(present),
            others.shape[1],
            RELAXATION=relaxation,
            PRECISION=DOT_PRECISION[precision],
            **tiling.constants,
            **tiling.options,
        )
    value = squares[:count].sum(dtype=torch.float64) / count**2
    return value, gradient[:count, :dim].index_select(0, order.argsort()) * (-4 / count**2)


def _schedule(classes: Tensor, reach: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Which blocks of columns each block of rows is compared with.

    Args:
        classes: (M,) int64 classes of the sorted rows, ascending.
        reach: (K, K) bool, whether rows of two classes may count.
        rows: how many rows a block of rows has.
        columns: how many a block of columns has.

    Returns:
        (R, C) int32 blocks of columns, those to compare with first and ascending; (R,) int32, how many they are.
    """
    top, bottom = _ends(classes, rows)
    left, right = _ends(classes, columns)
    # How many class pairs within reach the rectangle of two blocks holds, by sums from the corner.
    corner = pad(reach.cumsum(0).cumsum(1), (1, 0, 1, 0))
    within = corner[bottom][:, right] - corner[top][:, right] - corner[bottom][:, left] + corner[top][:, left] > 0
    others = within.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    return others.to(torch.int32), within.sum(dim=1, dtype=torch.int32)


def _ends(classes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The first class of each block of rows, and the one after its last."""
    first = classes[::size]
    last = torch.cat([classes[size - 1 :: size], classes[-1:]])[: len(first)]
    return first, last + 1


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def graph_loss_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    x,
    classes,
    targets,
    others,
    reached,
    gradient,
    squares,
    margin,
    row_count,
    class_count,
    column_blocks,
    RELAXATION: tl.constexpr,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Sum the squared residuals of each row's pairs, and the other rows weighted with the residuals."""
    block = tl.program_id(0)
    rows = block * ROWS + tl.arange(0, ROWS)
    chunk = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    row_targets = targets + tl.load(classes + rows).to(tl.int64) * class_count
    total = tl.zeros((ROWS,), tl.float32)
    weighted = tl.zeros((ROWS, CHUNK), tl.float32)
    for i in range(tl.load(reached + block)):
        columns = tl.load(others + block * column_blocks + i) * COLUMNS + tl.arange(0, COLUMNS)
        distance = 1 - similarities(x, x, rows, columns, DIM, WIDTH, STEP, PRECISION)
        target = tl.load(row_targets[:, None] + tl.load(classes + columns)[None, :])
        counted = (rows[:, None] != columns[None, :]) & (rows[:, None] < row_count) & (columns[None, :] < row_count)
        if RELAXATION == "and":
            counted &= (target < margin) & (distance < margin)
        elif RELAXATION != "none":
            counted &= (target < margin) | (distance < margin)
        if RELAXATION == "hinge":
            target = tl.minimum(target, margin)
        residual = tl.where(counted, distance - target, 0.0)
        total += tl.sum(residual * residual, axis=1)
        others_chunk = tl.load(x + columns.to(tl.int64)[:, None] * WIDTH + chunk[None, :])
        weighted = tl.dot(residual.to(x.dtype.element_ty), others_chunk, weighted, input_precision=PRECISION)
    if tl.program_id(1) == 0:
        tl.store(squares + rows, total)
    tl.store(gradient + rows.to(tl.int64)[:, None] * WIDTH + chunk[None, :], weighted)
