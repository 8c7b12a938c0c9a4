"""Controls: the floors and ceilings that the numbers of a table lie between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from huse_bench.errors import DataError
from huse_bench.evaluation import Version, fit_fusion
from huse_bench.evaluation.galleries import Galleries, chance_levels
from huse_bench.evaluation.hierarchy import tree_steps
from huse_bench.evaluation.protocol import groups_of
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.fingerprint import source_digest
from huse_bench.measures import DIRECTIONS, HP_KS, RECALL_KS
from huse_bench.results.arrays import PerQuery
from huse_bench.results.schema import CHANCE_CONTROL, CONTROL_PREFIX
from huse_bench.runs.embedded import Ranked, retrieve
from huse_bench.runs.methods import Method

__all__ = ["CONTROLS", "Control", "Evaluated", "controls_hash", "shuffled_data", "shuffled_method"]


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
        evaluate: what it reaches on a dataset, by a version of the protocol.
    """

    name: str
    title: str
    evaluate: Callable[[Prepared, Version], Evaluated]


def chance(prepared: Prepared, protocol: Version) -> Evaluated:
    """The expected numbers of a random ranking and of a class drawn at random, in the galleries of the test split."""
    galleries, taxonomy = _galleries(prepared, protocol), prepared.taxonomy_of("test")
    found: dict[str, dict[str, float]] = {}
    for direction in DIRECTIONS:
        found[direction] = chance_levels(galleries, taxonomy, direction, RECALL_KS, HP_KS)
        if (tree := tree_steps(taxonomy)) is not None:
            steps, height = tree
            sums = sum(step * galleries.count(steps == step, direction) for step in range(1, height + 1))
            sizes, ideals = galleries.sizes(direction), galleries.ideals(steps, height, HP_KS, direction)
            scores = {f"BHP@{k}": k * sums / sizes / np.maximum(ideal, 1) for k, ideal in ideals.items()}
            found[direction] |= _means(scores)
    return Evaluated(found, _accuracies(prepared, 1 / len(prepared.class_names)))


def ceiling(prepared: Prepared, protocol: Version) -> Evaluated:
    """What a ranking by the true classes reaches: own class first, then the correct sets as they grow.

    It is below 1 where a gallery has fewer items of a class or a correct set than there are places.
    """
    galleries, taxonomy = _galleries(prepared, protocol), prepared.taxonomy_of("test")
    found: dict[str, dict[str, float]] = {}
    own_class = np.eye(len(prepared.class_names), dtype=bool)
    for direction in DIRECTIONS:
        own = galleries.count(own_class, direction)
        correct = {k: galleries.count(taxonomy.correct_sets(k), direction) for k in HP_KS}
        scores = dict.fromkeys((f"R@{k}" for k in RECALL_KS), (own > 0).astype(np.float64))
        scores |= {f"HP@{k}": np.minimum(count, k) / k for k, count in correct.items()}
        if (tree := tree_steps(taxonomy)) is not None:
            ideals = galleries.ideals(*tree, HP_KS, direction)
            scores |= {f"BHP@{k}": (ideal > 0).astype(np.float64) for k, ideal in ideals.items()}
        found[direction] = _means(scores)
    return Evaluated(found, _accuracies(prepared, 1.0))


def raw_neighbours(prepared: Prepared, protocol: Version) -> Evaluated:
    """Nearest neighbours by the cosine of the features themselves; across modalities only in equal dimensions."""
    test = prepared.splits["test"]
    image, text = (F.normalize(features.cpu(), dim=1) for features in (test.image, test.text))
    dim = max(image.shape[1], text.shape[1])
    # Zeros change no cosine within a modality, and those between are thrown away.
    padded = [F.pad(rows, (0, dim - rows.shape[1])) for rows in (image, text)]
    found = retrieve(Ranked(padded[0], padded[1]), prepared, "test", protocol)
    kept = DIRECTIONS if image.shape == text.shape else ("i2i", "t2t")
    return Evaluated(
        {direction: found.scores[direction] for direction in kept},
        per_query={direction: found.per_query[direction] for direction in kept},
    )


def raw_centroids(prepared: Prepared, protocol: Version) -> Evaluated:
    """Nearest class centroids of the features: an item is embedded as its cosines with the K training centroids.

    Features are centred by the mean of the train split and scaled to unit length, each modality by itself. The
    cosines are the scores of the classifier too. Those with a class that has no training item are 0.
    """
    train = prepared.splits["train"]
    cosines = {
        name: (
            _centroid_cosines(train, split, "image", len(prepared.class_names)),
            _centroid_cosines(train, split, "text", len(prepared.class_names)),
        )
        for name, split in prepared.splits.items()
        if name != "train"
    }
    labels = {name: split.labels for name, split in prepared.splits.items()}
    image, text = cosines["test"]
    found = retrieve(Ranked(F.normalize(image, dim=1), F.normalize(text, dim=1)), prepared, "test", protocol)
    if prepared.regime.held_out:
        return Evaluated(found.scores, None, found.per_query)
    fusion = fit_fusion(*cosines["validation"], labels["validation"])
    classification = {
        **fusion.accuracies(image, text, labels["test"]),
        "fusion_weight": fusion.weight,
        "image_temperature": fusion.image_temperature,
        "text_temperature": fusion.text_temperature,
    }
    return Evaluated(found.scores, classification, found.per_query)


#: The controls that need no training, in the order of their rows.
CONTROLS = (
    Control(CHANCE_CONTROL, "Chance", chance),
    Control(f"{CONTROL_PREFIX}raw-neighbours", "Raw features", raw_neighbours),
    Control(f"{CONTROL_PREFIX}raw-centroids", "Class centroids", raw_centroids),
    Control(f"{CONTROL_PREFIX}ceiling", "Ceiling", ceiling),
)


def controls_hash() -> str:
    """SHA-256 of this module's code, which is part of the identity of its records and of runs on shuffled labels."""
    return source_digest({"controls.py": Path(__file__)})


def shuffled_method(method: Method) -> Method:
    """The control that trains a method on shuffled labels: what it reaches without knowing the classes."""
    return replace(method, name=f"{CONTROL_PREFIX}shuffled-{method.name}", title=f"{method.title}, labels shuffled")


def shuffled_data(prepared: Prepared, seed: int) -> Prepared:
    """The data with the train split's labels permuted; each image keeps its text.

    Args:
        prepared: the dataset.
        seed: of the permutation.

    Returns:
        The data; validation and test split are as they were.
    """
    train = prepared.splits["train"]
    order = np.random.default_rng(seed).permutation(len(train.labels))
    shuffled = replace(train, labels=train.labels[order])
    return replace(prepared, splits={**prepared.splits, "train": shuffled})


def _galleries(prepared: Prepared, protocol: Version) -> Galleries:
    """What each item of the test split could find."""
    labels = prepared.splits["test"].labels
    return Galleries(
        labels, groups_of(prepared.splits["test"].groups, len(labels), protocol), len(prepared.class_names)
    )


def _means(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    return {metric: float(values.mean()) for metric, values in scores.items()}


def _accuracies(prepared: Prepared, value: float) -> dict[str, float] | None:
    """What is classified with this accuracy; None where no classifier knows the classes."""
    if prepared.regime.held_out:
        return None
    return {"image": value, "text": value, "fusion": value, "fusion_weight": 0.5, "fusion_equal": value}


def _centroid_cosines(train: SplitFeatures, split: SplitFeatures, modality: str, classes: int) -> Tensor:
    known, rows = (getattr(part, modality).cpu() for part in (train, split))
    mean = known.mean(dim=0)
    unit = F.normalize(known - mean, dim=1)
    centroids = torch.zeros(classes, unit.shape[1]).index_add_(0, torch.from_numpy(train.labels), unit)
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
