"""The double triplet loss on the CPU: the four terms share each tile of similarities."""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from huse_bench.kernels.cpu._fused import finite

__all__ = ["double_triplet_terms"]

_ROWS = 256
# Up to this many bytes of similarities are kept for the gradient, beyond it they are formed again.
_KEEP = 2**26

_Indices = NDArray[np.int64]


def double_triplet_terms(image: Tensor, text: Tensor, labels: Tensor, margin: float, pairs: str) -> tuple[Tensor, ...]:
    """See :func:`huse_bench.kernels.double_triplet_terms`; the terms in the order given there."""
    positives, cut = _choose(labels.numpy(), every=pairs == "all")
    own = (image * text).sum(dim=1)
    to_text = _to_positives(image, text, positives)
    to_image = _to_positives(text, image, positives)
    # Labels as narrow as the similarities share their vectors.
    narrow = np.unique(labels.numpy(), return_inverse=True)[1].astype(np.int32)
    narrow[labels.numpy() < 0] = -1
    terms: Tensor = _Terms.apply(
        image, text, own, to_text, to_image, torch.from_numpy(narrow), torch.from_numpy(cut), margin
    )  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return terms.unbind()


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


def _to_positives(queries: Tensor, others: Tensor, positives: _Indices) -> Tensor:
    """(P, N) similarities of each query to its positives; inf where it has none, which no negative exceeds."""
    none = queries.new_full((1, len(queries)), torch.inf)
    rows = [none[0]] if len(positives) == 0 else []
    for chosen in torch.from_numpy(positives):
        similarity = (queries * others.index_select(0, chosen.clamp(min=0))).sum(dim=1)
        rows.append(torch.where(chosen < 0, none[0], similarity))
    return torch.stack(rows)


class _Terms(torch.autograd.Function):
    """The four terms, given the similarities to the positives.

    The normalisers are known only after all tiles, so the gradient is formed in the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        text: Tensor,
        own: Tensor,
        to_text: Tensor,
        to_image: Tensor,
        labels: Tensor,
        cut: Tensor,
        margin: float,
    ) -> Tensor:
        kept = image @ text.T if len(image) ** 2 * image.element_size() <= _KEEP else None
        biases = (margin - own, margin - to_text, margin - to_image)
        totals = torch.zeros(4, dtype=torch.float64)
        informative = (
            torch.zeros_like(own),
            torch.zeros_like(own),
            torch.zeros_like(to_text),
            torch.zeros_like(to_image),
        )
        for first in range(0, len(image), _ROWS):
            tile = kept[first : first + _ROWS] if kept is not None else image[first : first + _ROWS] @ text.T
            _sums(
                tile.numpy(),
                first,
                labels.numpy(),
                cut.numpy(),
                biases[0].numpy(),
                biases[1].numpy(),
                biases[2].numpy(),
                totals.numpy(),
                informative[0].numpy(),
                informative[1].numpy(),
                informative[2].numpy(),
                informative[3].numpy(),
            )
        counts = torch.stack([count.sum(dtype=torch.float64) for count in informative]).clamp(min=1)
        if not finite(image, text):
            counts.fill_(torch.nan)
        ctx.save_for_backward(image, text, labels, cut, counts, *biases, *informative)
        ctx.kept = kept
        return (totals / counts).to(image.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        image, text, labels, cut, counts, *rest = ctx.saved_tensors
        biases, informative = rest[:3], rest[3:]
        weights = (upstream / counts).to(image.dtype)
        of_image, of_text = torch.empty_like(image), torch.zeros_like(text)
        for first in range(0, len(image), _ROWS):
            rows = image[first : first + _ROWS]
            tile = ctx.kept[first : first + _ROWS] if ctx.kept is not None else rows @ text.T
            slopes = torch.empty_like(tile)
            _slopes(
                tile.numpy(),
                first,
                labels.numpy(),
                cut.numpy(),
                biases[0].numpy(),
                biases[1].numpy(),
                biases[2].numpy(),
                weights.numpy(),
                slopes.numpy(),
            )
            torch.mm(slopes, text, out=of_image[first : first + _ROWS])
            of_text.addmm_(slopes.T, rows)
        instance_image, instance_text, semantic_image, semantic_text = (
            -weight * count for weight, count in zip(weights, informative, strict=True)
        )
        return of_image, of_text, instance_image + instance_text, semantic_image, semantic_text, None, None, None


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _sums(tile, first, labels, cut, own, to_text, to_image, totals, n_image, n_text, n_to_text, n_to_image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add a tile's costs to the totals of the four terms, and its informative triplets to those of each query."""
    one = tile.dtype.type(1)
    zero = tile.dtype.type(0)
    columns = tile.shape[1]
    for r in range(tile.shape[0]):
        row = first + r
        costs = tile[r] + own[row]
        costs[row] = zero
        total = zero
        for j in range(columns):
            total += max(costs[j], zero)
            n_image[row] += one if costs[j] > 0 else zero
        totals[0] += total
        costs = tile[r] + own
        costs[row] = zero
        total = zero
        for j in range(columns):
            total += max(costs[j], zero)
            n_text[j] += one if costs[j] > 0 else zero
        totals[1] += total
        if labels[row] < 0:
            continue
        for k in range(len(to_text)):
            total = zero
            informative = zero
            bias = to_text[k, row]
            for j in range(cut[row]):
                cost = tile[r, j] + bias
                counted = (cost > 0) & (labels[j] != labels[row]) & (labels[j] >= 0)
                total += cost if counted else zero
                informative += one if counted else zero
            totals[2] += total
            n_to_text[k, row] = informative
            total = zero
            for j in range(columns):
                cost = tile[r, j] + to_image[k, j]
                counted = (cost > 0) & (labels[j] != labels[row]) & (labels[j] >= 0) & (row < cut[j])
                total += cost if counted else zero
                n_to_image[k, j] += one if counted else zero
            totals[3] += total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _slopes(tile, first, labels, cut, own, to_text, to_image, weights, slopes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Derivatives of the weighted terms by each similarity of a tile, those to positives apart."""
    zero = tile.dtype.type(0)
    columns = tile.shape[1]
    for r in range(tile.shape[0]):
        row = first + r
        for j in range(columns):
            image_slope = weights[0] if tile[r, j] + own[row] > 0 else zero
            text_slope = weights[1] if tile[r, j] + own[j] > 0 else zero
            slopes[r, j] = image_slope + text_slope
        slopes[r, row] = zero
        if labels[row] < 0:
            continue
        for k in range(len(to_text)):
            bias = to_text[k, row]
            for j in range(columns):
                negative = (labels[j] != labels[row]) & (labels[j] >= 0)
                image_counts = negative & (j < cut[row]) & (tile[r, j] + bias > 0)
                text_counts = negative & (row < cut[j]) & (tile[r, j] + to_image[k, j] > 0)
                slopes[r, j] += (weights[2] if image_counts else zero) + (weights[3] if text_counts else zero)
