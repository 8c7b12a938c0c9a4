"""The double triplet loss on a GPU: both modalities as queries share the similarities of some images at a time."""

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from huse_bench.kernels._classes import by_class
from huse_bench.kernels._fused import poison
from huse_bench.kernels.cuda._products import add_weighted, products, spans
from huse_bench.kernels.cuda._tiles import OPTIONS, Tiling, padded
from huse_bench.kernels.cuda._triplet_tiles import SLOPES, SUMS, slopes_kernel, sums_kernel

__all__ = ["double_triplet_terms"]


def double_triplet_terms(
    image: Tensor, text: Tensor, labels: Tensor, margin: float, pairs: str, precision: str
) -> tuple[Tensor, ...]:
    """See :func:`huse_bench.kernels.double_triplet_terms`; the terms in the order given there."""
    terms: Tensor = _Terms.apply(image, text, _Pairing.of(labels, every=pairs == "all"), margin, precision)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return terms.unbind()


@dataclass(frozen=True)
class _Pairing:
    """Which items are positives and negatives of which.

    Args:
        classes: (N,) int32, -1 for none.
        ranks: (N,) int32, how many items of its class are before an item.
        cuts: (N,) int32, the index that an item's negatives lie under.
        positives: (P, N) int64 items, the k-th positive of each item in row k, -1 for none.
    """

    classes: Tensor
    ranks: Tensor
    cuts: Tensor
    positives: Tensor

    @classmethod
    def of(cls, labels: Tensor, *, every: bool) -> "_Pairing":
        count = len(labels)
        classed = labels >= 0
        # What has no class is behind all that has one.
        order, classes, sizes = found = by_class(torch.where(classed, labels, torch.iinfo(labels.dtype).max))
        has_class, start = classed[order], found.starts
        rank = torch.arange(count, device=labels.device) - start[classes]
        others = torch.where(has_class, sizes[classes] - 1, 0)
        largest = others.max() + 1

        # To find all positives is to wait for how many there are.
        positives = labels.new_full((int(largest) - 1 if every else 1, count), -1)
        for k, chosen in enumerate(positives):
            place = (start[classes] + k + (k >= rank)).clamp_max(count - 1)
            chosen.copy_(found.unsorted(torch.where(others > k, order[place], -1)))

        cuts = labels.new_full((count,), count)
        if not every:
            # An item's negatives are the first m of other classes: they end m classed items from the start, and as
            # many later as items of its own class come before, those with fewer than m others before them.
            m = classed.sum() - largest
            before_it = (classed.cumsum(0) - classed.long())[order]
            early = pad(((before_it - rank < m) & has_class).cumsum(0), (1, 0))
            own = early[start + sizes] - early[start]
            last = pad((~classed).to(torch.int8).argsort(stable=True) + 1, (1, 0))
            cut = last[(m + own[classes]).clamp_max(count)]
            cuts = found.unsorted(torch.where(has_class, cut, count))
        numbers = found.unsorted(torch.where(has_class, classes, -1))
        ranks = found.unsorted(torch.where(has_class, rank, 0))
        return cls(numbers.to(torch.int32), ranks.to(torch.int32), cuts.to(torch.int32), positives)


class _Terms(torch.autograd.Function):
    """The four terms.

    Their normalisers are known only after all similarities, and each has an upstream gradient: formed in the
    backward pass, one product a modality makes all of the gradient, in the forward pass it would be four.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, text: Tensor, pairing: _Pairing, margin: float, precision: str) -> Tensor:
        count, dim = image.shape
        tiling = Tiling.for_products(dim)
        images, texts = padded(image, tiling, precision), padded(text, tiling, precision)
        own = margin - (images[:count].float() * texts[:count].float()).sum(dim=1)
        to_text = margin - _to_positives(images, texts, pairing.positives)
        to_image = margin - _to_positives(texts, images, pairing.positives)
        costs = image.new_zeros((4, count))
        # Of the two instance terms, then of each positive to a text, then of each to an image.
        informative = pairing.classes.new_zeros((2 + 2 * len(to_text), count))
        of_own, of_positives = informative[:2], informative[2:].view(2, -1, count)
        with torch.cuda.device_of(image):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            for span in spans(images):
                similarity = products(images[span], texts, tiling, precision)
                images_here = (span.start, min(span.stop, count))
                sides = (
                    (images_here, (0, count), similarity, to_text),
                    ((0, count), images_here, similarity.T, to_image),
                )
                for side, (queries, others, tile, to_positives) in enumerate(sides):
                    sums_kernel[(triton.cdiv(queries[1] - queries[0], SUMS["QUERIES"]),)](
                        tile,
                        pairing.classes,
                        pairing.cuts,
                        own,
                        to_positives,
                        costs[side],
                        costs[2 + side],
                        of_own[side],
                        of_positives[side],
                        *queries,
                        *others,
                        *tile.stride(),
                        len(to_positives),
                        count,
                        **SUMS,
                        **OPTIONS,
                    )
        counts = torch.stack([*of_own.sum(dim=1), *of_positives.sum(dim=(1, 2))]).clamp(min=1).double()
        # Comparisons with NaN are false, and would hide a diverged training.
        counts += poison(image, text)
        ctx.save_for_backward(images, texts, own, to_text, to_image, informative, counts)
        ctx.pairing, ctx.tiling, ctx.precision, ctx.dim = pairing, tiling, precision, dim
        return (costs.sum(dim=1, dtype=torch.float64) / counts).to(image.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        images, texts, own, to_text, to_image, informative, counts = ctx.saved_tensors
        pairing, tiling, precision = ctx.pairing, ctx.tiling, ctx.precision
        count = len(own)
        weights = (upstream / counts).to(torch.float32)
        # So that slopes, counts of up to four times the rows and more, are numbers that float16 has.
        scale = weights.abs().max().clamp_min(torch.finfo(torch.float32).tiny) * (count / 2**13)
        of_image, of_text = (torch.zeros_like(rows, dtype=torch.float32) for rows in (images, texts))
        with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            for span in spans(images):
                slopes = products(images[span], texts, tiling, precision)
                slopes_kernel[slopes.shape[0] // SLOPES["ROWS"], slopes.shape[1] // SLOPES["COLUMNS"]](
                    slopes,
                    pairing.classes,
                    pairing.ranks,
                    pairing.cuts,
                    own,
                    to_text,
                    to_image,
                    *informative[:2],
                    *informative[2:].view(2, -1, count),
                    weights / scale,
                    span.start,
                    slopes.shape[1],
                    len(to_text),
                    count,
                    **SLOPES,
                    **OPTIONS,
                )
                add_weighted(of_image[span], slopes, texts, tiling, precision)
                add_weighted(of_text, slopes.T, images[span], tiling, precision)
        # Weights that are NaN reach all of the gradient only where there is something to weigh.
        poison = weights.sum() * 0
        of_image, of_text = (of_rows[:count, : ctx.dim] * scale + poison for of_rows in (of_image, of_text))
        return of_image, of_text, None, None, None


def _to_positives(queries: Tensor, others: Tensor, positives: Tensor) -> Tensor:
    """(P, N) similarities of each query to its positives; inf where it has none, which no negative exceeds."""
    similarity = queries.new_full(positives.shape, torch.inf, dtype=torch.float32)
    mine = queries[: positives.shape[1]].float()
    for row, chosen in zip(similarity, positives, strict=True):
        to_chosen = (mine * others.index_select(0, chosen.clamp(min=0)).float()).sum(dim=1)
        row.copy_(torch.where(chosen < 0, row, to_chosen))
    return similarity
