"""Retrieval in all four directions: ranked once each, counted per query, scored from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels, check_ks
from huse_bench.evaluation._counts import correct_counts, first_hits, hit_counts
from huse_bench.evaluation.scores import DIRECTIONS, scores_from_per_query
from huse_bench.kernels.top_k import top_k_directions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from huse_bench.taxonomy import Taxonomy

__all__ = ["Retrieval", "evaluate_retrieval"]

# Unit rows in float32 have norms within a few roundings of 1; this is far outside them.
_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Retrieval:
    """Retrieval scores of one run, with the counts of every query that they were computed from.

    Attributes:
        scores: by direction (i2i, i2t, t2i, t2t) and name (``R@K``, ``P@K``, ``HP@K``), between 0 and 1.
        per_query: by direction, (n,) int64 columns: ``first_hit`` (rank, from 1, of the first same-class item
            within the largest K; 0 if none), ``hits@K`` (same-class items among the top K) and ``hp@K`` (items
            among the top K in the correct set).
        unreachable_queries: number of queries that are the only item of their class; in-modal rankings hold
            nothing they could hit.
    """

    scores: Mapping[str, Mapping[str, float]]
    per_query: Mapping[str, Mapping[str, NDArray[np.int64]]]
    unreachable_queries: int


def evaluate_retrieval(
    image: Tensor,
    text: Tensor,
    labels: ArrayLike | Tensor,
    taxonomy: Taxonomy,
    *,
    recall_ks: Sequence[int] = (1, 5, 10),
    hp_ks: Sequence[int] = (2, 5, 10),
) -> Retrieval:
    """R@K, P@K and HP@K of the test embeddings in all four directions (HUSE section 4.3, tables 1 and 2).

    Every item is a query and all items are the gallery. In-modal, the query itself is left out by its index;
    cross-modal, its pair stays in.

    Args:
        image: (n, D) float32 or float64 unit rows.
        text: (n, D), same dtype and device; row ``i`` belongs to the same item as ``image[i]``.
        labels: (n,) integer class indices.
        taxonomy: what HP@K is measured against; its class indices are those of the labels.
        recall_ks: the K of R@K.
        hp_ks: the K of HP@K. R@K and P@K are given for these as well.

    Returns:
        Scores and per-query counts.

    Raises:
        DataError: if a K exceeds the other items, rows are not of unit length, or shapes or labels do not fit.
    """
    ks = sorted({*recall_ks, *hp_ks})
    check_ks(ks)
    classes = as_labels("labels", labels, 1, len(taxonomy.classes))
    _check_rows(image, text, len(classes))
    if max(ks) > len(classes) - 1:
        raise DataError(
            f"K={max(ks)} needs at least {max(ks) + 1} test items, but there are {len(classes)}: "
            "use smaller K (recall_ks, hp_ks) or a larger test split"
        )
    sets = {k: taxonomy.correct_sets(k) for k in hp_ks}
    rankings = top_k_directions(image, text, max(ks))
    per_query = {}
    for direction in DIRECTIONS:
        retrieved = classes[rankings[direction][1].cpu().numpy()]
        columns = {"first_hit": first_hits(classes, retrieved)}
        columns |= {f"hits@{k}": counts for k, counts in hit_counts(classes, retrieved, ks).items()}
        columns |= {f"hp@{k}": counts for k, counts in correct_counts(classes, retrieved, sets).items()}
        per_query[direction] = columns
    alone = np.bincount(classes)[classes] == 1
    return Retrieval(scores_from_per_query(per_query), per_query, int(alone.sum()))


def _check_rows(image: Tensor, text: Tensor, items: int) -> None:
    for name, rows in (("image", image), ("text", text)):
        if rows.ndim != 2 or len(rows) != items:
            raise DataError(f"{name} embeddings must be ({items}, D) like the labels, got {tuple(rows.shape)}")
        deviation = (rows.norm(dim=1) - 1).abs()
        worst = int(deviation.argmax())
        # Written so that NaN, which compares false, fails too.
        if not float(deviation[worst]) <= _NORM_TOLERANCE:
            raise DataError(
                f"row {worst} of the {name} embeddings has length {float(rows[worst].norm()):.6g}, not 1: "
                "divide the rows by their length first"
            )
