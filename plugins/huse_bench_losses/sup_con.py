"""Supervised contrastive loss over the rows of both modalities (Khosla et al. 2020)."""

from typing import ClassVar

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import above_zero

__all__ = ["SupCon"]


class SupCon(Loss):
    """Cross-entropy of finding the other rows of a row's class among all 2N - 1 other rows, averaged over them.

    An item's image and text are its two views, as two augmentations of a picture are in the original. So rows of a
    class are pulled together within a modality too; UniCL is the form between the modalities alone.

    Args:
        temperature: divides the cosines.

    Raises:
        ConfigError: for a temperature that is not above zero.

    Reference:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2 (L_out), its mean over the anchors.
    """

    title = "SupCon"
    position = 23
    space: ClassVar = {"temperature": LogUniform(0.01, 0.5)}

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        above_zero(temperature=temperature)
        self.temperature = temperature

    def forward(self, batch: Batch) -> Terms:
        """The term ``contrastive``."""
        rows, scale = batch.rows, 1 / self.temperature
        return {"contrastive": kernels.contrastive(rows, rows, scale, labels=batch.row_labels, exclude_self=True)}
