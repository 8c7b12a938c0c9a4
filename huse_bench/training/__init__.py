"""Towers, heads, optimisers and the training loop."""

from huse_bench.training.class_graph import taxonomy_graph
from huse_bench.training.loop import Training
from huse_bench.training.model import Model
from huse_bench.training.optimizers import RMSpropTF
from huse_bench.training.ranking import ranking_rows
from huse_bench.training.shares import inert_terms
from huse_bench.training.stacked import Stack
from huse_bench.training.terms import Trained

__all__ = ["Model", "RMSpropTF", "Stack", "Trained", "Training", "inert_terms", "ranking_rows", "taxonomy_graph"]
