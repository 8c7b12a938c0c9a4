"""The gradient of a sum over pairs: products of a tile of pair weights with the rows on both of its sides."""

import numpy as np

from huse_bench.compiling import njit
from huse_bench.kernels.cpu._sorting import kth_best

__all__ = ["add_product", "add_products"]

# Share of weights unlike the usual one up to which they are visited, which takes as long as the products then.
_FEW = 0.05
# The usual weight is looked for among every so many rows and columns.
_STEP = 16
# Columns visited for all rows before the next ones, so that they stay in the cache.
_STRIP = 64
# Columns of a product.
_BLOCK = 512


@njit(cache=True, nogil=True)
def add_products(weights, rows, columns, of_rows, of_columns) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - compiled by numba
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
    some = weights[::_STEP, ::_STEP].copy().reshape(-1)
    usual = kth_best(some, len(some) // 2 + 1)
    if _count_unlike(weights, usual) > _FEW * weights.size:
        _add_all(weights, rows, columns, of_rows, of_columns)
    else:
        _add_few(weights, usual, rows, columns, of_rows, of_columns)


@njit(cache=True, nogil=True)
def _add_all(weights, rows, columns, of_rows, of_columns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """A block of columns at a time, so that what is added to stays in the cache."""
    scratch = np.empty((max(_BLOCK, len(rows)), rows.shape[1]), rows.dtype)
    for start in range(0, len(columns), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(columns)))
        of_block = np.ascontiguousarray(weights[:, block])
        add_product(of_block, columns[block], scratch, of_rows)
        add_product(of_block.T, rows, scratch, of_columns[block])


@njit(cache=True, nogil=True)
def _add_few(weights, usual, rows, columns, of_rows, of_columns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    if usual != 0:
        _add_sum(of_rows, usual, columns)
        _add_sum(of_columns, usual, rows)
    _add_unlike(weights, usual, rows, columns, of_rows, of_columns)


@njit(cache=True, nogil=True)
def add_product(left, right, scratch, sums) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - compiled by numba
    """Add ``left @ right`` to the sums, by way of the scratch, which has as many rows at the least."""
    product = scratch[: len(sums)]
    np.dot(left, right, product)
    for i in range(sums.shape[0]):
        for d in range(sums.shape[1]):
            sums[i, d] += product[i, d]


@njit(cache=True, nogil=True)
def _add_sum(sums, weight, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled by numba
    """Add the weighted sum of the rows to each of the others."""
    total = np.zeros(rows.shape[1], rows.dtype)
    for i in range(len(rows)):
        for d in range(len(total)):
            total[d] += rows[i, d]
    for d in range(len(total)):
        total[d] *= weight
    for i in range(len(sums)):
        for d in range(len(total)):
            sums[i, d] += total[d]


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
