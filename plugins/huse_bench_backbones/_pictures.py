"""From a picture to the input of a network, with Pillow and numpy alone, since it runs in many short processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["Steps", "scaling_table"]


@dataclass(frozen=True)
class Steps:
    """Resize, cut out the centre, scale.

    Attributes:
        resize: the (height, width) to stretch to, or the length of the shorter edge, or None to leave the size.
        resample: Pillow's number of the filter.
        crop: (height, width) of the centre that is kept, or None for all.
        table: (3, 256) float32, what each of a channel's values becomes.
    """

    resize: tuple[int, int] | int | None
    resample: int
    crop: tuple[int, int] | None
    table: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of what comes out; None where it depends on the picture."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    def apply(self, image: Image) -> NDArray[np.float32]:
        """Prepare one picture.

        Args:
            image: an RGB picture.

        Returns:
            (3, height, width) float32.
        """
        if self.resize is not None:
            height, width = self._target(image)
            image = image.resize((width, height), self.resample)
        pixels = np.asarray(image.convert("RGB"))
        if self.crop is not None:
            # Halves are rounded down.
            top, left = ((have - keep) // 2 for have, keep in zip(pixels.shape, self.crop, strict=False))
            pixels = pixels[top : top + self.crop[0], left : left + self.crop[1]]
        return np.stack([self.table[channel][pixels[:, :, channel]] for channel in range(3)])

    def _target(self, image: Image) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        assert self.resize is not None
        short, long = sorted(image.size)
        longer = int(self.resize * long / short)
        return (self.resize, longer) if image.height <= image.width else (longer, self.resize)


def scaling_table(factor: float, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """What each value of a channel becomes when it is multiplied, shifted and divided.

    Args:
        factor: multiplies the values 0 to 255.
        mean: of each of three channels, subtracted then.
        std: of each of three channels, what the difference is divided by.

    Returns:
        (3, 256) float32.
    """
    values = (np.arange(256) * factor).astype(np.float32)
    shift, scale = np.array([mean, std], dtype=np.float32)[:, :, None]
    table: NDArray[np.float32] = (values - shift) / scale
    return table
