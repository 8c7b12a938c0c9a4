"""What a trained method makes of a split, and how well it does there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from huse_bench.components import Loss, Split
from huse_bench.evaluation import Fusion, Retrieval, Version, evaluate_retrieval, fit_fusion
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.measures import HP_KS, RECALL_KS, TASKS
from huse_bench.training import Model, ranking_rows

__all__ = ["Classification", "Embedded", "Ranked", "Validated", "classify", "embed", "retrieve", "validate"]

# Rows embedded at once outside training.
_ROWS = 4096


@dataclass(frozen=True)
class Ranked:
    """The rows whose inner products n items are ranked by, where they were made: a GPU ranks them too.

    Attributes:
        image: (n, M) images as queries.
        text: (n, M) texts as queries.
        image_gallery: (n, M) images as what is found, where that is not ``image``, as it is for the cosine.
        text_gallery: likewise.
    """

    image: Tensor
    text: Tensor
    image_gallery: Tensor | None = None
    text_gallery: Tensor | None = None


@dataclass(frozen=True)
class Embedded:
    """One split after training, on the host but for what is ranked.

    Attributes:
        image: (n, D) unit rows.
        text: (n, D) unit rows.
        image_logits: (n, K), or None where the method has no classifier.
        text_logits: as ``image_logits``.
        ranked: what the items are ranked by; the unit rows, unless the method has a similarity of its own.
    """

    image: Tensor
    text: Tensor
    image_logits: Tensor | None
    text_logits: Tensor | None
    ranked: Ranked


@dataclass(frozen=True)
class Classification:
    """Accuracies on the test split, in [0, 1], and what they are made of.

    Attributes:
        image: of the image logits.
        text: of the text logits.
        fusion: of the softmax scores, averaged as fitted on the validation split.
        fusion_equal: as ``fusion`` with equal weights.
        fitted: the weight and the temperatures from the validation split.
        predictions: (n,) predicted classes by name: image, text, fusion.
        confidences: (n,) largest softmax score by name, in [0, 1].
    """

    image: float
    text: float
    fusion: float
    fusion_equal: float
    fitted: Fusion
    predictions: dict[str, NDArray[np.int64]]
    confidences: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Validated:
    """How well a method does on the validation split.

    Attributes:
        metrics: by name, such as ``"i2t R@1"`` and ``"fusion accuracy"``, as shares from 0 to 1.
        per_query: by direction, the counts of each query, as :class:`huse_bench.evaluation.Retrieval` has them.
        predictions: (n,) predicted classes by name: image, text, fusion; empty where the method has no classifier.
        fusion: as fitted on the split, likewise None.
    """

    metrics: dict[str, float]
    per_query: Mapping[str, Mapping[str, NDArray[np.int64]]]
    predictions: dict[str, NDArray[np.int64]]
    fusion: Fusion | None


@torch.no_grad()
def embed(model: Model, loss: Loss, split: SplitFeatures) -> Embedded:
    """Embed the items of a split.

    Args:
        model: trained towers and heads, on the device of the features.
        loss: the trained loss, which says what items are ranked by.
        split: n items.
    """
    model.eval()
    loss.eval()
    parts = []
    for start in range(0, len(split.labels), _ROWS):
        rows = slice(start, start + _ROWS)
        image, text = model.views(split.image[rows], split.text[rows])
        queries, galleries = zip(ranking_rows(loss, image), ranking_rows(loss, text), strict=True)
        # The cosine's query rows are the unit rows.
        units = (None, None) if galleries[0] is None else (normalize(image.rows, dim=1), normalize(text.rows, dim=1))
        parts.append((*queries, *galleries, *units, *model.logits(image.rows, text.rows)))
    image_queries, text_queries, image_gallery, text_gallery, *others = map(_joined, zip(*parts, strict=True))
    image_rows, text_rows, image_logits, text_logits = (None if rows is None else rows.cpu() for rows in others)
    assert image_queries is not None
    assert text_queries is not None
    return Embedded(
        image_queries.cpu() if image_rows is None else image_rows,
        text_queries.cpu() if text_rows is None else text_rows,
        image_logits,
        text_logits,
        Ranked(image_queries, text_queries, image_gallery, text_gallery),
    )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    """What was made of all items; None where it is not made."""
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def retrieve(
    ranked: Ranked,
    prepared: Prepared,
    name: Split,
    protocol: Version,
    *,
    curve_k: int | None = None,
    neighbours: int = 0,
) -> Retrieval:
    """Evaluate the retrieval on one split as the tables do.

    Args:
        ranked: what its items are ranked by.
        prepared: the dataset, with the labels and groups of the items.
        name: of the split.
        protocol: of the retrieval.
        curve_k: the last K of curves, at most as many as the smallest gallery has; None for no curves.
        neighbours: how many of the first items of each query to give, likewise.
    """
    split = prepared.splits[name]
    return evaluate_retrieval(
        ranked.image,
        ranked.text,
        split.labels,
        prepared.taxonomy_of(name),
        groups=split.groups,
        protocol=protocol,
        recall_ks=RECALL_KS,
        hp_ks=HP_KS,
        curve_k=curve_k,
        neighbours=neighbours,
        image_gallery=ranked.image_gallery,
        text_gallery=ranked.text_gallery,
    )


def validate(validation: Embedded, prepared: Prepared, protocol: Version) -> Validated:
    """Evaluate on the validation split, and fit the fusion there, where a classifier of the method knows its classes.

    Args:
        validation: the split's embeddings.
        prepared: the dataset.
        protocol: of the retrieval.
    """
    retrieval = retrieve(validation.ranked, prepared, "validation", protocol)
    metrics = {
        f"{direction} {name}": value for direction, scores in retrieval.scores.items() for name, value in scores.items()
    }
    image, text = validation.image_logits, validation.text_logits
    if image is None or text is None or prepared.regime.held_out:
        return Validated(metrics, retrieval.per_query, {}, None)
    labels = prepared.splits["validation"].labels
    fusion = fit_fusion(image, text, labels)
    accuracies = fusion.accuracies(image, text, labels)
    metrics |= {f"{task} accuracy": accuracies[task] for task in TASKS}
    predictions = {
        "image": image.numpy().argmax(axis=1),
        "text": text.numpy().argmax(axis=1),
        "fusion": fusion.shares(image, text).argmax(axis=1),
    }
    return Validated(metrics, retrieval.per_query, predictions, fusion)


def classify(test: Embedded, prepared: Prepared, fusion: Fusion) -> Classification:
    """Accuracies on the test split.

    Args:
        test: the split's embeddings, with logits.
        prepared: the dataset.
        fusion: as fitted on the validation split.
    """
    assert test.image_logits is not None
    assert test.text_logits is not None
    labels = prepared.splits["test"].labels
    fused = fusion.shares(test.image_logits, test.text_logits)
    scores = {"image": test.image_logits.numpy(), "text": test.text_logits.numpy(), "fusion": fused}
    return Classification(
        **fusion.accuracies(test.image_logits, test.text_logits, labels),
        fitted=fusion,
        predictions={name: score.argmax(axis=1) for name, score in scores.items()},
        confidences={
            name: fusion.shares(test.image_logits, test.text_logits, weight).max(axis=1)
            for name, weight in (("image", 1.0), ("text", 0.0), ("fusion", None))
        },
    )
