"""Wall time of the steps of a training, or of several that take theirs at once."""

from __future__ import annotations

import time

import torch

__all__ = ["Stopwatch"]


class Stopwatch:
    """Counts the time while it runs.

    Args:
        device: whose work belongs to the time.

    Attributes:
        seconds: so far, of each of those that share it.
        sharing: how many these are; all are stopped before it is changed.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = 0.0
        self.sharing = 1
        self._device = device
        self._since: float | None = None

    def start(self) -> None:
        """Run, where it does not."""
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        """Stop, once the device has done all it was given."""
        if self._since is not None:
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            self.seconds += (time.perf_counter() - self._since) / self.sharing
            self._since = None
