"""Tables as they are shown: numbers, and what is known of each, before any format rounds them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from huse_bench.errors import ResultsError
from huse_bench.results.intervals import CellUncertainty, Uncertainty
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["Change", "ShownRow", "ShownTable", "shown_tables"]

#: Changes a table of that name in place.
Change = Callable[[pd.DataFrame, str], object]


@dataclass(frozen=True)
class ShownRow:
    """One row.

    Attributes:
        label: what it is called.
        row: the runs behind it; None where a plugin added it.
        values: its numbers, NaN where there are none; a plugin may have put anything else there.
        known: what is known of each of them; None in a column that a plugin changed.
    """

    label: str
    row: Row | None
    values: tuple[object, ...]
    known: tuple[CellUncertainty | None, ...]


@dataclass(frozen=True)
class ShownTable:
    """One table.

    Attributes:
        name: which it is, such as ``"table1"``.
        columns: its columns; one that a plugin added has no task, and its heading for a metric.
        rows: its rows.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[ShownRow, ...]


def shown_tables(
    results: Results, known: Uncertainty, names: Collection[str] | None = None, change: Change | None = None
) -> list[ShownTable]:
    """The tables with the runs behind their rows and what is known of their numbers.

    Args:
        results: the runs.
        known: the uncertainty of their numbers.
        names: of the tables; None for all.
        change: called with each table and its name, and may change the table in place.

    Returns:
        The tables.

    Raises:
        ResultsError: where the runs have none of these tables.
    """
    if names is not None and not results.layout.keys() & set(names):
        raise ResultsError(
            "there is no Table 3 of held-out classes: nothing was trained to name them. Ask for Table 1 or 2"
        )
    shown = []
    for name, own in results.tables().items():
        if names is None or name in names:
            table = own.copy()
            if change is not None:
                change(table, name)
            untouched = [
                heading in own and own[heading].equals(table.iloc[:, place])
                for place, heading in enumerate(table.columns)
            ]
            shown.append(_shown(name, table, untouched, results, known))
    return shown


def _shown(
    name: str, table: pd.DataFrame, untouched: Sequence[bool], results: Results, known: Uncertainty
) -> ShownTable:
    """A table whose untouched columns hold the numbers of which the uncertainty is known."""
    by_heading = {column.heading: column for column in results.layout[name]}
    by_label = {row.label: row for row in results.rows}
    rows = []
    for label, values in zip(table.index, table.to_numpy().tolist(), strict=True):
        cells = [
            known.cell(label, heading) if same else None for heading, same in zip(table.columns, untouched, strict=True)
        ]
        rows.append(ShownRow(str(label), by_label.get(label), tuple(values), tuple(cells)))
    columns = [by_heading.get(heading, Column("", str(heading), heading)) for heading in table.columns]
    return ShownTable(name, tuple(columns), tuple(rows))
