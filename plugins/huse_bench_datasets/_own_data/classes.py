"""Classes of a user's items: their names, their taxonomy and the texts that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from huse_bench import Taxonomy, errors
from huse_bench_datasets._own_data.table import Table, read_table
from huse_bench_datasets._own_data.words import some, unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["class_indices", "find_beside", "numbers_as_names", "read_taxonomy", "texts_of", "without_items"]


def find_beside(folder: Path, option: str, default: str) -> Path | None:
    """The file that an option names, relative to a folder; without one the default, where it is there."""
    path = folder / (option or default)
    return path if option or path.is_file() else None


def class_indices(table: Table, names: Sequence[str]) -> NDArray[np.int64]:
    """The class index of each row.

    Args:
        table: with a column ``label``: names of classes, or where none of them is a name, the indices themselves.
        names: K class names; their order gives the indices.

    Returns:
        (n,) int64.

    Raises:
        DataError: if a label is no class, or there is only one.
    """
    index = {name: number for number, name in enumerate(names)}
    labels = table.columns["label"]
    numbers = _numbers(names)
    if index.keys().isdisjoint(labels) and numbers.keys() >= set(labels):
        index = numbers
    strange = [label for label in dict.fromkeys(labels) if label not in index]
    if strange:
        hint = (
            f"; labels that are all whole numbers from 0 to {len(names) - 1} would be rows of it"
            if all(label.isdecimal() for label in strange)
            else ""
        )
        raise errors.DataError(
            f"{table.path}: {len(strange)} labels are in no line of classes.csv: {unknown(strange, names, 5)}. Add "
            f"them there or correct them{hint}"
        )
    if len(set(labels)) < 2:
        raise errors.DataError(f"{table.path}: all items are of one class, {labels[0]!r}: there must be two at least")
    return np.array([index[label] for label in labels], dtype=np.int64)


def numbers_as_names(table: Table, names: Sequence[str]) -> list[str]:
    """What to tell the user where labels are names of classes, and other classes if they were taken for row numbers."""
    rows = _numbers(names)
    labels = set(table.columns["label"])
    differing = sorted(label for label in labels & rows.keys() if names[rows[label]] != label)
    if not differing or not labels <= rows.keys() & set(names):
        return []
    example = f"{differing[0]!r} is the class of that name, not row {differing[0]}, {names[rows[differing[0]]]!r}"
    return [f"{table.path.name}: the labels are numbers, read as names and not as rows of classes.csv: {example}"]


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {str(number): number for number in range(len(names))}


def read_taxonomy(path: Path | None, names: Sequence[str]) -> tuple[Taxonomy, list[str]]:
    """The taxonomy of a file with columns parent, child; without a file, a root with all classes below it.

    Args:
        path: the file, if there is one.
        names: K class names.

    Returns:
        The taxonomy, and what to tell the user about it.

    Raises:
        DataError: if the file is no such table or no tree, or a class is not in it.
    """
    if path is None:
        root = "root"
        while root in names:
            root += "_"
        notice = (
            "no taxonomy: all classes are equally far apart, so HP@K is 1 for every method; to tell them apart by it, "
            "give taxonomy.csv with columns parent, child"
        )
        return Taxonomy.from_edges([(root, name) for name in names], names), [notice]
    table = read_table(path, ["parent", "child"])
    for column in ("parent", "child"):
        table.refuse_empty(column, "Give every row a parent and a child, or take the row out")
    parents, children = set(table.columns["parent"]), set(table.columns["child"])
    missing = [name for name in names if name not in parents | children]
    if missing:
        raise errors.DataError(
            f"{path}: {len(missing)} of {len(names)} labels are not in the taxonomy: "
            f"{unknown(missing, parents | children, 10)}. Add a row parent,label for each, or correct the spelling in "
            "one of the files"
        )
    edges = list(zip(table.columns["parent"], table.columns["child"], strict=True))
    _refuse_repeated(table, edges)
    try:
        taxonomy = Taxonomy.from_edges(edges, names)
    except errors.DataError as error:
        raise errors.DataError(f"{path}: {error}") from error
    unused = sorted(children - parents - set(names))
    notices = without_items(path.name, unused)
    return taxonomy, [*table.notices(), *notices]


def without_items(file: str, classes: Sequence[str]) -> list[str]:
    """What to tell the user about classes that a file names and no item has."""
    word = "class" if len(classes) == 1 else "classes"
    return [f"{file} has {len(classes)} {word} without items: {some(classes, 5)}"] if classes else []


def _refuse_repeated(table: Table, edges: Sequence[tuple[str, str]]) -> None:
    rows: dict[tuple[str, str], list[int]] = {}
    for row, edge in enumerate(edges):
        rows.setdefault(edge, []).append(row)
    repeated = [
        f"{parent!r}, {child!r} in {table.where(found)}" for (parent, child), found in rows.items() if len(found) > 1
    ]
    if repeated:
        raise errors.DataError(
            f"{table.path}: {len(repeated)} edges are given more than once: {some(repeated, 10, '; ')}. Keep one "
            "row of each"
        )


def texts_of(table: Table, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The text of each class.

    Args:
        table: with columns ``label`` and ``text``.
        names: K class names.

    Returns:
        K texts, and what to tell the user about them.

    Raises:
        DataError: if a class has no text or several, or a text no class.
    """
    table.refuse_empty("label", "Name the class of each row")
    table.refuse_repeated("label", "Keep one row a class")
    table.refuse_empty("text", "Write what is to be embedded for the class, such as its name in plain words")
    texts = dict(zip(table.columns["label"], table.columns["text"], strict=True))
    missing = [name for name in names if name not in texts]
    if missing:
        raise errors.DataError(
            f"{table.path}: {len(missing)} of {len(names)} classes have no text: {unknown(missing, texts, 10)}. Add a "
            "row label,text for each"
        )
    unused = sorted(set(texts).difference(names))
    notices = without_items(table.path.name, unused)
    return [texts[name] for name in names], [*table.notices(), *notices]
