"""Features in 8 bits: each column has a range of its own, in 255 equal steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Packed", "pack", "unpack"]

_STEPS = 255


class Packed(NamedTuple):
    """Rows of numbers in 8 bits.

    Attributes:
        codes: (n, d) uint8 steps above the start of the column.
        start: (d,) float32, the least number of each column.
        step: (d,) float32; 0 in a column that is constant.
    """

    codes: NDArray[np.uint8]
    start: NDArray[np.float32]
    step: NDArray[np.float32]


def pack(values: NDArray[np.floating]) -> Packed:
    """Round each number to the nearest of its column's 256 levels; it moves by half a step at most.

    The numbers are rounded to float16 before: other processors add in another order, and what comes of that is mostly
    gone then, so that a column's range is the same everywhere.

    Args:
        values: (n, d) finite numbers.
    """
    halves = values.astype(np.float16).astype(np.float32)
    start = halves.min(axis=0)
    step = (halves.max(axis=0) - start) / np.float32(_STEPS)
    codes = np.rint((halves - start) / np.where(step > 0, step, 1)).clip(0, _STEPS)
    return Packed(codes.astype(np.uint8), start, step)


def unpack(packed: Packed) -> NDArray[np.float32]:
    """The numbers of the levels, (n, d) float32.

    One product and one sum, each rounded by itself: the same bits on every machine, and so the same fingerprint.
    """
    values = packed.codes.astype(np.float32)
    values *= packed.step
    values += packed.start
    return values
