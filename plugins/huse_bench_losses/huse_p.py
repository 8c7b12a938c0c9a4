"""HUSE-P: the paper's variant of HUSE that projects onto the class embeddings (arXiv 1911.05978, section 4.2)."""

from typing import ClassVar

import torch
from torch.nn.functional import cross_entropy

from huse_bench import Batch, LogUniform, Loss, Terms
from huse_bench_losses._checks import at_least_zero

__all__ = ["HuseP"]


class HuseP(Loss):
    """HUSE with the projection loss of equation 13 in the place of the graph loss.

    Equation 13 is taken literally: the distances of the two modalities to their class embedding are added,
    not averaged.

    Args:
        alpha: weight of the classification loss.
        beta: weight of the projection loss.
        gamma: weight of the gap loss.

    Raises:
        ConfigError: for a negative weight.
    """

    title = "HUSE-P"
    section = ""
    position = 6
    heads = "shared"
    embedding = "classes"
    semantic = True
    # Searches with beta from 0.01 ended within 3 % of it. Adam's steps heed the ratios of the weights alone, so that
    # this reaches from hardly projecting to little else.
    space: ClassVar = {
        "alpha": LogUniform(0.1, 10),
        "beta": LogUniform(0.0001, 10),
        "gamma": LogUniform(0.01, 10),
    }

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, gamma: float = 1.0) -> None:
        super().__init__()
        at_least_zero(alpha=alpha, beta=beta, gamma=gamma)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def forward(self, batch: Batch) -> Terms:
        """The terms ``classification``, ``projection`` and ``gap``."""
        logits = torch.cat([batch.image_logits, batch.text_logits])
        target = batch.classes.embeddings[batch.labels]
        projection = (2 - ((batch.image + batch.text) * target).sum(1)).mean()
        gap = (1 - (batch.image * batch.text).sum(1)).mean()
        return {
            "classification": self.alpha * cross_entropy(logits, batch.row_labels),
            "projection": self.beta * projection,
            "gap": self.gamma * gap,
        }
