"""torch's random numbers as one training has them."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor

__all__ = ["RandomState"]


class RandomState:
    """States of torch's global generators that are theirs for as long as a ``with`` block lasts.

    The generator of a GPU is left alone while steps are recorded there, when it can be neither read nor set.

    Args:
        device: whose generator it is about beside that of the CPU, where it is a GPU. Both begin as they are now.

    Attributes:
        host: of the CPU's generator, as it was left last.
        placed: of the GPU's, likewise; None where it is about none.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.host = torch.get_rng_state()
        self.placed = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        self._outside = self.host, self.placed

    def apply(self) -> None:
        """Set the generators to these states."""
        torch.set_rng_state(self.host)
        if self.placed is not None and not torch.cuda.is_current_stream_capturing():
            torch.cuda.set_rng_state(self.placed, self._device)

    def __enter__(self) -> None:
        self._outside = self._now()
        self.apply()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        inside = self._now()
        self.host, self.placed = self._outside
        self.apply()
        self.host, self.placed = inside

    def _now(self) -> tuple[Tensor, Tensor | None]:
        if self.placed is None or torch.cuda.is_current_stream_capturing():
            return torch.get_rng_state(), self.placed
        return torch.get_rng_state(), torch.cuda.get_rng_state(self._device)
