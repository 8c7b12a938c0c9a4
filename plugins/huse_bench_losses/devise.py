"""DeViSE*: hinge rank loss onto the class embeddings (Frome et al. 2013), extended to texts as in the HUSE paper."""

from typing import ClassVar

from torch import Tensor

from huse_bench import Batch, Loss, Terms, Uniform
from huse_bench_losses._checks import at_least_zero

__all__ = ["DeViSE"]


class DeViSE(Loss):
    """Each embedding is closer to the embedding of its class than to any other, by a margin.

    For each modality the mean over items of ``sum_{j != y} max(0, margin - psi_y . e + psi_j . e)``, with unit
    class embeddings psi; the two modalities are added. There is no classifier.

    Args:
        margin: by how much the similarity to the own class should exceed that to another.
        normalize: whether the towers end in unit vectors, as in the HUSE paper; the original has none.

    Raises:
        ConfigError: for a negative margin.
    """

    title = "DeViSE*"
    section = ""
    position = 4
    embedding = "classes"
    semantic = True
    # Searches up to 0.8 ended there. Cosines differ by 2 at the most, so that a larger margin adds nothing.
    space: ClassVar = {"margin": Uniform(0.05, 2.0)}

    def __init__(self, margin: float = 0.1, normalize: bool = True) -> None:
        super().__init__()
        at_least_zero(margin=margin)
        self.margin = margin
        self.unit_rows = normalize

    def forward(self, batch: Batch) -> Terms:
        """The terms ``image`` and ``text``."""
        return {
            "image": self._rank_loss(batch.image, batch),
            "text": self._rank_loss(batch.text, batch),
        }

    def _rank_loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        scores = embeddings @ batch.classes.embeddings.T
        own = scores.gather(1, batch.labels[:, None])
        # The own class contributes exactly the margin, which is taken off again.
        return ((self.margin - own + scores).clamp_min(0).sum(1) - self.margin).mean()
