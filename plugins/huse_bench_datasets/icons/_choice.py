"""Which icons are in the dataset, what each shows and which class it is of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from huse_bench_datasets.icons._classes import Rules
from huse_bench_datasets.icons._icons import SETS, Icon
from huse_bench_datasets.icons._things import naming

__all__ = ["MAX_DRAWINGS", "MIN_ITEMS", "Chosen", "choose"]

#: A class needs this many icons, so that each of its splits has some.
MIN_ITEMS = 15

#: Of one thing this many drawings of a set are taken: what is left out differs from them by a badge or a number.
MAX_DRAWINGS = 2

# The other style of a drawing is taken before a drawing with a badge.
_STYLES = ("", "-outline", "-variant", "-2", "-alt", "-simple")

# Sets cross out a thing to say that there is none of it.
_CROSSED_OUT = re.compile(r".+-(off|slash)(-outline)?")


@dataclass(frozen=True)
class Chosen:
    """An icon of the dataset.

    Attributes:
        icon: the drawing and its text.
        thing: what it shows; drawings of one thing are no independent witnesses.
        label: the name of its class.
    """

    icon: Icon
    thing: str
    label: str

    @property
    def id(self) -> str:
        """The set and its name there."""
        return f"{self.icon.set}/{self.icon.name}"


def choose(icons: Sequence[Icon], rules: Rules) -> list[Chosen]:
    """Choose the icons that have a class of at least :data:`MIN_ITEMS` and are not crossed out.

    Args:
        icons: of all sets.
        rules: which class a thing is of.

    Returns:
        Them, class by class and thing by thing in the order of their names, the sets in their order.
    """
    whole = [icon for icon in icons if not _CROSSED_OUT.fullmatch(icon.name)]
    thing_of = naming(icon.name for icon in whole)
    of_thing: dict[str, dict[str, list[Icon]]] = defaultdict(lambda: defaultdict(list))
    for icon in whole:
        of_thing[rules.thing(thing_of(icon.name))][icon.set].append(icon)
    of_class: dict[str, list[Chosen]] = defaultdict(list)
    for thing, drawn in sorted(of_thing.items()):
        label = rules.class_of(thing, ((name, _categories(drawn[name])) for name in SETS if name in drawn))
        if label is not None:
            of_class[label] += [Chosen(icon, thing, label) for name in SETS for icon in _first(thing, drawn[name])]
    return [one for _, members in sorted(of_class.items()) if len(members) >= MIN_ITEMS for one in members]


def _categories(icons: Iterable[Icon]) -> list[str]:
    return [category for icon in icons for category in icon.categories]


def _first(thing: str, icons: Iterable[Icon]) -> list[Icon]:
    """The plain drawing and its other style before others, and those before longer names."""
    plain = {thing + style: place for place, style in enumerate(_STYLES)}
    order = sorted(icons, key=lambda icon: (plain.get(icon.name, len(plain)), len(icon.name), icon.name))
    return order[:MAX_DRAWINGS]
