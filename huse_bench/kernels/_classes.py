"""Rows by class, found without waiting for the device to say how many classes there are."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ByClass", "by_class"]


class ByClass(NamedTuple):
    """N rows sorted by their class, in tensors whose sizes do not depend on the labels.

    Attributes:
        order: (N,) int64 row numbers, by class and within a class ascending.
        classes: (N,) int64 numbers of the sorted rows' classes: from 0, ascending, without gaps.
        sizes: (N,) int64, how many rows the class of a number has; 0 where there is no such class.
    """

    order: Tensor
    classes: Tensor
    sizes: Tensor

    @property
    def starts(self) -> Tensor:
        """(N,) int64, the place among the sorted rows at which the class of a number begins."""
        return self.sizes.cumsum(0) - self.sizes

    def unsorted(self, values: Tensor) -> Tensor:
        """Values of the sorted rows as those of the rows in their own order."""
        return torch.empty_like(values).index_copy_(0, self.order, values)


def by_class(labels: Tensor) -> ByClass:
    """Sort rows by their class.

    Args:
        labels: (N,) int64.
    """
    order = labels.argsort(stable=True)
    ordered = labels.index_select(0, order)
    classes = torch.zeros_like(ordered)
    classes[1:] = (ordered[1:] != ordered[:-1]).cumsum(0)
    sizes = torch.zeros_like(ordered).index_add_(0, classes, torch.ones_like(ordered))
    return ByClass(order, classes, sizes)
