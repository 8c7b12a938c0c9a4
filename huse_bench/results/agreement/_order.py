"""Whether methods stand in the same order here as in a paper, which can be asked across data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.agreement._columns import SharedColumn, shared_columns
from huse_bench.results.published import Published
from huse_bench.results.samples import Samples, shared_seeds
from huse_bench.results.statistics import LEVEL, hierarchical_bootstrap
from huse_bench.results.tables import Results

__all__ = ["Ordering", "kendall_tau", "orderings"]

_RESAMPLES = 1000

# Orders of the methods that are tried: all of them for up to seven.
_ORDERS = 9999

# Two methods have one order or the other; only from three on can orders be alike to some degree.
_FEWEST = 3


@dataclass(frozen=True)
class Ordering:
    """How alike two orders of the same methods are, by one column of a table.

    Attributes:
        table: name of the table.
        task: direction of a retrieval, or what was classified.
        metric: name of the metric.
        methods: the methods that both have a usable number of.
        tau: Kendall's tau-b: 1 for the same order, -1 for the reverse; None with fewer than three methods, or
            where one side has all of them alike.
        p_value: share of all orders of the methods that are as much like the printed one; None where tau is.
        low: lower end of its 95 % interval; None where there are no per-query scores or no seed that all share.
        high: upper end.
    """

    table: str
    task: str
    metric: str
    methods: tuple[str, ...]
    tau: float | None = None
    p_value: float | None = None
    low: float | None = None
    high: float | None = None


def orderings(results: Results, published: Published) -> list[Ordering]:
    """Kendall's tau between the measured and the printed order of the methods, by column.

    Printed numbers that cannot be are left out, and so are methods that were run in several configurations. The
    interval is that of the percentiles of a bootstrap over seeds and groups of test items, which are drawn for all
    methods together; the printed order is taken as it is. Whether methods would stand in the printed order by chance is
    another question, which the p-value of a permutation test answers: of seven methods, not many orders are unlike.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        One for each column that the paper has printed too, in the order of the tables.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    columns = shared_columns(results, published)
    found = [_tau(shared) for shared in columns]
    intervals = _intervals(results, columns, [tau for tau, _ in found])
    return [
        Ordering(
            shared.table,
            shared.column.task,
            shared.column.metric,
            tuple(row.records[0].method.name for row in shared.rows),
            tau,
            p_value,
            *intervals.get(position, (None, None)),
        )
        for position, (shared, (tau, p_value)) in enumerate(zip(columns, found, strict=True))
    ]


def kendall_tau(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b of many orders with one.

    Args:
        x: (..., M) numbers of M methods.
        y: (M,) numbers of the same methods.

    Returns:
        (...) from -1 to 1; NaN where all numbers of one side are alike.

    Reference:
        Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.
    """
    first, second = np.triu_indices(len(y), 1)
    dx = np.sign(x[..., first] - x[..., second])
    dy = np.sign(y[first] - y[second])
    untied = np.sqrt((dx**2).sum(-1) * (dy**2).sum())
    with np.errstate(invalid="ignore"):
        return np.asarray((dx * dy).sum(-1) / untied)


def _tau(shared: SharedColumn) -> tuple[float | None, float | None]:
    """Tau, and the share of orders of the methods whose tau is no smaller."""
    if len(shared.rows) < _FEWEST:
        return None, None
    means = np.array([row.mean(shared.column) for row in shared.rows])
    if math.isnan(float(kendall_tau(means, shared.printed))):
        return None, None
    from scipy.stats import permutation_test  # noqa: PLC0415  half a second, for who compares with a paper

    test = permutation_test(
        (means,),
        # The axis is the last one, as it is anyway.
        lambda orders, axis: kendall_tau(orders, shared.printed),  # noqa: ARG005
        permutation_type="pairings",
        alternative="greater",
        n_resamples=_ORDERS,
        vectorized=True,
        rng=0,
    )
    return float(test.statistic), float(test.pvalue)


def _intervals(
    results: Results, columns: Sequence[SharedColumn], taus: Sequence[float | None]
) -> Mapping[int, tuple[float, float]]:
    """Ends of the intervals by the position of the column, where there are any."""
    rows = tuple({row.label: row for shared in columns for row in shared.rows}.values())
    stored = results.folder is not None and all(record.per_query for row in rows for record in row.finished)
    seeds = shared_seeds(rows) if rows else []
    if not stored or not seeds:
        return {}
    samples, found = Samples(results), {}
    groups = samples.shared_groups([record for row in rows for record in row.finished])
    for position, (shared, tau) in enumerate(zip(columns, taus, strict=True)):
        if tau is not None:
            column = (shared.column.task, shared.column.metric)
            values = np.stack([samples.values(row.of_seeds(seeds), *column) for row in shared.rows])
            drawn = kendall_tau(hierarchical_bootstrap(values, groups, _RESAMPLES), shared.printed)
            if not np.isnan(drawn).any():
                low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2])
                found[position] = (float(low), float(high))
    return found
