"""What guessing gets, by what a record says of how it was counted."""

from __future__ import annotations

from huse_bench.measures import IN_MODAL
from huse_bench.results.layout import Column
from huse_bench.results.schema import RunRecord

__all__ = ["chance_level"]


def chance_level(record: RunRecord, column: Column) -> float | None:
    """What a method without any knowledge gets in a column on average.

    Args:
        record: a run.
        column: of a table.

    Returns:
        A share below 1: one over the number of classes for an accuracy, and what the record's protocol says for R@K and
        HP@K; None where it does not say, or where guessing gets all.
    """
    if column.metric == "accuracy":
        level: object = 1 / record.dataset.classes if record.dataset.classes > 1 else None
    else:
        known = record.protocol.get("chance")
        within = column.task[0] == column.task[-1]
        names = [IN_MODAL + column.metric, column.metric] if within else [column.metric]
        level = next((known[name] for name in names if name in known), None) if isinstance(known, dict) else None
    return float(level) if isinstance(level, int | float) and 0 <= level < 1 else None
