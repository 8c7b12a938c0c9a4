"""Whether scores and predictions are those of a record: its numbers are their means."""

from __future__ import annotations

from collections.abc import Iterator

from huse_bench.measures import TASKS
from huse_bench.results.arrays import PerQuery, Predictions
from huse_bench.results.schema import RunRecord
from huse_bench.results.scores import item_scores, query_scores

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
        for metric, recorded in scores.items():
            try:
                found = query_scores(per_query.get(direction, {}), metric)
            except KeyError:
                continue
            yield f"{direction} {metric}", recorded, float(found.mean())


def _accuracies(record: RunRecord, predictions: Predictions) -> Iterator[tuple[str, float, float]]:
    for task in TASKS:
        if record.classification is not None and f"{task}_prediction" in predictions:
            right = item_scores(predictions, task)
            yield f"{task} accuracy", getattr(record.classification, task), float(right.mean())
