"""What a sound loss also has: the group ``strict``, with small trainings on data whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from huse_bench.components import ClassGraph, Features, Items, Loss
from huse_bench.config import TrainingConfig
from huse_bench.evaluation import accuracy, recall_at_k
from huse_bench.features import Prepared, prepare
from huse_bench.kernels import top_k
from huse_bench.taxonomy import Taxonomy
from huse_bench.testing._check import Check, CheckFailure
from huse_bench.testing._scene import CLASSES, Scene, SubjectLoss, gradients, make_scene, total
from huse_bench.training import Model, Training, ranking_rows, taxonomy_graph

__all__ = ["STRICT_CHECKS"]

_STEPS = 80
_CONFIG = TrainingConfig(
    steps=_STEPS,
    batch_size=48,
    optimizer="adamw",
    learning_rate=3e-3,
    head_learning_rate=1e-2,
    head_scale=8.0,
    image_layers=2,
    text_layers=2,
    width=32,
    embedding_dim=8,
    dropout=0.0,
)
_PER_SPLIT = {"train": 96, "validation": 8, "test": 64}


#: Items of the batches whose order is changed; the pairs of the larger one come in several tiles.
_ORDERED = (32, 700)


def _ignores_the_order(subject: SubjectLoss) -> None:
    for items in _ORDERED:
        scene = make_scene(items, dtype=torch.float64)
        order = torch.randperm(items, generator=torch.Generator().manual_seed(3))
        value, slopes = _value_and_gradients(subject, scene)
        other, moved = _value_and_gradients(subject, scene.select(order))
        meaning = "the order of a batch carries no meaning, so a loss that depends on it adds noise"
        if not np.isclose(value, other, rtol=1e-6, atol=1e-9):
            raise CheckFailure(
                f"the same batch of {items} items in another order gives {other:.6g} instead of {value:.6g}: {meaning}"
            )
        for name, gradient in slopes.items():
            if not torch.allclose(gradient[order], moved[name], rtol=1e-6, atol=1e-6 * float(gradient.abs().max())):
                raise CheckFailure(
                    f"the same batch of {items} items in another order gives another gradient for {name}: {meaning}"
                )


def _value_and_gradients(subject: SubjectLoss, scene: Scene) -> tuple[float, dict[str, Tensor]]:
    loss = subject.build().double()
    torch.manual_seed(1)
    scene, leaves = scene.leaves(loss)
    value = total(loss, scene.batch(loss))
    return value.item(), {
        name: torch.zeros_like(leaves[name]) if gradient is None else gradient
        for name, gradient in gradients(value, leaves).items()
    }


def _gradient_is_the_slope(subject: SubjectLoss) -> None:
    scene = make_scene(10, dtype=torch.float64, seed=5)
    _, slopes = _value_and_gradients(subject, scene)
    generator = torch.Generator().manual_seed(6)
    ways = {name: torch.randn(rows.shape, generator=generator, dtype=rows.dtype) for name, rows in slopes.items()}

    def value(step: float) -> float:
        loss = subject.build().double()
        torch.manual_seed(1)
        moved = {name: getattr(scene, name) + step * way for name, way in ways.items()}
        return total(loss, replace(scene, **moved).batch(loss)).item()

    step = 1e-6
    slope = (value(step) - value(-step)) / (2 * step)
    along = sum(float((slopes[name] * way).sum()) for name, way in ways.items())
    if not np.isclose(slope, along, rtol=1e-3, atol=1e-6):
        raise CheckFailure(
            f"along a random direction the value rises by {slope:.6g} and the gradient says {along:.6g}: part of the "
            "value is detached, or a gradient written by hand is wrong"
        )


def _learns(subject: SubjectLoss) -> None:
    values, scores = _trained(subject, shuffled=False)
    if not values[1] < values[0]:
        raise CheckFailure(
            f"{_STEPS} steps on separable classes take it from {values[0]:.4g} to {values[1]:.4g}: training minimises "
            "the sum of the terms, so it must fall"
        )
    for what, score in scores.items():
        if score < 1.5 / CLASSES:
            raise CheckFailure(
                f"after {_STEPS} steps on separable classes {what} is {score:.0%} on held-out items (chance "
                f"{1 / CLASSES:.0%}): is a sign the wrong way round, so that it pushes apart what it should pull?"
            )


def _learns_nothing_from_shuffled_labels(subject: SubjectLoss) -> None:
    _, scores = _trained(subject, shuffled=True)
    # Five standard deviations of a share of the test items at chance.
    chance = 1 / CLASSES
    limit = chance + 5 * (chance * (1 - chance) / _PER_SPLIT["test"]) ** 0.5
    for what, score in scores.items():
        if score > limit:
            raise CheckFailure(
                f"trained on labels that mean nothing, {what} is still {score:.0%} on held-out items (chance "
                f"{chance:.0%}): it knows something that a loss cannot know"
            )


def _trained(subject: SubjectLoss, *, shuffled: bool) -> tuple[tuple[float, float], dict[str, float]]:
    """The loss on the train split before and after training, and scores on the test split by name."""
    prepared = _separable(shuffled=shuffled)
    loss = subject.build()
    graph = prepared.classes if loss.class_graph == "names" else taxonomy_graph(prepared.taxonomy)
    width = graph.embeddings.shape[1]
    model = Model(_CONFIG, loss, image_features=10, text_features=9, class_features=width, classes=CLASSES)
    before = _value(subject, model, prepared, graph)
    Training(model, loss, prepared.splits["train"], graph, _CONFIG, torch.Generator().manual_seed(0)).run()
    after = _value(subject, model, prepared, graph, loss.state_dict())
    return (before, after), _scores(model.eval(), loss.eval(), prepared)


@torch.no_grad()
def _scores(model: Model, loss: Loss, prepared: Prepared) -> dict[str, float]:
    test = prepared.splits["test"]
    image, text = model.views(test.image, test.text)
    logits, _ = model.logits(image.rows, text.rows)
    queries, gallery = ranking_rows(loss, image)
    labels = test.labels
    _, own = top_k(queries, queries if gallery is None else gallery, 1, exclude_self=True)
    scores = {"R@1 of image to image": recall_at_k(labels, labels[own.numpy()], 1)}
    if logits is not None:
        scores["the classifier's accuracy on images"] = accuracy(logits, test.labels)
    else:
        # With a classifier a method may leave the two modalities apart, as separate models do.
        # Its own text is left out: it would be found by what the two share, whatever the labels.
        texts, gallery = ranking_rows(loss, text)
        _, other = top_k(queries, texts if gallery is None else gallery, 1, exclude_self=True)
        scores["R@1 of image to text"] = recall_at_k(labels, labels[other.numpy()], 1)
    return scores


def _value(
    subject: SubjectLoss, model: Model, prepared: Prepared, graph: ClassGraph, state: dict[str, Tensor] | None = None
) -> float:
    split = prepared.splits["train"]
    loss = subject.build()
    if state is not None:
        loss.load_state_dict(state)
    torch.manual_seed(1)
    with torch.no_grad():
        used = graph if loss.semantic or loss.embedding == "classes" else None
        return total(loss, model.batch(split.image, split.text, split.targets, used)).item()


def _separable(*, shuffled: bool) -> Prepared:
    rng = np.random.default_rng(0)
    items = sum(_PER_SPLIT.values())
    labels = np.arange(items) % CLASSES
    # A part of each item that both its views share, as losses that match items and not classes need.
    own = rng.normal(size=(items, 4))
    views = {
        width: (rng.normal(size=(CLASSES, width))[labels] + 0.3 * own @ rng.normal(size=(4, width)) / 2).astype(
            "float32"
        )
        for width in (10, 9)
    }
    if shuffled:
        labels = rng.permutation(labels)
    names = [f"class {number}" for number in range(CLASSES)]
    edges = [
        ("all", "first"),
        ("all", "second"),
        *(("first" if i < 2 else "second", name) for i, name in enumerate(names)),
    ]
    return prepare(
        Items(
            ids=[str(number) for number in range(items)],
            labels=labels,
            splits=np.repeat(list(_PER_SPLIT), list(_PER_SPLIT.values())),
            class_names=names,
            taxonomy=Taxonomy.from_edges(edges, names),
            image_features=Features(views[10], "separable@1"),
            text_features=Features(views[9], "separable@1"),
            class_features=Features(rng.normal(size=(CLASSES, 8)).astype("float32"), "separable@1"),
        ),
        "separable",
    )


#: In the order in which a failure is best read.
STRICT_CHECKS = (
    Check("gradient_is_the_slope", "strict", "The gradient is the value's slope, in float64.", _gradient_is_the_slope),
    Check("ignores_the_order", "strict", "The order of a batch makes no difference.", _ignores_the_order),
    Check("learns", "strict", "Training lowers it, and R@1 beats chance.", _learns),
    Check(
        "learns_nothing_from_shuffled_labels",
        "strict",
        "With labels that mean nothing, R@1 stays at chance.",
        _learns_nothing_from_shuffled_labels,
    ),
)
