"""Names as users write them: which are missing, which are one and the same, and which only look alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches

__all__ = ["alike", "closest", "composed", "some", "unknown", "word"]

# How Python and pandas write a missing number.
_MISSING = {"nan", "NaN"}

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def word(cell: str) -> str:
    """A cell without surrounding white space; the empty word where its value is missing."""
    stripped = cell.strip()
    return "" if stripped in _MISSING else stripped


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): é is one character, however the file has it."""
    return unicodedata.normalize("NFC", name)


def alike(names: Sequence[str], kind: str) -> list[str]:
    """What to tell the user about names that may be meant as one, such as ``7`` and ``7.0`` or ``Cat`` and ``cat``.

    Args:
        names: different ones.
        kind: what they name.
    """
    found: dict[Hashable, list[str]] = {}
    for name in names:
        found.setdefault(_core(name), []).append(name)
    groups = [" and ".join(_distinct(group)) for group in found.values() if len(group) > 1]
    return [f"{kind} that are read as different ones, but may be meant as one: {some(groups, 5)}"] if groups else []


def some(words: Sequence[str], limit: int = 10, separator: str = ", ") -> str:
    """The first of many words, and how many more there are."""
    more = len(words) - limit
    return separator.join(words[:limit]) + (f" and {more} more" if more > 0 else "")


def unknown(words: Sequence[str], known: Iterable[str], limit: int) -> str:
    """The first of many unknown words, each with the known one that may be meant, and how many more there are."""
    known = list(known)
    # Looking for what is close takes time, so only for those that are shown.
    return some([f"{word!r}{closest(word, known)}" for word in words[:limit]] + list(words[limit:]), limit)


def closest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the closest known one, if any is close."""
    known = list(known)
    core = _core(word)
    close = [name for name in known if _core(name) == core] or get_close_matches(word, known, n=1)
    if not close:
        return ""
    # Letters of two alphabets may look the same.
    escaped = not (word + close[0]).isascii() and len(word) == len(close[0])
    return f" (did you mean {close[0]!r}?{f' {word!a} is not {close[0]!a}' if escaped else ''})"


def _core(name: str) -> Hashable:
    """What stays the same of a name with other capitals, white space, invisible characters or zeros."""
    if _NUMBER.fullmatch(name):
        return Decimal(name)
    visible = "".join(sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    return " ".join(visible.casefold().split())


def _distinct(names: Sequence[str]) -> list[str]:
    """Names in quotes, with escapes where they might look the same."""
    return [repr(name) if name.isascii() else ascii(name) for name in names]
