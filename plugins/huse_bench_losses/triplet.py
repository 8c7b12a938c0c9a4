"""Triplet loss with semi-hard online mining (FaceNet, Schroff et al. 2015)."""

from typing import ClassVar

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import at_least_zero

__all__ = ["Triplet"]


class Triplet(Loss):
    """One semi-hard negative for each positive pair of the 2N universal rows, on cosine distances.

    The negative is the nearest one that is farther than the positive, else the farthest; the mean is over
    all positive pairs, zeros included (the rule of TensorFlow's triplet_semihard_loss). A margin m here is
    2m on squared Euclidean distances.

    Args:
        margin: by how much a negative should be farther than the positive, as a cosine distance.

    Raises:
        ConfigError: for a negative margin.
    """

    title = "Triplet"
    section = ""
    position = 1
    # Searches that began at 0.05 ended there; ratios count among small margins.
    space: ClassVar = {"margin": LogUniform(0.005, 1.0)}

    def __init__(self, margin: float = 0.5) -> None:
        super().__init__()
        at_least_zero(margin=margin)
        self.margin = margin

    def forward(self, batch: Batch) -> Terms:
        """The term ``triplet``."""
        return {"triplet": kernels.semihard_triplet(batch.rows, batch.row_labels, self.margin)}
