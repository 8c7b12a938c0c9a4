"""The double triplet loss on the CPU: the four terms share each tile of similarities and of their derivatives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from huse_bench.compiling import njit
from huse_bench.kernels._fused import finite
from huse_bench.kernels.cpu._parts import Sum, parts_of, work_on
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
    # How many are informative, by query, and of the semantic terms by positive and query.
    own_of_image: NDArray[np.floating]  # (N,) of instance_image
    own_of_text: NDArray[np.floating]  # (N,) of instance_text
    of_image: NDArray[np.floating]  # (P, N) of semantic_image
    of_text: NDArray[np.floating]  # (P, N) of semantic_text

    @classmethod
    def uncounted(
        cls, image: NDArray[np.floating], text: NDArray[np.floating], labels: _Indices, margin: float, *, every: bool
    ) -> _Triplets:
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
            _biases(image, text, itself, margin)[0],
            _biases(image, text, positives, margin),
            _biases(text, image, positives, margin),
            *(np.zeros(len(labels), image.dtype) for _ in range(2)),
            *(np.zeros(positives.shape, image.dtype) for _ in range(2)),
        )

    def for_a_part(self) -> _Triplets:
        """The same triplets for some of the images: with counts of 0 for the texts, to which each part adds, and the
        very counts of the images, which are in one part each.
        """
        return self._replace(own_of_text=np.zeros_like(self.own_of_text), of_text=np.zeros_like(self.of_text))

    def counts(self) -> NDArray[np.float64]:
        """The informative triplets of the four terms."""
        counted = (self.own_of_image, self.own_of_text, self.of_image, self.of_text)
        return np.array([counts.sum(dtype=np.float64) for counts in counted])


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
        images, texts = image.contiguous().numpy(), text.contiguous().numpy()
        triplets = _Triplets.uncounted(images, texts, labels.numpy(), margin, every=pairs == "all")
        fits = images.itemsize * len(images) ** 2 <= _KEEP
        kept = np.empty((len(images) if fits else 0, len(images)), images.dtype)
        totals = np.zeros(4)

        def work(panels: _Indices) -> tuple[_Triplets, NDArray[np.float64]]:
            counted, own = triplets.for_a_part(), np.zeros(4)
            _add_sums(images, texts, panels, counted, kept, own)
            return counted, own

        def take(part: tuple[_Triplets, NDArray[np.float64]]) -> None:
            counted, own = part
            triplets.own_of_text[:] += counted.own_of_text
            triplets.of_text[:] += counted.of_text
            totals[:] += own

        work_on(_parts(images), work, take)
        counts = np.maximum(triplets.counts(), 1)
        if not finite(image, text):
            counts.fill(np.nan)
        ctx.kept, ctx.triplets, ctx.counts = kept, triplets, counts
        return torch.from_numpy(totals / counts).to(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        images, texts = (rows.detach().contiguous().numpy() for rows in ctx.saved_tensors)
        weights = (upstream.double().numpy() / ctx.counts).astype(images.dtype)
        of_image, of_text = np.zeros_like(images), Sum()

        def work(panels: _Indices) -> tuple[float, NDArray[np.floating]]:
            own = np.zeros_like(texts)
            _add_gradients(images, texts, panels, ctx.triplets, ctx.kept, weights, of_image, own)
            return 0.0, own

        work_on(_parts(images), work, of_text.add)
        return torch.from_numpy(of_image), torch.from_numpy(of_text.gradient), None, None, None


def _parts(rows: NDArray[np.floating]) -> list[_Indices]:
    return parts_of(np.arange(0, len(rows), _ROWS), *rows.shape)


@njit(cache=True, nogil=True)
def _add_sums(images, texts, panels, triplets, kept, totals):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """:func:`_sums` of the panels' images, whose similarities are left in ``kept`` if that has room for them."""
    tiles = np.empty((0 if len(kept) else _ROWS, len(texts)), texts.dtype)
    for first in panels:
        rows = images[first : first + _ROWS]
        tile = kept[first : first + _ROWS] if len(kept) else tiles[: len(rows)]
        np.dot(rows, texts.T, tile)
        _sums(tile, first, triplets, totals)


@njit(cache=True, nogil=True)
def _add_gradients(images, texts, panels, triplets, kept, weights, of_image, of_text):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the gradients of the panels' triplets; ``kept`` has the similarities, or no rows."""
    tiles = np.empty((0 if len(kept) else _ROWS, len(texts)), texts.dtype)
    slopes = np.empty((_ROWS, len(texts)), texts.dtype)
    for first in panels:
        rows = images[first : first + _ROWS]
        tile = kept[first : first + _ROWS] if len(kept) else tiles[: len(rows)]
        if not len(kept):
            np.dot(rows, texts.T, tile)
        of_pairs = slopes[: len(rows)]
        _slopes(tile, first, triplets, weights, of_pairs)
        add_products(of_pairs, rows, texts, of_image[first : first + _ROWS], of_text)


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
        bias, of_text = own[row], triplets.own_of_text
        image_total = text_total = image_count = zero
        for j in range(len(similarity)):
            image_cost, text_cost = similarity[j] + bias, similarity[j] + own[j]
            image_total += max(image_cost, zero)
            text_total += max(text_cost, zero)
            image_count += one if image_cost > 0 else zero
            of_text[j] += one if text_cost > 0 else zero
        totals[0] += image_total
        totals[1] += text_total
        triplets.own_of_image[row] = image_count
        if labels[row] < 0:
            continue
        for k in range(len(triplets.positives)):
            bias, biases, of_text = triplets.to_text[k, row], triplets.to_image[k], triplets.of_text[k]
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
            triplets.of_image[k, row] = image_count


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _slopes(tile, first, triplets, weights, slopes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Derivatives of the weighted terms by each similarity of a tile."""
    zero = tile.dtype.type(0)
    own_image, own_text, image, text = weights[0], weights[1], weights[2], weights[3]
    labels, cut, own = triplets.labels, triplets.cut, triplets.own
    positives = triplets.positives
    for r in range(tile.shape[0]):
        row = first + r
        similarity, slope = tile[r], slopes[r]
        bias = own[row]
        for j in range(len(similarity)):
            image_slope = own_image if similarity[j] + bias > 0 else zero
            text_slope = own_text if similarity[j] + own[j] > 0 else zero
            slope[j] = image_slope + text_slope
        slope[row] = -(own_image * triplets.own_of_image[row] + own_text * triplets.own_of_text[row])
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
                slope[positives[k, row]] -= image * triplets.of_image[k, row]
    for k in range(len(positives)):
        for query in range(len(labels)):
            r = positives[k, query] - first
            if 0 <= r < tile.shape[0]:
                slopes[r, query] -= text * triplets.of_text[k, query]
