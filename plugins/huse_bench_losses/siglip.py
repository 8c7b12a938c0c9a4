"""The sigmoid loss of SigLIP (Zhai et al. 2023): each pair by itself, matching or not."""

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from huse_bench import Batch, LogUniform, Loss, Terms, Uniform, kernels
from huse_bench_losses._checks import above_zero

__all__ = ["SigLIP"]


class SigLIP(Loss):
    """Logistic loss of all pairs of an image and a text, of which N match and the others do not.

    ``-1/N * sum_ij log sigmoid(z_ij (t cos_ij + b))`` with z_ij = 1 for the views of one item, else -1; t and b are
    learned.

    Args:
        scale: where t starts.
        bias: where b starts; far below zero, since few pairs match.

    Raises:
        ConfigError: for a scale that is not above zero.

    Reference:
        Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, section 3.2 and algorithm 1.
    """

    title = "SigLIP"
    position = 21
    space: ClassVar = {"scale": LogUniform(1, 100), "bias": Uniform(-15, 0)}

    def __init__(self, scale: float = 10.0, bias: float = -10.0) -> None:
        super().__init__()
        above_zero(scale=scale)
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = torch.nn.Parameter(torch.tensor(float(bias)))

    def forward(self, batch: Batch) -> Terms:
        """The term ``sigmoid``."""
        mean = kernels.pairwise_loss(
            _logistic, batch.image, batch.text, labels=batch.labels, parameters=(self.log_scale.exp(), self.bias)
        )
        return {"sigmoid": len(batch.labels) * mean}


def _logistic(pairs: kernels.Pairs, scale: Tensor, bias: Tensor) -> Tensor:
    logits = scale * (1 - pairs.distance) + bias
    return softplus(torch.where(pairs.same_item, -logits, logits))
