"""Controls: the floors and ceilings that the numbers of a table lie between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from huse_bench.components import Split
from huse_bench.errors import DataError
from huse_bench.evaluation import DIRECTIONS, accuracy, evaluate_retrieval, fit_fusion
from huse_bench.experiment import HP_KS, RECALL_KS
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.methods import Method
from huse_bench.results.arrays import PerQuery
from huse_bench.results.chance import CHANCE
from huse_bench.results.schema import CONTROL_PREFIX

__all__ = ["CONTROLS", "Control", "Evaluated", "controls_hash", "shuffled_data", "shuffled_method"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """What a control reaches on the test split.

    Attributes:
        retrieval: by direction and metric, as shares from 0 to 1; directions that have no meaning are left out.
        classification: as in a run record; None where the control classifies nothing.
        per_query: counts of single queries, by direction and name; None for what was computed, not ranked.
    """

    retrieval: Mapping[str, Mapping[str, float]]
    classification: Mapping[str, float] | None = None
    per_query: PerQuery | None = None


@dataclass(frozen=True)
class Control:
    """One control that needs no training.

    Attributes:
        name: of its records, as the name of a method.
        title: of its row.
        evaluate: what it reaches on a dataset.
    """

    name: str
    title: str
    evaluate: Callable[[Prepared], Evaluated]


def chance(data: Prepared) -> Evaluated:
    """The expected numbers of a random ranking and of a class drawn at random, with the test split's class sizes."""

    def hit(same: _Floats, gallery: int, k: int) -> _Floats:
        miss = np.ones_like(same)
        for drawn in range(k):
            miss *= np.maximum(gallery - same - drawn, 0) / (gallery - drawn)
        return 1 - miss

    def share(correct: _Floats, gallery: int, _k: int) -> _Floats:
        return correct / gallery

    return Evaluated(_by_class(data, hit, share), _accuracies(1 / len(data.class_names)))


def ceiling(data: Prepared) -> Evaluated:
    """What a ranking by the true classes reaches: own class first, then the correct sets as they grow.

    It is below 1 where a class or a correct set has fewer test items than there are places.
    """

    def hit(same: _Floats, _gallery: int, _k: int) -> _Floats:
        return (same > 0).astype(np.float64)

    def share(correct: _Floats, _gallery: int, k: int) -> _Floats:
        return np.minimum(correct, k) / k

    return Evaluated(_by_class(data, hit, share), _accuracies(1.0))


def raw_neighbours(data: Prepared) -> Evaluated:
    """Nearest neighbours by the cosine of the features themselves; across modalities only in equal dimensions."""
    test = data.splits["test"]
    image, text = (F.normalize(features.cpu(), dim=1) for features in (test.image, test.text))
    dim = max(image.shape[1], text.shape[1])
    # Zeros change no cosine within a modality, and those between are thrown away.
    padded = [F.pad(rows, (0, dim - rows.shape[1])) for rows in (image, text)]
    labels = test.labels.cpu()
    found = evaluate_retrieval(padded[0], padded[1], labels, data.taxonomy, recall_ks=RECALL_KS, hp_ks=HP_KS)
    kept = DIRECTIONS if image.shape == text.shape else ("i2i", "t2t")
    return Evaluated(
        {direction: found.scores[direction] for direction in kept},
        per_query={direction: found.per_query[direction] for direction in kept},
    )


def raw_centroids(data: Prepared) -> Evaluated:
    """Nearest class centroids of the features: an item is embedded as its cosines with the K training centroids.

    Features are centred by the mean of the train split and scaled to unit length, each modality by itself. The
    cosines are the scores of the classifier too.
    """
    train = data.splits["train"]
    cosines = {
        name: (
            _centroid_cosines(train, split, "image", len(data.class_names)),
            _centroid_cosines(train, split, "text", len(data.class_names)),
        )
        for name, split in data.splits.items()
        if name != "train"
    }
    labels: dict[Split, Tensor] = {name: split.labels.cpu() for name, split in data.splits.items()}
    image, text = cosines["test"]
    found = evaluate_retrieval(
        F.normalize(image, dim=1),
        F.normalize(text, dim=1),
        labels["test"],
        data.taxonomy,
        recall_ks=RECALL_KS,
        hp_ks=HP_KS,
    )
    fusion = fit_fusion(*cosines["validation"], labels["validation"])
    classification = {
        "image": accuracy(image, labels["test"]),
        "text": accuracy(text, labels["test"]),
        "fusion": accuracy(fusion.shares(image, text), labels["test"]),
        "fusion_weight": fusion.weight,
        "fusion_equal": accuracy(fusion.shares(image, text, 0.5), labels["test"]),
        "image_temperature": fusion.image_temperature,
        "text_temperature": fusion.text_temperature,
    }
    return Evaluated(found.scores, classification, found.per_query)


#: The controls that need no training, in the order of their rows.
CONTROLS = (
    Control(CHANCE, "Chance", chance),
    Control(f"{CONTROL_PREFIX}raw-neighbours", "Raw features", raw_neighbours),
    Control(f"{CONTROL_PREFIX}raw-centroids", "Class centroids", raw_centroids),
    Control(f"{CONTROL_PREFIX}ceiling", "Ceiling", ceiling),
)


def controls_hash() -> str:
    """SHA-256 of this module, which is part of the identity of its records."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def shuffled_method(method: Method) -> Method:
    """The control that trains a method on shuffled labels: what it reaches without knowing the classes."""
    return replace(method, name=f"{CONTROL_PREFIX}shuffled-{method.name}", title=f"{method.title}, labels shuffled")


def shuffled_data(data: Prepared, seed: int) -> Prepared:
    """The data with the train split's labels permuted; each image keeps its text.

    Args:
        data: the dataset.
        seed: of the permutation.

    Returns:
        The data; validation and test split are as they were.
    """
    train = data.splits["train"]
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(train.labels)))
    shuffled = replace(train, labels=train.labels[order.to(train.labels.device)])
    return replace(data, splits={**data.splits, "train": shuffled})


def _by_class(
    data: Prepared, hit: Callable[[_Floats, int, int], _Floats], share: Callable[[_Floats, int, int], _Floats]
) -> dict[str, dict[str, float]]:
    """Scores that depend on the query's class alone, averaged over the queries.

    ``hit`` and ``share`` are given (K,) numbers of same-class or correct items in the gallery, its size, and K.
    """
    counts = np.bincount(data.splits["test"].labels.cpu().numpy(), minlength=len(data.class_names))
    items = int(counts.sum())
    correct = {k: data.taxonomy.correct_sets(k) @ counts for k in HP_KS}
    scores = {}
    for direction in DIRECTIONS:
        # In-modal rankings leave the query out.
        own = int(direction[0] == direction[-1])
        recall = {f"R@{k}": hit(np.maximum(counts - own, 0.0), items - own, k) for k in RECALL_KS}
        precision = {f"HP@{k}": share(np.maximum(correct[k] - own, 0.0), items - own, k) for k in HP_KS}
        scores[direction] = {
            metric: float(counts @ values / items) for metric, values in {**recall, **precision}.items()
        }
    return scores


def _accuracies(value: float) -> dict[str, float]:
    return {"image": value, "text": value, "fusion": value, "fusion_weight": 0.5, "fusion_equal": value}


def _centroid_cosines(train: SplitFeatures, split: SplitFeatures, modality: str, classes: int) -> Tensor:
    known, rows = (getattr(part, modality).cpu() for part in (train, split))
    mean = known.mean(dim=0)
    unit = F.normalize(known - mean, dim=1)
    centroids = torch.zeros(classes, unit.shape[1]).index_add_(0, train.labels.cpu(), unit)
    centred = rows - mean
    # A length below this is rounding.
    same = (centred.norm(dim=1) <= 1e-6 * rows.norm(dim=1)).nonzero().flatten().tolist()
    if same:
        raise DataError(
            f"{len(same)} of {len(rows)} {modality} feature vectors equal the mean of the train split, so they have no "
            f"direction from it and no cosine with a centroid; for example that of {split.ids[same[0]]}"
        )
    cosines: Tensor = F.normalize(centred, dim=1) @ F.normalize(centroids, dim=1).T
    return cosines
