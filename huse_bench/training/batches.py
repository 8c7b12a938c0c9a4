"""The order in which a training sees its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["Batches"]

_CPU = torch.device("cpu")


class Batches:
    """Endless batches of row numbers: each pass over the data in a new order, its incomplete rest left out.

    Args:
        items: how many rows there are.
        size: of a batch; at most ``items``.
        generator: CPU generator of the orders.
        device: where the row numbers are wanted.
    """

    def __init__(self, items: int, size: int, generator: torch.Generator, device: torch.device = _CPU) -> None:
        self._items = items
        self._size = size
        self._generator = generator
        self._device = device
        self._order = torch.empty(0, dtype=torch.int64)
        self._placed = self._order
        self._start = 0

    def __next__(self) -> Tensor:
        """(size,) int64 row numbers."""
        if self._start + self._size > len(self._order):
            self._order = torch.randperm(self._items, generator=self._generator)
            self._start = 0
            # The whole order at once: to copy a batch is to wait for the device at each step.
            self._placed = self._order.to(self._device)
        self._start += self._size
        return self._placed[self._start - self._size : self._start]

    def state_dict(self) -> dict[str, Any]:
        """Where in which order it is."""
        return {"order": self._order, "start": self._start, "generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self._order, self._start = state["order"], state["start"]
        self._placed = self._order.to(self._device)
        self._generator.set_state(state["generator"])
