"""How much of a gain on the validation split other queries of the same kind could give or take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Gain", "Lots"]

# Lots of groups that scores are kept by: so many that the error of an error is 3 %, so few that trials stay small.
_MOST = 512

# Digits of a sum that are kept, of shares from 0 to 1.
_DIGITS = 5


@dataclass(frozen=True)
class Gain:
    """The objective of one trial less that of another, on the same queries.

    Attributes:
        value: the difference.
        low: lower end of its 95 % interval over groups of queries; None where there is one group alone.
        high: its upper end.
    """

    value: float
    low: float | None
    high: float | None


class Lots:
    """The items of the validation split in lots that are independent witnesses.

    A lot is a group, or several where there are more than 512 of them, drawn once and for all.

    Args:
        groups: (n,) numbers of the groups of the items.

    Attributes:
        sizes: (lots,) numbers of items.

    Source: for lots of groups the random groups of Wolter, "Introduction to Variance Estimation" (2007), chapter 2.
    """

    def __init__(self, groups: NDArray[np.int64]) -> None:
        _, numbers = np.unique(groups, return_inverse=True)
        count = int(numbers.max()) + 1
        if count > _MOST:
            numbers = np.random.default_rng(0).permutation(np.arange(count) % _MOST)[numbers]
        self._numbers = numbers
        self.sizes = np.bincount(numbers)

    def sums(self, values: NDArray[np.float64]) -> tuple[float, ...]:
        """Add the values of items up within lots.

        Args:
            values: (n,) shares from 0 to 1.

        Returns:
            A number for each lot.
        """
        return tuple(np.round(np.bincount(self._numbers, weights=values), _DIGITS).tolist())

    def gain(self, of: Sequence[float], over: Sequence[float]) -> Gain:
        """What one trial scores more than another, paired by lots.

        Args:
            of: sums of one trial.
            over: sums of the other.

        Returns:
            The gain, with an interval by Student's t for as many lots as there are, each as large as it is.

        Source: the linearised variance of a ratio, Cochran, "Sampling Techniques" (1977), section 9A.
        """
        differences, items, count = np.subtract(of, over), self.sizes.sum(), len(self.sizes)
        value = float(differences.sum() / items)
        if count < 2:
            return Gain(value, None, None)
        around = differences - value * self.sizes
        error = np.sqrt(count / (count - 1) * np.square(around).sum()) / items
        half = float(special.stdtrit(count - 1, 0.975) * error)
        return Gain(value, value - half, value + half)
