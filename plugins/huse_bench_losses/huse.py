"""HUSE: Hierarchical Universal Semantic Embeddings (arXiv 1911.05978)."""

from typing import ClassVar, Literal

import torch
from torch.nn.functional import cross_entropy

from huse_bench import Batch, LogUniform, Loss, Terms, Uniform, kernels
from huse_bench_losses._checks import at_least_zero, one_of

__all__ = ["Huse"]

Relaxation = Literal["and", "or", "hinge", "none"]


class Huse(Loss):
    """Classification by a shared head, distances that follow the class graph, and a closed modality gap.

    L = alpha * L_classification + beta * L_graph + gamma * L_gap (equations 5, 8, 11 and 12), the graph loss
    over the 2N universal rows. The paper prints neither the weights nor the margin.

    Args:
        alpha: weight of the classification loss.
        beta: weight of the graph loss.
        gamma: weight of the gap loss.
        margin: zeta of equation 10, a cosine distance in [0, 2].
        relaxation: reading of equation 10: a pair counts when its class distance ``"and"`` its own distance
            are under the margin (as printed), when one ``"or"`` the other is (as the text around it says),
            ``"hinge"`` also pulls the class distance down to the margin, ``"none"`` is equation 9.

    Raises:
        ConfigError: for a negative weight or margin, or an unknown relaxation.
    """

    title = "HUSE"
    section = ""
    position = 7
    heads = "shared"
    semantic = True
    # Adam's steps heed the ratios of the weights alone. The best three of a search on clean labels stood low in beta's
    # space of then, from 0.1; at beta over alpha of 80 the graph loss gives 27 to 58 % of the towers' gradient. So
    # this reaches from hardly a graph loss to little else.
    space: ClassVar = {
        "alpha": LogUniform(0.01, 10),
        "beta": LogUniform(0.01, 1000),
        "gamma": LogUniform(0.01, 10),
        "margin": Uniform(0.3, 1.0),
    }

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        margin: float = 0.7,
        relaxation: Relaxation = "and",
    ) -> None:
        super().__init__()
        at_least_zero(alpha=alpha, beta=beta, gamma=gamma, margin=margin)
        one_of("relaxation", relaxation, ("and", "or", "hinge", "none"))
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.margin = margin
        self.relaxation = relaxation

    def forward(self, batch: Batch) -> Terms:
        """The terms ``classification``, ``graph`` and ``gap``."""
        logits = torch.cat([batch.image_logits, batch.text_logits])
        graph = kernels.graph_loss(batch.rows, batch.row_labels, batch.classes.distances, self.margin, self.relaxation)
        gap = (1 - (batch.image * batch.text).sum(1)).mean()
        return {
            "classification": self.alpha * cross_entropy(logits, batch.row_labels),
            "graph": self.beta * graph,
            "gap": self.gamma * gap,
        }
