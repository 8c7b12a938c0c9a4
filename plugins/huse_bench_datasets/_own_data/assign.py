"""The split of each item: the user's own, completed or made where it is not given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from huse_bench import errors
from huse_bench_datasets._own_data.table import Table, closest, some
from huse_bench_datasets._splits import held_out, split_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["assign_splits"]

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


def assign_splits(
    table: Table, labels: NDArray[np.int64], groups: Sequence[str], seed: int
) -> tuple[NDArray[np.str_], list[str]]:
    """The split of each row.

    Where the table has no column ``split``, 70 / 10 / 20 % of each class's groups become train, validation and test.
    Where it has one but no row is for validation, 10 % of each class's train groups become that.

    Args:
        table: perhaps with a column ``split``.
        labels: (n,) class indices.
        groups: n words; rows of the same word, such as the texts of one picture, stay together.
        seed: of the splits that are made.

    Returns:
        (n,) ``"train"``, ``"validation"`` or ``"test"``, and what to tell the user about them.

    Raises:
        DataError: if a split is unknown, or no row is for training or test.
    """
    if "split" not in table.columns:
        test = _held_out(groups, labels, _TEST, seed)
        splits = np.where(test, "test", "train").astype(_DTYPE)
        # Of what is left, to be that share of the whole.
        _hold_out_validation(splits, groups, labels, _VALIDATION / (1 - _TEST), seed)
        made = f"{table.path.name} names no splits: 70 / 10 / 20 % of each class are for train / validation / test"
    else:
        splits = _own_splits(table)
        if "validation" in splits:
            return splits, []
        _hold_out_validation(splits, groups, labels, _VALIDATION, seed)
        made = f"{table.path.name} names no validation items: 10 % of each class's train items are for validation"
    return splits, [f"{made} (seed {seed}, sha256 {split_hash(groups, splits.tolist())[:12]})"]


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


def _hold_out_validation(
    splits: NDArray[np.str_], groups: Sequence[str], labels: NDArray[np.int64], share: float, seed: int
) -> None:
    rows = np.flatnonzero(splits == "train")
    chosen = _held_out([groups[row] for row in rows.tolist()], labels[rows], share, seed)
    splits[rows[chosen]] = "validation"


def _held_out(groups: Sequence[str], labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        first.setdefault(group, row)
    chosen = held_out(list(first), labels[list(first.values())], share, seed)
    by_group = dict(zip(first, chosen.tolist(), strict=True))
    return np.array([by_group[group] for group in groups], dtype=np.bool_)
