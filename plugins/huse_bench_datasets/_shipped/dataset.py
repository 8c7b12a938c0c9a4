"""What all datasets that come with huse-bench have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from huse_bench import Dataset, Features, Items, Taxonomy, errors
from huse_bench_datasets._shipped.files import read
from huse_bench_datasets._shipped.tree import read_tree

__all__ = ["Rows", "ShippedDataset"]


@dataclass(frozen=True)
class Rows:
    """The n items of a dataset, in the order of the rows of its features.

    Attributes:
        ids: unique names.
        labels: class indices.
        splits: ``train``, ``validation`` or ``test``.
        groups: names of what no split divides.
        texts: where the dataset has them.
    """

    ids: Sequence[str]
    labels: Sequence[int]
    splits: Sequence[str]
    groups: Sequence[str]
    texts: Sequence[str] | None = None


class ShippedDataset(Dataset):
    """A dataset whose features, facts and thumbnails lie in the wheel.

    A subclass says ``title``, ``description`` and ``licence`` as any dataset does, and the attributes below. Its folder
    holds ``data``, which a build wrote with :func:`huse_bench_datasets._shipped.files.write`, and ``outline.txt``, the
    tree of its classes. ``items.json`` has ``classes`` (K names), ``backbones`` (by ``image``, ``text`` and ``class``)
    and ``items``: a list of objects with ``id``, ``class`` (an index), ``split``, and optionally ``group`` (an item
    without one is its own) and ``text`` (all items or none).

    Args:
        data: not allowed, the dataset brings its own.

    Attributes:
        name: as the command line has it.
        folder: of the subclass's package.
        tree_sha256: of the tree in the outline.

    Raises:
        DataError: if ``data`` is given.
    """

    shipped: ClassVar = True
    name: ClassVar[str]
    folder: ClassVar[Path]
    tree_sha256: ClassVar[str]

    def __init__(self, data: Path | None = None) -> None:
        if data is not None:
            raise errors.DataError(
                f"the dataset {self.name!r} comes with huse-bench and reads no other data, but data={str(data)!r} was "
                "given. Leave it out (on the command line: --data), or choose a dataset that reads your files"
            )
        super().__init__()

    def load(self) -> Items:
        """Read the shipped items, features and thumbnails.

        Returns:
            The items, with (n, 1280) image, (n, 384) text and (K, 512) class features, all float32.

        Raises:
            DataError: if a shipped file is missing or corrupt.
        """
        contents = read(self.folder / "data")
        facts, rows = contents.facts, self.rows(contents.facts)
        of_test = (name for name, split in zip(rows.ids, rows.splits, strict=True) if split == "test")
        image, text, of_class = (
            Features(contents.features[what], facts["backbones"][what]) for what in ("image", "text", "class")
        )
        return Items(
            ids=rows.ids,
            labels=np.array(rows.labels, dtype=np.int64),
            splits=np.array(rows.splits, dtype=np.str_),
            groups=rows.groups,
            class_names=facts["classes"],
            taxonomy=self.tree(facts),
            texts=rows.texts,
            image_features=image,
            text_features=text,
            class_features=of_class,
            thumbnails=dict(zip(of_test, contents.thumbnails, strict=True)),
        )

    def rows(self, facts: Mapping[str, Any]) -> Rows:
        """The items of ``items.json``.

        Args:
            facts: its contents.
        """
        items = facts["items"]
        return Rows(
            ids=[item["id"] for item in items],
            labels=[item["class"] for item in items],
            splits=[item["split"] for item in items],
            groups=[item.get("group", item["id"]) for item in items],
            texts=[item["text"] for item in items] if "text" in items[0] else None,
        )

    def tree(self, facts: Mapping[str, Any]) -> Taxonomy:
        """The taxonomy of the classes.

        Args:
            facts: contents of ``items.json``.

        Raises:
            DataError: if the outline is missing or changed.
        """
        return self.outlined(facts["classes"])

    @classmethod
    def outlined(cls, classes: Sequence[str]) -> Taxonomy:
        """The tree of the outline.

        Args:
            classes: some of its leaves, in class-index order.

        Raises:
            DataError: if the outline is missing or changed, or a class is not in it.
        """
        return read_tree(cls.folder / "outline.txt", cls.tree_sha256, classes)
