"""The pairwise losses for NVIDIA GPUs, in Triton: a tile of similarities lives in registers, its gradient with it.

Each program owns a block of rows and walks over the others, so no two programs write one value: there are no
atomics, and the same input gives the same bits. Importing this package imports triton.
"""

from huse_bench.kernels.cuda.graph_loss import graph_loss
from huse_bench.kernels.cuda.mismatch_hinge import mismatch_hinge

__all__ = ["graph_loss", "mismatch_hinge"]
