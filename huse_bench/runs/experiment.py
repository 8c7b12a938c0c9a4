"""One run, or one trial of a search: a method trained and evaluated on one dataset with one seed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from huse_bench.components import Loss
from huse_bench.config import TrainingConfig
from huse_bench.errors import DivergedError
from huse_bench.evaluation import ClassGeometry, Retrieval, ValidationSample, Version, accuracy, class_geometry
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.measures import CURVE_K, NEIGHBOURS
from huse_bench.runs.embedded import Classification, Validated, classify, embed, retrieve, validate
from huse_bench.runs.methods import Method
from huse_bench.runs.steps import Measured, Stepped, Steps, Watch, curve_steps, stepped
from huse_bench.training import Model, Trained, Training, taxonomy_graph

__all__ = ["Keeper", "Outcome", "experiment", "follow_experiment", "run_experiment", "run_trial"]

# Items that a point of the learning curve is measured on: 14 ms of one core at 512 dimensions, where a step takes 25.
# All points add some 5 % to the 400 steps of the quick preset. All 671 of the emoji data would take 40 ms.
_SAMPLE = 256


@dataclass(frozen=True)
class Outcome:
    """All that one run produced.

    Attributes:
        model: trained towers and heads.
        loss: the trained loss.
        trained: time and last losses.
        learning: the points of the learning curve.
        learning_items: how many validation items these are measured on.
        retrieval: on the test split.
        classification: on the test split, or None where the method has no classifier, or none that knows its classes.
        geometry: where the classes of the test split lie.
        validation: metrics on the validation split by name.
    """

    model: Model
    loss: Loss
    trained: Trained
    learning: list[Measured]
    learning_items: int
    retrieval: Retrieval
    classification: Classification | None
    geometry: ClassGeometry
    validation: dict[str, float]


class Keeper(Protocol):
    """Keeps what a run has come to, so that it need not begin anew where its process ends."""

    def restore(self, training: Training) -> Sequence[Measured]:
        """Bring a training, before its first step, to where it was kept; gives the points of its learning curve."""

    def offer(self, training: Training, learning: Sequence[Measured]) -> None:
        """May keep a training, after each of its steps, with the points of its learning curve so far."""


def run_experiment(
    method: Method,
    prepared: Prepared,
    config: TrainingConfig,
    seed: int,
    protocol: Version = "v2",
    watch: Watch | None = None,
    *,
    neighbours: bool = False,
    keeper: Keeper | None = None,
) -> Outcome:
    """Train a method and evaluate it; the test split is read once, at the end.

    Args:
        method: the loss and its hyper-parameters.
        prepared: the dataset, on the device to train on; the random streams depend on its name.
        config: how to train.
        seed: of this run.
        protocol: of the retrieval, see :func:`huse_bench.evaluation.evaluate_retrieval`.
        watch: told of each step, and of each point of the learning curve.
        neighbours: give the first items that each query of the test split finds.
        keeper: keeps the training while it goes on, and may have kept it before.

    Raises:
        ConfigError: if the batch is larger than the train split.
        DivergedError: if training stops being finite.
    """
    return stepped(experiment(method, prepared, config, seed, protocol, watch, neighbours=neighbours, keeper=keeper))


def experiment(
    method: Method,
    prepared: Prepared,
    config: TrainingConfig,
    seed: int,
    protocol: Version = "v2",
    watch: Watch | None = None,
    *,
    neighbours: bool = False,
    keeper: Keeper | None = None,
) -> Steps[Outcome]:
    """What :func:`run_experiment` does, whose steps somebody else takes.

    Args:
        method: as there, and so the other arguments.
        prepared: likewise.
        config: likewise.
        seed: likewise.
        protocol: likewise.
        watch: likewise.
        neighbours: likewise.
        keeper: likewise.

    Yields:
        The training, each time that its next step is to be taken.

    Returns:
        All that it produced.
    """
    learning: list[Measured] = []
    points = curve_steps(config.steps)
    sample = _Sample(prepared, protocol)
    training = _training(method, prepared, config, seed)
    if keeper is not None:
        learning += keeper.restore(training)
    while training.done < training.steps:
        yield training
        _step(training, watch)
        if training.done in points:
            point = Measured(training.done, training.losses(), sample.measure(training))
            learning.append(point)
            if watch is not None:
                watch(point)
        if keeper is not None:
            keeper.offer(training, learning)
    trained = training.trained()
    model, loss = training.model, training.loss
    validated = validate(embed(model, loss, prepared.splits["validation"]), prepared, protocol)
    test = embed(model, loss, prepared.splits["test"])
    return Outcome(
        model=model,
        loss=loss,
        trained=trained,
        learning=learning,
        learning_items=len(sample),
        retrieval=retrieve(
            test.ranked, prepared, "test", protocol, curve_k=CURVE_K, neighbours=NEIGHBOURS if neighbours else 0
        ),
        classification=None if validated.fusion is None else classify(test, prepared, validated.fusion),
        geometry=class_geometry(test.image, test.text, prepared.splits["test"].labels, len(prepared.class_names)),
        validation=validated.metrics,
    )


def run_trial(
    method: Method,
    prepared: Prepared,
    config: TrainingConfig,
    seed: int,
    protocol: Version = "v2",
    watch: Watch | None = None,
) -> Validated:
    """Train a method as :func:`run_experiment` does, and evaluate it on the validation split alone.

    Args:
        method: the loss and its hyper-parameters.
        prepared: the dataset, on the device to train on; it needs no test split.
        config: how to train.
        seed: of this trial.
        protocol: of the retrieval.
        watch: told of each step.

    Returns:
        How well it does on the validation split, and each item of it.

    Raises:
        ConfigError: if the batch is larger than the train split, or the loss refuses its hyper-parameters.
        DivergedError: if training stops being finite.
    """
    training = _training(method, prepared, config, seed)
    training.run(lambda training: _step(training, watch))
    return validate(embed(training.model, training.loss, prepared.splits["validation"]), prepared, protocol)


class _Sample:
    """What is measured of a training while it goes on: R@1 and accuracies on some items of the validation split."""

    def __init__(self, prepared: Prepared, protocol: Version) -> None:
        split = prepared.splits["validation"]
        # No classifier knows classes that are held out.
        self._classified = not prepared.regime.held_out
        self._retrieval = ValidationSample(split.labels, split.groups, items=_SAMPLE, protocol=protocol)
        rows = self._retrieval.rows
        index = torch.from_numpy(rows).to(split.image.device)
        self._items = SplitFeatures(
            ids=[split.ids[row] for row in rows.tolist()],
            image=split.image.index_select(0, index),
            text=split.text.index_select(0, index),
            labels=split.labels[rows],
            groups=split.groups[rows],
        )

    def __len__(self) -> int:
        return len(self._items.labels)

    def measure(self, training: Training) -> dict[str, float]:
        training.check()
        found = embed(training.model, training.loss, self._items)
        if not (found.image.isfinite().all() and found.text.isfinite().all()):
            raise DivergedError(f"the embeddings were not finite after step {training.done} of {training.steps}")
        ranked = found.ranked
        scores = self._retrieval(
            ranked.image, ranked.text, image_gallery=ranked.image_gallery, text_gallery=ranked.text_gallery
        )
        logits = {"image": found.image_logits, "text": found.text_logits}
        return scores | {
            f"{name} accuracy": accuracy(values, self._items.labels)
            for name, values in logits.items()
            if values is not None and self._classified
        }


def _step(training: Training, watch: Watch | None) -> None:
    if watch is not None:
        watch(Stepped(training.done, training.losses() if training.checked else None))


def follow_experiment(
    method: Method, prepared: Prepared, config: TrainingConfig, seed: int, protocol: Version, keeper: Keeper
) -> None:
    """Train as :func:`run_experiment` does in another process, whose batches this one shares, and keep nothing.

    The points of the learning curve are measured here too: where one ends a training, it ends it in all processes.

    Args:
        method: the loss and its hyper-parameters.
        prepared: the dataset, on the device to train on.
        config: how to train.
        seed: of this run.
        protocol: of the retrieval.
        keeper: has what the other process kept; nothing is kept by this one.

    Raises:
        ConfigError: if the batch is larger than the train split, or smaller than the number of processes.
        DivergedError: if training stops being finite.
    """
    points = curve_steps(config.steps)
    sample = _Sample(prepared, protocol)

    def look(training: Training) -> None:
        if training.done in points:
            sample.measure(training)

    training = _training(method, prepared, config, seed)
    keeper.restore(training)
    training.run(look)


def _training(method: Method, prepared: Prepared, config: TrainingConfig, seed: int) -> Training:
    """A training from its start."""
    device = prepared.classes.embeddings.device
    loss_seed, weights_seed, batch_seed, noise_seed = _streams(prepared.name, seed)
    split = prepared.splits["train"]
    # Weights are drawn from the global generators, which must be left as they were found.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(loss_seed)
        loss = method.build()
        classes = prepared.classes if loss.class_graph == "names" else taxonomy_graph(prepared.taxonomy).to(device)
        # After the loss, which may draw parameters of its own, so that towers of one shape start alike.
        torch.manual_seed(weights_seed)
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
        return Training(model, loss.to(device), split, classes, config, generator)


def _streams(dataset: str, seed: int) -> list[int]:
    """Independent seeds for the loss's parameters, the towers and heads, the batches and dropout of a (dataset, seed).

    They are the same for all methods, so that what a seed does to all alike is no difference between them.
    """
    key = (zlib.crc32(dataset.encode()),)
    return [int(word) for word in np.random.SeedSequence(seed, spawn_key=key).generate_state(4, np.uint32)]
