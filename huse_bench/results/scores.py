"""What single queries and items score by a metric, from the counts that a run stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.arrays import Predictions

__all__ = ["item_scores", "query_scores"]


def query_scores(counts: Mapping[str, NDArray[np.integer]], metric: str) -> NDArray[np.float64]:
    """Scores of queries in one direction, whose mean is a record's number.

    Args:
        counts: integers (queries,) by name, as stored.
        metric: ``"R@K"``, ``"P@K"``, ``"HP@K"`` or ``"BHP@K"``.

    Returns:
        (queries,) shares from 0 to 1.

    Raises:
        KeyError: naming what the counts lack.
    """
    kind, _, k = metric.partition("@")
    if kind == "BHP":
        # An ideal of 0 has nothing similar in the gallery, which counts as 0.
        return np.asarray(counts[f"similarity@{k}"] / np.maximum(counts[f"ideal@{k}"], 1))
    if kind == "R":
        return np.asarray(counts[f"hits@{k}"] > 0, dtype=float)
    return np.asarray(counts[f"{'hp' if kind == 'HP' else 'hits'}@{k}"] / float(k))


def item_scores(predictions: Predictions, task: str) -> NDArray[np.float64]:
    """Whether each item was classified rightly, whose mean is an accuracy.

    Args:
        predictions: classes (items,) by name, as stored.
        task: ``"image"``, ``"text"`` or ``"fusion"``.

    Returns:
        (items,) 0 or 1.

    Raises:
        KeyError: naming what the predictions lack.
    """
    return np.asarray(predictions[f"{task}_prediction"] == predictions["label"], dtype=float)
