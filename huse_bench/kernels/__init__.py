"""Pairwise losses and exact retrieval: one module an operation, its backends beside it.

The functions know no method: they take tensors of unit rows and give tensors.
"""

from huse_bench.kernels._arguments import unchecked
from huse_bench.kernels.contrastive import contrastive
from huse_bench.kernels.cosine_embedding import cosine_embedding
from huse_bench.kernels.double_triplet import double_triplet, double_triplet_terms
from huse_bench.kernels.graph_loss import graph_loss
from huse_bench.kernels.pairwise_loss import Pairs, pairwise_loss
from huse_bench.kernels.semihard_triplet import semihard_triplet
from huse_bench.kernels.top_k import top_k, top_k_directions

__all__ = [
    "Pairs",
    "contrastive",
    "cosine_embedding",
    "double_triplet",
    "double_triplet_terms",
    "graph_loss",
    "pairwise_loss",
    "semihard_triplet",
    "top_k",
    "top_k_directions",
    "unchecked",
]
