"""The gradient of a sum over pairs: products of a tile of pair weights with the rows on both of its sides."""

import numpy as np
from torch import Tensor

from huse_bench.compiling import njit

__all__ = ["add_products"]

# Share of weights unlike the usual one up to which they are visited. Torch's product on two threads takes as long then.
# Not by the number of threads: each way rounds otherwise.
_FEW = 0.05
# The usual weight is looked for among every so many rows and columns.
_STEP = 16
# Columns visited for all rows before the next ones, so that they stay in the cache.
_STRIP = 64


def add_products(weights: Tensor, rows: Tensor, columns: Tensor, of_rows: Tensor, of_columns: Tensor) -> None:
    """Add ``weights @ columns`` to ``of_rows`` and ``weights.T @ rows`` to ``of_columns``.

    A hinge gives most pairs one weight: that of a costly pair at the start of a training, soon 0. Then only
    the other pairs are visited, and the usual weight multiplies sums of rows.

    Args:
        weights: (R, C), whole multiples of a few numbers.
        rows: (R, D).
        columns: (C, D).
        of_rows: (R, D), added to.
        of_columns: (C, D), added to.
    """
    usual = weights[::_STEP, ::_STEP].median()
    if _count_unlike(weights.numpy(), usual.numpy()[()]) > _FEW * weights.numel():
        of_rows.addmm_(weights, columns)
        of_columns.addmm_(weights.T, rows)
        return
    if usual != 0:
        of_rows += usual * columns.sum(dim=0)
        of_columns += usual * rows.sum(dim=0)
    _add_unlike(weights.numpy(), usual.numpy()[()], rows.numpy(), columns.numpy(), of_rows.numpy(), of_columns.numpy())


@njit(cache=True, nogil=True)
def _count_unlike(weights, usual):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    total = 0
    for row in weights:
        for weight in row:
            total += weight != usual
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _add_unlike(weights, usual, rows, columns, of_rows, of_columns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the products of what the weights have beyond the usual one."""
    unlike = np.empty(_STRIP, np.int64)
    for start in range(0, len(columns), _STRIP):
        for i in range(len(rows)):
            found = 0
            for j in range(start, min(start + _STRIP, len(columns))):
                unlike[found] = j
                found += weights[i, j] != usual
            for j in unlike[:found]:
                excess = weights[i, j] - usual
                row, column, of_row, of_column = rows[i], columns[j], of_rows[i], of_columns[j]
                for d in range(len(row)):
                    of_row[d] += excess * column[d]
                    of_column[d] += excess * row[d]
