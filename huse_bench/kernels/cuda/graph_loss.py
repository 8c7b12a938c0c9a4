# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The graph loss on a GPU: rows sorted by class, blocks of classes beyond reach skipped."""

from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from huse_bench.kernels._classes import by_class
from huse_bench.kernels._fused import fused_on_device
from huse_bench.kernels.cuda._pairs import Operand, Weights, add_pair_sums, pair_products, spans, stored
from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling

__all__ = ["graph_loss"]


def graph_loss(x: Tensor, labels: Tensor, distances: Tensor, margin: float, relaxation: str, precision: str) -> Tensor:
    """See :func:`huse_bench.kernels.graph_loss`."""
    return fused_on_device(
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
) -> tuple[Tensor, tuple[Tensor]]:
    count, dim = x.shape
    tiling = Tiling.for_pairs(dim)
    order, classes, _ = sorted_rows = by_class(labels)
    # Of the classes that the rows are of; what is behind them is of the class 0, and no row is.
    present = labels.new_zeros(min(count, len(distances))).index_copy_(0, classes, labels.index_select(0, order))
    target = distances[present][:, present].contiguous()
    reach = target < margin if relaxation == "and" else torch.ones_like(target, dtype=torch.bool)
    others, reached = _schedule(classes, reach, tiling.rows, tiling.columns)

    ordered = Operand.of(x.index_select(0, order), tiling, precision)
    padded_classes = pad(classes, (0, len(ordered) - count)).to(torch.int32)
    gradient = x.new_zeros(ordered.high.shape)
    value = x.new_zeros((), dtype=torch.float64)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for span in spans(len(ordered), tiling):
            weights = Weights.empty(span.stop - span.start, len(ordered), ordered, exact=False)
            blocks = slice(span.start // tiling.rows, span.stop // tiling.rows)
            schedule = others[blocks], reached[blocks]
            # A program that has no block to compare with writes nothing.
            squares = x.new_zeros((others.shape[1], span.stop - span.start))
            residuals_kernel[schedule[0].shape](
                ordered.high,
                ordered.low,
                padded_classes,
                target,
                *schedule,
                weights.operand.high,
                weights.operand.low,
                squares,
                float(margin),
                span.start,
                count,
                len(present),
                others.shape[1],
                len(ordered),
                RELAXATION=relaxation,
                SPLIT=precision == "fp32",
                PRECISION=DOT_PRECISION[precision],
                DIM=tiling.dim,
                WIDTH=tiling.width,
                STEP=tiling.step,
                ROWS=tiling.rows,
                COLUMNS=tiling.columns,
                **tiling.options,
            )
            add_pair_sums(gradient[span], weights, ordered, tiling, precision, schedule)
            value += squares.sum(dtype=torch.float64)
    return value / count**2, (sorted_rows.unsorted(gradient[:count, :dim]) * (-4 / count**2),)


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
def residuals_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    x,
    x_low,
    classes,
    targets,
    others,
    reached,
    weights,
    weights_low,
    squares,
    margin,
    first_row,
    row_count,
    class_count,
    column_blocks,
    row_stride,
    RELAXATION: tl.constexpr,
    SPLIT: tl.constexpr,
    PRECISION: tl.constexpr,
    DIM: tl.constexpr,
    WIDTH: tl.constexpr,
    STEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Write the residuals of a block of rows with one that it is compared with, and the sums of their squares."""
    block = tl.program_id(0)
    i = tl.program_id(1)
    if i >= tl.load(reached + block):
        return
    places = block * ROWS + tl.arange(0, ROWS)
    rows = first_row + places
    columns = tl.load(others + block * column_blocks + i) * COLUMNS + tl.arange(0, COLUMNS)
    distance = 1 - pair_products(x, x_low, x, x_low, rows, columns, DIM, WIDTH, STEP, SPLIT, PRECISION)
    row_targets = targets + tl.load(classes + rows).to(tl.int64) * class_count
    target = tl.load(row_targets[:, None] + tl.load(classes + columns)[None, :])
    counted = (rows[:, None] != columns[None, :]) & (rows[:, None] < row_count) & (columns[None, :] < row_count)
    if RELAXATION == "and":
        counted &= (target < margin) & (distance < margin)
    elif RELAXATION != "none":
        counted &= (target < margin) | (distance < margin)
    if RELAXATION == "hinge":
        target = tl.minimum(target, margin)
    residual = tl.where(counted, distance - target, 0.0)
    row_places = places.to(tl.int64)
    stored(weights, weights_low, row_places[:, None] * row_stride + columns[None, :], residual, SPLIT)
    rows_here = tl.num_programs(0) * ROWS
    tl.store(squares + i.to(tl.int64) * rows_here + places, tl.sum(residual * residual, axis=1))
