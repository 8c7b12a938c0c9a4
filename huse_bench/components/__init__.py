"""What a plugin author implements: losses, backbones and datasets, and what they are given."""

from huse_bench.components._api import API_VERSION
from huse_bench.components._backbones import ImageBackbone, TextBackbone
from huse_bench.components._dataset import Dataset, Features, Items, Split
from huse_bench.components._graph import ClassGraph
from huse_bench.components._loss import Batch, Heads, Loss, Modality, Terms, View

__all__ = [
    "API_VERSION",
    "Batch",
    "ClassGraph",
    "Dataset",
    "Features",
    "Heads",
    "ImageBackbone",
    "Items",
    "Loss",
    "Modality",
    "Split",
    "Terms",
    "TextBackbone",
    "View",
]
