"""Scores from per-query counts, so that every number of a table can be recomputed from what a run stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scores_from_per_query"]


def scores_from_per_query(
    per_query: Mapping[str, Mapping[str, NDArray[np.int64]]],
) -> dict[str, dict[str, float]]:
    """R@K, P@K, HP@K and BHP@K of every direction, from the counts of single queries.

    Args:
        per_query: by direction, the (n,) integer columns ``hits@K`` (same-class items among the top K),
            ``hp@K`` (items among the top K in the correct set) and, where there is BHP@K, ``similarity@K`` and
            ``ideal@K`` (sum of the similarities of the top K, and the greatest there can be); other columns are left
            alone.

    Returns:
        By direction and score name: each ``hits@K`` gives ``R@K`` (share of queries with a hit) and ``P@K``
        (mean count over K), each ``hp@K`` gives ``HP@K`` (mean count over K), each ``similarity@K`` gives ``BHP@K``
        (mean of its share of ``ideal@K``).

    Examples:
        >>> import numpy as np
        >>> scores_from_per_query({"i2t": {"hits@2": np.array([2, 0]), "hp@2": np.array([2, 1])}})
        {'i2t': {'R@2': 0.5, 'P@2': 0.5, 'HP@2': 0.75}}
    """
    return {direction: _scores(columns) for direction, columns in per_query.items()}


def _scores(columns: Mapping[str, NDArray[np.int64]]) -> dict[str, float]:
    scores = {}
    for column, counts in columns.items():
        kind, _, k = column.partition("@")
        if kind == "hits":
            scores[f"R@{k}"] = float((counts > 0).mean())
            scores[f"P@{k}"] = float(counts.mean()) / int(k)
        elif kind == "hp":
            scores[f"HP@{k}"] = float(counts.mean()) / int(k)
        elif kind == "similarity":
            # An ideal of 0 has nothing similar in the gallery, which counts as 0.
            scores[f"BHP@{k}"] = float((counts / np.maximum(columns[f"ideal@{k}"], 1)).mean())
    return scores
