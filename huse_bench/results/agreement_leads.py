"""Whether the methods that lead in a paper's tables lead here too, which can be asked across data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huse_bench.results.agreement_columns import SharedColumn, shared_columns
from huse_bench.results.intervals import has_samples, shared_seeds
from huse_bench.results.published import Published
from huse_bench.results.samples import Samples
from huse_bench.results.statistics import may_be_best, paired_tests
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
    samples = Samples(results) if results.folder is not None else None
    return [_lead(shared, samples) for shared in shared_columns(results, published) if len(shared.rows) > 1]


def _lead(shared: SharedColumn, samples: Samples | None) -> Lead:
    rows, column = shared.rows, shared.column
    means = np.array([row.mean(column) for row in rows])
    leading = means == means.max()
    seeds = shared_seeds(rows)
    tested = samples is not None and len(seeds) > 1 and all(has_samples(row) for row in rows)
    if samples is not None and tested:
        values = np.stack([samples.values(row.of_seeds(seeds), column.task, column.metric) for row in rows])
        leading = may_be_best(values.mean(axis=(1, 2)), paired_tests(values))
    printed = [row.label for row, value in zip(rows, shared.printed, strict=True) if value == shared.printed.max()]
    measured = [rows[i].label for i in np.argsort(-means, kind="stable") if leading[i]]
    return Lead(shared.table, column.task, column.metric, tuple(printed), tuple(measured), tested)
