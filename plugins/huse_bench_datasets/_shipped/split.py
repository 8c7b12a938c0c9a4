"""The splits of a shipped dataset, dealt by hashes of names."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

__all__ = ["deal", "split_hash"]


def deal(units: Sequence[str], labels: Sequence[int], salt: str) -> dict[str, str]:
    """Deal whole units to the splits: of each class 20% test, 10% validation (one at least), the rest train.

    The units of a class are taken in the order of the SHA-256 of ``salt:unit``. One that is too large for what is left
    of a split goes to the next. A unit of several classes is dealt with the one that most of its items are of.

    Args:
        units: of each of n items, the name of what must not be divided: its group, or its id.
        labels: of each of n items, its class.
        salt: names the order.

    Returns:
        The split by unit; it depends on which units have which labels, not on the order of the items.
    """
    of_unit: dict[str, Counter[int]] = defaultdict(Counter)
    for unit, label in zip(units, labels, strict=True):
        of_unit[unit][label] += 1
    of_class: dict[int, list[str]] = defaultdict(list)
    for unit, counts in of_unit.items():
        of_class[min(counts, key=lambda label: (-counts[label], label))].append(unit)
    splits = {}
    for members in of_class.values():
        total = sum(of_unit[unit].total() for unit in members)
        room = {"test": round(0.2 * total), "validation": max(1, round(0.1 * total)), "train": total}
        for unit in sorted(members, key=lambda unit: hashlib.sha256(f"{salt}:{unit}".encode()).digest()):
            size = of_unit[unit].total()
            splits[unit] = next(split for split, left in room.items() if size <= left)
            room[splits[unit]] -= size
    return splits


def split_hash(splits: Mapping[str, str]) -> str:
    """SHA-256 of which unit is in which split, whatever their order.

    Args:
        splits: the split by unit.

    Returns:
        The hash in hexadecimal.
    """
    lines = "".join(f"{unit} {split}\n" for unit, split in sorted(splits.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
