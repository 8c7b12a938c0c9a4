"""What was spent on choosing the hyper-parameters of each row, which a comparison must spend equally."""

from __future__ import annotations

from collections.abc import Sequence

from huse_bench.report.words import by_value, each_of, listed
from huse_bench.results.rows import Row
from huse_bench.results.schema import Tuning

__all__ = ["tuned_more", "tuning_notes"]


def tuned_more(rows: Sequence[Row]) -> set[str]:
    """Labels of the rows whose tuning saw more image-text pairs than that of the most modest row.

    Args:
        rows: the rows of a table; those of methods that have nothing to tune do not count.

    Returns:
        Their labels; empty where as much was spent on all rows.
    """
    spent = {row.label: _pairs(row.records[0].tuning) for row in rows if _tunable(row)}
    least = min(spent.values(), default=0)
    return {label for label, pairs in spent.items() if pairs > least}


def tuning_notes(rows: Sequence[Row]) -> list[str]:
    """The line of the budget about tuning.

    Args:
        rows: the rows of a table.

    Returns:
        One line, which says so where the rows are not equal.
    """
    groups = by_value([row for row in rows if _tunable(row)], lambda row: _text(row.records[0].tuning))
    without = [row.label for row in rows if not _tunable(row)]
    nothing = f"; {listed(without)}: nothing to tune" if without and any(map(_tuned, rows)) else ""
    if not groups:
        return []
    repeated = [text for row in rows if _tunable(row) and (text := _repeated(row))]
    also = "".join(f"; {text}" for text in repeated) + nothing
    if len(groups) == 1:
        return [f"Tuning: {next(iter(groups))}{also}."]
    return [f"Tuning: NOT EQUAL: {each_of(groups)}{also}."]


def _tunable(row: Row) -> bool:
    """Whether the method could have been tuned, as one is taken to be whose record does not say."""
    return not row.is_control and row.records[0].method.space != ()


def _tuned(row: Row) -> bool:
    return row.records[0].tuning is not None


def _pairs(tuning: Tuning | None) -> int:
    return 0 if tuning is None else tuning.trials * tuning.steps * tuning.batch_size


def _text(tuning: Tuning | None) -> str:
    if tuning is None:
        return "none"
    return (
        f"{tuning.trials:,} trials of {tuning.steps:,} steps of {tuning.batch_size:,} pairs, for the mean of "
        f"{listed(tuning.objective)} on the validation split by protocol {tuning.protocol}, seed {tuning.seed}"
    )


def _repeated(row: Row) -> str:
    """How many of a row's trials were another's over again, if any."""
    tuning = row.records[0].tuning
    if tuning is None or tuning.distinct is None or tuning.distinct >= tuning.trials - tuning.failed:
        return ""
    return f"{row.label}: {tuning.trials:,} trials ({tuning.distinct:,} distinct)"
