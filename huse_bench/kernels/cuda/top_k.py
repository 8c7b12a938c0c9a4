"""Exact ranking on a GPU: float16 products on tensor cores rule most of the gallery out, the rest is scored in float64.

Queries whose near ties overflow their shortlist have all their pairs scored: the ranking is one, whichever way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from huse_bench.kernels._arguments import Ranking, values_are_checked
from huse_bench.kernels.cuda._keys import Scores, ranking, spans
from huse_bench.kernels.cuda._screening import Rounded, Shortlist, block_maxima, bound, slots

__all__ = ["top_k", "top_k_directions"]

# Queries and gallery rows whose products are formed together; whole tiles.
_SPAN = 16_384
# Queries whose shortlists are scored together.
_ROWS = 4096
# The least queries, and gallery rows for each block of a shortlist, that are screened: below, there is little to win.
_FEWEST, _LEAST = 512, 128


def top_k(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool, groups: Tensor | None = None) -> Ranking:
    """See :func:`huse_bench.kernels.top_k`; of float32 rows. With groups, row i of both is item i."""
    scores = Scores(queries, gallery, groups, exclude_self=exclude_self)
    if not _pays(queries, gallery, k):
        return ranking(scores.of_all(torch.arange(len(queries), device=queries.device), k))
    sides = Rounded.of(queries), Rounded.of(gallery)
    found = Shortlist(len(queries), k, queries.device)
    for row in spans(len(queries), _SPAN):
        for column in spans(len(gallery), _SPAN):
            found.add(row, column, block_maxima(scores, sides, row, column)[0])
    return _settled(scores, found, bound(*sides), k)


def top_k_directions(image: Tensor, text: Tensor, k: int, groups: Tensor | None = None) -> dict[str, Ranking]:
    """See :func:`huse_bench.kernels.top_k_directions`; of float32 rows."""
    if not _pays(image, text, k):
        rows = {"i": image, "t": text}
        return {
            f"{one}2{other}": top_k(rows[one], rows[other], k, exclude_self=one == other, groups=groups)
            for one in "it"
            for other in "it"
        }
    images, texts = Rounded.of(image), Rounded.of(text)
    i2t, t2i = _across(image, text, (images, texts), k, groups)
    return {
        "i2i": _within(image, images, k, groups),
        "i2t": i2t,
        "t2i": t2i,
        "t2t": _within(text, texts, k, groups),
    }


def _pays(queries: Tensor, gallery: Tensor, k: int) -> bool:
    """Whether to screen, which waits for the device once a direction, to count the queries that need all scores."""
    return values_are_checked() and len(queries) >= _FEWEST and len(gallery) >= _LEAST * slots(k)


def _across(
    image: Tensor, text: Tensor, sides: tuple[Rounded, Rounded], k: int, groups: Tensor | None
) -> tuple[Ranking, Ranking]:
    scores = Scores(image, text, groups, exclude_self=False)
    of_image, of_text = (Shortlist(len(image), k, image.device) for _ in range(2))
    for row in spans(len(image), _SPAN):
        for column in spans(len(text), _SPAN):
            of_rows, of_columns = block_maxima(scores, sides, row, column, both=True)
            of_image.add(row, column, of_rows)
            of_text.add(column, row, of_columns)
    return (
        _settled(scores, of_image, bound(*sides), k),
        _settled(scores.turned(), of_text, bound(*sides[::-1]), k),
    )


def _within(rows: Tensor, side: Rounded, k: int, groups: Tensor | None) -> Ranking:
    scores = Scores(rows, rows, groups, exclude_self=True)
    found = Shortlist(len(rows), k, rows.device)
    for row in spans(len(rows), _SPAN):
        for column in spans(len(rows), _SPAN):
            # Off the diagonal, a tile's rows and columns are different queries: one tile serves both.
            if column.start >= row.start:
                both = column.start > row.start
                of_rows, of_columns = block_maxima(scores, (side, side), row, column, both=both)
                found.add(row, column, of_rows)
                if both:
                    found.add(column, row, of_columns)
    return _settled(scores, found, bound(side, side), k)


def _settled(scores: Scores, found: Shortlist, bound: Tensor, k: int) -> Ranking:
    """The ranking by the scores of what is not ruled out."""
    keys, full = [], []
    for span in spans(len(bound), _ROWS):
        blocks, needed = found.candidates(span, bound)
        full.append(needed == slots(k))
        # What a full shortlist has left out, nobody knows.
        keys.append(scores.of_blocks(span, blocks, needed.masked_fill(full[-1], 0), k))
    best, crowded = torch.cat(keys), torch.cat(full).nonzero()[:, 0]
    if len(crowded):
        best[crowded] = scores.of_all(crowded, k)
    return ranking(best)
