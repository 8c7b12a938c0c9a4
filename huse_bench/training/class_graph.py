"""The class graph of a loss: that of the class names, or one made of the taxonomy."""

from __future__ import annotations

import numpy as np
import torch

from huse_bench.components import ClassGraph
from huse_bench.evaluation import lcs_height_similarity
from huse_bench.taxonomy import Taxonomy

__all__ = ["taxonomy_graph"]


def taxonomy_graph(taxonomy: Taxonomy) -> ClassGraph:
    """Unit vectors whose dot products are the similarities of the classes in a tree.

    The similarity is 1 minus the height of the lowest common ancestor over the height of the tree. The vectors are
    the rows of its Cholesky factor, which is the placement of Barz and Denzler: each class is put on the sphere at
    the right angles to all before it, with one new coordinate.

    Args:
        taxonomy: with K classes.

    Returns:
        (K, K) float32 embeddings and their cosine distances.

    Raises:
        DataError: if a node has two parents.

    Reference:
        Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019, section 3.2.
    """
    # In a tree these similarities are those of an ultrametric, so the factor exists.
    vectors = np.linalg.cholesky(lcs_height_similarity(taxonomy))
    return ClassGraph(torch.from_numpy(vectors.astype(np.float32)))
