"""torch's random numbers as one training has them."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor

__all__ = ["RandomState"]


class RandomState:
    """States of torch's global generators that are theirs for as long as a ``with`` block lasts.

    Args:
        device: where there is a generator beside that of the CPU, if it is a GPU. Both begin as they are now.

    Attributes:
        host: of the CPU's generator, as it was left last.
        placed: of the device's generator, likewise; None on the CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.host, self.placed = self._now()
        self._outside = self.host, self.placed

    def __enter__(self) -> None:
        self._outside = self._now()
        self._set(self.host, self.placed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.host, self.placed = self._now()
        self._set(*self._outside)

    def _now(self) -> tuple[Tensor, Tensor | None]:
        return torch.get_rng_state(), torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None

    def _set(self, host: Tensor, placed: Tensor | None) -> None:
        torch.set_rng_state(host)
        if placed is not None:
            torch.cuda.set_rng_state(placed, self._device)
