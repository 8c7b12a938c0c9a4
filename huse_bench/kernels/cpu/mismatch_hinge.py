"""The hinge of the mismatched pairs on the CPU."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels._fused import fused
from huse_bench.kernels.cpu._parts import Sum, parts_of, work_on
from huse_bench.kernels.cpu._products import add_products

__all__ = ["mismatch_hinge"]

_ROWS = 256


def mismatch_hinge(image: Tensor, text: Tensor, margin: float) -> Tensor:
    """See :func:`huse_bench.kernels.reference.mismatch_hinge`."""
    return fused(partial(_value_and_gradients, margin=margin), image, text)


def _value_and_gradients(image: Tensor, text: Tensor, *, margin: float) -> tuple[float, tuple[Tensor, Tensor]]:
    images, texts = image.contiguous().numpy(), text.contiguous().numpy()
    of_image = np.zeros_like(images)
    total = Sum()

    def work(panels: NDArray[np.int64]) -> tuple[float, NDArray[np.floating]]:
        of_text = np.zeros_like(texts)
        return _add_panels(images, texts, panels, margin, of_image, of_text), of_text

    work_on(parts_of(np.arange(0, len(image), _ROWS), *image.shape), work, total.add)
    mismatches = max(len(image) * (len(image) - 1), 1)
    gradients = of_image / mismatches, total.gradient / mismatches
    return total.value / mismatches, (torch.from_numpy(gradients[0]), torch.from_numpy(gradients[1]))


@njit(cache=True, nogil=True)
def _add_panels(image, text, panels, margin, of_image, of_text):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the mismatches of the panels' images to both gradients; returns the sum of their hinges."""
    total = 0.0
    tiles = np.empty(_ROWS * len(text), text.dtype)
    for first in panels:
        rows = image[first : first + _ROWS]
        tile = tiles[: len(rows) * len(text)].reshape(len(rows), len(text))
        np.dot(rows, text.T, tile)
        total += _excess(tile, first, margin)
        add_products(tile, rows, text, of_image[first : first + _ROWS], of_text)
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _excess(tile, first, margin):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Turn the similarities of a tile into 1 where a mismatch exceeds the margin, else 0; returns the excess."""
    total = 0.0
    limit = tile.dtype.type(margin)
    for row in range(tile.shape[0]):
        tile[row, first + row] = limit
        row_total = limit * 0
        for column in range(tile.shape[1]):
            excess = tile[row, column] - limit
            over = excess > 0
            row_total += excess if over else limit * 0
            tile[row, column] = over
        total += row_total
    return total
