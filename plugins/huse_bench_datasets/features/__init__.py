"""The user's own precomputed features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from huse_bench import Dataset, Features, Items, errors
from huse_bench_datasets._own_data.assign import assign_splits, groups_of
from huse_bench_datasets._own_data.classes import (
    class_indices,
    find_beside,
    numbers_as_names,
    read_taxonomy,
    texts_of,
    without_items,
)
from huse_bench_datasets._own_data.table import Table, read_table
from huse_bench_datasets._own_data.words import alike, closest, composed, some, word
from huse_bench_datasets.features._arrays import Array, array_beside, arrays_in, features

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PrecomputedFeatures"]

_PARTS = ("image", "text", "class", "labels", "splits", "groups")
_SPLITS = ("train", "validation", "test")


class PrecomputedFeatures(Dataset):
    """Items whose image and text features the user computed.

    A folder with ``image`` and ``text``, each a ``.npy``, ``.safetensors`` or ``.parquet`` file of (n, d) numbers, and
    ``items.csv`` with a column ``label`` and optionally ``split``, ``id`` and ``group``, a row for each of the n items.
    Arrays ``labels`` and ``splits`` may stand in for ``items.csv``, and an array ``groups``, n words or whole numbers,
    for its column. Optional are ``class``, (K, C) numbers, ``classes.csv``
    with columns ``label`` and optionally ``text``, a row for each of the K classes, and ``taxonomy.csv`` with columns
    ``parent`` and ``child``. One ``.safetensors`` file may hold the arrays, and one ``.parquet`` file the columns
    ``image``, ``text``, ``label``, ``split``, ``id`` and ``group``; what they do not hold is looked for beside them.

    Args:
        data: the folder or file.
        split_seed: of the splits that are made where none are given: 70 / 10 / 20 % of each class.
        group: column of ``items.csv`` that names the group of each item, by default ``group``, if it is there.
        title: what tables call the data, by default the folder's or file's name.
        description: what the items are and where they are from, for the reader of the results.
        licence: under which terms the features may be used, likewise.
    """

    title: ClassVar = "Own features"
    description: ClassVar = "The user's own features"
    backbones: ClassVar = {"class": "use"}

    def __init__(
        self,
        data: Path | None = None,
        split_seed: int = 0,
        group: str = "",
        title: str = "",
        description: str = "",
        licence: str = "",
    ) -> None:
        super().__init__(data)
        self.split_seed = split_seed
        self.group = group.strip().casefold()
        self.shown = title
        self.described = description
        self.terms = licence

    def load(self) -> Items:
        """Read the tables, and open the arrays; those of ``.npy`` files stay on disk until they are used.

        Returns:
            The items with their features; classes are in the order of ``classes.csv``, or else alphabetical.

        Raises:
            DataError: if a file is missing, is not what is expected, or disagrees with another.
        """
        path = self._path()
        folder = path if path.is_dir() else path.parent
        # A Parquet file's other columns are words, in the table.
        named = ("image", "text") if path.suffix == ".parquet" else _PARTS
        arrays = {} if path.is_dir() else arrays_in(path, named)
        for part in _PARTS:
            if part not in arrays and (array := array_beside(folder, part)):
                arrays[part] = array
        for part in ("image", "text"):
            if part not in arrays:
                raise errors.DataError(_missing(path, part))
        classes = _classes(folder)
        table = _items(path, folder, arrays, classes, self.group)
        count = len(table)
        all_names = classes.columns["label"] if classes else sorted(set(table.columns["label"]))
        all_labels = class_indices(table, all_names)
        used, labels = np.unique(all_labels, return_inverse=True)
        names = [all_names[row] for row in used.tolist()]
        notices = [*table.notices(), *(classes.notices() if classes else []), *alike(names, "labels")]
        if classes and "labels" not in arrays:
            notices += numbers_as_names(table, all_names)
        if len(used) < len(all_names):
            unused = np.setdiff1d(np.arange(len(all_names)), used)
            notices += without_items("classes.csv", [all_names[row] for row in unused.tolist()])

        ids = table.columns.get("id", [str(row) for row in range(count)])
        groups, group_notices = groups_of(table, self.group or "group")
        taxonomy, taxonomy_notices = read_taxonomy(find_beside(folder, "", "taxonomy.csv"), names)
        image, text = (features(arrays[part], count, "items") for part in ("image", "text"))
        class_features = _class_features(arrays, classes, used)
        class_texts = texts_of(classes, names)[0] if classes and "text" in classes.columns else None

        def drawn(groups: Sequence[str] | None) -> Items:
            splits, split_notices = assign_splits(table, labels, ids, self.split_seed, groups)
            return Items(
                ids=ids,
                labels=labels,
                splits=splits,
                class_names=names,
                taxonomy=taxonomy,
                image_features=image,
                text_features=text,
                class_features=class_features,
                class_texts=class_texts,
                groups=groups,
                redrawn=None if "split" in table.columns else drawn,
                title=self.shown or path.resolve().name,
                description=self.described,
                licence=self.terms,
                notices=[*notices, *group_notices, *split_notices, *taxonomy_notices],
            )

        return drawn(groups)

    def _path(self) -> Path:
        if self.data is None:
            raise errors.DataError(
                "the dataset 'features' reads arrays of yours: name a folder that holds image.npy, text.npy and "
                "items.csv, or a .safetensors or .parquet file (on the command line: --data PATH)"
            )
        path = Path(self.data)
        if not path.exists():
            siblings = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
            raise errors.DataError(f"there is no {path}{closest(path.name, siblings)}. Check the path")
        return path


def _missing(path: Path, part: str) -> str:
    folder = path if path.is_dir() else path.parent
    holds = some(sorted(child.name for child in folder.iterdir())) or "nothing"
    inside = "" if path.is_dir() else f", and {path.name} has no array or column of vectors called {part!r}"
    return (
        f"{folder} holds no {part} features. Expected: {part}.npy, {part}.safetensors or {part}.parquet; found: "
        f"{holds}{inside}. Write the (n, d) array there, for example with numpy.save"
    )


def _classes(folder: Path) -> Table | None:
    path = find_beside(folder, "", "classes.csv")
    if path is None:
        return None
    table = read_table(path, ["label"], ["text"])
    table.refuse_empty("label", "Name the class of each row")
    table.refuse_repeated("label", "Keep one row a class")
    return table


def _items(path: Path, folder: Path, arrays: Mapping[str, Array], classes: Table | None, group: str) -> Table:
    files = [path] if path.suffix == ".parquet" else [folder / "items.csv", folder / "items.parquet"]
    files = [file for file in files if file.is_file()]
    given = [file.name for file in files] + [arrays[part].name for part in ("labels",) if part in arrays]
    if len(given) != 1:
        found = f"found: {', '.join(given)}, of which one must go" if given else "but there is neither"
        raise errors.DataError(
            f"{folder}: the label of each item must be in one place, items.csv (columns label, and optionally split "
            f"and id) or an array 'labels', {found}"
        )
    if files and "splits" in arrays:
        raise errors.DataError(
            f"{arrays['splits'].path}: an array of splits goes with an array of labels, but the labels are in "
            f"{given[0]}: make it a column 'split' there"
        )
    if group and not files:
        raise errors.DataError(
            f"{folder}: the option 'group' names a column of items.csv, but the labels are in {given[0]}: leave it out "
            "and write the groups as an array 'groups'"
        )
    required, optional = ["label"], ["split", "id"]
    # A column that was asked for must be there.
    (required if group else optional).append(group or "group")
    table = read_table(files[0], required, optional) if files else _from_arrays(arrays, classes)
    if "groups" in arrays:
        table = _with_groups(table, arrays["groups"], group or "group")
    table.refuse_empty("label", "Name the item's class")
    if "id" in table.columns:
        table.refuse_empty("id", "Give every item an id, or take the column out to number the items")
        table.refuse_repeated("id", "Ids must be unique")
    return table


def _from_arrays(arrays: Mapping[str, Array], classes: Table | None) -> Table:
    names = classes.columns["label"] if classes else None
    labels = arrays["labels"]
    columns = {"label": _words(labels, names, "add classes.csv with a column label, whose row i names class i")}
    if "splits" in arrays:
        columns["split"] = _words(arrays["splits"], _SPLITS, "")
        if len(columns["split"]) != len(columns["label"]):
            raise errors.DataError(
                f"{arrays['splits'].path}: {arrays['splits'].name} has {len(columns['split'])} values, but "
                f"{labels.name} {len(columns['label'])}: make them the same, in one order"
            )
    return Table.of_cells(labels.path, columns, range(len(columns["label"])))


def _with_groups(table: Table, array: Array, column: str) -> Table:
    if column in table.columns:
        raise errors.DataError(
            f"{array.path}: the groups are both in {array.name} and in the column {column!r} of {table.path.name}: "
            "keep one of them"
        )
    values = array.values
    if values.ndim != 1 or values.dtype.kind not in "iuU" or len(values) != len(table):
        raise errors.DataError(
            f"{array.path}: {array.name} is {values.dtype} of shape {values.shape}, but there must be one word or "
            f"whole number for each of {len(table)} items"
        )
    return replace(table, columns={**table.columns, column: [composed(word(str(value))) for value in values.tolist()]})


def _words(array: Array, names: Sequence[str] | None, missing_names: str) -> list[str]:
    """Words as they are, whole numbers as the names that they stand for."""
    values = array.values
    if values.dtype.kind == "S":
        raise errors.DataError(
            f"{array.path}: {array.name} holds bytes, not words: save numpy.char.decode(values, 'utf-8')"
        )
    if values.ndim != 1 or values.dtype.kind not in "iuU" or not len(values):
        raise errors.DataError(
            f"{array.path}: {array.name} is {values.dtype} of shape {values.shape}, but there must be one word or "
            "whole number for each item"
        )
    if values.dtype.kind == "U":
        words: list[str] = values.tolist()
        return words
    if names is None:
        raise errors.DataError(f"{array.path}: {array.name} has numbers, but nothing names them: {missing_names}")
    outside = (values < 0) | (values >= len(names))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise errors.DataError(
            f"{array.path}: {array.name} has {values[row]} in row {row}, but the numbers must be 0 to {len(names) - 1} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        )
    return [names[value] for value in values.tolist()]


def _class_features(arrays: Mapping[str, Array], classes: Table | None, used: NDArray[np.int64]) -> Features | None:
    if "class" not in arrays:
        return None
    array = arrays["class"]
    if classes is None:
        raise errors.DataError(
            f"{array.path}: {array.name} has a row for each class, but nothing says which: add classes.csv with a "
            "column label, in the order of the rows"
        )
    found = features(array, len(classes), "classes in classes.csv")
    return Features(found.values[used], found.backbone)
