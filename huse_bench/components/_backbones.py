"""Backbones: what turns items into features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from huse_bench.components._api import API_VERSION

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["ImageBackbone", "TextBackbone"]


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
        precisions: what it can compute in, ``"float32"`` first; ``"bfloat16"`` is for features that need not be exact.
        precision: which of them it computes in, set before it is pickled or encodes anything; features are float32.
    """

    api: ClassVar[int] = API_VERSION
    title: ClassVar[str]
    reference: ClassVar[str | None] = None
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    precision: str = "float32"
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
