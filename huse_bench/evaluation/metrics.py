"""R@K, P@K and HP@K of given rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huse_bench.evaluation._arrays import as_rankings
from huse_bench.evaluation._counts import correct_counts, hit_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from huse_bench.taxonomy import Taxonomy

__all__ = ["hp_at_k", "precision_at_k", "recall_at_k"]


def recall_at_k(query_labels: ArrayLike, retrieved_labels: ArrayLike, k: int) -> float:
    """Share of queries with at least one item of their class among the top k (HUSE section 4.3).

    This class-level hit rate is what the paper calls R@K. It is not the recall of information retrieval,
    which divides by the number of relevant items.

    Args:
        query_labels: (n,) integer class indices.
        retrieved_labels: (n, at least k) integer class indices of the ranked items, best first.
        k: at least 1.

    Returns:
        A share between 0 and 1.

    Raises:
        DataError: if k is larger than what was retrieved, or shapes, types or ranges do not fit.

    Examples:
        >>> recall_at_k([0, 1], [[2, 0], [0, 2]], k=2)
        0.5
    """
    query, retrieved = as_rankings(query_labels, retrieved_labels, [k])
    return float((hit_counts(query, retrieved, [k])[k] > 0).mean())


def precision_at_k(query_labels: ArrayLike, retrieved_labels: ArrayLike, k: int) -> float:
    """Mean share of the top k items that are of the query's class.

    Args:
        query_labels: (n,) integer class indices.
        retrieved_labels: (n, at least k) integer class indices of the ranked items, best first.
        k: at least 1.

    Returns:
        A share between 0 and 1.

    Raises:
        DataError: if k is larger than what was retrieved, or shapes, types or ranges do not fit.

    Examples:
        >>> precision_at_k([0, 1], [[0, 0], [0, 1]], k=2)
        0.75
    """
    query, retrieved = as_rankings(query_labels, retrieved_labels, [k])
    return float(hit_counts(query, retrieved, [k])[k].mean() / k)


def hp_at_k(query_labels: ArrayLike, retrieved_labels: ArrayLike, taxonomy: Taxonomy, k: int) -> float:
    """Mean share of the top k items whose class is in the query class's correct set at depth k.

    The correct set is :meth:`huse_bench.taxonomy.Taxonomy.correct_set`: the own class counts, and the set may
    be larger than k while the denominator stays k (Frome et al., DeViSE; HUSE section 4.4).

    Args:
        query_labels: (n,) integer class indices.
        retrieved_labels: (n, at least k) integer class indices of the ranked items, best first.
        taxonomy: the classes' taxonomy.
        k: at least 1.

    Returns:
        A share between 0 and 1.

    Raises:
        DataError: if k is larger than what was retrieved, or shapes, types or ranges do not fit.

    Examples:
        >>> from huse_bench.taxonomy import Taxonomy
        >>> edges = [("life", "animal"), ("animal", "cat"), ("animal", "dog"), ("life", "tree")]
        >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "tree"])
        >>> hp_at_k([0, 2], [[0, 1], [0, 2]], taxonomy, k=2)  # at depth 2 a dog is correct for a cat, both for a tree
        1.0
    """
    query, retrieved = as_rankings(query_labels, retrieved_labels, [k], len(taxonomy.classes))
    return float(correct_counts(query, retrieved, {k: taxonomy.correct_sets(k)})[k].mean() / k)
