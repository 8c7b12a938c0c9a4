"""Hints at the name that was meant, for messages about an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["among", "closest", "did_you_mean"]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to an unknown one; None where none is near."""
    return next(iter(get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence to follow another: the nearest known name, or an empty string."""
    close = closest(name, known)
    return f" Did you mean {close!r}?" if close else ""


def among(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, if any is near, and all of them."""
    names = sorted(set(known))
    close = closest(name, names)
    hint = f"; did you mean {close!r}?" if close else "."
    return f"{hint} Known: {', '.join(names) or 'none'}"
