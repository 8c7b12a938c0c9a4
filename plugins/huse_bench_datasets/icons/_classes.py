"""Which class a thing is of: what ``classes.txt`` says of its name, or else of its categories in the sets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

from huse_bench import errors

__all__ = ["RULES", "Rules", "read_rules"]

#: The rules as they are edited and read.
RULES = Path(__file__).with_name("classes.txt")

_LINE = re.compile(
    r"(?P<name>[^:<=]+?) *(?:(?P<merged>=) (?P<variants>.+)|< (?P<set>\w+): (?P<categories>.+)|: (?P<things>.+))"
)

# A class of this name is none.
_NONE = "-"


@dataclass(frozen=True)
class Rules:
    """What the file says.

    Attributes:
        merged: patterns of names, each with the name of the thing that they are variants of.
        by_hand: patterns of names, each with its class.
        by_category: the class of a set's category.
        order: the classes, by the first line of a category that each has.
    """

    merged: Sequence[tuple[str, str]]
    by_hand: Sequence[tuple[str, str]]
    by_category: Mapping[tuple[str, str], str]
    order: Sequence[str]

    def thing(self, name: str) -> str:
        """The thing that a named one is a variant of, or itself."""
        return _first(self.merged, name) or name

    def class_of(self, thing: str, categories: Iterable[tuple[str, Iterable[str]]]) -> str | None:
        """The class of a thing.

        What is put by hand is where it is put. Else each set has a vote, which it divides among the classes that the
        categories of its icons are of; of classes with as many votes the first one in the file wins.

        Args:
            thing: its name.
            categories: the sets that draw it, each with the categories of its icons.

        Returns:
            The class, or None where it has none.
        """
        by_hand = _first(self.by_hand, thing)
        if by_hand is not None:
            return None if by_hand == _NONE else by_hand
        votes: dict[str, Fraction] = defaultdict(Fraction)
        for of, names in categories:
            found = [self.by_category[of, name] for name in names if (of, name) in self.by_category]
            for label in found:
                votes[label] += Fraction(1, len(found))
        if not votes:
            return None
        return min(votes, key=lambda label: (-votes[label], self.order.index(label)))


def read_rules(path: Path) -> Rules:
    """Read the rules.

    Args:
        path: of ``classes.txt``, whose first lines say what a line may be.

    Raises:
        DataError: for a line that is none of them, or a category that is given twice.
    """
    merged, by_hand, by_category = [], [], {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise errors.DataError(
                f"{path.name} line {number} is not 'THING = NAMES', 'CLASS: THINGS' or 'CLASS < SET: CATEGORIES': "
                f"{line!r}"
            )
        name = match["name"]
        if match["merged"]:
            merged += [(pattern, name) for pattern in match["variants"].split()]
        elif match["set"]:
            for category in match["categories"].split("; "):
                if (match["set"], category) in by_category:
                    raise errors.DataError(
                        f"{path.name} line {number}: {match['set']}'s {category!r} has a class already"
                    )
                by_category[match["set"], category] = name
        else:
            by_hand += [(pattern, name) for pattern in match["things"].split()]
    return Rules(merged, by_hand, by_category, list(dict.fromkeys(by_category.values())))


def _first(patterns: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for pattern, value in patterns if fnmatchcase(name, pattern)), None)
