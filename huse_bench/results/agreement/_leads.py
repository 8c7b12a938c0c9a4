"""Whether the methods that lead in a paper's tables lead here too, which can be asked across data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huse_bench.results.agreement._columns import SharedColumn, shared_columns
from huse_bench.results.evidence import Evidence
from huse_bench.results.published import Published
from huse_bench.results.samples import shared_seeds
from huse_bench.results.simultaneous import may_be_best
from huse_bench.results.tables import Results

__all__ = ["Lead", "leads"]


@dataclass(frozen=True)
class Lead:
    """Who leads one column, of the methods that both have.

    Attributes:
        table: name of the table.
        task: direction of a retrieval, or what was classified.
        metric: name of the metric.
        printed: labels of the methods of the largest printed number.
        measured: labels of the methods that may be the best here, by descending mean; of the largest mean alone where
            that was not tested.
        tested: whether the methods share two seeds with per-query scores, so that differences were tested.
    """

    table: str
    task: str
    metric: str
    printed: tuple[str, ...]
    measured: tuple[str, ...]
    tested: bool


def leads(results: Results, published: Published) -> list[Lead]:
    """The leaders of each column, printed and measured, among the methods that both have.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        One for each column of which both have two methods, in the order of the tables.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    evidence = Evidence(results)
    return [_lead(shared, evidence) for shared in shared_columns(results, published) if len(shared.rows) > 1]


def _lead(shared: SharedColumn, evidence: Evidence) -> Lead:
    rows, column = shared.rows, shared.column
    means = np.array([row.mean(column) for row in rows])
    leading = means == means.max()
    seeds = shared_seeds(rows)
    tested = len(seeds) > 1 and all(row in evidence.rows for row in rows)
    if tested:
        values, p_values = evidence.tests(rows, seeds, [(column.task, column.metric)])
        leading = may_be_best(values[0].mean(axis=(1, 2)), p_values[0])
    printed = [row.label for row, value in zip(rows, shared.printed, strict=True) if value == shared.printed.max()]
    measured = [rows[i].label for i in np.argsort(-means, kind="stable") if leading[i]]
    return Lead(shared.table, column.task, column.metric, tuple(printed), tuple(measured), tested)
