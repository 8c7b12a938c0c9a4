"""Datasets, and the items that they load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from huse_bench.components._api import API_VERSION
from huse_bench.taxonomy import Taxonomy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Dataset", "Features", "Items", "Split"]

Split = Literal["train", "validation", "test"]


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
        description: what the items are and where they are from; empty for what the dataset's class says.
        licence: under which terms they may be used; empty for what the dataset's class says.
        publish_texts: whether results may show the texts; None for what the dataset's class says.
        publish_pictures: whether results may show thumbnails of the pictures; None for what the dataset's class says.
        thumbnails: by id, the contents of a PNG or WebP file of at most 40 pixels a side and 8 KiB; results copy those
            of test items and show them, so give only what may be published. Items without one are shown by their ids.
            None to have them made of the pictures where these may be published.
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
    description: str = ""
    licence: str = ""
    publish_texts: bool | None = None
    publish_pictures: bool | None = None
    thumbnails: Mapping[str, bytes] | None = field(default=None, repr=False)
    notices: Sequence[str] = ()


class Dataset(ABC):
    """Labelled image-text items with splits and a class taxonomy.

    Args:
        data: folder or file of the user's copy, for datasets that need one. Further arguments of a subclass's
            constructor, each with a default, are options of the dataset.

    Attributes:
        api: version of this contract that the class was written for.
        title: name shown to people.
        description: what the items are and where they are from, in a sentence or two.
        licence: under which terms they may be used, or that nobody says.
        publish_texts: whether the items' texts may be shown in results that are published.
        publish_pictures: whether thumbnails of the items' pictures may be shown there.
        shipped: whether its package carries real items with all their features, so that it runs without data, options
            or a network; ``--dataset all`` takes those.
        backbones: which backbones make the ``"image"``, ``"text"`` and ``"class"`` features that the dataset
            does not bring, where the user names none.
    """

    api: ClassVar[int] = API_VERSION
    title: ClassVar[str]
    description: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    publish_texts: ClassVar[bool] = False
    publish_pictures: ClassVar[bool] = False
    shipped: ClassVar[bool] = False
    backbones: ClassVar[Mapping[Literal["image", "text", "class"], str]] = {}

    def __init__(self, data: Path | None = None) -> None:
        self.data = data

    @abstractmethod
    def load(self) -> Items:
        """Read the items; raises DataError when the data cannot be used."""
