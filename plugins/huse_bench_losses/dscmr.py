"""DSCMR: Deep Supervised Cross-Modal Retrieval (Zhen et al. 2019)."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import at_least_zero

__all__ = ["DSCMR"]


class DSCMR(Loss):
    """A linear classifier by least squares, likelihood of the pairs within and across modalities, and a closed gap.

    ``classification``: mean length of (logits - one-hot class), image and text. ``discrimination``: for each of the
    image-text, image-image and text-text pairs the mean of ``log(1 + exp(c/2)) - [same class] c/2`` with c their
    cosine. ``gap``: mean distance of an item's two views.

    Least squares needs logits near 0 and 1 from the start, so the head's weights begin at unit length. Two things of
    the original are left out, so that all methods have alike towers: there the towers share their last layer, and the
    embeddings are no unit vectors.

    Args:
        discrimination_weight: lambda.
        gap_weight: eta.

    Raises:
        ConfigError: for a negative weight.

    Reference:
        Zhen et al., "Deep Supervised Cross-Modal Retrieval", CVPR 2019, equations 2-6; norms are taken by item, as in
        the authors' code.
    """

    title = "DSCMR"
    position = 24
    heads = "shared"
    head_scale = 1.0
    space: ClassVar = {"discrimination_weight": LogUniform(1e-4, 10), "gap_weight": LogUniform(1e-3, 10)}

    def __init__(self, discrimination_weight: float = 1e-3, gap_weight: float = 0.1) -> None:
        super().__init__()
        at_least_zero(discrimination_weight=discrimination_weight, gap_weight=gap_weight)
        self.discrimination_weight = discrimination_weight
        self.gap_weight = gap_weight

    def forward(self, batch: Batch) -> Terms:
        """The terms ``classification``, ``discrimination`` and ``gap``."""
        target = one_hot(batch.labels, batch.image_logits.shape[1])
        image, text = batch.image, batch.text
        pairs = ((image, text), (image, image), (text, text))
        unlikely = torch.stack([kernels.pairwise_loss(_unlikely, x, y, labels=batch.labels) for x, y in pairs])
        return {
            "classification": _length(batch.image_logits - target) + _length(batch.text_logits - target),
            "discrimination": self.discrimination_weight * unlikely.sum(),
            "gap": self.gap_weight * _length(image - text),
        }


def _unlikely(pairs: kernels.Pairs) -> Tensor:
    half = (1 - pairs.distance) / 2
    return softplus(half) - pairs.same_class * half


def _length(rows: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return lengths.mean()
