"""The columns of the tables that a paper has printed too, with the methods that both have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.consistency import flagged_cells
from huse_bench.results.layout import LAYOUT, Column
from huse_bench.results.published import Published
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["SharedColumn", "shared_columns"]


@dataclass(frozen=True)
class SharedColumn:
    """One column, and the methods that both have a usable number of.

    Attributes:
        table: name of the table.
        column: what is measured.
        rows: the methods' rows.
        printed: (rows,) the printed numbers, in the unit of their table.
    """

    table: str
    column: Column
    rows: tuple[Row, ...]
    printed: NDArray[np.float64]


def shared_columns(results: Results, published: Published) -> list[SharedColumn]:
    """Columns with printed numbers, in the order of the tables.

    Printed numbers that cannot be are left out, and so are methods that were run in several configurations.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        The columns; one of which both have no method has no rows.
    """
    names = [row.records[0].method.name for row in results.rows]
    single = {name: row for name, row in zip(names, results.rows, strict=True) if names.count(name) == 1}
    columns = []
    for name, table in published.tables.items():
        flagged = flagged_cells(published, name)
        for column in LAYOUT[name]:
            printed = {
                row.key: row.cells[column.task][column.metric]
                for row in table.rows
                if column.metric in row.cells.get(column.task, {})
                and (row.key, column.task, column.metric) not in flagged
            }
            if not printed:
                continue
            rows = {m: row for m, row in single.items() if m in printed and not math.isnan(row.mean(column))}
            theirs = np.array([printed[method] for method in rows])
            columns.append(SharedColumn(name, column, tuple(rows.values()), theirs))
    return columns
