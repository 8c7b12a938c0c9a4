"""The columns of the paper's Tables 1-3, and which of them can tell methods apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from huse_bench.measures import DIRECTION_TITLES, HP_KS, RECALL_KS, TASKS
from huse_bench.results.schema import RunRecord

__all__ = ["BARZ", "LAYOUT", "TELLS_NOTHING", "Column", "HierarchicalPrecision", "cannot_miss"]

#: Whose hierarchical precision Table 2 shows: that of DeViSE, as in the paper, or that of Barz and Denzler.
HierarchicalPrecision = Literal["devise", "barz"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        task: direction of a retrieval, or ``"image"``, ``"text"`` or ``"fusion"``.
        metric: metric in a record's retrieval, or ``"accuracy"``.
        heading: the DataFrame's column: group and metric, or the only line of the heading.
    """

    task: str
    metric: str
    heading: tuple[str, str] | str


def _retrieval_columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(direction, metric, (title, metric))
        for direction, title in DIRECTION_TITLES.items()
        for metric in metrics
    )


#: Why HP@K that no ranking can miss is not shown.
TELLS_NOTHING = "every class is correct for every query, so that it tells nothing apart"

#: Columns of each table, in the paper's order.
LAYOUT: dict[str, tuple[Column, ...]] = {
    "table1": _retrieval_columns([f"R@{k}" for k in RECALL_KS]),
    "table2": _retrieval_columns([f"HP@{k}" for k in HP_KS]),
    "table3": tuple(Column(task, "accuracy", task.capitalize()) for task in TASKS),
}


#: Table 2 by Barz and Denzler.
BARZ = _retrieval_columns([f"BHP@{k}" for k in HP_KS])


def cannot_miss(record: RunRecord, metric: str) -> float | None:
    """Share of the test queries for which a metric is 1 whatever is found, since all classes are correct.

    Args:
        record: a run.
        metric: such as ``"HP@5"``.

    Returns:
        From 0 to 1; None for another metric than HP@K, and where the record does not say.
    """
    kind, _, k = metric.partition("@")
    if kind != "HP":
        return None
    shares, sizes = (record.protocol.get(name) for name in ("cannot_miss", "mean_set_size"))
    share = shares.get(k) if isinstance(shares, dict) else None
    if isinstance(share, int | float):
        return float(share)
    # Older records say the mean alone, which is all classes only where every set is.
    return 1.0 if isinstance(sizes, dict) and sizes.get(k) == record.dataset.classes else None
