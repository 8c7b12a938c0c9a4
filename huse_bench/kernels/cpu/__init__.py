"""The pairwise losses for CPUs: tiles by torch's matrix product, one numba pass over each tile."""

from huse_bench.kernels.cpu.double_triplet import double_triplet_terms
from huse_bench.kernels.cpu.graph_loss import graph_loss
from huse_bench.kernels.cpu.mismatch_hinge import mismatch_hinge
from huse_bench.kernels.cpu.semihard_triplet import semihard_triplet

__all__ = ["double_triplet_terms", "graph_loss", "mismatch_hinge", "semihard_triplet"]
