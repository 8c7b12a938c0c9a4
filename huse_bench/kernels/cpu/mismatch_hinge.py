"""The hinge of the mismatched pairs on the CPU."""

from functools import partial

import torch
from torch import Tensor

from huse_bench.compiling import njit
from huse_bench.kernels._fused import fused
from huse_bench.kernels.cpu._products import add_products

__all__ = ["mismatch_hinge"]

_ROWS = 256


def mismatch_hinge(image: Tensor, text: Tensor, margin: float) -> Tensor:
    """See :func:`huse_bench.kernels.reference.mismatch_hinge`."""
    return fused(partial(_value_and_gradients, margin=margin), image, text)


def _value_and_gradients(image: Tensor, text: Tensor, *, margin: float) -> tuple[float, tuple[Tensor, Tensor]]:
    image, text = image.contiguous(), text.contiguous()
    of_image, of_text = torch.zeros_like(image), torch.zeros_like(text)
    buffer = image.new_empty(min(_ROWS, len(image)), len(image))
    total = 0.0
    for first in range(0, len(image), _ROWS):
        rows = image[first : first + _ROWS]
        tile = torch.mm(rows, text.T, out=buffer[: len(rows)])
        total += _excess(tile.numpy(), first, margin)
        add_products(tile, rows, text, of_image[first : first + _ROWS], of_text)
    mismatches = max(len(image) * (len(image) - 1), 1)
    return total / mismatches, (of_image.div_(mismatches), of_text.div_(mismatches))


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
