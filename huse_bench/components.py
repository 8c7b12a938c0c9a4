"""What a plugin author implements: losses, backbones and datasets, and what they are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from huse_bench.errors import DataError, PluginError
from huse_bench.space import Distribution
from huse_bench.taxonomy import Taxonomy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = [
    "API_VERSION",
    "Batch",
    "ClassGraph",
    "Dataset",
    "Features",
    "Heads",
    "ImageBackbone",
    "Items",
    "Loss",
    "Split",
    "Terms",
    "TextBackbone",
]

#: Version of the contract in this module; a component states the one it was written for as ``api``.
API_VERSION = 1

#: Named scalar terms of a loss; their sum is what training minimises.
Terms = Mapping[str, Tensor]

#: Which classification heads a loss wants: none, one for both modalities, one per modality, or one for both
#: whose logits are the cosines of an embedding and the class weights.
Heads = Literal["none", "shared", "separate", "cosine"]

Split = Literal["train", "validation", "test"]

# The length of a unit vector is this close to 1 in any precision.
_ROUNDING = 0.01


class ClassGraph:
    """The class-name embeddings and their cosine distances (HUSE section 3.3, equation 4).

    Args:
        embeddings: (K, C) floating point; the rows are scaled to unit length here.
        distances: (K, K) non-negative; by default the cosine distances of the embeddings.

    Raises:
        DataError: if the shapes do not fit or an embedding has no direction (all zeros, not finite, or too large or too
            small for its type).
    """

    embeddings: Tensor
    distances: Tensor

    def __init__(self, embeddings: Tensor, distances: Tensor | None = None) -> None:
        if embeddings.ndim != 2:
            raise DataError(f"class embeddings must be (K, C), got {tuple(embeddings.shape)}")
        norms = embeddings.norm(dim=1)
        if bool((norms == 0).any()):
            zero = int((norms == 0).nonzero()[0, 0])
            raise DataError(f"the embedding of class {zero} is all zeros, so it has no cosine distance to the others")
        self.embeddings = F.normalize(embeddings, dim=1)
        unit = (self.embeddings.norm(dim=1) - 1).abs() < _ROUNDING
        if not bool(unit.all()):
            wrong = int((~unit).nonzero()[0, 0])
            raise DataError(
                f"the embedding of class {wrong} has the length {float(norms[wrong]):g} in {embeddings.dtype}, so it "
                "cannot be made a unit vector: rebuild the embeddings, or scale all of them by one number"
            )
        if distances is None:
            distances = (1 - self.embeddings @ self.embeddings.T).clamp_min(0)
            distances.fill_diagonal_(0)
        classes = len(embeddings)
        if distances.shape != (classes, classes):
            raise DataError(f"class distances must be ({classes}, {classes}), got {tuple(distances.shape)}")
        self.distances = distances

    def to(self, device: torch.device | str) -> ClassGraph:
        """The same graph on another device."""
        return ClassGraph(self.embeddings.to(device), self.distances.to(device))


class Batch:
    """What a loss is given at each step: N image-text pairs as embeddings, with their classes.

    Args:
        image: (N, D) unit rows, unless the loss declares ``unit_rows = False``.
        text: (N, D), likewise; row ``i`` belongs to the same item as ``image[i]``.
        labels: (N,) int64 class indices.
        image_logits: (N, K), where the loss declares heads.
        text_logits: (N, K), where the loss declares heads.
        classes: the class graph.
    """

    def __init__(
        self,
        image: Tensor,
        text: Tensor,
        labels: Tensor,
        image_logits: Tensor | None = None,
        text_logits: Tensor | None = None,
        classes: ClassGraph | None = None,
    ) -> None:
        self.image = image
        self.text = text
        self.labels = labels
        self._image_logits = image_logits
        self._text_logits = text_logits
        self._classes = classes

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
    def rows(self) -> Tensor:
        """(2N, D) universal rows: all image embeddings, then all text embeddings."""
        return torch.cat([self.image, self.text])

    @property
    def row_labels(self) -> Tensor:
        """(2N,) class indices of :attr:`rows`."""
        return torch.cat([self.labels, self.labels])


_T = TypeVar("_T")
_HEADS_DECLARED = 'heads = "shared", "separate" or "cosine"'


def _declared(value: _T | None, field_name: str, declaration: str) -> _T:
    if value is None:
        raise PluginError(f"this batch has no {field_name}: the loss class must declare {declaration} to get it")
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
            cosines are the similarities of the classes in the tree; Barz and Denzler 2019). HP@K is measured against
            that taxonomy too, which the tables say of such a row.
        unit_rows: whether the towers end in unit vectors; an instance may decide it in its constructor.
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
    space: ClassVar[Mapping[str, Distribution]] = {}
    deviations: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, batch: Batch) -> Terms:
        """Named scalar terms of one batch; their sum is minimised."""


class _Backbone(ABC):
    """A frozen pretrained encoder that turns items into features.

    Its ``revision`` is read whenever features are looked up, its weights only where some must be made: so the
    constructor should be quick, and read the weights at the first use.

    Attributes:
        api: version of this contract that the class was written for.
        title: name shown to people.
        reference: what a user writes after the colon of the backbone's name, such as ``"a model id or a local
            path"``; the constructor's one argument. None where the name says all.
        revision: which weights and preprocessing made the features; part of the features' identity.
        dim: length of one feature vector.
    """

    api: ClassVar[int] = API_VERSION
    title: ClassVar[str]
    reference: ClassVar[str | None] = None
    revision: str
    dim: int


class ImageBackbone(_Backbone):
    """A frozen pretrained image encoder, in two steps: the first runs in several processes beside the second."""

    @abstractmethod
    def preprocess(self, image: Image) -> NDArray[np.float32]:
        """(3, H, W) float32 input of the network for one RGB picture of any size; it must not need the weights."""

    @abstractmethod
    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dim) float32 features of (n, 3, H, W) preprocessed pictures."""

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(n, dim) float32 features of n RGB pictures."""
        return self.encode_pixels(np.stack([self.preprocess(image) for image in images]))


class TextBackbone(_Backbone):
    """A frozen pretrained text encoder.

    Attributes:
        fitted: whether :meth:`fit` must see the texts of the train split before anything is encoded.
    """

    fitted: ClassVar[bool] = False

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32 features of n texts."""

    def fit(self, texts: Sequence[str]) -> None:
        """Learn from the train split's texts; called once, before :meth:`encode`, where ``fitted`` is declared."""


@dataclass(frozen=True)
class Features:
    """Features and where they come from.

    Attributes:
        values: (n, d) floating point.
        backbone: name and revision of the backbone, as ``name@revision``.
    """

    values: NDArray[np.floating]
    backbone: str


@dataclass(frozen=True)
class Items:
    """The contents of a dataset: n labelled image-text pairs with splits and a taxonomy of their K classes.

    Attributes:
        ids: n unique names.
        labels: (n,) int64 class indices.
        splits: (n,) strings, each ``"train"``, ``"validation"`` or ``"test"``.
        class_names: K names, in the order of the class indices.
        taxonomy: the tree that HP@K is measured against; its classes are ``class_names``.
        images: n picture files, where the dataset has pictures.
        texts: n texts, where the dataset has texts.
        image_features: (n, d) where the dataset brings its own.
        text_features: (n, d) where the dataset brings its own.
        class_features: (K, C) where the dataset brings its own.
        class_texts: K texts to embed in place of the class names, where those are not the best words.
        groups: n names of groups; items of a group are no independent witnesses (drawings of one emoji, pictures of one
            product), stand in one split, and are drawn together by the statistics. None where each item is its own.
        redrawn: the same items in other groups, with splits drawn for these; None where the data have their own splits.
        title: what tables call the data; empty for the title of the dataset's class.
        notices: what the user should know about this copy of the data, a line each; kept in the run records.
    """

    ids: Sequence[str]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    class_names: Sequence[str]
    taxonomy: Taxonomy
    images: Sequence[Path] | None = None
    texts: Sequence[str] | None = field(default=None, repr=False)
    image_features: Features | None = None
    text_features: Features | None = None
    class_features: Features | None = None
    class_texts: Sequence[str] | None = None
    groups: Sequence[str] | None = field(default=None, repr=False)
    redrawn: Callable[[Sequence[str]], Items] | None = field(default=None, repr=False)
    title: str = ""
    notices: Sequence[str] = ()


class Dataset(ABC):
    """Labelled image-text items with splits and a class taxonomy.

    Args:
        data: folder or file of the user's copy, for datasets that need one. Further arguments of a subclass's
            constructor, each with a default, are options of the dataset.

    Attributes:
        api: version of this contract that the class was written for.
        title: name shown to people.
        backbones: which backbones make the ``"image"``, ``"text"`` and ``"class"`` features that the dataset
            does not bring, where the user names none.
    """

    api: ClassVar[int] = API_VERSION
    title: ClassVar[str]
    backbones: ClassVar[Mapping[Literal["image", "text", "class"], str]] = {}

    def __init__(self, data: Path | None = None) -> None:
        self.data = data

    @abstractmethod
    def load(self) -> Items:
        """Read the items; raises DataError when the data cannot be used."""
