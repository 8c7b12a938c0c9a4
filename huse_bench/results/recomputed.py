"""Whether scores and predictions are those of a record: its numbers are their means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from huse_bench.measures import TASKS
from huse_bench.results.arrays import PerQuery, Predictions
from huse_bench.results.schema import RunRecord

__all__ = ["contradiction"]

# Means are taken in another order than when they were recorded.
_ROUNDING = 1e-6


def contradiction(record: RunRecord, per_query: PerQuery, predictions: Predictions) -> str | None:
    """The first number of a record that its scores do not give.

    Args:
        record: of a finished run.
        per_query: integer arrays (queries,) by direction and name; a number without its array is not looked at.
        predictions: arrays (items,) by name.

    Returns:
        What differs, as ``"i2t R@1 is 0.5, its mean 0.25"``; None where all agree.
    """
    for name, recorded, mean in [*_retrieval(record, per_query), *_accuracies(record, predictions)]:
        if abs(recorded - mean) > _ROUNDING:
            return f"{name} is {recorded:.6g}, its mean {mean:.6g}"
    return None


def _retrieval(record: RunRecord, per_query: PerQuery) -> Iterator[tuple[str, float, float]]:
    for direction, scores in (record.retrieval or {}).items():
        columns = per_query.get(direction, {})
        for metric, recorded in scores.items():
            kind, _, k = metric.partition("@")
            column = columns.get(f"hp@{k}" if kind == "HP" else f"hits@{k}")
            if column is not None:
                mean = (column > 0).mean() if kind == "R" else column.mean() / int(k)
                yield f"{direction} {metric}", recorded, float(mean)


def _accuracies(record: RunRecord, predictions: Predictions) -> Iterator[tuple[str, float, float]]:
    for task in TASKS:
        predicted = predictions.get(f"{task}_prediction")
        if record.classification is not None and predicted is not None:
            right = np.asarray(predicted == predictions["label"])
            yield f"{task} accuracy", getattr(record.classification, task), float(right.mean())
