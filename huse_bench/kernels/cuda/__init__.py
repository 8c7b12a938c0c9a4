"""The pairwise losses and ranking for NVIDIA GPUs, in Triton.

No two programs write one value, so there are no atomics, and the same input gives the same bits. Of some queries at a
time all pairs are in memory: where pairs cost each for itself, what each weighs in the gradient; where a pair's cost
depends on all of its query's similarities, these. Importing this package imports triton.
"""

from huse_bench.kernels.cuda.double_triplet import double_triplet_terms
from huse_bench.kernels.cuda.graph_loss import graph_loss
from huse_bench.kernels.cuda.mismatch_hinge import mismatch_hinge
from huse_bench.kernels.cuda.semihard_triplet import semihard_triplet
from huse_bench.kernels.cuda.top_k import top_k, top_k_directions

__all__ = [
    "double_triplet_terms",
    "graph_loss",
    "mismatch_hinge",
    "semihard_triplet",
    "top_k",
    "top_k_directions",
]
