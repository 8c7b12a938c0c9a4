"""The class graph of a loss: that of the class names, or one made of the taxonomy."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import torch

from huse_bench.components import ClassGraph
from huse_bench.evaluation import lcs_height_similarity
from huse_bench.evaluation.hierarchy import lcs_steps
from huse_bench.taxonomy import Taxonomy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["taxonomy_graph"]


def taxonomy_graph(taxonomy: Taxonomy) -> ClassGraph:
    """Unit vectors whose dot products are the similarities of the classes in a tree.

    The similarity is 1 minus the height of the lowest common ancestor over the height of the tree. The vectors are
    the rows of its Cholesky factor, which is the placement of Barz and Denzler: each class is put on the sphere at
    the right angles to all before it, with one new coordinate.

    Args:
        taxonomy: with K classes.

    Returns:
        (K, K) float32 embeddings and their cosine distances, with the tree's paths and heights.

    Raises:
        DataError: if a node has two parents or there are two roots.

    Reference:
        Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019, section 3.2.
    """
    # In a tree these similarities are those of an ultrametric, so the factor exists.
    vectors = np.linalg.cholesky(lcs_height_similarity(taxonomy))
    steps, height = lcs_steps(taxonomy)
    return ClassGraph(
        torch.from_numpy(vectors.astype(np.float32)),
        paths=torch.from_numpy(_paths(taxonomy)),
        heights=torch.from_numpy(height - steps),
    )


def _paths(tree: Taxonomy) -> NDArray[np.int64]:
    """(K, L) ancestors of each class, see :attr:`ClassGraph.paths`."""
    parents = {child: parent for parent, child in tree.edges}
    lineages = [_below_root(node, parents) for node in tree.classes]
    levels = max(map(len, lineages))
    filled = [lineage + [node] * (levels - len(lineage)) for node, lineage in zip(tree.classes, lineages, strict=True)]
    paths = np.empty((len(filled), levels), dtype=np.int64)
    for level, nodes in enumerate(zip(*filled, strict=True)):
        # In the order of the classes, so that the last level, which no two share, has their indices.
        numbers = {node: number for number, node in enumerate(dict.fromkeys(nodes))}
        paths[:, level] = [numbers[node] for node in nodes]
    return paths


def _below_root(node: Hashable, parents: dict[Hashable, Hashable]) -> list[Hashable]:
    lineage = []
    while node in parents:
        lineage.append(node)
        node = parents[node]
    return lineage[::-1]
