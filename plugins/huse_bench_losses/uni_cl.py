"""UniCL (Yang et al. 2022): a supervised contrastive loss between the modalities."""

from typing import ClassVar

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import above_zero

__all__ = ["UniCL"]


class UniCL(Loss):
    """Cross-entropy of finding the items of the same class on the other side, averaged over them.

    Args:
        temperature: divides the cosines.

    Raises:
        ConfigError: for a temperature that is not above zero.

    Reference:
        Yang et al., "Unified Contrastive Learning in Image-Text-Label Space", CVPR 2022, equations 1-3; the temperature
        is learned there, and fixed here as in Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020.
    """

    title = "UniCL"
    position = 23
    space: ClassVar = {"temperature": LogUniform(0.01, 0.5)}

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        above_zero(temperature=temperature)
        self.temperature = temperature

    def forward(self, batch: Batch) -> Terms:
        """The term ``contrastive``."""
        return {"contrastive": kernels.contrastive(batch.image, batch.text, 1 / self.temperature, labels=batch.labels)}
