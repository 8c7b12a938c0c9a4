"""Which methods a summary over data sets can average, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["SummaryRow", "by_reason", "methods_over"]


@dataclass(frozen=True)
class SummaryRow:
    """A method that ran on all data sets.

    Attributes:
        label: what it is called.
        rows: its runs on each data set.
    """

    label: str
    rows: tuple[Row, ...]


def methods_over(results: Sequence[Results], titles: Sequence[str]) -> tuple[list[SummaryRow], dict[str, str]]:
    """The methods that can be averaged, and the others with their reasons.

    A method is the same on two data sets where its name and the distribution that provides it are, and where a search
    chose its parameters on both or on neither.

    Args:
        results: those of each data set.
        titles: of the data sets.

    Returns:
        The methods in the order of the tables, and by its label why another one is left out.
    """
    found: dict[tuple[str, str, bool], list[list[Row]]] = {}
    for place, each in enumerate(results):
        for row in each.rows:
            if not row.is_control:
                info, tuned = row.records[0].method, row.records[0].tuning is not None
                of_method = found.setdefault((info.name, info.distribution, tuned), [[] for _ in results])
                of_method[place].append(row)
    rows, left_out = [], {}
    for key, by_set in found.items():
        title = next(row for rows_of_set in by_set for row in rows_of_set).records[0].method.title
        label = f"{title}{_qualified(key, found)}"
        if reason := _fault(by_set, titles):
            left_out[label] = reason
        else:
            rows.append(SummaryRow(label, tuple(rows_of_set[0] for rows_of_set in by_set)))
    return sorted(rows, key=lambda row: (row.rows[0].section, row.rows[0].semantic)), left_out


def _qualified(key: tuple[str, str, bool], keys: Iterable[tuple[str, str, bool]]) -> str:
    """What tells a method from others of its name."""
    alike = [other for other in keys if other[0] == key[0]]
    of_whom = [key[1]] if len({distribution for _, distribution, _ in alike}) > 1 else []
    how = ["tuned" if key[2] else "not tuned"] if len({tuned for *_, tuned in alike}) > 1 else []
    return f" ({', '.join([*of_whom, *how])})" if of_whom or how else ""


def by_reason(left_out: Mapping[str, str]) -> list[str]:
    """What is left out, as ``"A, B (no runs on C)"``.

    Args:
        left_out: the reason of each.
    """
    groups: dict[str, list[str]] = {}
    for label, reason in left_out.items():
        groups.setdefault(reason, []).append(label)
    return [f"{', '.join(labels)} ({reason})" for reason, labels in groups.items()]


def _fault(by_set: Sequence[Sequence[Row]], titles: Sequence[str]) -> str:
    """Why a method cannot be averaged; empty where it can."""
    missing = [title for title, rows in zip(titles, by_set, strict=True) if not rows]
    if missing:
        return f"no runs on {', '.join(missing)}"
    for title, rows in zip(titles, by_set, strict=True):
        if len(rows) > 1:
            return f"{len(rows)} configurations on {title}, of which none is the one to average"
        if not rows[0].finished:
            return f"no run finished on {title}"
    return ""
