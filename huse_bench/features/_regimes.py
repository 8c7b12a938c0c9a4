"""Regimes: what is done to the items of any dataset before training, so that all methods meet it alike."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from huse_bench.components import Items
from huse_bench.config import RegimeConfig
from huse_bench.errors import DataError
from huse_bench.features._selection import selected
from huse_bench.taxonomy import Taxonomy

__all__ = ["class_folds", "in_regime", "without_left_out"]

# Split of an item that is left out. It stays until features are made, since the cache knows them by all items together.
_LEFT_OUT = ""

# In one class every ranking is right.
_FEWEST_CLASSES = 2

# A group that has items of several splits is in the first of them, see _hold_out.
_PLACES = ("test", "validation", "train")


def in_regime(items: Items, regime: RegimeConfig, name: str) -> Items:
    """The items as a regime has them: classes held out first, then few shots, then label noise.

    Every draw takes the smallest of SHA-256 hashes of the regime's seed and a name, so that it depends on nothing else:
    a group's label is wrong at 40 % if it is at 20 %, and it is then taken for the same other class.

    Items that are left out have no split any more, see :func:`without_left_out`.

    - ``held_out``: the classes are dealt into folds, see :func:`class_folds`. The test split is all items of the fold
      that is held out, the validation split all of the next fold (of the first after the last), the train split all
      others, whatever splits the dataset has. Of a group with classes of several splits the items of the test split are
      kept, or else those of the validation split, and the others are left out.
    - ``shots``: of each class the train split keeps the items of so many groups; a class of fewer keeps all.
    - ``label_noise``: of this share of the train split's groups, rounded half up to a whole number, every item gets the
      label of another class that the train split has. All of them are equally likely; items of one class in one group
      get one label.

    Args:
        items: that passed :func:`huse_bench.features.check_items`.
        regime: what to do to them.
        name: the dataset's name, for messages.

    Returns:
        The items, with a notice for each thing done; themselves where there is no regime.

    Raises:
        DataError: where the regime makes no sense for these items.
    """
    if regime.held_out:
        items = _hold_out(items, regime, name)
    if regime.shots:
        items = _few_shots(items, regime.shots, regime.seed, name)
    if regime.label_noise:
        items = _with_noise(items, regime, name)
    return replace(items, redrawn=None) if regime.is_any else items


def without_left_out(items: Items) -> Items:
    """The items that a regime keeps.

    Args:
        items: of :func:`in_regime`, with all their features.
    """
    return selected(items, np.flatnonzero(items.splits != _LEFT_OUT))


def class_folds(taxonomy: Taxonomy, folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Deal classes into folds of equal size, give or take one, with a share of every branch of the taxonomy in each.

    The classes are dealt in turn, in the order of a walk down the taxonomy that takes the children of a node by the
    hashes of their names; a node with several parents is below the first.

    Args:
        taxonomy: of the classes.
        folds: how many.
        seed: of the hashes.

    Returns:
        (K,) the fold of each class, from 1.
    """
    parents: dict[Hashable, Hashable] = {}
    for parent, child in taxonomy.edges:
        parents.setdefault(child, parent)

    def path(node: Hashable) -> list[int]:
        above = path(parents[node]) if node in parents else []
        return [*above, _draw(seed, "class", str(node))]

    order = sorted(range(len(taxonomy.classes)), key=lambda index: path(taxonomy.classes[index]))
    dealt = np.empty(len(order), dtype=np.int64)
    dealt[order] = np.arange(len(order)) % folds + 1
    return dealt


def _hold_out(items: Items, regime: RegimeConfig, name: str) -> Items:
    assert regime.held_out is not None
    classes = len(items.class_names)
    if classes < _FEWEST_CLASSES * regime.folds:
        fitting = classes // _FEWEST_CLASSES
        cure = f"take at most {fitting} folds" if fitting >= 3 else "its classes are too few to hold some out"
        raise DataError(
            f"{name}: {regime.folds} folds of {classes} classes have less than {_FEWEST_CLASSES} classes each, and of "
            f"one class every ranking is right; {cure}"
        )
    fold = class_folds(items.taxonomy, regime.folds, regime.seed)
    place = np.full(classes, _PLACES.index("train"))
    place[fold == regime.held_out % regime.folds + 1] = _PLACES.index("validation")
    place[fold == regime.held_out] = _PLACES.index("test")

    places = place[items.labels]
    groups = _groups(items)
    first: dict[str, int] = {}
    for group, of_item in zip(groups, places.tolist(), strict=True):
        first[group] = min(of_item, first.get(group, of_item))
    divided = np.array([first[group] for group in groups]) != places
    sizes = np.bincount(place, minlength=len(_PLACES))
    notice = (
        f"held-out classes: the test split has {sizes[0]} of {classes} classes, the validation split {sizes[1]} "
        f"others, the train split the other {sizes[2]}"
    )
    if divided.any():
        notice += f"; {np.count_nonzero(divided)} items are left out, whose groups have items of held-out classes"
    splits = np.where(divided, _LEFT_OUT, np.array(_PLACES)[places])
    return replace(items, splits=splits, notices=(*items.notices, notice))


def _few_shots(items: Items, shots: int, seed: int, name: str) -> Items:
    groups, labels = _groups(items), items.labels.tolist()
    train = np.flatnonzero(items.splits == "train").tolist()
    of_class: dict[int, set[str]] = {}
    for row in train:
        of_class.setdefault(labels[row], set()).add(groups[row])
    most = max(map(len, of_class.values()))
    if shots >= most:
        raise DataError(
            f"{name}: shots = {shots} would leave the train split as it is, whose classes have at most {most} "
            f"{'group' if most == 1 else 'groups'}; take fewer"
        )
    chosen = {
        label: set(sorted(names, key=lambda group: _draw(seed, "shot", group))[:shots])
        for label, names in of_class.items()
    }
    left = [row for row in train if groups[row] not in chosen[labels[row]]]
    splits = items.splits.copy()
    splits[left] = _LEFT_OUT
    fewer = sum(len(names) < shots for names in of_class.values())
    notice = f"few-shot: the train split keeps {len(train) - len(left)} of its {len(train)} items, those of {shots} "
    notice += f"{'group' if shots == 1 else 'groups'} of each class"
    if fewer:
        notice += f"; {fewer} classes have fewer"
    return replace(items, splits=splits, notices=(*items.notices, notice))


def _with_noise(items: Items, regime: RegimeConfig, name: str) -> Items:
    groups = _groups(items)
    train = np.flatnonzero(items.splits == "train").tolist()
    classes = np.unique(items.labels[train])
    if len(classes) < 2:
        raise DataError(f"{name}: the train split has a single class, so no label can be wrong")
    names = sorted({groups[row] for row in train}, key=lambda group: _draw(regime.seed, "noise", group))
    count = int(regime.label_noise * len(names) + 0.5)
    if not count:
        raise DataError(
            f"{name}: label_noise = {regime.label_noise:g} of the {len(names)} groups of the train split is none of "
            f"them; take at least {1 / len(names):.2g}"
        )
    # A step for each group, from 1, so that no label stays.
    steps = {group: 1 + _draw(regime.seed, "label", group) % (len(classes) - 1) for group in names[:count]}
    labels = items.labels.copy()
    wrong = [row for row in train if groups[row] in steps]
    places = np.searchsorted(classes, labels[wrong]) + [steps[groups[row]] for row in wrong]
    labels[wrong] = classes[places % len(classes)]
    notice = (
        f"label noise: {count} of {len(names)} groups of the train split, {len(wrong)} of its {len(train)} items, have "
        f"the label of another class"
    )
    if lost := len(classes) - len(np.unique(labels[train])):
        notice += f"; {lost} classes have no training item left"
    return replace(items, labels=labels, notices=(*items.notices, notice))


def _groups(items: Items) -> list[str]:
    return list(items.ids if items.groups is None else items.groups)


def _draw(seed: int, what: str, name: str) -> int:
    """A number from 0 to 2**64 - 1 for a name, the same everywhere and always."""
    text = f"{seed}\0{what}\0{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
