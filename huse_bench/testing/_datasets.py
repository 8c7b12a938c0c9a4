"""What the runner relies on in a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from huse_bench.components import Dataset, Features, Items
from huse_bench.discovery import find
from huse_bench.errors import UsageError
from huse_bench.features import prepare
from huse_bench.results.thumbnails import thumbnail_fault
from huse_bench.testing._check import Check, CheckFailure, CheckSkip, require_component

__all__ = ["DATASET_CHECKS", "SubjectDataset"]


@dataclass
class SubjectDataset:
    """The dataset to check.

    Attributes:
        cls: its class.
        data: the user's copy, where it needs one.
        options: further arguments of its constructor.
    """

    cls: type[Dataset]
    data: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _items: list[Items] = field(default_factory=list)

    def load(self) -> Items:
        """The items, read anew."""
        return self.cls(self.data, **self.options).load()

    def items(self) -> Items:
        """The items that the checks share."""
        if not self._items:
            self._items.append(self.load())
        return self._items[0]


def _declares(subject: SubjectDataset) -> None:
    require_component(subject.cls, Dataset)


def _describes_itself(subject: SubjectDataset) -> None:
    items = subject.items()
    for owner, what in ((subject.cls, "it"), (items, "what load gives")):
        for name in ("description", "licence"):
            if not isinstance(getattr(owner, name), str):
                raise CheckFailure(f"{what} has the {name} {getattr(owner, name)!r}: give a text, empty for none")
    for what in ("texts", "pictures"):
        for owner in (subject.cls, items):
            given = getattr(owner, f"publish_{what}")
            if not isinstance(given, bool | None):
                raise CheckFailure(
                    f"publish_{what} is {given!r}: say True where results may show the {what}, else False"
                )


def _backbones_exist(subject: SubjectDataset) -> None:
    for kind, name in subject.cls.backbones.items():
        if kind not in ("image", "text", "class"):
            raise CheckFailure(f"backbones has {kind!r}: the kinds are image, text and class")
        try:
            find("backbone", name.split(":")[0])
        except UsageError as error:
            raise CheckFailure(f"its {kind} backbone cannot be found: {error}") from error


def _has_items(subject: SubjectDataset) -> None:
    items = subject.items()
    if not isinstance(items, Items):
        raise CheckFailure(f"load must return huse_bench.Items, got {type(items).__name__}")
    if not len(items.ids):
        raise CheckFailure("load gives no items")
    for kind, raw, own in (("image", items.images, items.image_features), ("text", items.texts, items.text_features)):
        if raw is None and own is None:
            raise CheckFailure(f"it brings neither {kind}s nor {kind} features")
        if raw is not None and len(raw) != len(items.ids):
            raise CheckFailure(f"there are {len(raw)} {kind}s for {len(items.ids)} items")


def _keeps_the_rules(subject: SubjectDataset) -> None:
    items = subject.items()

    def features(own: Features | None, count: int) -> Features:
        # Raw items have no features yet; what else the rules ask of them is checked with these.
        return own or Features(np.ones((count, 1), dtype=np.float32), "none@0")

    complete = {
        "image_features": features(items.image_features, len(items.ids)),
        "text_features": features(items.text_features, len(items.ids)),
        "class_features": features(items.class_features, len(items.class_names)),
    }
    try:
        prepare(Items(**{**vars(items), **complete}), "the dataset")
    except UsageError as error:
        raise CheckFailure(str(error)) from error
    if [str(name) for name in items.taxonomy.classes] != list(items.class_names):
        raise CheckFailure("the taxonomy's classes are not class_names in the same order")


def _pictures_exist(subject: SubjectDataset) -> None:
    pictures = subject.items().images
    if pictures is None:
        raise CheckSkip("it has no pictures")
    missing = [picture for picture in pictures if not picture.is_file()]
    if missing:
        raise CheckFailure(f"{len(missing)} of {len(pictures)} pictures are not there, such as {missing[0]}")


def _thumbnails_are_small(subject: SubjectDataset) -> None:
    items = subject.items()
    if items.thumbnails is None:
        raise CheckSkip("it gives no thumbnails")
    unknown = items.thumbnails.keys() - set(items.ids)
    if unknown:
        raise CheckFailure(f"{len(unknown)} thumbnails are of no item, such as that of {min(unknown, key=str)!r}")
    for item, contents in items.thumbnails.items():
        if fault := thumbnail_fault(contents):
            raise CheckFailure(f"the thumbnail of {item!r} {fault}")


def _deterministic(subject: SubjectDataset) -> None:
    first, again = subject.items(), subject.load()
    for name in ("ids", "labels", "splits", "groups", "class_names", "images", "texts", "thumbnails"):
        if not np.array_equal(getattr(first, name), getattr(again, name)):
            raise CheckFailure(
                f"loading twice gives other {name}: sort what comes from a folder, and seed what is drawn"
            )


#: In the order in which a failure is best read.
DATASET_CHECKS = (
    Check("declares", "api", "It is a Dataset of this contract version with a title.", _declares),
    Check("describes_itself", "api", "Description and licence are texts.", _describes_itself),
    Check("backbones_exist", "api", "The backbones it names are installed.", _backbones_exist),
    Check("has_items", "api", "It loads items with images and texts, or features of them.", _has_items),
    Check("keeps_the_rules", "api", "Ids, labels, splits, taxonomy and features fit together.", _keeps_the_rules),
    Check("pictures_exist", "api", "Its picture files are there.", _pictures_exist),
    Check("thumbnails_are_small", "api", "Its thumbnails are small PNG or WebP pictures.", _thumbnails_are_small),
    Check("deterministic", "api", "Loading twice gives the same.", _deterministic),
)
