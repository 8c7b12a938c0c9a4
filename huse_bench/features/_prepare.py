"""Check a dataset's items and features, and lay them out by split."""

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
from huse_bench.errors import DataError
from huse_bench.taxonomy import Taxonomy

__all__ = ["Prepared", "SplitFeatures", "check_items", "numbered", "prepare"]

# Below this length torch's normalize does not make a row a unit vector.
_SHORTEST = 1e-12

# Rows that are looked at together: little memory beside the features, which may lie on disk.
_CHUNK = 4096

_SCALE = "Rebuild them, leave the items out, or scale all features of this kind by one number"


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
    image = _checked(items.image_features, count, f"{name}: image", items.ids)
    text = _checked(items.text_features, count, f"{name}: text", items.ids)
    graph = _checked(items.class_features, classes, f"{name}: class", items.class_names)
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


def check_items(items: Items, name: str, regime: RegimeConfig = NO_REGIME) -> None:
    """Check all of a dataset's items but their features.

    Args:
        items: what a dataset loaded.
        name: the dataset's name, for messages.
        regime: what was done to the items; in one, a class may have no training item.

    Raises:
        DataError: for labels without a class; a split that is unknown or empty; a class without items, or one that
            cannot be both trained and tested; ids given twice; a group in two splits.
    """
    _check_ids(items.ids, name)
    _check_labels(items, name)
    _check_splits(items, name, regime)
    _check_groups(items, name)


def _checked(features: Features | None, count: int, what: str, names: Sequence[str]) -> Features:
    if features is None:
        raise DataError(f"{what} features are missing: the dataset brings none, and no backbone was asked to make them")
    values = features.values
    if values.ndim != 2 or len(values) != count:
        raise DataError(f"{what} features must be ({count}, d), one row for each, got {values.shape}")
    finite, nonzero, lengths = np.empty(count, np.bool_), np.empty(count, np.bool_), np.empty(count, np.float32)
    for start in range(0, count, _CHUNK):
        rows = slice(start, start + _CHUNK)
        finite[rows] = np.isfinite(values[rows]).all(axis=1)
        nonzero[rows] = values[rows].any(axis=1)
        # As training and evaluation measure them: squares in float32.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            lengths[rows] = np.linalg.norm(values[rows].astype(np.float32), axis=1)
    rebuild = "Rebuild these features or leave the items out"
    for wrong, problem, cure in (
        (~finite, "are not finite (NaN or infinity)", rebuild),
        (~nonzero, "are all zeros", rebuild),
        (~np.isfinite(lengths), "are too large for float32 (the square of their length is no number)", _SCALE),
        (lengths < _SHORTEST, f"are too small for float32 (shorter than {_SHORTEST:g})", _SCALE),
    ):
        if wrong.any():
            raise DataError(f"{what} features {problem} in {_some(wrong, names)}. {cure}")
    return features


def _some(wrong: NDArray[np.bool_], names: Sequence[str]) -> str:
    rows = np.flatnonzero(wrong)
    shown = ", ".join(names[row] for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{len(rows)} of {len(wrong)} rows: {shown}{more}"


def _check_ids(ids: Sequence[str], name: str) -> None:
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise DataError(f"{name}: the id {twice!r} is given to two items; ids must be unique")


def _check_labels(items: Items, name: str) -> None:
    labels = np.asarray(items.labels, dtype=np.int64)
    classes = len(items.class_names)
    if labels.shape != (len(items.ids),):
        raise DataError(f"{name}: there must be one label for each of {len(items.ids)} items, got {labels.shape}")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"{name}: item {items.ids[row]!r} has label {labels[row]}, but the classes are 0 to {classes - 1}"
        )
    if len(items.taxonomy.classes) != classes:
        raise DataError(f"{name}: the taxonomy has {len(items.taxonomy.classes)} classes, the dataset {classes}")


def _check_splits(items: Items, name: str, regime: RegimeConfig) -> None:
    known: tuple[str, ...] = get_args(Split)
    unknown = sorted(set(items.splits.tolist()) - set(known))
    if unknown:
        raise DataError(f"{name}: unknown split {unknown[0]!r}; an item is in one of {', '.join(known)}")
    classes = len(items.class_names)
    counts = {split: np.bincount(items.labels[items.splits == split], minlength=classes) for split in known}
    for split in known:
        if not counts[split].any():
            raise DataError(f"{name}: the {split} split has no items")
    if regime.is_any:
        # Checked before: now a class may be unseen, or its few items be taken for others.
        return
    total = sum(counts.values())
    empty = np.flatnonzero(np.asarray(total) == 0)
    if len(empty):
        raise DataError(
            f"{name}: the class {items.class_names[empty[0]]!r} has no items ({len(empty)} such classes); "
            f"leave it out, or give it items"
        )
    alone = np.flatnonzero(np.asarray(total) == 1)
    if len(alone):
        raise DataError(
            f"{name}: the class {items.class_names[alone[0]]!r} has a single item, which cannot be both trained on and "
            f"tested; leave the class out, merge it, or give it more items ({len(alone)} such classes)"
        )
    untrained = np.flatnonzero(counts["train"] == 0)
    if len(untrained):
        raise DataError(
            f"{name}: the class {items.class_names[untrained[0]]!r} has no item in the train split "
            f"({len(untrained)} such classes)"
        )


def _check_groups(items: Items, name: str) -> None:
    if items.groups is None:
        return
    if len(items.groups) != len(items.ids):
        raise DataError(
            f"{name}: there must be one group for each of {len(items.ids)} items, got {len(items.groups)} groups"
        )
    first: dict[str, int] = {}
    for row, group in enumerate(items.groups):
        other = first.setdefault(group, row)
        if items.splits[row] != items.splits[other]:
            raise DataError(
                f"{name}: the group {group!r} is in two splits: item {items.ids[other]!r} is in {items.splits[other]}, "
                f"item {items.ids[row]!r} in {items.splits[row]}; put all items of a group in one split"
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
