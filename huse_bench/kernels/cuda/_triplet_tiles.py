# ruff: noqa: ANN001, ANN202, N803 - Triton decides the types of its functions and its users write constants large
"""The double triplet loss of similarities in memory: costs and informative triplets, and then the slopes.

``own`` and ``to_positives`` hold the margin less the similarity to a positive, so that a triplet costs what its
negative's similarity adds to that.
"""

import triton
import triton.language as tl

__all__ = ["SLOPES", "SUMS", "slopes_kernel", "sums_kernel"]

#: Compile-time arguments of :func:`sums_kernel`.
SUMS = {"QUERIES": 16, "OTHERS": 64}
#: Compile-time arguments of :func:`slopes_kernel`, which divide the rows of padded matrices.
SLOPES = {"ROWS": 16, "COLUMNS": 64}


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def sums_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    similarity,
    classes,
    cuts,
    own,
    to_positives,
    instance_costs,
    semantic_costs,
    of_own,
    of_positives,
    first_query,
    query_end,
    first_other,
    other_end,
    query_stride,
    other_stride,
    positive_count,
    count,
    QUERIES: tl.constexpr,
    OTHERS: tl.constexpr,
):
    """Add the costs of each query's triplets with some negatives, and how many of them are informative."""
    lanes = tl.arange(0, OTHERS)
    places = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    queries = first_query + places
    here = queries < query_end
    tile = similarity + places.to(tl.int64)[:, None] * query_stride

    bias = tl.load(own + queries, mask=here, other=float("-inf"))
    total = tl.zeros((QUERIES, OTHERS), tl.float32)
    informative = tl.zeros((QUERIES, OTHERS), tl.int32)
    for first in range(0, other_end - first_other, OTHERS):
        others = first_other + first + lanes
        there = here[:, None] & (others[None, :] < other_end)
        values = tl.load(tile + (first + lanes).to(tl.int64)[None, :] * other_stride, mask=there, other=float("-inf"))
        cost = values + bias[:, None]
        counted = (cost > 0) & (queries[:, None] != others[None, :])
        total += tl.where(counted, cost, 0.0)
        informative += counted.to(tl.int32)
    before = tl.load(instance_costs + queries, mask=here, other=0.0)
    tl.store(instance_costs + queries, before + tl.sum(total, axis=1), mask=here)
    before = tl.load(of_own + queries, mask=here, other=0)
    tl.store(of_own + queries, before + tl.sum(informative, axis=1), mask=here)

    query_classes = tl.load(classes + queries, mask=here, other=-1)
    query_cuts = tl.load(cuts + queries, mask=here, other=0)
    total = tl.zeros((QUERIES, OTHERS), tl.float32)
    to_positive = to_positives + queries
    of_positive = of_positives + queries
    for _ in range(positive_count):
        bias = tl.load(to_positive, mask=here, other=float("-inf"))
        informative = tl.zeros((QUERIES, OTHERS), tl.int32)
        for first in range(0, other_end - first_other, OTHERS):
            others = first_other + first + lanes
            other_classes = tl.load(classes + others, mask=others < other_end, other=-1)
            negative = (other_classes[None, :] >= 0) & (other_classes[None, :] != query_classes[:, None])
            negative &= here[:, None] & (others[None, :] < query_cuts[:, None])
            places_there = (first + lanes).to(tl.int64)[None, :] * other_stride
            cost = tl.load(tile + places_there, mask=negative, other=float("-inf")) + bias[:, None]
            total += tl.where(cost > 0, cost, 0.0)
            informative += (cost > 0).to(tl.int32)
        before = tl.load(of_positive, mask=here, other=0)
        tl.store(of_positive, before + tl.sum(informative, axis=1), mask=here)
        to_positive += count
        of_positive += count
    before = tl.load(semantic_costs + queries, mask=here, other=0.0)
    tl.store(semantic_costs + queries, before + tl.sum(total, axis=1), mask=here)


@triton.jit  # type: ignore[untyped-decorator]  # triton has no types
def slopes_kernel(  # type: ignore[no-untyped-def]  # compiled by triton
    similarity,
    classes,
    ranks,
    cuts,
    own,
    to_text,
    to_image,
    of_image,
    of_text,
    of_to_text,
    of_to_image,
    weights,
    first_row,
    row_stride,
    positive_count,
    count,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Put in the place of each similarity the derivative of the weighted terms by it."""
    places = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    rows = first_row + places
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    row_here = rows < count
    column_here = columns < count
    tile = similarity + places.to(tl.int64)[:, None] * row_stride + columns[None, :]
    values = tl.load(tile)
    instance_image = tl.load(weights)
    instance_text = tl.load(weights + 1)
    semantic_image = tl.load(weights + 2)
    semantic_text = tl.load(weights + 3)

    row_own = tl.load(own + rows, mask=row_here, other=float("-inf"))
    column_own = tl.load(own + columns, mask=column_here, other=float("-inf"))
    slope = tl.where(values + row_own[:, None] > 0, instance_image, 0.0)
    slope += tl.where(values + column_own[None, :] > 0, instance_text, 0.0)
    image_count = tl.load(of_image + rows, mask=row_here, other=0).to(tl.float32)
    text_count = tl.load(of_text + columns, mask=column_here, other=0).to(tl.float32)
    to_pair = -instance_image * image_count[:, None] - instance_text * text_count[None, :]
    slope = tl.where(rows[:, None] == columns[None, :], to_pair, slope)

    row_classes = tl.load(classes + rows, mask=row_here, other=-1)
    column_classes = tl.load(classes + columns, mask=column_here, other=-1)
    classed = (row_classes[:, None] >= 0) & (column_classes[None, :] >= 0)
    same = row_classes[:, None] == column_classes[None, :]
    text_negative = classed & (same == 0) & (columns[None, :] < tl.load(cuts + rows, mask=row_here, other=0)[:, None])
    image_negative = (
        classed & (same == 0) & (rows[:, None] < tl.load(cuts + columns, mask=column_here, other=0)[None, :])
    )
    to_text += rows
    to_image += columns
    for _ in range(positive_count):
        to_row = tl.load(to_text, mask=row_here, other=float("-inf"))
        to_column = tl.load(to_image, mask=column_here, other=float("-inf"))
        slope += tl.where(text_negative & (values + to_row[:, None] > 0), semantic_image, 0.0)
        slope += tl.where(image_negative & (values + to_column[None, :] > 0), semantic_text, 0.0)
        to_text += count
        to_image += count

    positive = classed & same & (rows[:, None] != columns[None, :])
    row_ranks = tl.load(ranks + rows, mask=row_here, other=0)[:, None]
    column_ranks = tl.load(ranks + columns, mask=column_here, other=0)[None, :]
    # Which positive a column is of a row, and a row of a column: those before it in its class, without the query.
    column_place = (column_ranks - (column_ranks > row_ranks).to(tl.int32)).to(tl.int64)
    row_place = (row_ranks - (row_ranks > column_ranks).to(tl.int32)).to(tl.int64)
    text_rank = column_place * count + rows[:, None]
    image_rank = row_place * count + columns[None, :]
    image_count = tl.load(of_to_text + text_rank, mask=positive & (column_place < positive_count), other=0)
    text_count = tl.load(of_to_image + image_rank, mask=positive & (row_place < positive_count), other=0)
    slope -= semantic_image * image_count.to(tl.float32) + semantic_text * text_count.to(tl.float32)
    tl.store(tile, tl.where(row_here[:, None] & column_here[None, :], slope, 0.0))
