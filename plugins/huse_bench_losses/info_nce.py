"""InfoNCE as in CLIP (Radford et al. 2021): the matching text among all texts of the batch, and the other way."""

import math
from typing import ClassVar

import torch

from huse_bench import Batch, LogUniform, Loss, Terms, kernels
from huse_bench_losses._checks import above_zero

__all__ = ["InfoNCE"]

#: CLIP keeps the scale from growing beyond this.
_MAX_SCALE = 100.0


class InfoNCE(Loss):
    """Cross-entropy of finding an item's other view among the batch, with a learned temperature.

    Every other item is a negative, also those of the same class.

    Args:
        temperature: where the learned temperature starts; its inverse scales the cosines, up to 100. The parameter
            itself is kept there, as in CLIP, so that it has a gradient at the limit and can come back.

    Raises:
        ConfigError: for a temperature that is not above zero.

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021, figure 3.
    """

    title = "InfoNCE (CLIP)"
    position = 20
    space: ClassVar = {"temperature": LogUniform(0.01, 0.5)}

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        above_zero(temperature=temperature)
        self.log_scale = torch.nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, batch: Batch) -> Terms:
        """The term ``contrastive``."""
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_MAX_SCALE))
        return {"contrastive": kernels.contrastive(batch.image, batch.text, self.log_scale.exp())}
