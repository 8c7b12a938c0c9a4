"""One run, or one trial of a search: a method trained and evaluated on one dataset with one seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.components import Split
from huse_bench.config import TrainingConfig
from huse_bench.evaluation import Fusion, Retrieval, Version, evaluate_retrieval, fit_fusion
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.measures import HP_KS, RECALL_KS, TASKS
from huse_bench.runs.methods import Method
from huse_bench.runs.steps import Measured, Stepped, Watch, curve_steps
from huse_bench.training import Model, Trained, Training, taxonomy_graph

__all__ = ["Classification", "Embedded", "Outcome", "embed", "retrieve", "run_experiment", "run_trial"]

# Rows embedded at once outside training.
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
        learning: the points of the learning curve.
        retrieval: on the test split.
        classification: on the test split, or None where the method has no classifier.
        validation: metrics on the validation split by name.
    """

    model: Model
    trained: Trained
    learning: list[Measured]
    retrieval: Retrieval
    classification: Classification | None
    validation: dict[str, float]


def run_experiment(
    method: Method,
    prepared: Prepared,
    config: TrainingConfig,
    seed: int,
    protocol: Version = "v2",
    watch: Watch | None = None,
) -> Outcome:
    """Train a method and evaluate it; the test split is read once, at the end.

    Args:
        method: the loss and its hyper-parameters.
        prepared: the dataset, on the device to train on; the random streams depend on its name.
        config: how to train.
        seed: of this run.
        protocol: of the retrieval, see :func:`huse_bench.evaluation.evaluate_retrieval`.
        watch: told of each step, and of each point of the learning curve.

    Raises:
        ConfigError: if the batch is larger than the train split.
        DivergedError: if training stops being finite.
    """
    learning: list[Measured] = []
    points = curve_steps(config.steps)

    def measure(training: Training) -> None:
        if watch is not None:
            watch(Stepped(training.done, training.losses() if training.checked else None))
        if training.done in points:
            point = Measured(training.done, training.losses(), {})
            learning.append(point)
            if watch is not None:
                watch(point)

    model, trained = _train(method, prepared, config, seed, measure)
    metrics, fusion = _validate(embed(model, prepared.splits["validation"]), prepared, protocol)
    test = embed(model, prepared.splits["test"])
    classification = None if fusion is None else _classify(test, prepared, fusion)
    retrieval = retrieve(test.image, test.text, prepared, "test", protocol)
    return Outcome(model, trained, learning, retrieval, classification, metrics)


def retrieve(image: Tensor, text: Tensor, prepared: Prepared, name: Split, protocol: Version) -> Retrieval:
    """Evaluate embeddings of one split as the tables do.

    Args:
        image: (n, D) unit rows, one for each item of the split.
        text: likewise.
        prepared: the dataset, with the labels and groups of the items.
        name: of the split.
        protocol: of the retrieval.
    """
    split = prepared.splits[name]
    return evaluate_retrieval(
        image,
        text,
        split.labels,
        prepared.taxonomy,
        groups=split.groups,
        protocol=protocol,
        recall_ks=RECALL_KS,
        hp_ks=HP_KS,
    )


def run_trial(
    method: Method,
    prepared: Prepared,
    config: TrainingConfig,
    seed: int,
    protocol: Version = "v2",
    watch: Watch | None = None,
) -> dict[str, float]:
    """Train a method as :func:`run_experiment` does, and evaluate it on the validation split alone.

    Args:
        method: the loss and its hyper-parameters.
        prepared: the dataset, on the device to train on; it needs no test split.
        config: how to train.
        seed: of this trial.
        protocol: of the retrieval.
        watch: told of each step.

    Returns:
        Metrics on the validation split by name, such as ``"i2t R@1"`` and ``"fusion accuracy"``.

    Raises:
        ConfigError: if the batch is larger than the train split, or the loss refuses its hyper-parameters.
        DivergedError: if training stops being finite.
    """

    def measure(training: Training) -> None:
        if watch is not None:
            watch(Stepped(training.done, training.losses() if training.checked else None))

    model, _ = _train(method, prepared, config, seed, measure)
    metrics, _ = _validate(embed(model, prepared.splits["validation"]), prepared, protocol)
    return metrics


def _train(
    method: Method, prepared: Prepared, config: TrainingConfig, seed: int, watch: Callable[[Training], None]
) -> tuple[Model, Trained]:
    device = prepared.classes.embeddings.device
    init_seed, batch_seed, noise_seed = _streams(prepared.name, method.name, seed)
    split = prepared.splits["train"]
    # Dropout draws from the global generators, which must be left as they were found.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(init_seed)
        loss = method.build()
        classes = prepared.classes if loss.class_graph == "names" else taxonomy_graph(prepared.taxonomy).to(device)
        model = Model(
            config,
            loss,
            image_features=split.image.shape[1],
            text_features=split.text.shape[1],
            class_features=classes.embeddings.shape[1],
            classes=len(prepared.class_names),
        ).to(device)
        torch.manual_seed(noise_seed)
        generator = torch.Generator().manual_seed(batch_seed)
        trained = Training(model, loss.to(device), split, classes, config, generator).run(watch)
    return model, trained


def _streams(dataset: str, method: str, seed: int) -> list[int]:
    """Independent seeds for initial weights, batches and dropout of this (dataset, method, seed)."""
    key = (zlib.crc32(dataset.encode()), zlib.crc32(method.encode()))
    return [int(word) for word in np.random.SeedSequence(seed, spawn_key=key).generate_state(3, np.uint32)]


@torch.no_grad()
def embed(model: Model, split: SplitFeatures) -> Embedded:
    """Embed the items of a split.

    Args:
        model: trained towers and heads, on the device of the features.
        split: n items.

    Returns:
        Unit embeddings and logits, on the host.
    """
    model.eval()
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


def _validate(validation: Embedded, prepared: Prepared, protocol: Version) -> tuple[dict[str, float], Fusion | None]:
    """Metrics on the validation split, and the fusion fitted there, where the method has a classifier."""
    metrics = {
        f"{direction} {name}": value
        for direction, scores in retrieve(
            validation.image, validation.text, prepared, "validation", protocol
        ).scores.items()
        for name, value in scores.items()
    }
    if validation.image_logits is None or validation.text_logits is None:
        return metrics, None
    labels = prepared.splits["validation"].labels
    fusion = fit_fusion(validation.image_logits, validation.text_logits, labels)
    accuracies = fusion.accuracies(validation.image_logits, validation.text_logits, labels)
    metrics |= {f"{task} accuracy": accuracies[task] for task in TASKS}
    return metrics, fusion


def _classify(test: Embedded, prepared: Prepared, fusion: Fusion) -> Classification:
    """Accuracies on the test split, with the fusion fitted on the validation split."""
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
