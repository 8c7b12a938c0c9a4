"""What is checked of a dataset's items and features before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from huse_bench.components import Features, Items, Split
from huse_bench.config import NO_REGIME, RegimeConfig
from huse_bench.errors import DataError

__all__ = ["check_items", "checked_features"]

# Below this length torch's normalize does not make a row a unit vector.
_SHORTEST = 1e-12

# Rows that are looked at together: little memory beside the features, which may lie on disk.
_CHUNK = 4096

_SCALE = "Rebuild them, leave the items out, or scale all features of this kind by one number"


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


def checked_features(features: Features | None, count: int, what: str, names: Sequence[str]) -> Features:
    """The features of so many rows, if nothing is wrong with them.

    Args:
        features: what a dataset brings, or what was made.
        count: how many rows there have to be.
        what: whose features they are, for messages.
        names: of the rows.

    Raises:
        DataError: for features that are missing, of the wrong shape, not finite, all zeros, or too large or small for
            float32.
    """
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
