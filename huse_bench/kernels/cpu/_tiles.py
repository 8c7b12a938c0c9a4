"""A tile of products and what its queries take from it, as compiled calls that need no other thread.

Several calls, since a compiled function is optimised again within each one that calls it: as one, they took twice as
long to compile.
"""

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

__all__ = ["multiply", "scan_tile"]


@njit(cache=True, nogil=True)
def multiply(queries: NDArray[np.floating], columns: NDArray[np.floating], tile: NDArray[np.floating]) -> None:
    """Put the products of queries (r, D) with columns (c, D) into the tile (r, c)."""
    np.dot(queries, columns.T, tile)


def scan_tile(
    first_row: int,
    first_column: int,
    of_rows: Shortlists,
    of_columns: Shortlists | None,
    groups: Groups | None,
    keep_pairs: bool,
    tile: NDArray[np.floating],
) -> None:
    """Add what is new among the products of a tile (r, c) to the lists of its rows and columns.

    Args:
        first_row: the rows' place among the items, and in the gallery of the columns.
        first_column: the columns' place among the items, and in the gallery of the rows.
        of_rows: the lists of the tile's rows.
        of_columns: the lists of the tile's columns, if they are to have any.
        groups: of the items; a query's own are left out.
        keep_pairs: an item itself is not left out.
        tile: what is left out becomes no candidate in it.
    """
    if groups is not None:
        leave_out_groups(tile, first_row, first_column, groups, keep_pairs)
    raise_floors_of_rows(tile, of_rows)
    scan_rows(tile, first_column, of_rows)
    if of_columns is not None:
        raise_floors_of_columns(tile, of_columns)
        scan_columns(tile, first_row, of_columns)
