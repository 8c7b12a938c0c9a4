"""The double triplet loss on the CPU: the four terms share each tile of similarities and of their derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from huse_bench.compiling import njit
from huse_bench.kernels._fused import finite
from huse_bench.kernels.cpu._products import add_products

__all__ = ["double_triplet_terms"]

_ROWS = 256
# Up to this many bytes of similarities are kept for the gradient, beyond it they are formed again.
_KEEP = 2**26

_Indices = NDArray[np.int64]


def double_triplet_terms(image: Tensor, text: Tensor, labels: Tensor, margin: float, pairs: str) -> tuple[Tensor, ...]:
    """See :func:`huse_bench.kernels.double_triplet_terms`; the terms in the order given there."""
    terms: Tensor = _Terms.apply(image, text, labels, margin, pairs)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return terms.unbind()


class _Triplets(NamedTuple):
    """What the triplets of N items are made of, and how many are informative.

    A triplet costs the similarity of its query and its negative plus the bias of its query and its positive.
    """

    labels: NDArray[np.int32]  # (N,), -1 for none
    positives: _Indices  # (P, N) of each query of a semantic term, -1 for none
    cut: NDArray[np.int32]  # (N,), the index that the negatives of a semantic term lie under
    own: NDArray[np.floating]  # (N,) biases of the instance terms
    to_text: NDArray[np.floating]  # (P, N) biases of semantic_image; -inf, which costs nothing, where no positive is
    to_image: NDArray[np.floating]  # (P, N) biases of semantic_text
    own_informative: NDArray[np.floating]  # (2, N) of instance_image and instance_text, by query
    informative: NDArray[np.floating]  # (2, P, N) of semantic_image and semantic_text, by positive and query

    @classmethod
    def uncounted(cls, image: Tensor, text: Tensor, labels: _Indices, margin: float, *, every: bool) -> _Triplets:
        """Those of a batch, with counts of 0."""
        positives, cut = _choose(labels, every=every)
        # As narrow as the similarities, so that they share their vectors.
        narrow = np.unique(labels, return_inverse=True)[1].astype(np.int32)
        narrow[labels < 0] = -1
        itself = np.arange(len(labels))[None]
        return cls(
            narrow,
            positives,
            cut.astype(np.int32),
            _biases(image.numpy(), text.numpy(), itself, margin)[0],
            _biases(image.numpy(), text.numpy(), positives, margin),
            _biases(text.numpy(), image.numpy(), positives, margin),
            image.new_zeros(2, len(labels)).numpy(),
            image.new_zeros(2, *positives.shape).numpy(),
        )

    def counts(self) -> NDArray[np.float64]:
        """The informative triplets of the four terms."""
        return np.array(
            [
                *self.own_informative.sum(axis=1, dtype=np.float64),
                *self.informative.sum(axis=(1, 2), dtype=np.float64),
            ]
        )


def _choose(labels: _Indices, *, every: bool) -> tuple[_Indices, _Indices]:
    """The positives of each row, (P, N) with -1 for none, and the index that its negatives lie under, (N,)."""
    rows = len(labels)
    classed = np.flatnonzero(labels >= 0)
    _, inverse, counts = np.unique(labels[classed], return_inverse=True, return_counts=True)
    by_class = classed[inverse.argsort(kind="stable")]
    start = counts.cumsum() - counts
    rank = np.empty(len(classed), np.int64)
    rank[inverse.argsort(kind="stable")] = np.arange(len(classed)) - np.repeat(start, counts)

    largest = int(counts.max(initial=0))
    width = largest - 1 if every else min(largest - 1, 1)
    positives = np.full((max(width, 0), rows), -1)
    for k, chosen in enumerate(positives):
        has = counts[inverse] - 1 > k
        chosen[classed[has]] = by_class[(start[inverse] + k + (k >= rank))[has]]

    cut = np.full(rows, rows)
    if not every and len(classed) > 0:
        # The first m rows of other classes end m rows from the start, and as many later as rows of the own
        # class come before: those with fewer than m others before them.
        m = len(classed) - largest
        before = np.bincount(inverse, weights=np.arange(len(classed)) - rank < m).astype(np.int64)
        cut[classed] = np.append(0, classed + 1)[m + before[inverse]]
    return positives, cut


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _biases(queries, others, positives, margin):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    biases = np.full(positives.shape, -np.inf, queries.dtype)
    for k in range(len(positives)):
        for i in range(len(queries)):
            if positives[k, i] >= 0:
                query, other = queries[i], others[positives[k, i]]
                similarity = query[0] * 0
                for d in range(len(query)):
                    similarity += query[d] * other[d]
                biases[k, i] = margin - similarity
    return biases


class _Terms(torch.autograd.Function):
    """The four terms. Their normalisers are known only after all tiles, so the backward pass forms the gradient."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, text: Tensor, labels: Tensor, margin: float, pairs: str) -> Tensor:
        ctx.save_for_backward(image, text)
        image, text = image.contiguous(), text.contiguous()
        triplets = _Triplets.uncounted(image, text, labels.numpy(), margin, every=pairs == "all")
        kept = image @ text.T if len(image) ** 2 * image.element_size() <= _KEEP else None
        totals = np.zeros(4)
        for first, tile in _tiles(image, text, kept):
            _sums(tile.numpy(), first, triplets, totals)
        counts = np.maximum(triplets.counts(), 1)
        if not finite(image, text):
            counts.fill(np.nan)
        ctx.kept, ctx.triplets, ctx.counts = kept, triplets, counts
        return torch.from_numpy(totals / counts).to(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        image, text = (rows.contiguous() for rows in ctx.saved_tensors)
        weights = (upstream / torch.from_numpy(ctx.counts)).to(image)
        of_image, of_text = torch.zeros_like(image), torch.zeros_like(text)
        buffer = image.new_empty(min(_ROWS, len(image)), len(image))
        for first, tile in _tiles(image, text, ctx.kept):
            span, slopes = slice(first, first + len(tile)), buffer[: len(tile)]
            _slopes(tile.numpy(), first, ctx.triplets, weights.numpy(), slopes.numpy())
            add_products(slopes, image[span], text, of_image[span], of_text)
        return of_image, of_text, None, None, None


def _tiles(image: Tensor, text: Tensor, kept: Tensor | None) -> Iterator[tuple[int, Tensor]]:
    """The first row and the similarities of each tile, which the next one overwrites unless they are kept."""
    buffer = image.new_empty(min(_ROWS, len(image)), len(image)) if kept is None else kept
    for first in range(0, len(image), _ROWS):
        rows = image[first : first + _ROWS]
        tile = buffer[first : first + _ROWS] if kept is not None else torch.mm(rows, text.T, out=buffer[: len(rows)])
        yield first, tile


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _sums(tile, first, triplets, totals):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add a tile's costs to the totals of the four terms, and its informative triplets to those of each query."""
    one, zero = tile.dtype.type(1), tile.dtype.type(0)
    labels, cut, own = triplets.labels, triplets.cut, triplets.own
    for r in range(tile.shape[0]):
        row = first + r
        similarity = tile[r]
        # The other view of an item is no negative, and costs nothing so.
        similarity[row] = -np.inf
        bias, of_text = own[row], triplets.own_informative[1]
        image_total = text_total = image_count = zero
        for j in range(len(similarity)):
            image_cost, text_cost = similarity[j] + bias, similarity[j] + own[j]
            image_total += max(image_cost, zero)
            text_total += max(text_cost, zero)
            image_count += one if image_cost > 0 else zero
            of_text[j] += one if text_cost > 0 else zero
        totals[0] += image_total
        totals[1] += text_total
        triplets.own_informative[0, row] = image_count
        if labels[row] < 0:
            continue
        for k in range(len(triplets.positives)):
            bias, biases, of_text = triplets.to_text[k, row], triplets.to_image[k], triplets.informative[1, k]
            image_total = text_total = image_count = zero
            for j in range(len(similarity)):
                negative = (labels[j] != labels[row]) & (labels[j] >= 0)
                image_cost, text_cost = similarity[j] + bias, similarity[j] + biases[j]
                image_counts = negative & (j < cut[row]) & (image_cost > 0)
                text_counts = negative & (row < cut[j]) & (text_cost > 0)
                image_total += image_cost if image_counts else zero
                text_total += text_cost if text_counts else zero
                image_count += one if image_counts else zero
                of_text[j] += one if text_counts else zero
            totals[2] += image_total
            totals[3] += text_total
            triplets.informative[0, k, row] = image_count


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _slopes(tile, first, triplets, weights, slopes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Derivatives of the weighted terms by each similarity of a tile."""
    zero = tile.dtype.type(0)
    own_image, own_text, image, text = weights[0], weights[1], weights[2], weights[3]
    labels, cut, own = triplets.labels, triplets.cut, triplets.own
    positives, informative = triplets.positives, triplets.informative
    for r in range(tile.shape[0]):
        row = first + r
        similarity, slope = tile[r], slopes[r]
        bias = own[row]
        for j in range(len(similarity)):
            image_slope = own_image if similarity[j] + bias > 0 else zero
            text_slope = own_text if similarity[j] + own[j] > 0 else zero
            slope[j] = image_slope + text_slope
        of_own = triplets.own_informative[:, row]
        slope[row] = -(own_image * of_own[0] + own_text * of_own[1])
        if labels[row] < 0:
            continue
        for k in range(len(positives)):
            bias, biases = triplets.to_text[k, row], triplets.to_image[k]
            for j in range(len(similarity)):
                negative = (labels[j] != labels[row]) & (labels[j] >= 0)
                image_counts = negative & (j < cut[row]) & (similarity[j] + bias > 0)
                text_counts = negative & (row < cut[j]) & (similarity[j] + biases[j] > 0)
                slope[j] += (image if image_counts else zero) + (text if text_counts else zero)
            if positives[k, row] >= 0:
                slope[positives[k, row]] -= image * informative[0, k, row]
    for k in range(len(positives)):
        for query in range(len(labels)):
            r = positives[k, query] - first
            if 0 <= r < tile.shape[0]:
                slopes[r, query] -= text * informative[1, k, query]
