"""Exact ranking on the CPU: tiles of products, from which compiled loops keep the candidates of each query."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.errors import DataError
from huse_bench.kernels._arguments import Ranking
from huse_bench.kernels.cpu._groups import Groups
from huse_bench.kernels.cpu._parts import Job, threads_for, work_in_turn
from huse_bench.kernels.cpu._screening import Rounded, multiply_rounded, pays, rounded, rounding
from huse_bench.kernels.cpu._settling import settle, settle_with_scores
from huse_bench.kernels.cpu._shortlist import Shortlists, longest
from huse_bench.kernels.cpu._tiles import multiply, scan_tile

__all__ = ["top_k", "top_k_directions"]

# Rows and columns of a tile of products. Of 256 it takes some 7 % longer for each product, of 128 some 25 %.
_TILE = 1024
# All threads are to have a span of queries, down to so few.
_LEAST = 64
# With so many spans a thread, the directions are ranked two after two, as their lists take memory; with fewer, threads
# would be without work where two begin and end.
_MANY = 4

_Rows = NDArray[np.floating]


def top_k(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    *,
    exclude_self: bool,
    numbers: Tensor | None = None,
    scored: bool = True,
) -> Ranking:
    """See :func:`huse_bench.kernels.top_k`; with numbers of groups, row i of both is item i.

    What is not scored has values of no columns, and costs less. Rows that are ranked among themselves take half the
    products.
    """
    rows = _host(queries)
    columns = rows if gallery is queries else _host(gallery)
    groups = _groups(numbers)
    if groups is None and exclude_self:
        groups = _each_alone(max(len(rows), len(columns)))
    threads = threads_for(len(rows) * columns.size)
    of_rows = _Side.of(rows, len(columns))
    of_columns = of_rows if columns is rows else _Side.of(columns, len(rows))
    products = _Products.of(of_rows, of_columns, k)
    found = _Direction(products.lists(k), _height(len(rows), threads), scored=scored)
    scan = _Scan(groups, not exclude_self, products.low, _Scratch(rows.dtype))
    if columns is rows:
        tiles = _diagonals([(scan, found, found)])
    else:
        tiles = (
            scan.job(span, None, slice(start, min(start + _TILE, len(columns))))
            for start in range(0, len(columns), _TILE)
            for span in found.spans
        )
    work_in_turn(chain(tiles, found.settling()), threads)
    return found.ranking


def top_k_directions(
    image: Tensor, text: Tensor, k: int, numbers: Tensor | None, *, scored: bool = True
) -> dict[str, Ranking]:
    """See :func:`huse_bench.kernels.top_k_directions`; what is not scored has values of no columns."""
    images, texts = _host(image), _host(text)
    groups = _groups(numbers)
    threads = threads_for(2 * len(images) * images.size)
    height = _height(len(images), threads)
    of_image, of_text = (_Side.of(rows, len(images)) for rows in (images, texts))
    across = _Products.of(of_image, of_text, k, both=True)
    within = {name: _Products.of(side, side, k) for name, side in (("i2i", of_image), ("t2t", of_text))}
    scratch = _Scratch(images.dtype)
    alone = _each_alone(len(images)) if groups is None else groups
    products = {"i2t": across, "t2i": across.turned(), **within}
    problems = [
        (_Scan(groups, True, across.low, scratch), "i2t", "t2i"),
        *((_Scan(alone, False, some.low, scratch), name, name) for name, some in within.items()),
    ]
    few = len(images) < _MANY * threads * height
    rankings: dict[str, Ranking] = {}
    for stage in [problems] if few else [problems[:1], problems[1:]]:
        found = {
            name: _Direction(products[name].lists(k), height, scored=scored) for _, *names in stage for name in names
        }
        tiles = _diagonals([(scan, found[of_rows], found[of_columns]) for scan, of_rows, of_columns in stage])
        settling = chain.from_iterable(some.settling() for some in found.values())
        work_in_turn(chain(tiles, settling), threads)
        rankings |= {name: some.ranking for name, some in found.items()}
    return {name: rankings[name] for name in ("i2i", "i2t", "t2i", "t2t")}


def _host(rows: Tensor) -> _Rows:
    found: _Rows = rows.detach().cpu().contiguous().numpy()
    return found


def _groups(numbers: Tensor | None) -> Groups | None:
    return None if numbers is None else Groups.of(numbers.cpu().numpy())


def _each_alone(items: int) -> Groups:
    return Groups.of(np.arange(items))


def _height(rows: int, threads: int) -> int:
    """How many queries have their tiles and settle their lists together."""
    spans = max(1, -(-rows // _TILE), min(threads, rows // _LEAST))
    return -(-rows // spans)


def _margin(query: float, row: float, rows: _Rows) -> float:
    """Bound on twice the difference between a tile's product and the score, of a query and a row of these lengths.

    In whatever order it is summed, a product of D terms is off by at most D roundings of ``|q| |g|`` (Higham,
    "Accuracy and Stability of Numerical Algorithms", 3.1), fewer where a product is not rounded before it is added,
    and D underflows. Four more roundings are for the score, the floors that are computed with the margin, and the
    second-order terms.
    """
    scale = query * row
    kind = torch.finfo(torch.from_numpy(rows).dtype)
    if scale > kind.max / 4:
        raise DataError(
            f"the longest rows have norms {query:.3g} and {row:.3g}, whose product overflows torch.{kind.dtype}: "
            "normalise the rows"
        )
    roundings: int = rows.shape[1] + 4
    return roundings * ((kind.eps + torch.finfo(torch.float64).eps) * scale + 2 * kind.tiny)


class _Side(NamedTuple):
    """Rows that are multiplied, with the greatest length of one, and rounded if that may pay."""

    rows: _Rows
    length: float
    low: Rounded | None

    @classmethod
    def of(cls, rows: _Rows, others: int) -> Self:
        """Rows that are multiplied with so many others."""
        length = longest(rows)
        return cls(rows, length, rounded(torch.from_numpy(rows), length, others))


class _Products(NamedTuple):
    """How queries and gallery rows are multiplied, and twice how far that may be from their scores."""

    queries: _Rows
    gallery: _Rows
    margin: float
    low: tuple[Tensor, Tensor] | None

    @classmethod
    def of(cls, queries: _Side, gallery: _Side, k: int, *, both: bool = False) -> Self:
        """For the k best of each query, and if asked also of each gallery row among the queries."""
        margin = _margin(queries.length, gallery.length, queries.rows)
        one, other = queries.low, gallery.low
        if one is not None and other is not None:
            longer = [max(side.length, side.rounded_length) for side in (one, other)]
            wide = _margin(longer[0], longer[1], queries.rows) + rounding(one, other)
            exact = torch.from_numpy(queries.rows), torch.from_numpy(gallery.rows)
            if pays(one, other, exact, k, wide) and (not both or pays(other, one, exact[::-1], k, wide)):
                return cls(queries.rows, gallery.rows, wide, (one.rows, other.rows))
        return cls(queries.rows, gallery.rows, margin, None)

    def turned(self) -> Self:
        """The same products, of the gallery rows' rankings."""
        return self._replace(queries=self.gallery, gallery=self.queries)

    def lists(self, k: int) -> Shortlists:
        """Lists without candidates."""
        return Shortlists.empty(self.queries, self.gallery, k, self.margin)


@dataclass(frozen=True, eq=False)
class _Span:
    """Queries that follow each other, from the start on, with their lists and the place for their ranking."""

    start: int
    lists: Shortlists
    values: _Rows
    indices: NDArray[np.int64]

    @property
    def items(self) -> slice:
        """Of which they are."""
        return slice(self.start, self.start + len(self.indices))


class _Direction:
    """All queries' lists, in spans of a height, and their ranking."""

    def __init__(self, lists: Shortlists, height: int, *, scored: bool) -> None:
        n, kind = len(lists.queries), lists.queries.dtype
        values, indices = np.empty((n, lists.k if scored else 0), kind), np.empty((n, lists.k), np.int64)
        spans = [slice(start, min(start + height, n)) for start in range(0, n, height)]
        self.spans = [_Span(span.start, lists.part(span), values[span], indices[span]) for span in spans]
        self.ranking: Ranking = torch.from_numpy(values), torch.from_numpy(indices)
        self._scored = scored

    def settling(self) -> Iterator[Job]:
        """What is to be done after all tiles."""
        for span in self.spans:
            if self._scored:
                yield Job(partial(settle_with_scores, span.lists, span.values, span.indices), (span,))
            else:
                yield Job(partial(settle, span.lists, span.indices), (span,))


class _Scratch(threading.local):
    """Room for the products of a tile, in each thread."""

    def __init__(self, kind: np.dtype[np.floating]) -> None:
        self.products = np.empty(_TILE * _TILE, kind)
        self.low = torch.empty(_TILE * _TILE, dtype=torch.bfloat16)


@dataclass(frozen=True)
class _Scan:
    """What tiles have in common: the groups of which a query's own is left out, but for the item itself if pairs are
    kept, and the rounded rows and columns if these are multiplied.
    """

    groups: Groups | None
    keep_pairs: bool
    low: tuple[Tensor, Tensor] | None
    scratch: _Scratch

    def job(self, rows: _Span, columns: _Span | None, gallery: slice) -> Job:
        """Scan the products of rows with a part of their gallery, for their lists and, if given, those of columns."""
        needs = (rows,) if columns is None else (rows, columns)
        return Job(partial(self._run, rows, columns, gallery), needs)

    def _run(self, rows: _Span, columns: _Span | None, gallery: slice) -> None:
        shape = len(rows.indices), gallery.stop - gallery.start
        size = shape[0] * shape[1]
        tile = self.scratch.products[:size].reshape(shape)
        if self.low is None:
            multiply(rows.lists.queries, rows.lists.gallery[gallery], tile)
        else:
            low = self.scratch.low[:size].view(shape)
            multiply_rounded(self.low[0][rows.items], self.low[1][gallery], low, torch.from_numpy(tile))
        of_columns = None if columns is None else columns.lists
        scan_tile(rows.start, gallery.start, rows.lists, of_columns, self.groups, self.keep_pairs, tile)


def _diagonals(problems: Sequence[tuple[_Scan, _Direction, _Direction]]) -> Iterator[Job]:
    """The tiles of rows and columns, of those of one direction on and above the diagonal only.

    Each list needs its gallery in order. So tiles come along the lines from one edge to the other on which no two have
    a list in common, and problems of as many spans side by side, since the first and last lines are short.
    """
    count = len(problems[0][1].spans)
    for line in range(2 * count - 1):
        for scan, of_rows, of_columns in problems:
            for row in range(max(0, line - count + 1), min(line, count - 1) + 1):
                one, other = of_rows.spans[row], of_columns.spans[line - row]
                if one is other:
                    yield scan.job(one, None, one.items)
                elif of_rows is not of_columns or one.start < other.start:
                    yield scan.job(one, other, other.items)
