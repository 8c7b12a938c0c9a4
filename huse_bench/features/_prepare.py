"""A dataset's items and features, laid out by split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.components import ClassGraph, Features, Items, Split
from huse_bench.config import NO_REGIME, RegimeConfig
from huse_bench.features._checks import check_items, checked_features
from huse_bench.taxonomy import Taxonomy

__all__ = ["Prepared", "SplitFeatures", "numbered", "prepare"]


@dataclass(frozen=True)
class SplitFeatures:
    """The items of one split.

    Attributes:
        ids: n names.
        image: (n, d_image) float32, on the host until :meth:`to` moves it.
        text: (n, d_text) float32, likewise.
        labels: (n,) int64, on the host.
        groups: (n,) int64 numbers of groups, on the host; items with one number are no independent witnesses.
    """

    ids: Sequence[str]
    image: Tensor
    text: Tensor
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @cached_property
    def targets(self) -> Tensor:
        """The labels beside the features, on their device."""
        return torch.from_numpy(self.labels).to(self.image.device)

    def to(self, device: torch.device | str) -> SplitFeatures:
        """The same items, with their features on another device."""
        return replace(self, image=self.image.to(device), text=self.text.to(device))


@dataclass(frozen=True)
class Prepared:
    """A dataset that passed the checks.

    Attributes:
        splits: the items by split.
        class_names: K names.
        classes: the class graph, float32.
        taxonomy: the tree that HP@K is measured against.
        content_hash: sha256 over ids, labels, splits, class names and all features.
        backbones: which backbone made the image, text and class features.
        name: of the dataset.
        title: what tables call it.
        notices: what the user should know about this copy of the data, a line each.
        audit: what an audit of the data found, as JSON; None where none was made.
        parts: start of the sha256 of each part of the content, by what messages call it.
        regime: what was done to the items before.
    """

    splits: dict[Split, SplitFeatures]
    class_names: Sequence[str]
    classes: ClassGraph
    taxonomy: Taxonomy
    content_hash: str
    backbones: dict[str, str]
    name: str
    title: str
    notices: tuple[str, ...] = ()
    audit: Mapping[str, Any] | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    regime: RegimeConfig = NO_REGIME

    def taxonomy_of(self, split: Split) -> Taxonomy:
        """What HP@K of a split is measured against: of held-out classes, those that its gallery has.

        The nearest classes of most would else be classes that nobody can find, and HP@K little more than the share of
        the own class.
        """
        return self.taxonomy.among(self.splits[split].labels.tolist()) if self.regime.held_out else self.taxonomy

    def to(self, device: torch.device | str) -> Prepared:
        """The same data on another device."""
        splits: dict[Split, SplitFeatures] = {name: split.to(device) for name, split in self.splits.items()}
        return replace(self, splits=splits, classes=self.classes.to(device))


def prepare(items: Items, name: str, title: str = "", regime: RegimeConfig = NO_REGIME) -> Prepared:
    """Check items and features, and lay them out by split.

    Args:
        items: what a dataset loaded.
        name: the dataset's name.
        title: what tables call it where the items say nothing of it; the name where nothing does.
        regime: what was done to the items, which tables say beside the title.

    Raises:
        DataError: for features that are missing, of the wrong shape, not finite, all zeros, or too large or small for
            float32; and as :func:`check_items`.
    """
    check_items(items, name, regime)
    count = len(items.ids)
    classes = len(items.class_names)
    image = checked_features(items.image_features, count, f"{name}: image", items.ids)
    text = checked_features(items.text_features, count, f"{name}: text", items.ids)
    graph = checked_features(items.class_features, classes, f"{name}: class", items.class_names)
    labels = np.asarray(items.labels, dtype=np.int64)

    splits: dict[Split, SplitFeatures] = {}
    for split in get_args(Split):
        rows = np.flatnonzero(items.splits == split)
        splits[split] = SplitFeatures(
            ids=[items.ids[row] for row in rows.tolist()],
            image=torch.from_numpy(image.values[rows].astype(np.float32, copy=False)),
            text=torch.from_numpy(text.values[rows].astype(np.float32, copy=False)),
            labels=labels[rows],
            groups=numbered(rows if items.groups is None else [items.groups[row] for row in rows.tolist()]),
        )
    return Prepared(
        splits=splits,
        class_names=items.class_names,
        classes=ClassGraph(torch.from_numpy(graph.values.astype(np.float32))),
        taxonomy=items.taxonomy,
        content_hash=_content_hash(items, [image, text, graph]),
        backbones={"image": image.backbone, "text": text.backbone, "class": graph.backbone},
        name=name,
        title=", ".join((items.title or title or name, *regime.words)),
        notices=tuple(items.notices),
        parts=_parts(items, image, text, graph),
        regime=regime,
    )


def numbered(names: Sequence[str] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of names, from 0 in the order of their first appearance."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _parts(items: Items, image: Features, text: Features, graph: Features) -> dict[str, str]:
    """A short hash of each part of the content, to tell which one is other."""
    rows = items.labels.tolist()
    words = {
        "items": items.ids,
        "classes": items.class_names,
        "labels": [items.class_names[row] for row in rows],
        "splits": items.splits.tolist(),
        "groups": items.groups or (),
    }
    hashes = {
        part: hashlib.sha256("\0".join(listed).encode("utf-8", "surrogatepass")) for part, listed in words.items()
    }
    for part, feature in (("image features", image), ("text features", text), ("class features", graph)):
        hashes[part] = hashlib.sha256(f"{feature.backbone}{feature.values.shape}".encode())
        hashes[part].update(np.ascontiguousarray(feature.values, dtype="<f4").data)
    return {part: digest.hexdigest()[:12] for part, digest in hashes.items()}


def _content_hash(items: Items, features: list[Features]) -> str:
    digest = hashlib.sha256()
    for texts in (items.ids, items.splits.tolist(), items.class_names):
        digest.update("\0".join(texts).encode() + b"\1")
    digest.update(np.ascontiguousarray(items.labels, dtype="<i8").tobytes())
    for feature in features:
        digest.update(f"{feature.backbone}{feature.values.shape}".encode())
        digest.update(np.ascontiguousarray(feature.values, dtype="<f4").data)
    return digest.hexdigest()
