"""Evaluation: ranking, class-level R@K, hierarchical precision, classification and fusion.

Only :func:`evaluate_retrieval` and :class:`ValidationSample` rank embeddings, so only they (and the result type) import
torch, when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from huse_bench.evaluation.classification import (
    Fusion,
    accuracy,
    choose_fusion_weight,
    fit_fusion,
    fit_temperature,
    fuse,
)
from huse_bench.evaluation.geometry import ClassGeometry, class_geometry
from huse_bench.evaluation.hierarchy import hierarchical_precision, lcs_height_similarity, wu_palmer_similarity
from huse_bench.evaluation.metrics import hp_at_k, precision_at_k, recall_at_k
from huse_bench.evaluation.protocol import (
    BHP_PROTOCOL,
    CLASSIFICATION_PROTOCOL,
    HP_PROTOCOL,
    RECALL_PROTOCOL,
    UNSEEN_HP_PROTOCOL,
    Version,
    protocol,
)
from huse_bench.evaluation.scores import scores_from_per_query
from huse_bench.measures import DIRECTIONS

if TYPE_CHECKING:
    from huse_bench.evaluation.learning import ValidationSample
    from huse_bench.evaluation.retrieval import Retrieval, evaluate_retrieval

__all__ = [
    "BHP_PROTOCOL",
    "CLASSIFICATION_PROTOCOL",
    "DIRECTIONS",
    "HP_PROTOCOL",
    "RECALL_PROTOCOL",
    "UNSEEN_HP_PROTOCOL",
    "ClassGeometry",
    "Fusion",
    "Retrieval",
    "ValidationSample",
    "Version",
    "accuracy",
    "choose_fusion_weight",
    "class_geometry",
    "evaluate_retrieval",
    "fit_fusion",
    "fit_temperature",
    "fuse",
    "hierarchical_precision",
    "hp_at_k",
    "lcs_height_similarity",
    "precision_at_k",
    "protocol",
    "recall_at_k",
    "scores_from_per_query",
    "wu_palmer_similarity",
]

_RANKING = {"Retrieval": "retrieval", "ValidationSample": "learning", "evaluate_retrieval": "retrieval"}


def __getattr__(name: str) -> object:
    if name in _RANKING:
        return getattr(import_module(f"huse_bench.evaluation.{_RANKING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
