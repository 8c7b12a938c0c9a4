"""One run, or one trial of a search: a method trained and evaluated on one dataset with one seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.components import Split
from huse_bench.config import TrainingConfig
from huse_bench.evaluation import Fusion, Retrieval, Version, accuracy, evaluate_retrieval, fit_fusion
from huse_bench.features import Prepared
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.runs.device import forget_peak
from huse_bench.runs.methods import Method
from huse_bench.training import Model, Progress, Trained, taxonomy_graph, train

__all__ = ["Classification", "Embedded", "Outcome", "retrieve", "run_experiment", "run_trial"]

#: Rows embedded at once outside training.
_ROWS = 4096


@dataclass(frozen=True)
class Embedded:
    """One split after training: unit embeddings and logits.

    Attributes:
        image: (n, D) unit rows.
        text: (n, D) unit rows.
        image_logits: (n, K), or None where the method has no classifier.
        text_logits: as ``image_logits``.
    """

    image: Tensor
    text: Tensor
    image_logits: Tensor | None
    text_logits: Tensor | None


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
class Outcome:
    """All that one run produced.

    Attributes:
        model: trained towers and heads.
        trained: time and last losses.
        embedded: every split's embeddings.
        retrieval: on the test split.
        classification: on the test split, or None where the method has no classifier.
        validation: metrics on the validation split by name.
    """

    model: Model
    trained: Trained
    embedded: dict[Split, Embedded]
    retrieval: Retrieval
    classification: Classification | None
    validation: dict[str, float]


def run_experiment(
    method: Method,
    data: Prepared,
    dataset: str,
    config: TrainingConfig,
    seed: int,
    progress: Progress | None = None,
    protocol: Version = "v2",
) -> Outcome:
    """Train a method and evaluate it; the test split is read once, at the end.

    Args:
        method: the loss and its hyper-parameters.
        data: the dataset, on the device to train on.
        dataset: its name, which the random streams depend on.
        config: how to train.
        seed: of this run.
        progress: told about each step.
        protocol: of the retrieval, see :func:`huse_bench.evaluation.evaluate_retrieval`.

    Raises:
        ConfigError: if the batch is larger than the train split.
        DivergedError: if training stops being finite.
    """
    model, trained = _train(method, data, dataset, config, seed, progress)
    embedded = {name: _embed(model, data, name) for name in data.splits}
    metrics, fusion = _validate(embedded["validation"], data, protocol)
    classification = None if fusion is None else _classify(embedded["test"], data, fusion)
    retrieval = retrieve(embedded["test"].image, embedded["test"].text, data, "test", protocol)
    return Outcome(model, trained, embedded, retrieval, classification, metrics)


def retrieve(image: Tensor, text: Tensor, data: Prepared, name: Split, protocol: Version) -> Retrieval:
    """Evaluate embeddings of one split as the tables do.

    Args:
        image: (n, D) unit rows, one for each item of the split.
        text: likewise.
        data: the dataset, with the labels and groups of the items.
        name: of the split.
        protocol: of the retrieval.
    """
    split = data.splits[name]
    return evaluate_retrieval(
        image,
        text,
        split.labels.cpu(),
        data.taxonomy,
        groups=split.groups,
        protocol=protocol,
        recall_ks=RECALL_KS,
        hp_ks=HP_KS,
    )


def run_trial(
    method: Method,
    data: Prepared,
    dataset: str,
    config: TrainingConfig,
    seed: int,
    progress: Progress | None = None,
    protocol: Version = "v2",
) -> dict[str, float]:
    """Train a method as :func:`run_experiment` does, and evaluate it on the validation split alone.

    Args:
        method: the loss and its hyper-parameters.
        data: the dataset, on the device to train on; it needs no test split.
        dataset: its name, which the random streams depend on.
        config: how to train.
        seed: of this trial.
        progress: told about each step.
        protocol: of the retrieval.

    Returns:
        Metrics on the validation split by name, such as ``"i2t R@1"`` and ``"fusion accuracy"``.

    Raises:
        ConfigError: if the batch is larger than the train split, or the loss refuses its hyper-parameters.
        DivergedError: if training stops being finite.
    """
    model, _ = _train(method, data, dataset, config, seed, progress)
    metrics, _ = _validate(_embed(model, data, "validation"), data, protocol)
    return metrics


def _train(
    method: Method, data: Prepared, dataset: str, config: TrainingConfig, seed: int, progress: Progress | None
) -> tuple[Model, Trained]:
    device = data.classes.embeddings.device
    init_seed, batch_seed, noise_seed = _streams(dataset, method.name, seed)
    split = data.splits["train"]
    forget_peak(device)
    # Dropout draws from the global generators, which must be left as they were found.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(init_seed)
        loss = method.build()
        classes = data.classes if loss.class_graph == "names" else taxonomy_graph(data.taxonomy).to(device)
        model = Model(
            config,
            loss,
            image_features=split.image.shape[1],
            text_features=split.text.shape[1],
            class_features=classes.embeddings.shape[1],
            classes=len(data.class_names),
        ).to(device)
        torch.manual_seed(noise_seed)
        generator = torch.Generator().manual_seed(batch_seed)
        trained = train(model, loss.to(device), split, classes, config, generator, progress)
    return model, trained


def _streams(dataset: str, method: str, seed: int) -> list[int]:
    """Independent seeds for initial weights, batches and dropout of this (dataset, method, seed)."""
    key = (zlib.crc32(dataset.encode()), zlib.crc32(method.encode()))
    return [int(word) for word in np.random.SeedSequence(seed, spawn_key=key).generate_state(3, np.uint32)]


@torch.no_grad()
def _embed(model: Model, data: Prepared, name: Split) -> Embedded:
    model.eval()
    split = data.splits[name]
    parts = []
    for start in range(0, len(split.labels), _ROWS):
        rows = slice(start, start + _ROWS)
        image, text = model.image(split.image[rows]), model.text(split.text[rows])
        image_logits, text_logits = model.logits(image, text)
        unit = torch.nn.functional.normalize
        parts.append((unit(image, dim=1), unit(text, dim=1), image_logits, text_logits))
    image, text, image_logits, text_logits = (
        None if column[0] is None else torch.cat([part for part in column if part is not None]).cpu()
        for column in zip(*parts, strict=True)
    )
    assert image is not None
    assert text is not None
    return Embedded(image, text, image_logits, text_logits)


def _validate(validation: Embedded, data: Prepared, protocol: Version) -> tuple[dict[str, float], Fusion | None]:
    """Metrics on the validation split, and the fusion fitted there, where the method has a classifier."""
    metrics = {
        f"{direction} {name}": value
        for direction, scores in retrieve(
            validation.image, validation.text, data, "validation", protocol
        ).scores.items()
        for name, value in scores.items()
    }
    if validation.image_logits is None or validation.text_logits is None:
        return metrics, None
    labels = data.splits["validation"].labels.cpu()
    fusion = fit_fusion(validation.image_logits, validation.text_logits, labels)
    metrics["image accuracy"] = accuracy(validation.image_logits, labels)
    metrics["text accuracy"] = accuracy(validation.text_logits, labels)
    metrics["fusion accuracy"] = accuracy(fusion.shares(validation.image_logits, validation.text_logits), labels)
    return metrics, fusion


def _classify(test: Embedded, data: Prepared, fusion: Fusion) -> Classification:
    """Accuracies on the test split, with the fusion fitted on the validation split."""
    assert test.image_logits is not None
    assert test.text_logits is not None
    labels = data.splits["test"].labels.cpu()
    fused = fusion.shares(test.image_logits, test.text_logits)
    scores = {"image": test.image_logits.numpy(), "text": test.text_logits.numpy(), "fusion": fused}
    return Classification(
        image=accuracy(test.image_logits, labels),
        text=accuracy(test.text_logits, labels),
        fusion=accuracy(fused, labels),
        fusion_equal=accuracy(fusion.shares(test.image_logits, test.text_logits, 0.5), labels),
        fitted=fusion,
        predictions={name: score.argmax(axis=1) for name, score in scores.items()},
        confidences={
            name: fusion.shares(test.image_logits, test.text_logits, weight).max(axis=1)
            for name, weight in (("image", 1.0), ("text", 0.0), ("fusion", None))
        },
    )
