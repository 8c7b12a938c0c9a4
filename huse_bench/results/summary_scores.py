"""The scores that a summary over data sets is made of, as numbers of runs and of single test items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTIONS
from huse_bench.results.chance import chance_level
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import Column, HierarchicalPrecision
from huse_bench.results.rows import Row
from huse_bench.results.schema import RunRecord

__all__ = ["Score", "chance_of", "items_of", "runs_of", "scores_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A number of a run that is the mean of some columns of the tables.

    Attributes:
        name: what it is called.
        columns: what it is the mean of.
    """

    name: str
    columns: tuple[Column, ...]


def scores_of(hp: HierarchicalPrecision = "devise") -> tuple[Score, ...]:
    """The declared scores: R@1 within and across modalities, hierarchical precision, and fused classification.

    Args:
        hp: whose hierarchical precision.
    """
    precision = "HP@5" if hp == "devise" else "BHP@5"

    def mean(metric: str, tasks: Iterable[str]) -> tuple[Column, ...]:
        return tuple(Column(task, metric, metric) for task in tasks)

    return (
        Score("R@1 in-modal", mean("R@1", ("i2i", "t2t"))),
        Score("R@1 cross-modal", mean("R@1", ("i2t", "t2i"))),
        Score(precision, mean(precision, DIRECTIONS)),
        Score("Fusion accuracy", mean("accuracy", ("fusion",))),
    )


def chance_of(record: RunRecord, score: Score) -> float | None:
    """What guessing gets of a score.

    Args:
        record: a run on the data set.
        score: which.

    Returns:
        A share below 1; None where the record does not say.
    """
    known = [level for column in score.columns if (level := chance_level(record, column)) is not None]
    return float(np.mean(known)) if len(known) == len(score.columns) else None


def runs_of(row: Row, score: Score, chance: float) -> Floats | None:
    """A score of runs, counted from chance.

    Args:
        row: the runs.
        score: which.
        chance: what guessing gets, which becomes 0; 1 stays 1.

    Returns:
        (S,) of the finished runs; None where one has no such number.
    """
    values = np.array([[Row("", (record,)).mean(column) for column in score.columns] for record in row.finished])
    return None if np.isnan(values).any() else (values.mean(axis=1) - chance) / (1 - chance)


def items_of(row: Row, score: Score, chance: float, evidence: Evidence) -> Floats:
    """A score of single test items, counted from chance.

    Args:
        row: one of the evidence's, whose runs have the score.
        score: which.
        chance: as of :func:`runs_of`.
        evidence: of the data set.

    Returns:
        (S, Q) of the finished runs.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    of_columns = [evidence.samples.values(row.finished, column.task, column.metric) for column in score.columns]
    items: Floats = (np.mean(of_columns, axis=0) - chance) / (1 - chance)
    return items
