"""What was spent on choosing the hyper-parameters of each row, which a comparison must spend equally."""

from __future__ import annotations

from collections.abc import Sequence

from huse_bench.report.words import by_value, each_of, listed
from huse_bench.results.rows import Row

__all__ = ["tuned_more", "tuning_notes"]


def tuned_more(rows: Sequence[Row]) -> set[str]:
    """Labels of the rows whose tuning saw more image-text pairs than that of the most modest row.

    Args:
        rows: the rows of a table; those of methods that have nothing to tune do not count.

    Returns:
        Their labels; empty where as much was spent on all rows.
    """
    spent = {row.label: _pairs(row) for row in rows if _tunable(row)}
    least = min(spent.values(), default=0)
    return {label for label, pairs in spent.items() if pairs > least}


def tuning_notes(rows: Sequence[Row]) -> list[str]:
    """The lines of the budget about tuning.

    Args:
        rows: the rows of a table.

    Returns:
        A line, which says so where the rows are not equal, and one on searches whose result is doubtful.
    """
    groups = by_value([row for row in rows if _tunable(row)], _text)
    without = [row.label for row in rows if not _tunable(row)]
    nothing = f"; {listed(without)}: nothing to tune" if without and any(row.tunings for row in rows) else ""
    if not groups:
        return []
    repeated = [text for row in rows if _tunable(row) and (text := _repeated(row))]
    also = "".join(f"; {text}" for text in repeated) + nothing
    spent = next(iter(groups)) if len(groups) == 1 else f"NOT EQUAL: {each_of(groups)}"
    doubts = [text for row in rows for text in _doubts(row)]
    return [f"Tuning: {spent}{also}.", *([f"Doubts about the tuning: {'; '.join(doubts)}."] if doubts else [])]


def _tunable(row: Row) -> bool:
    """Whether the method could have been tuned, as one is taken to be whose record does not say."""
    return not row.is_control and row.records[0].method.space != ()


def _pairs(row: Row) -> int:
    if not row.tunings:
        return 0
    tuning = row.tunings[0]
    return tuning.studies * tuning.trials * tuning.steps * tuning.batch_size


def _text(row: Row) -> str:
    if not row.tunings:
        return "none"
    tuning = row.tunings[0]
    goal = f"the mean of {listed(tuning.objective)}" if len(tuning.objective) > 1 else tuning.objective[0]
    studies = f"{tuning.studies:,} studies, whose winners share the seeds, each of " if tuning.studies > 1 else ""
    return (
        f"{studies}{tuning.trials:,} trials of {tuning.steps:,} steps of {tuning.batch_size:,} pairs, for {goal} on "
        f"the validation split by protocol {tuning.protocol}, seed {tuning.seed}"
    )


def _repeated(row: Row) -> str:
    """How many of a row's trials were another's over again, if any."""
    told = [one for one in row.tunings if one.distinct is not None]
    trials, failed = (sum(getattr(one, name) for one in told) for name in ("trials", "failed"))
    distinct = sum(one.distinct or 0 for one in told)
    return f"{row.label}: {trials:,} trials ({distinct:,} distinct)" if distinct < trials - failed else ""


def _doubts(row: Row) -> list[str]:
    return [
        f"{row.label}{f' (study {tuning.number})' if tuning.studies > 1 else ''}: {remark}"
        for tuning in row.tunings
        for remark in tuning.remarks
    ]
