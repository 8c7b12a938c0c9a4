"""Retrieval in all four directions: ranked once each, counted per query, scored from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels, check_ks
from huse_bench.evaluation._counts import correct_counts, first_hits, hit_counts, similarity_sums
from huse_bench.evaluation.galleries import Galleries
from huse_bench.evaluation.hierarchy import tree_steps
from huse_bench.evaluation.protocol import Version, groups_of
from huse_bench.evaluation.scores import scores_from_per_query
from huse_bench.kernels.top_k import top_k_directions
from huse_bench.measures import DIRECTIONS

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
        scores: by direction (i2i, i2t, t2i, t2t) and name (``R@K``, ``P@K``, ``HP@K``, ``BHP@K``), between 0 and 1.
        per_query: by direction, (n,) int64 columns: ``first_hit`` (rank, from 1, of the first same-class item
            within the largest K; 0 if none), ``hits@K`` (same-class items among the top K), ``hp@K`` (items
            among the top K in the correct set) and, where the taxonomy is a tree, ``similarity@K`` and ``ideal@K``
            (sum of the similarities of the top K in steps of one over the tree's height, and the greatest sum that
            the query's gallery allows).
        unreachable_queries: number of queries whose in-modal galleries hold no item of their class; they count as
            misses.
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
    groups: ArrayLike | None = None,
    protocol: Version = "v2",
    recall_ks: Sequence[int] = (1, 5, 10),
    hp_ks: Sequence[int] = (2, 5, 10),
) -> Retrieval:
    """R@K, P@K, HP@K and BHP@K of the test embeddings in all four directions (HUSE section 4.3, tables 1 and 2).

    Every item is a query and all items are the gallery. In-modal, the query itself is left out by its index;
    cross-modal, its pair stays in. With protocol ``"v2"`` the other items of the query's group are left out of both.

    Args:
        image: (n, D) float32 or float64 unit rows.
        text: (n, D), same dtype and device; row ``i`` belongs to the same item as ``image[i]``.
        labels: (n,) integer class indices.
        taxonomy: what HP@K is measured against; its class indices are those of the labels.
        groups: (n,) integers, equal for items of one group; None where each item is a group of its own.
        protocol: ``"v2"``, or ``"v1"``, which does not heed groups.
        recall_ks: the K of R@K.
        hp_ks: the K of HP@K and BHP@K. R@K and P@K are given for these as well.

    Returns:
        Scores and per-query counts; no BHP@K where the taxonomy is no tree.

    Raises:
        DataError: if a K exceeds the items that a query may find, rows are not of unit length, or shapes, labels or
            groups do not fit.
    """
    ks = sorted({*recall_ks, *hp_ks})
    check_ks(ks)
    classes = as_labels("labels", labels, 1, len(taxonomy.classes))
    _check_rows(image, text, len(classes))
    numbers = groups_of(groups, len(classes), protocol)
    galleries = Galleries(classes, numbers, len(taxonomy.classes))
    _check_galleries(galleries, max(ks), len(classes))
    sets = {k: taxonomy.correct_sets(k) for k in hp_ks}
    rankings = top_k_directions(image, text, max(ks), None if numbers is None else torch.from_numpy(numbers))
    # A record's protocol says why there is no BHP@K where this is None.
    tree = tree_steps(taxonomy)
    # Both in-modal directions have the same galleries, and so have the cross-modal ones.
    ideals = {} if tree is None else {d: galleries.ideals(*tree, sorted(sets), d) for d in ("i2i", "i2t")}
    per_query: dict[str, dict[str, NDArray[np.int64]]] = {}
    for direction in DIRECTIONS:
        retrieved = classes[rankings[direction][1].cpu().numpy()]
        columns = {"first_hit": first_hits(classes, retrieved)}
        columns |= {f"hits@{k}": counts for k, counts in hit_counts(classes, retrieved, ks).items()}
        columns |= {f"hp@{k}": counts for k, counts in correct_counts(classes, retrieved, sets).items()}
        if tree is not None:
            sums = similarity_sums(classes, retrieved, tree[0], sorted(sets))
            columns |= {f"similarity@{k}": counts for k, counts in sums.items()}
            of_direction = ideals["i2i" if direction[0] == direction[-1] else "i2t"]
            columns |= {f"ideal@{k}": counts for k, counts in of_direction.items()}
        per_query[direction] = columns
    unreachable = galleries.count(np.eye(len(taxonomy.classes), dtype=bool), "i2i") == 0
    return Retrieval(scores_from_per_query(per_query), per_query, int(unreachable.sum()))


def _check_galleries(galleries: Galleries, k: int, items: int) -> None:
    smallest = int(galleries.sizes("i2i").min())
    if k <= smallest:
        return
    if smallest == items - 1:
        raise DataError(
            f"K={k} needs at least {k + 1} test items, but there are {items}: "
            "use smaller K (recall_ks, hp_ks) or a larger test split"
        )
    raise DataError(
        f"K={k} needs at least {k} test items outside a query's own group, but a group of {items - smallest} of the "
        f"{items} leaves {smallest}: use smaller K (recall_ks, hp_ks), smaller groups, or protocol='v1'"
    )


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
