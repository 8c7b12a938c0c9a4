"""The split of each item: the user's own, completed or made where it is not given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from huse_bench import errors
from huse_bench_datasets._own_data.table import Table
from huse_bench_datasets._own_data.words import closest, some
from huse_bench_datasets._splits import held_out, split_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["assign_splits", "groups_of"]

_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_DTYPE = "<U10"  # NumPy cuts longer words.
_VALIDATION, _TEST = 0.1, 0.2
# Rounding to whole items moves a share by less in all but small classes.
_TOLERATED = 0.025


def groups_of(table: Table, column: str) -> tuple[list[str] | None, list[str]]:
    """The group of each row, where the table has that column.

    Args:
        table: perhaps with the column.
        column: its name.

    Returns:
        n names or None, and what to tell the user about them.

    Raises:
        DataError: if a row has no group.
    """
    if column not in table.columns:
        return None, []
    table.refuse_empty(column, "Name the group of every item; one that is alone has a name of its own, such as its id")
    groups = table.columns[column]
    notice = (
        f"{table.path.name}: the column {column!r} puts {len(groups)} items in {len(set(groups))} groups; items of a "
        "group are in one split and count as one witness"
    )
    return groups, [notice]


def assign_splits(
    table: Table,
    labels: NDArray[np.int64],
    names: Sequence[str],
    seed: int,
    groups: Sequence[str] | None = None,
) -> tuple[NDArray[np.str_], list[str]]:
    """The split of each row.

    Where the table has no column ``split``, 70 / 10 / 20 % of each class's units become train, validation and test.
    Where it has one but no row is for validation, 10 % of each class's train units become that. A unit is what must
    stay together: rows of one name and rows of one group, and what these have in common. A unit of several classes is
    drawn with the rarest of them, and every class keeps a unit to train on.

    Args:
        table: perhaps with a column ``split``.
        labels: (n,) class indices.
        names: n words; rows of the same word, such as the texts of one picture, stay together.
        seed: of the splits that are made.
        groups: n words; rows of the same word stay together.

    Returns:
        (n,) ``"train"``, ``"validation"`` or ``"test"``, and what to tell the user about them.

    Raises:
        DataError: if a split is unknown, or no row is for training or test; if there are too few units for a
            validation or a test split.
    """
    units = names if groups is None else _joined(names, groups)
    if "split" not in table.columns:
        splits = np.full(len(labels), "train", dtype=_DTYPE)
        _hold_out(splits, "test", units, labels, _TEST, seed)
        # Of what is left, to be that share of the whole.
        _hold_out(splits, "validation", units, labels, _VALIDATION / (1 - _TEST), seed)
        if "validation" not in splits:
            # Classes of two units have one to train on and one to test.
            _share_test(splits, units, seed)
        _refuse_lacking(table, splits, units, grouped=groups is not None)
        made = f"{table.path.name} names no splits: {_shares(splits)}"
    else:
        splits = _own_splits(table)
        if "validation" in splits:
            return splits, []
        _hold_out(splits, "validation", units, labels, _VALIDATION, seed)
        _refuse_lacking(table, splits, units, grouped=groups is not None)
        made = (
            f"{table.path.name} names no validation items: 10 % of each class's train items are for validation, "
            f"{np.count_nonzero(splits == 'validation')} in all"
        )
    return splits, [f"{made} (seed {seed}, sha256 {split_hash(names, splits.tolist())[:12]})"]


def _own_splits(table: Table) -> NDArray[np.str_]:
    table.refuse_empty("split", "Give every item a split, or take the column out to have splits made")
    words = table.columns["split"]
    unknown = [row for row, word in enumerate(words) if word.casefold() not in _WORDS]
    if unknown:
        kinds = some([f"{word!r}{closest(word, _WORDS)}" for word in dict.fromkeys(words[row] for row in unknown)], 5)
        raise errors.DataError(
            f"{table.path}: unknown splits {kinds} in {table.where(unknown)}. A split is one of train, validation "
            "(val, valid, dev) and test"
        )
    splits = np.array([_WORDS[word.casefold()] for word in words], dtype=_DTYPE)
    counts = Counter(splits.tolist())
    for split, use in (("train", "methods learn from"), ("test", "the tables are made from")):
        if not counts[split]:
            has = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise errors.DataError(
                f"{table.path}: no item is in the {split} split, which {use} (it has {has}). Mark some as {split}, or "
                "take the column out to have splits made"
            )
    return splits


def _joined(names: Sequence[str], groups: Sequence[str]) -> list[str]:
    """One word for all rows that a chain of equal names or equal groups connects: the first of their names."""
    nodes: dict[tuple[str, str], int] = {}
    ends = [
        [nodes.setdefault((kind, word), len(nodes)) for word in words]
        for kind, words in (("name", names), ("group", groups))
    ]
    edges = coo_array((np.ones(len(names), dtype=np.int8), ends), shape=(len(nodes), len(nodes)))
    of_name = connected_components(edges, directed=False)[1][ends[0]].tolist()
    first: dict[int, str] = {}
    for unit, name in zip(of_name, names, strict=True):
        first[unit] = min(name, first.get(unit, name))
    return [first[unit] for unit in of_name]


def _hold_out(
    splits: NDArray[np.str_], split: str, units: Sequence[str], labels: NDArray[np.int64], share: float, seed: int
) -> None:
    """Move a share of each class's train units to another split, in place."""
    rows = np.flatnonzero(splits == "train")
    names, of_row = _numbered([units[row] for row in rows.tolist()])
    pairs = np.unique(np.stack([of_row, labels[rows]]), axis=1)
    rarity = np.bincount(pairs[1])
    # A class is as rare as it has few units; sorted by that, the first of a unit's classes is its rarest.
    pairs = pairs[:, np.lexsort((pairs[1], rarity[pairs[1]], pairs[0]))]
    strata = pairs[1][np.searchsorted(pairs[0], np.arange(len(names)))]
    chosen = held_out(names, strata, share, seed)
    for label in np.unique(pairs[1]):
        having = pairs[0][pairs[1] == label]
        # Its units went with classes that are rarer still.
        if chosen[having].all():
            chosen[having[0]] = False
    splits[rows[chosen[of_row]]] = split


def _numbered(words: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct words in alphabetical order, and the number of each of n words among them."""
    distinct = sorted(set(words))
    number = {word: index for index, word in enumerate(distinct)}
    return distinct, np.array([number[word] for word in words], dtype=np.int64)


def _share_test(splits: NDArray[np.str_], units: Sequence[str], seed: int) -> None:
    """Move a third of the test units to validation, in place."""
    rows = np.flatnonzero(splits == "test")
    names, of_row = _numbered([units[row] for row in rows.tolist()])
    chosen = held_out(names, np.zeros(len(names), dtype=np.int64), 1 / 3, seed)
    splits[rows[chosen[of_row]]] = "validation"


def _shares(splits: NDArray[np.str_]) -> str:
    counts = [int(np.count_nonzero(splits == split)) for split in ("train", "validation", "test")]
    shares = [count / len(splits) for count in counts]
    meant = [1 - _VALIDATION - _TEST, _VALIDATION, _TEST]
    percent = " / ".join(f"{share:.0%}"[:-1] for share in shares)
    text = f"{' / '.join(map(str, counts))} items ({percent} %) are drawn for train / validation / test, class by class"
    if max(abs(share - due) for share, due in zip(shares, meant, strict=True)) > _TOLERATED:
        text += "; 70 / 10 / 20 % were due, but small classes and large groups cannot be divided so"
    return text


def _refuse_lacking(table: Table, splits: NDArray[np.str_], units: Sequence[str], *, grouped: bool) -> None:
    for split in ("test", "validation"):
        if split not in splits:
            whole = "groups or pictures" if grouped else "items or pictures"
            raise errors.DataError(
                f"{table.path}: no item is left for the {split} split: {len(splits)} items are {len(set(units))} "
                f"{whole} that are drawn whole, and each class keeps one to train on. Add items to the classes, merge "
                "small classes, make the groups smaller, or give a column 'split' of your own"
            )
