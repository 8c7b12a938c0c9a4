"""Losses, and the batch that they are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from huse_bench.components._api import API_VERSION
from huse_bench.components._graph import ClassGraph
from huse_bench.errors import PluginError
from huse_bench.space import Distribution

__all__ = ["Batch", "Heads", "Loss", "Modality", "Terms", "View"]

#: Named scalar terms of a loss; their sum is what training minimises.
Terms = Mapping[str, Tensor]

#: Which classification heads a loss wants: none, one for both modalities, one per modality, or one for both
#: whose logits are the cosines of an embedding and the class weights.
Heads = Literal["none", "shared", "separate", "cosine"]

#: The two views of an item, each with a tower of its own.
Modality = Literal["image", "text"]


class Batch:
    """What a loss is given at each step: N image-text pairs as embeddings, with their classes.

    Args:
        image: (N, D) unit rows, unless the loss declares ``unit_rows = False``.
        text: (N, D), likewise; row ``i`` belongs to the same item as ``image[i]``.
        labels: (N,) int64 class indices.
        image_logits: (N, K), where the loss declares heads.
        text_logits: (N, K), where the loss declares heads.
        classes: the class graph.
        image_log_variance: (N, D) logarithms of variances, where the loss declares an initial one.
        text_log_variance: likewise.
    """

    def __init__(
        self,
        image: Tensor,
        text: Tensor,
        labels: Tensor,
        image_logits: Tensor | None = None,
        text_logits: Tensor | None = None,
        classes: ClassGraph | None = None,
        image_log_variance: Tensor | None = None,
        text_log_variance: Tensor | None = None,
    ) -> None:
        self.image = image
        self.text = text
        self.labels = labels
        self._image_logits = image_logits
        self._text_logits = text_logits
        self._classes = classes
        self._image_log_variance = image_log_variance
        self._text_log_variance = text_log_variance

    @property
    def image_logits(self) -> Tensor:
        """(N, K) logits of the image embeddings; raises PluginError where the loss declared no heads."""
        return _declared(self._image_logits, "image_logits", _HEADS_DECLARED)

    @property
    def text_logits(self) -> Tensor:
        """(N, K) logits of the text embeddings; raises PluginError where the loss declared no heads."""
        return _declared(self._text_logits, "text_logits", _HEADS_DECLARED)

    @property
    def classes(self) -> ClassGraph:
        """The class graph; raises PluginError where the loss declared no use of it."""
        return _declared(self._classes, "classes", 'semantic = True or embedding = "classes"')

    @property
    def image_log_variance(self) -> Tensor:
        """(N, D) log-variances around the image embeddings; raises PluginError where the loss declared none."""
        return _declared(self._image_log_variance, "image_log_variance", _VARIANCE_DECLARED)

    @property
    def text_log_variance(self) -> Tensor:
        """(N, D) log-variances around the text embeddings; raises PluginError where the loss declared none."""
        return _declared(self._text_log_variance, "text_log_variance", _VARIANCE_DECLARED)

    @property
    def rows(self) -> Tensor:
        """(2N, D) universal rows: all image embeddings, then all text embeddings."""
        return torch.cat([self.image, self.text])

    @property
    def row_labels(self) -> Tensor:
        """(2N,) class indices of :attr:`rows`."""
        return torch.cat([self.labels, self.labels])


class View:
    """One modality of n items, as its tower embeds them.

    Args:
        modality: which.
        rows: (n, D) embeddings, of unit length unless the loss declares ``unit_rows = False``.
        log_variance: (n, D) logarithms of variances, where the loss declares an initial one.
    """

    def __init__(self, modality: Modality, rows: Tensor, log_variance: Tensor | None = None) -> None:
        self.modality = modality
        self.rows = rows
        self._log_variance = log_variance

    @property
    def log_variance(self) -> Tensor:
        """(n, D) log-variances around the embeddings; raises PluginError where the loss declared none."""
        return _declared(self._log_variance, "log_variance", _VARIANCE_DECLARED, "view")


_T = TypeVar("_T")
_HEADS_DECLARED = 'heads = "shared", "separate" or "cosine"'
_VARIANCE_DECLARED = "initial_variance = 0.1 (or another number)"


def _declared(value: _T | None, field_name: str, declaration: str, owner: str = "batch") -> _T:
    if value is None:
        raise PluginError(f"this {owner} has no {field_name}: the loss class must declare {declaration} to get it")
    return value


class Loss(torch.nn.Module, ABC):
    """The loss of one method, with what it needs declared as class attributes.

    The core builds the towers and heads that the declarations ask for, and calls the loss once a step.
    A loss never sees the optimiser, the towers, the device or the file system. Hyper-parameters are the
    constructor's arguments, each with a default.

    Attributes:
        api: version of this contract that the class was written for.
        title: name of the method's row in the tables.
        section: part of the tables that the method's row stands in; the paper's own methods have none and come first.
        position: rows of a section are sorted by this, then by title.
        heads: which classification heads the core builds.
        head_scale: length of each class's initial weight vector, where the loss needs its own: a large one suits
            cross-entropy on unit rows, and least squares needs an ordinary one. None takes the configuration's. A
            ``"cosine"`` head has no use for it.
        head_rate: factor on the heads' learning rate.
        embedding: ``"free"`` for a dimension chosen in the configuration, ``"classes"`` for that of the
            class embeddings, which lets the loss compare the two.
        semantic: whether the loss uses the class graph (the dashed line of the paper's Table 1).
        class_graph: what the class graph is made of: the class names' features, or the taxonomy (unit vectors whose
            cosines are the similarities of the classes in the tree; Barz and Denzler 2019), with the tree's paths and
            heights. HP@K is measured against that taxonomy too, which the tables say of such a row.
        unit_rows: whether the towers end in unit vectors; an instance may decide it in its constructor.
        initial_variance: where the loss wants a second output of each tower, the logarithms of the D variances around
            an embedding: about what their sum over D is before training. None for towers without it.
        similarity: what a trained method's embeddings are ranked by, as the protocol id of its records says it:
            ``"cosine"``, or the name and version of what :meth:`ranking_rows` makes of them, such as ``"lorentz/v1"``.
        space: tuning space, by constructor argument.
        deviations: reason by check of the conformance kit that the method fails by design.
    """

    api: ClassVar[int] = API_VERSION
    title: ClassVar[str]
    section: ClassVar[str] = "Beyond the paper"
    position: ClassVar[int] = 1000
    heads: ClassVar[Heads] = "none"
    head_scale: ClassVar[float | None] = None
    head_rate: ClassVar[float] = 1.0
    embedding: ClassVar[Literal["free", "classes"]] = "free"
    semantic: ClassVar[bool] = False
    class_graph: ClassVar[Literal["names", "taxonomy"]] = "names"
    unit_rows: bool = True
    initial_variance: ClassVar[float | None] = None
    similarity: ClassVar[str] = "cosine"
    space: ClassVar[Mapping[str, Distribution]] = {}
    deviations: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, batch: Batch) -> Terms:
        """Named scalar terms of one batch; their sum is minimised."""

    def ranking_rows(self, view: View) -> tuple[Tensor, Tensor]:
        """The rows by whose inner products the trained method ranks; by default the unit rows, which give the cosine.

        In all four directions the gallery of a query is in the order of ``query_rows @ gallery_rows.T``, largest first:
        a modality's query rows against its own gallery rows and against the other's. So a similarity fits that is, but
        for what is constant in one ranking and for an increasing function, an inner product of something made of the
        query and something made of the gallery item. A class that overrides this declares its :attr:`similarity`.

        Called after training, and now and then between its steps, without gradients, with as many items at once as is
        convenient: each row is to be made of its own item alone.

        Args:
            view: one modality of n items.

        Returns:
            (n, M) query rows and (n, M) gallery rows in float32 or float64, of one type and one M for both modalities;
            float64 where a difference of large numbers decides.
        """
        unit = normalize(view.rows, dim=1)
        return unit, unit
