"""A shared classifier with an angular margin, in the style of ArcFace (Deng et al. 2019)."""

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from huse_bench import Batch, LogUniform, Loss, Terms, Uniform, errors
from huse_bench_losses._checks import above_zero, at_least_zero

__all__ = ["ArcFace"]

#: Keeps the angle's derivative finite where a cosine is 1 or -1.
_EDGE = 1e-6


class ArcFace(Loss):
    """Cross-entropy over scaled cosines to shared class weights, the angle to the own class widened by a margin.

    An angle above pi - m would be widened to more than pi, where the cosine rises again and the gradient would push an
    embedding away from its class. There the own cosine is lowered by ``m sin m`` instead, as in the authors' code: it
    rises with the plain cosine everywhere, with a step at pi - m.

    Args:
        scale: s, of the cosines.
        margin: m, an angle in radians that is added to the one between an embedding and its class.

    Raises:
        ConfigError: for a scale that is not above zero, or a margin that is negative or more than a right angle.

    Reference:
        Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019, equation 3.
    """

    title = "ArcFace"
    position = 25
    heads = "cosine"
    space: ClassVar = {"scale": LogUniform(4, 64), "margin": Uniform(0.0, 0.6)}

    def __init__(self, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__()
        above_zero(scale=scale)
        at_least_zero(margin=margin)
        if margin > math.pi / 2:
            raise errors.ConfigError(f"margin must be at most pi / 2 = 1.571 radians, got {margin}")
        self.scale = scale
        self.margin = margin

    def forward(self, batch: Batch) -> Terms:
        """The terms ``image`` and ``text``."""
        return {
            "image": self._classification(batch.image_logits, batch.labels),
            "text": self._classification(batch.text_logits, batch.labels),
        }

    def _classification(self, cosines: Tensor, labels: Tensor) -> Tensor:
        angle = cosines.clamp(_EDGE - 1, 1 - _EDGE).arccos()
        widened = (angle + self.margin).cos()
        lowered = cosines - self.margin * math.sin(self.margin)
        own = one_hot(labels, cosines.shape[1]).bool()
        own_cosines = torch.where(cosines > -math.cos(self.margin), widened, lowered)
        return cross_entropy(self.scale * torch.where(own, own_cosines, cosines), labels)
