"""What icons show: which of them, in whatever set and variant, are drawings of one thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

__all__ = ["naming"]

# A last word that so many icons add to the name of another is a variant: "plus", "check", "outline".
_MIN_VARIED = 10

# What sets call the same by other words before it, and "dollar-sign" is "currency-dollar".
_PREFIXES = {"mood": "face", "emoticon": "face", "smiley": "face", "account": "user"}
_DROPPED = {"zodiac"}


def naming(names: Iterable[str]) -> Callable[[str], str]:
    """How an icon's name tells what it shows.

    A thing is called by its name without the words at its end that say a variant: words that end the names of at least
    ten icons of which the rest is the name of an icon too, where it is so here, and numbers and "outline", where it
    is not as well.

    Args:
        names: of the icons of all sets.

    Returns:
        The thing by the name of an icon.
    """
    names = set(names)
    varied: dict[str, set[str]] = defaultdict(set)
    for name in names:
        rest, _, last = name.rpartition("-")
        if rest in names:
            varied[last].add(name)
    variants = {word for word, of in varied.items() if len(of) >= _MIN_VARIED}
    known = {_common(name) for name in names}

    def thing(name: str) -> str:
        words = _common(name).split("-")
        for end in range(1, len(words)):
            start = "-".join(words[:end])
            if start in known and all(word in variants or word.isdigit() for word in words[end:]):
                return start
        while len(words) > 1 and (words[-1] == "outline" or words[-1].isdigit()):
            words.pop()
        return "-".join(words)

    return thing


def _common(name: str) -> str:
    first, _, rest = name.partition("-")
    if not rest:
        return name
    if first in _DROPPED:
        return rest
    if rest == "sign":
        return f"currency-{first}"
    return f"{_PREFIXES.get(first, first)}-{rest}"
