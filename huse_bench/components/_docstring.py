"""What a docstring says of a component in words: its first sentence, and where its formula comes from."""

from __future__ import annotations

import inspect
import re
from itertools import takewhile

__all__ = ["LONGEST_SOURCE", "LONGEST_SUMMARY", "source_of", "summary_of"]

#: Characters that are kept of each, for a page that shows many.
LONGEST_SUMMARY = 300
LONGEST_SOURCE = 600

_SOURCE = re.compile(r"(?:References?|Sources?):[ \t]*(.*)")

# A full stop, and what it does not end a sentence behind.
_STOP = re.compile(r"(?<=[.!?])\s+(?=[A-Z`:\"'(])")
_SHORTENED = re.compile(r"\b(?:al|cf|eds?|eqs?|figs?|no|pp|ref|sec|st|vol|vs|[a-z])\.$", re.IGNORECASE)

# A role around its name, an address behind its words, and what is heavy, leans or is code.
_ROLE = re.compile(r"(?::[a-z]+)+:`~?([^`<]*?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<([^`>]+)>`__?|\[([^\]]+)\]\(([^)\s]+)\)")
_STRONG = re.compile(r"(?<!\w)(\*\*|__)(?=\S)(.+?)(?<=\S)\1(?!\w)")


def summary_of(component: object) -> str | None:
    """The first sentence of a docstring as plain text.

    Args:
        component: a class or a function; what a class inherits says nothing of it.

    Returns:
        At most :data:`LONGEST_SUMMARY` characters on one line, or None where it has no docstring.
    """
    first = inspect.cleandoc(component.__doc__ or "").partition("\n\n")[0]
    text = " ".join(first.split())
    for stop in _STOP.finditer(text):
        if not _SHORTENED.search(text[: stop.start()]):
            text = text[: stop.start()]
            break
    return _plain(text, LONGEST_SUMMARY)


def source_of(component: object) -> str | None:
    """The paper and the equation of a component, from the section ``Reference:`` or ``Source:`` of its docstring.

    Args:
        component: a class or a function.

    Returns:
        At most :data:`LONGEST_SOURCE` characters on one line, or None where it names none.
    """
    lines = iter(inspect.cleandoc(component.__doc__ or "").splitlines())
    for line in lines:
        if begins := _SOURCE.fullmatch(line):
            section = takewhile(lambda following: not following or following[0].isspace(), lines)
            return _plain(" ".join([begins[1], *section]), LONGEST_SOURCE)
    return None


def _plain(text: str, longest: int) -> str | None:
    """A text without its markup, on one line, cut behind a word where it is longer."""
    text = _LINK.sub(lambda link: f"{link[1] or link[3]} ({link[2] or link[4]})", _ROLE.sub(r"\1", text))
    text = " ".join(_STRONG.sub(r"\2", text).replace("`", "").split())
    if len(text) > longest:
        text = f"{text[:longest].rpartition(' ')[0] or text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
    return text or None
