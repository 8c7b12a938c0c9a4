"""Rows that do worse than chance, which a table must not show as just another number."""

from __future__ import annotations

from collections.abc import Sequence

from huse_bench.results.chance import chance_level
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row
from huse_bench.results.schema import CHANCE_CONTROL, RunRecord

__all__ = ["CHANCE_MARK", "below_chance", "chance_notes"]

#: Behind the label of a row that does worse than chance somewhere.
CHANCE_MARK = "¶"


def below_chance(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Columns in which a row's mean is below what a method without any knowledge reaches on average.

    Chance is what the control of that name says, which knows the classes' sizes in each direction. Where it was not
    run it is what the records' protocol says for R@K and HP@K, and one over the number of classes for an accuracy.

    Args:
        rows: the rows of a table.
        columns: its columns.

    Returns:
        The columns by the label of the row, for rows that have one; a control is no method, so it is left out.
    """
    control = next((row for row in rows if row.records[0].method.name == CHANCE_CONTROL), None)
    found = {}
    for row in rows:
        if row.finished and not row.is_control:
            levels = [_by_protocol(row.finished[0], c) if control is None else control.mean(c) for c in columns]
            # As they are printed: a number that is chance up to rounding is not below it.
            low = [c for c, level in zip(columns, levels, strict=True) if round(row.mean(c), 3) < round(level, 3)]
            if low:
                found[row.label] = low
    return found


def chance_notes(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """One sentence for each row that is below chance somewhere, for below the table.

    Args:
        rows: the rows of a table.
        columns: its columns.

    Returns:
        The sentences; empty where no row is.
    """
    return [
        f"{CHANCE_MARK} {label} is below chance in {', '.join(f'{column.task} {column.metric}' for column in low)}."
        for label, low in below_chance(rows, columns).items()
    ]


def _by_protocol(record: RunRecord, column: Column) -> float:
    level = chance_level(record, column)
    # A record from elsewhere may not say; then nothing is below it.
    return 0.0 if level is None else level
