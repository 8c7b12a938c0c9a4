"""Retrieval in all four directions: ranked once each, counted per query, scored from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels, check_ks
from huse_bench.evaluation._counts import correct_counts, correct_totals, first_hits, hit_counts, similarity_sums
from huse_bench.evaluation.galleries import Galleries
from huse_bench.evaluation.hierarchy import tree_steps
from huse_bench.evaluation.protocol import Version, groups_of
from huse_bench.evaluation.scores import scores_from_per_query
from huse_bench.kernels.top_k import rank_directions
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
            within the largest K, or ``curve_k``; 0 if none), ``hits@K`` (same-class items among the top K), ``hp@K``
            (items among the top K in the correct set) and, where the taxonomy is a tree, ``similarity@K`` and
            ``ideal@K`` (sum of the similarities of the top K in steps of one over the tree's height, and the greatest
            sum that the query's gallery allows).
        unreachable_queries: number of queries whose in-modal galleries hold no item of their class; they count as
            misses.
        curves: by direction, ``R`` and ``HP``: (k,) float64 means over the queries of R@K and HP@K at K = 1 to k;
            empty where no ``curve_k`` was asked for.
        neighbours: by direction, (n, neighbours) int32 item numbers of what each query finds first; empty where none
            were asked for.
    """

    scores: Mapping[str, Mapping[str, float]]
    per_query: Mapping[str, Mapping[str, NDArray[np.int64]]]
    unreachable_queries: int
    curves: Mapping[str, Mapping[str, NDArray[np.float64]]]
    neighbours: Mapping[str, NDArray[np.int32]]


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
    curve_k: int | None = None,
    neighbours: int = 0,
    image_gallery: Tensor | None = None,
    text_gallery: Tensor | None = None,
) -> Retrieval:
    """R@K, P@K, HP@K and BHP@K of the test embeddings in all four directions (HUSE section 4.3, tables 1 and 2).

    Every item is a query and all items are the gallery. In-modal, the query itself is left out by its index;
    cross-modal, its pair stays in. With protocol ``"v2"`` the other items of the query's group are left out of both.

    Items are ranked by the inner product of unit rows, the cosine. With gallery rows of their own, rows may have any
    length: so is ranked by a similarity that is the inner product of one function of the query and another of what is
    found, as Lorentz's is.

    Args:
        image: (n, D) float32 or float64 unit rows.
        text: (n, D), same dtype and device; row ``i`` belongs to the same item as ``image[i]``.
        labels: (n,) integer class indices.
        taxonomy: what HP@K is measured against; its class indices are those of the labels.
        groups: (n,) integers, equal for items of one group; None where each item is a group of its own.
        protocol: ``"v2"``, or ``"v1"``, which does not heed groups.
        recall_ks: the K of R@K.
        hp_ks: the K of HP@K and BHP@K. R@K and P@K are given for these as well.
        curve_k: the last K of the curves, at most as many as the smallest gallery has; None for no curves.
        neighbours: how many of the first items of each query to give, likewise.
        image_gallery: (n, D) what stands for the images where they are found; None where that is ``image``.
        text_gallery: (n, D), likewise for the texts.

    Returns:
        Scores, per-query counts, curves and neighbours; no BHP@K where the taxonomy is no tree.

    Raises:
        DataError: if a K exceeds the items that a query may find, rows without galleries of their own are not of unit
            length, or shapes, labels or groups do not fit.

    Examples:
        >>> import torch
        >>> from huse_bench.taxonomy import Taxonomy
        >>> taxonomy = Taxonomy.from_edges([("animal", "cat"), ("animal", "dog")], classes=["cat", "dog"])
        >>> image = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> found = evaluate_retrieval(image, image, [0, 0, 1], taxonomy, recall_ks=[1], hp_ks=[1], curve_k=2)
        >>> round(found.scores["i2i"]["R@1"], 3)
        0.667
        >>> found.curves["i2t"]["R"]
        array([1., 1.])
    """
    ks = sorted({*recall_ks, *hp_ks})
    check_ks(ks)
    if curve_k is not None:
        check_ks([curve_k])
    if neighbours < 0:
        raise DataError(f"give the number of neighbours as 0 or more, got {neighbours}")
    classes = as_labels("labels", labels, 1, len(taxonomy.classes))
    _check_rows(image, text, len(classes), unit=image_gallery is None and text_gallery is None)
    numbers = groups_of(groups, len(classes), protocol)
    galleries = Galleries(classes, numbers, len(taxonomy.classes))
    smallest = int(galleries.sizes("i2i").min())
    _check_galleries(smallest, max(ks), len(classes))
    sets = {k: taxonomy.correct_sets(k) for k in hp_ks}
    curve = min(curve_k or 0, smallest)
    neighbours = min(neighbours, smallest)
    rankings = rank_directions(
        image,
        text,
        max(*ks, curve, neighbours),
        None if numbers is None else torch.from_numpy(numbers),
        image_gallery=image_gallery,
        text_gallery=text_gallery,
    )
    # A record's protocol says why there is no BHP@K where this is None.
    tree = tree_steps(taxonomy)
    # Both in-modal directions have the same galleries, and so have the cross-modal ones.
    ideals = {} if tree is None else {d: galleries.ideals(*tree, sorted(sets), d) for d in ("i2i", "i2t")}
    per_query: dict[str, dict[str, NDArray[np.int64]]] = {}
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    nearest: dict[str, NDArray[np.int32]] = {}
    for direction in DIRECTIONS:
        items = rankings[direction].cpu().numpy()
        if neighbours:
            nearest[direction] = items[:, :neighbours].astype(np.int32)
        retrieved = classes[items[:, : max(*ks, curve)]]
        columns = {"first_hit": first_hits(classes, retrieved)}
        columns |= {f"hits@{k}": counts for k, counts in hit_counts(classes, retrieved, ks).items()}
        columns |= {f"hp@{k}": counts for k, counts in correct_counts(classes, retrieved, sets).items()}
        if tree is not None:
            sums = similarity_sums(classes, retrieved, tree[0], sorted(sets))
            columns |= {f"similarity@{k}": counts for k, counts in sums.items()}
            of_direction = ideals["i2i" if direction[0] == direction[-1] else "i2t"]
            columns |= {f"ideal@{k}": counts for k, counts in of_direction.items()}
        per_query[direction] = columns
        if curve:
            curves[direction] = {
                "R": np.bincount(columns["first_hit"], minlength=curve + 1)[1 : curve + 1].cumsum() / len(classes),
                "HP": correct_totals(classes, retrieved[:, :curve], taxonomy.first_depths)
                / len(classes)
                / np.arange(1, curve + 1),
            }
    unreachable = galleries.count(np.eye(len(taxonomy.classes), dtype=bool), "i2i") == 0
    return Retrieval(scores_from_per_query(per_query), per_query, int(unreachable.sum()), curves, nearest)


def _check_galleries(smallest: int, k: int, items: int) -> None:
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


def _check_rows(image: Tensor, text: Tensor, items: int, *, unit: bool) -> None:
    for name, rows in (("image", image), ("text", text)):
        if rows.ndim != 2 or len(rows) != items:
            raise DataError(f"{name} embeddings must be ({items}, D) like the labels, got {tuple(rows.shape)}")
        if not unit:
            continue
        deviation = (rows.norm(dim=1) - 1).abs()
        worst = int(deviation.argmax())
        # Written so that NaN, which compares false, fails too.
        if not float(deviation[worst]) <= _NORM_TOLERANCE:
            raise DataError(
                f"row {worst} of the {name} embeddings has length {float(rows[worst].norm()):.6g}, not 1: "
                "divide the rows by their length first"
            )
