"""The trainable part of a method: two towers and its classification heads (HUSE section 3.2)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from huse_bench.components import Batch, ClassGraph, Heads, Loss, View
from huse_bench.config import TrainingConfig
from huse_bench.kernels.relu_dropout import relu_dropout
from huse_bench.training.parallel import Part, gathered

__all__ = ["Model", "Tower"]


class Tower(nn.Module):
    """Linear layers with ReLU and dropout between them; the last one is linear and gives the embedding.

    Weights start as Glorot's uniform ones, biases at zero. A tower with a variance has one more linear layer beside the
    last, which gives the logarithms of D variances; its biases start at ``log(variance / D)``.

    Args:
        features: length of a feature vector.
        width: units of a hidden layer.
        layers: number of linear layers.
        dim: D, length of an embedding.
        dropout: rate between hidden layers.
        unit: whether the embedding is scaled to unit length.
        variance: about what the D variances sum up to before training; None for no second output.
    """

    def __init__(
        self,
        features: int,
        width: int,
        layers: int,
        dim: int,
        dropout: float,
        *,
        unit: bool,
        variance: float | None = None,
    ) -> None:
        super().__init__()
        widths = [features] + [width] * (layers - 1) + [dim]
        self.layers = nn.ModuleList(_dense(a, b) for a, b in pairwise(widths))
        self.log_variance = None if variance is None else _dense(widths[-2], dim, math.log(variance / dim))
        self.dropout = dropout
        self.unit = unit

    def forward(self, x: Tensor) -> Tensor:
        """(n, features) to (n, D)."""
        return self.outputs(x)[0]

    def outputs(self, x: Tensor, keys: Tensor | None = None, part: Part | None = None) -> tuple[Tensor, Tensor | None]:
        """(n, features) to (n, D) embeddings and, where the tower has them, their (n, D) log-variances.

        Args:
            x: features.
            keys: (hidden layers, 2) int64 keys of the dropout's masks; None for no dropout.
            part: which rows of a batch they are, where other processes have the others.
        """
        *hidden, last = self.layers
        first = 0 if part is None else part.start
        for number, layer in enumerate(hidden):
            x = layer(x)
            # The mask is that of the whole batch.
            place = first * x.shape[-1]
            x = F.relu(x) if keys is None else relu_dropout(x, self.dropout, keys[..., number, :], place)
        log_variance = None if self.log_variance is None else self.log_variance(x).float()
        x = last(x)
        return F.normalize(x.float(), dim=-1, eps=1e-12) if self.unit else x.float(), log_variance


class Model(nn.Module):
    """Image tower, text tower and the heads that a loss asks for.

    Args:
        config: widths, depths, dropout, the heads' initial scale and the precision of the towers while training.
        loss: its declarations decide on the heads and their initial scale, the embedding's dimension, whether it is
            unit, and whether it has variances.
        image_features: length of an image feature vector.
        text_features: length of a text feature vector.
        class_features: length of a class embedding.
        classes: K.
    """

    image_head: nn.Module | None
    text_head: nn.Module | None

    def __init__(
        self,
        config: TrainingConfig,
        loss: Loss,
        *,
        image_features: int,
        text_features: int,
        class_features: int,
        classes: int,
    ) -> None:
        super().__init__()
        dim = class_features if loss.embedding == "classes" else config.embedding_dim
        unit, variance, width, dropout = loss.unit_rows, loss.initial_variance, config.width, config.dropout
        self.image = Tower(image_features, width, config.image_layers, dim, dropout, unit=unit, variance=variance)
        self.text = Tower(text_features, width, config.text_layers, dim, dropout, unit=unit, variance=variance)
        # While training; what is evaluated is embedded in the precision of the weights.
        self.mixed = config.precision == "bfloat16"
        scale = config.head_scale if loss.head_scale is None else loss.head_scale
        self.image_head, self.text_head = _heads(loss.heads, dim, classes, scale)

    def head_parameters(self) -> list[nn.Parameter]:
        """Parameters of the heads, which may have a learning rate of their own."""
        heads = {id(head): head for head in (self.image_head, self.text_head) if head is not None}
        return [parameter for head in heads.values() for parameter in head.parameters()]

    def tower_parameters(self) -> list[nn.Parameter]:
        """Parameters of both towers."""
        return [*self.image.parameters(), *self.text.parameters()]

    @property
    def hidden(self) -> int:
        """How many hidden layers both towers have, of which each has a mask of its own where there is dropout."""
        return len(self.image.layers) + len(self.text.layers) - 2

    def rows(
        self, image: Tensor, text: Tensor, keys: Tensor | None = None, part: Part | None = None
    ) -> list[Tensor | None]:
        """What the towers make of some items: both embeddings, and their log-variances where there are any.

        Args:
            image: (n, image features).
            text: (n, text features).
            keys: (hidden layers of both towers, 2) int64 keys of the dropout's masks; None for no dropout.
            part: which rows of a batch the features are, where other processes embed the others.
        """
        hidden = len(self.image.layers) - 1
        of_image, of_text = (None, None) if keys is None else (keys[..., :hidden, :], keys[..., hidden:, :])
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.mixed):
            image_rows, image_log_variance = self.image.outputs(image, of_image, part)
            text_rows, text_log_variance = self.text.outputs(text, of_text, part)
        return [image_rows, text_rows, image_log_variance, text_log_variance]

    def batch(
        self,
        image: Tensor,
        text: Tensor,
        labels: Tensor,
        classes: ClassGraph | None,
        keys: Tensor | None = None,
        part: Part | None = None,
    ) -> Batch:
        """What a loss is given of some items.

        Args:
            image: as :meth:`rows` takes it, and so text, keys and part.
            text: likewise.
            labels: (n,) int64 class indices; of all rows of the batch, where there is a part.
            classes: the class graph, where the loss declares its use.
            keys: likewise.
            part: likewise.
        """
        image_rows, text_rows, *log_variances = self.rows(image, text, keys, part)
        assert image_rows is not None
        assert text_rows is not None
        made = [image_rows, text_rows, *self.logits(image_rows, text_rows), *log_variances]
        rows, others, image_logits, text_logits, *log_variances = made if part is None else gathered(made, part)
        assert rows is not None
        assert others is not None
        return Batch(rows, others, labels, image_logits, text_logits, classes, *log_variances)

    def views(self, image: Tensor, text: Tensor) -> tuple[View, View]:
        """What a loss ranks by of some items, after training.

        Args:
            image: (n, image features).
            text: (n, text features).
        """
        return View("image", *self.image.outputs(image)), View("text", *self.text.outputs(text))

    def logits(self, image: Tensor, text: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(n, K) logits of both modalities' embeddings, or None where there is no head."""
        image_logits = self.image_head(image) if self.image_head is not None else None
        text_logits = self.text_head(text) if self.text_head is not None else None
        return image_logits, text_logits


class _CosineHead(nn.Linear):
    """Cosines of embeddings and class weights, as margins on the angle need them."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__(dim, classes, bias=False)
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.normalize(x, dim=1), F.normalize(self.weight, dim=1))


def _heads(kind: Heads, dim: int, classes: int, scale: float | None) -> tuple[nn.Module | None, nn.Module | None]:
    if kind == "none":
        return None, None
    if kind == "separate":
        return _head(dim, classes, scale), _head(dim, classes, scale)
    shared = _CosineHead(dim, classes) if kind == "cosine" else _head(dim, classes, scale)
    return shared, shared


def _head(dim: int, classes: int, scale: float | None) -> nn.Linear:
    head = _dense(dim, classes)
    if scale is not None:
        with torch.no_grad():
            head.weight.copy_(scale * F.normalize(head.weight, dim=1))
    return head


def _dense(inputs: int, outputs: int, bias: float = 0.0) -> nn.Linear:
    # As TensorFlow's dense layers, in which the paper's towers were written. PyTorch's own initialisation lets
    # the signal fade over five layers until the random biases make all embeddings alike.
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.constant_(layer.bias, bias)
    return layer
