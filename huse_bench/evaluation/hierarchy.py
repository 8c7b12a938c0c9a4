"""Hierarchical precision by class similarity (Barz and Denzler), which looks at how wrong an item is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels, as_rankings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from huse_bench.taxonomy import Taxonomy

__all__ = ["hierarchical_precision", "lcs_height_similarity", "lcs_steps", "tree_steps", "wu_palmer_similarity"]


def hierarchical_precision(
    query_labels: ArrayLike,
    retrieved_labels: ArrayLike,
    gallery_labels: ArrayLike,
    taxonomy: Taxonomy,
    k: int,
    *,
    similarity: Literal["lcs-height", "wu-palmer"] = "lcs-height",
    exclude_self: bool = False,
) -> float:
    """Mean similarity sum of the top k items to the query's class, over the best sum that any ranking reaches.

    ``mean_q sum_{i<=k} s(c_q, c_i) / max over rankings of the same sum`` (Barz and Denzler, "Hierarchy-based
    image embeddings for semantic image retrieval", WACV 2019). Not DeViSE's HP@K, which is
    :func:`huse_bench.evaluation.hp_at_k`.

    Args:
        query_labels: (n,) integer class indices.
        retrieved_labels: (n, at least k) integer class indices of the ranked items, best first.
        gallery_labels: (m,) integer class indices of everything that could have been retrieved; with
            ``exclude_self`` including the queries.
        taxonomy: a tree.
        k: at least 1.
        similarity: of classes, :func:`lcs_height_similarity` or :func:`wu_palmer_similarity`.
        exclude_self: the query, an item of the gallery, was left out of its ranking; the ideal ranking then
            has one item of similarity 1 less.

    Returns:
        Between 0 and 1.

    Raises:
        DataError: if k exceeds what was retrieved or the gallery, shapes, types or ranges do not fit, the
            taxonomy is no tree, or a query has nothing similar in the gallery, so that the ideal is 0.

    Examples:
        >>> from huse_bench.taxonomy import Taxonomy
        >>> edges = [("thing", "animal"), ("thing", "car"), ("animal", "cat"), ("animal", "dog")]
        >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "car"])
        >>> hierarchical_precision([0], [[1]], gallery_labels=[0, 1, 2], taxonomy=taxonomy, k=1)
        0.5
    """
    classes = len(taxonomy.classes)
    query, retrieved = as_rankings(query_labels, retrieved_labels, [k], classes)
    counts = np.bincount(as_labels("gallery_labels", gallery_labels, 1, classes), minlength=classes)
    if k > counts.sum() - int(exclude_self):
        less = " besides the query" if exclude_self else ""
        raise DataError(
            f"K={k} is more than the {counts.sum() - int(exclude_self)} gallery items{less}: use a smaller K"
        )
    measures = {"lcs-height": lcs_height_similarity, "wu-palmer": wu_palmer_similarity}
    if similarity not in measures:
        raise DataError(f"similarity {similarity!r} is not known: use one of {', '.join(measures)}")
    similarities = measures[similarity](taxonomy)
    ideal = np.zeros(classes)
    for label in np.unique(query):
        available = counts.copy()
        if exclude_self:
            if available[label] == 0:
                raise DataError(f"a query has class {label}, which the gallery lacks, so it cannot have been excluded")
            available[label] -= 1
        ideal[label] = np.sort(np.repeat(similarities[label], available))[::-1][:k].sum()
        if ideal[label] == 0:
            name = taxonomy.classes[label]
            raise DataError(f"nothing in the gallery is similar to class {name!r}: leave its queries out")
    achieved = similarities[query[:, None], retrieved[:, :k]].sum(axis=1)
    return float((achieved / ideal[query]).mean())


def lcs_height_similarity(taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Class similarities ``1 - height(lowest common ancestor) / height(tree)``, and 1 on the diagonal.

    The height of a node is the length of the longest path down to a leaf (Barz and Denzler, WACV 2019).

    Args:
        taxonomy: a tree.

    Returns:
        (K, K) between 0 and 1.

    Raises:
        DataError: if a node has two parents or there are two roots.

    Examples:
        >>> from huse_bench.taxonomy import Taxonomy
        >>> edges = [("thing", "animal"), ("thing", "car"), ("animal", "cat"), ("animal", "dog")]
        >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "car"])
        >>> lcs_height_similarity(taxonomy)
        array([[1. , 0.5, 0. ],
               [0.5, 1. , 0. ],
               [0. , 0. , 1. ]])
    """
    similarities, height = lcs_steps(taxonomy)
    return similarities / height


# Of the classes alone, and the same for every evaluation of a run.
@lru_cache(maxsize=8)
def lcs_steps(taxonomy: Taxonomy) -> tuple[NDArray[np.int64], int]:
    """:func:`lcs_height_similarity` in whole steps of one over the tree's height, so that sums of it are exact.

    Args:
        taxonomy: a tree.

    Returns:
        (K, K) from 0 to the height, not to be written to, and the height.

    Raises:
        DataError: if a node has two parents or there are two roots.
    """
    parents, root = _tree(taxonomy)
    heights: dict[Hashable, int] = {}
    for node in (*parents, root):
        for height, ancestor in enumerate(_lineage(node, parents)):
            heights[ancestor] = max(height, heights.get(ancestor, 0))
    lowest = _lowest_common_ancestors(taxonomy, parents)
    steps = np.array([[heights[root] - heights[node] for node in row] for row in lowest], dtype=np.int64)
    np.fill_diagonal(steps, heights[root])
    steps.flags.writeable = False
    return steps, heights[root]


def tree_steps(taxonomy: Taxonomy) -> tuple[NDArray[np.int64], int] | None:
    """:func:`lcs_steps`, or None where the taxonomy is no tree."""
    try:
        return lcs_steps(taxonomy)
    except DataError:
        return None


def wu_palmer_similarity(taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Class similarities ``2 depth(lowest common ancestor) / (depth(a) + depth(b))``, the root's depth being 1.

    Reference: Wu and Palmer, "Verb semantics and lexical selection", ACL 1994.

    Args:
        taxonomy: a tree.

    Returns:
        (K, K) between 0 and 1.

    Raises:
        DataError: if a node has two parents or there are two roots.

    Examples:
        >>> from huse_bench.taxonomy import Taxonomy
        >>> edges = [("thing", "animal"), ("thing", "car"), ("animal", "cat"), ("animal", "dog")]
        >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "car"])
        >>> wu_palmer_similarity(taxonomy).round(3)
        array([[1.   , 0.667, 0.4  ],
               [0.667, 1.   , 0.4  ],
               [0.4  , 0.4  , 1.   ]])
    """
    parents, _ = _tree(taxonomy)
    depths = np.array([len(_lineage(node, parents)) for node in taxonomy.classes])
    lowest = _lowest_common_ancestors(taxonomy, parents)
    shared = np.array([[len(_lineage(node, parents)) for node in row] for row in lowest])
    similarities: NDArray[np.float64] = 2 * shared / (depths[:, None] + depths[None, :])
    return similarities


def _tree(taxonomy: Taxonomy) -> tuple[Mapping[Hashable, Hashable], Hashable]:
    parents: dict[Hashable, Hashable] = {}
    for parent, child in taxonomy.edges:
        if child in parents:
            raise DataError(
                f"node {child!r} has the parents {parents[child]!r} and {parent!r}, but this similarity needs a tree: "
                "keep one of them"
            )
        parents[child] = parent
    roots = list(dict.fromkeys(parent for parent, _ in taxonomy.edges if parent not in parents))
    if len(roots) > 1:
        raise DataError(
            f"the taxonomy has the roots {roots[0]!r} and {roots[1]!r}, but this similarity needs one: join them"
        )
    return parents, roots[0]


def _lineage(node: Hashable, parents: Mapping[Hashable, Hashable]) -> list[Hashable]:
    lineage = [node]
    while lineage[-1] in parents:
        lineage.append(parents[lineage[-1]])
    return lineage


def _lowest_common_ancestors(taxonomy: Taxonomy, parents: Mapping[Hashable, Hashable]) -> list[list[Hashable]]:
    lineages = [_lineage(node, parents) for node in taxonomy.classes]
    ancestors = [frozenset(lineage) for lineage in lineages]
    return [[next(node for node in lineage if node in other) for other in ancestors] for lineage in lineages]
