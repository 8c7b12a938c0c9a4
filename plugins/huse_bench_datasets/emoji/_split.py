"""Which emoji are in the dataset, and in which split each one is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from huse_bench_datasets._shipped.split import deal
from huse_bench_datasets.emoji._drawings import Emoji

__all__ = ["MIN_EMOJI", "SALT", "assign", "by_class"]

#: A class needs this many emoji, so that each of its splits has some.
MIN_EMOJI = 8

#: Names the order in which the emoji of a class are dealt to the splits.
SALT = "huse-bench emoji split 1"


def by_class(emoji: Sequence[Emoji]) -> dict[str, list[Emoji]]:
    """Group the emoji that have a drawing by subgroup.

    Args:
        emoji: all emoji.

    Returns:
        The emoji of each subgroup that has at least :data:`MIN_EMOJI`, both in the order given.
    """
    groups: dict[str, list[Emoji]] = defaultdict(list)
    for one in emoji:
        if one.drawings:
            groups[one.subgroup].append(one)
    return {name: members for name, members in groups.items() if len(members) >= MIN_EMOJI}


def assign(hexcodes: Sequence[str]) -> dict[str, str]:
    """Deal the emoji of one class to the splits: 20% test, 10% validation (one at least), the rest train.

    Args:
        hexcodes: the emoji of one class.

    Returns:
        The split by hexcode; it depends on the set of hexcodes alone.
    """
    return deal(hexcodes, [0] * len(hexcodes), SALT)
