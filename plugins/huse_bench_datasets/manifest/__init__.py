"""The user's own pictures and texts, listed in a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import ClassVar

from huse_bench import Dataset, Items, errors
from huse_bench_datasets._own_data.assign import assign_splits, groups_of
from huse_bench_datasets._own_data.classes import class_indices, find_beside, read_taxonomy, texts_of
from huse_bench_datasets._own_data.table import Table, read_table
from huse_bench_datasets._own_data.words import alike, closest, some
from huse_bench_datasets.manifest._pictures import find_pictures

__all__ = ["Manifest"]


class Manifest(Dataset):
    """Items that a CSV or Parquet file lists, one a row.

    Columns ``image`` (a picture file), ``text`` and ``label``, and optionally ``split``, ``id`` and ``group``, in any
    order and case. Without splits, 70 / 10 / 20 % of each class are for train / validation / test; all rows of one
    picture and all of one group are in the same split. Relative paths start at the table's folder.

    Args:
        data: the file.
        images: folder that the pictures lie in and that their paths start at, by default that of the table.
        taxonomy: CSV file with columns ``parent`` and ``child``, by default ``taxonomy.csv`` beside the table, if it is
            there.
        class_texts: CSV file with columns ``label`` and ``text``, what to embed for a class in place of its name; by
            default ``classes.csv`` beside the table, if it is there.
        split_seed: of the splits that are made.
        group: column that names the group of each item, by default ``group``, if it is there.
        title: what tables call the data, by default the file's name.
        description: what the items are and where they are from, for the reader of the results.
        licence: under which terms pictures and texts may be used, likewise.
        publish_texts: whether results may show the texts of test items; they then stand in the results folder.
        publish_pictures: whether results may show thumbnails of test items' pictures, which are made and stand there.
    """

    title: ClassVar = "Own items"
    description: ClassVar = "The user's own pictures and texts"
    backbones: ClassVar = {"image": "efficientnet-lite0", "text": "minilm", "class": "use"}

    def __init__(
        self,
        data: Path | None = None,
        images: str = "",
        taxonomy: str = "",
        class_texts: str = "",
        split_seed: int = 0,
        group: str = "",
        title: str = "",
        description: str = "",
        licence: str = "",
        publish_texts: bool = False,
        publish_pictures: bool = False,
    ) -> None:
        super().__init__(data)
        self.images = images
        self.taxonomy = taxonomy
        self.class_texts = class_texts
        self.split_seed = split_seed
        self.group = group.strip().casefold()
        self.shown = title
        self.described = description
        self.terms = licence
        self.texts_shown = publish_texts
        self.pictures_shown = publish_pictures

    def load(self) -> Items:
        """Read the table and the files beside it; pictures are looked for but not opened.

        Returns:
            The items without features, classes in alphabetical order.

        Raises:
            DataError: if a file is missing, is not the table expected, or disagrees with another; the message lists
                every line, label or picture that is concerned, or the first ones where they are many.
        """
        if self.data is None:
            raise errors.DataError(
                "the dataset 'manifest' reads a table of yours: name a CSV or Parquet file with columns image, text "
                "and label (on the command line: --data FILE)"
            )
        path = Path(self.data)
        column = self.group or "group"
        required, optional = ["image", "text", "label"], ["split", "id"]
        # A column that was asked for must be there.
        (required if self.group else optional).append(column)
        table = read_table(path, required, optional)
        table.refuse_empty("image", "Name a picture file, or take the row out")
        table.refuse_empty("label", "Name the item's class, or take the row out")
        pictures = find_pictures(table, path.parent / self.images)
        # As the table writes them, so that a folder that is moved keeps its splits.
        words = [_inside(word, path.parent / self.images) for word in table.columns["image"]]
        ids = _ids(table, words)
        names = sorted(set(table.columns["label"]))
        labels = class_indices(table, names)
        groups, group_notices = groups_of(table, column)
        taxonomy, taxonomy_notices = read_taxonomy(find_beside(path.parent, self.taxonomy, "taxonomy.csv"), names)
        texts_file = find_beside(path.parent, self.class_texts, "classes.csv")
        texts, text_notices = (
            (None, []) if texts_file is None else texts_of(read_table(texts_file, ["label", "text"]), names)
        )
        before = [*_table_notices(table, column), *alike(names, "labels"), *group_notices]
        after = [*taxonomy_notices, *text_notices]

        def drawn(groups: Sequence[str] | None) -> Items:
            splits, split_notices = assign_splits(table, labels, words, self.split_seed, groups)
            return Items(
                ids=ids,
                labels=labels,
                splits=splits,
                class_names=names,
                taxonomy=taxonomy,
                images=pictures,
                texts=table.columns["text"],
                class_texts=texts,
                groups=groups,
                redrawn=None if "split" in table.columns else drawn,
                title=self.shown or path.name,
                description=self.described,
                licence=self.terms,
                publish_texts=self.texts_shown,
                publish_pictures=self.pictures_shown,
                notices=[*before, *split_notices, *after],
            )

        return drawn(groups)


def _inside(word: str, folder: Path) -> str:
    """A picture's path from its folder on, which says nothing of the machine that it is on."""
    return PurePath(os.path.relpath(word, folder.absolute()) if os.path.isabs(word) else word).as_posix()  # noqa: PTH117


def _ids(table: Table, words: list[str]) -> list[str]:
    if "id" in table.columns:
        table.refuse_empty("id", "Give every item an id, or take the column out to have the picture's path for one")
        table.refuse_repeated("id", "Ids must be unique: change or drop the repeated ones")
        return table.columns["id"]
    table.refuse_repeated(
        "image",
        "An item's id is its picture's path unless there is a column 'id': drop the repeated rows or, where a picture "
        "has several texts, add a column 'id' that is different in each row",
    )
    return words


def _table_notices(table: Table, column: str) -> list[str]:
    notices = table.notices()
    free = [name for name in ("split", "id", column) if name not in table.columns]
    if table.ignored:
        listed = some([f"{name!r}{closest(name.casefold(), free)}" for name in table.ignored])
        notices.append(f"{table.path.name}: columns that are not used: {listed}")
    empty = [row for row, text in enumerate(table.columns["text"]) if not text]
    if empty:
        notices.append(f"{table.path.name}: {len(empty)} of {len(table)} texts are empty, in {table.where(empty)}")
    return notices
