"""Batches and small data sets that losses are tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from huse_bench.components import Batch, ClassGraph, Loss, Modality, Terms, View
from huse_bench.taxonomy import Taxonomy
from huse_bench.testing._check import CheckFailure
from huse_bench.training import taxonomy_graph

__all__ = ["CLASSES", "DIM", "Scene", "SubjectLoss", "gradients", "make_scene", "total"]

#: Classes and embedding dimension of the batches.
CLASSES, DIM = 4, 6

_ITEMS = 12

#: A taxonomy of the classes, with leaves at two depths.
_TREE = Taxonomy.from_edges([("all", "some"), ("some", 0), ("some", 1), ("all", 2), ("all", 3)], range(CLASSES))


@dataclass(frozen=True)
class SubjectLoss:
    """The loss to check.

    Attributes:
        cls: its class.
        parameters: arguments of its constructor where they differ from the defaults.
    """

    cls: type[Loss]
    parameters: Mapping[str, Any]

    def build(self, seed: int = 0) -> Loss:
        """A new loss in training mode; equal seeds give equal initial parameters."""
        torch.manual_seed(seed)
        loss = self.cls(**self.parameters)
        loss.train()
        return loss


@dataclass(frozen=True)
class Scene:
    """What a batch is made of, so that a check can change it.

    Attributes:
        image: (N, D) rows.
        text: (N, D) rows.
        labels: (N,) int64.
        heads: (D, K) and (D, K), the weights of a linear head for each modality.
        classes: (K, D) class embeddings.
        image_log_variance: (N, D).
        text_log_variance: (N, D).
    """

    image: Tensor
    text: Tensor
    labels: Tensor
    heads: tuple[Tensor, Tensor]
    classes: Tensor
    image_log_variance: Tensor
    text_log_variance: Tensor

    def batch(self, loss: Loss) -> Batch:
        """A batch with the fields that the loss declares, and no other."""
        logits: tuple[Tensor | None, Tensor | None] = (None, None)
        if loss.heads == "cosine":
            logits = (_cosines(self.image, self.heads[0]), _cosines(self.text, self.heads[0]))
        elif loss.heads != "none":
            second = self.heads[0] if loss.heads == "shared" else self.heads[1]
            logits = (self.image @ self.heads[0], self.text @ second)
        wanted = loss.semantic or loss.embedding == "classes"
        graph = self._graph(loss) if wanted else None
        varied = loss.initial_variance is not None
        variances = (self.image_log_variance, self.text_log_variance) if varied else (None, None)
        return Batch(self.image, self.text, self.labels, *logits, graph, *variances)

    def view(self, loss: Loss, modality: Modality) -> View:
        """One modality as such a loss is given it after training."""
        log_variance = getattr(self, f"{modality}_log_variance") if loss.initial_variance is not None else None
        return View(modality, getattr(self, modality), log_variance)

    def leaves(self, loss: Loss) -> tuple[Scene, dict[str, Tensor]]:
        """The scene with new leaves for what the towers give such a loss, and these leaves by name."""
        names = ["image", "text"]
        if loss.initial_variance is not None:
            names += ["image_log_variance", "text_log_variance"]
        leaves = {name: getattr(self, name).detach().clone().requires_grad_() for name in names}
        return replace(self, **leaves), leaves

    def _graph(self, loss: Loss) -> ClassGraph:
        if loss.class_graph == "names":
            return ClassGraph(self.classes)
        tree = taxonomy_graph(_TREE)
        # Its rows have one coordinate for each class; those of a batch have DIM.
        rows = pad(tree.embeddings.to(self.classes), (0, DIM - CLASSES))
        return ClassGraph(rows, paths=tree.paths, heights=tree.heights)

    def map(self, change: Callable[[Tensor], Tensor]) -> Scene:
        """The scene with both sides' rows changed."""
        return replace(self, image=change(self.image), text=change(self.text))

    def select(self, rows: Tensor) -> Scene:
        """The scene with these items, in this order."""
        return replace(
            self,
            image=self.image[rows],
            text=self.text[rows],
            labels=self.labels[rows],
            image_log_variance=self.image_log_variance[rows],
            text_log_variance=self.text_log_variance[rows],
        )


def make_scene(items: int = _ITEMS, *, dtype: torch.dtype = torch.float32, seed: int = 0) -> Scene:
    """A random batch with a few items of each class, in unit rows."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return Scene(
        image=normalize(random(items, DIM), dim=1),
        text=normalize(random(items, DIM), dim=1),
        labels=torch.arange(items) % CLASSES,
        heads=(random(DIM, CLASSES), random(DIM, CLASSES)),
        classes=random(CLASSES, DIM),
        image_log_variance=random(items, DIM) - 4,
        text_log_variance=random(items, DIM) - 4,
    )


def total(loss: Loss, batch: Batch) -> Tensor:
    """The sum of a loss's terms; raises CheckFailure where they are no named scalars."""
    terms: Terms = loss(batch)
    name = type(loss).__name__
    if not isinstance(terms, Mapping) or not terms:
        raise CheckFailure(
            f'{name}.forward must return a dict of named scalar tensors, such as {{"gap": value}}, '
            f"got {type(terms).__name__}"
        )
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.ndim != 0:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise CheckFailure(f"the term {term!r} of {name} has {got}: take the mean over the batch, a scalar tensor")
    return torch.stack(list(terms.values())).sum()


def gradients(value: Tensor, leaves: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """The gradient of a value for each leaf, by name; None where it does not depend on it."""
    if not value.requires_grad:
        return dict.fromkeys(leaves)
    found = torch.autograd.grad(value, tuple(leaves.values()), allow_unused=True)
    return dict(zip(leaves, found, strict=True))


def _cosines(rows: Tensor, head: Tensor) -> Tensor:
    return normalize(rows, dim=1) @ normalize(head, dim=0)
