"""A tile of products and what its queries take from it, as one compiled call that needs no other thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from huse_bench.compiling import njit
from huse_bench.kernels.cpu._groups import leave_out_groups
from huse_bench.kernels.cpu._shortlist import (
    raise_floors_of_columns,
    raise_floors_of_rows,
    scan_columns,
    scan_rows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huse_bench.kernels.cpu._groups import Groups
    from huse_bench.kernels.cpu._shortlist import Shortlists

__all__ = ["scan_tile"]


@njit(cache=True, nogil=True)
def scan_tile(
    columns: NDArray[np.floating],
    first_row: int,
    first_column: int,
    of_rows: Shortlists,
    of_columns: Shortlists | None,
    groups: Groups | None,
    keep_pairs: bool,
    scratch: NDArray[np.floating],
) -> None:
    """Multiply rows and columns, and add what is new among the products to the lists of either.

    Args:
        columns: (c, D).
        first_row: the rows' place among the items, and in the gallery of the columns.
        first_column: the columns' place among the items, and in the gallery of the rows.
        of_rows: the lists of the tile's rows, whose queries are multiplied.
        of_columns: the lists of the tile's columns, if they are to have any.
        groups: of the items; a query's own are left out.
        keep_pairs: an item itself is not left out.
        scratch: room for the products.
    """
    shape = (len(of_rows.queries), len(columns))
    tile = scratch[: shape[0] * shape[1]].reshape(shape)
    np.dot(of_rows.queries, columns.T, tile)
    if groups is not None:
        leave_out_groups(tile, first_row, first_column, groups, keep_pairs)
    raise_floors_of_rows(tile, of_rows)
    scan_rows(tile, first_column, of_rows)
    if of_columns is not None:
        raise_floors_of_columns(tile, of_columns)
        scan_columns(tile, first_row, of_columns)
