"""Lines and lists of words, the same wherever results are shown as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

from huse_bench.results.rows import Row

__all__ = ["WIDTH", "by_value", "each_of", "listed", "wrapped"]

#: Places of a line on a terminal.
WIDTH = 120


def wrapped(text: str, indent: str = "") -> list[str]:
    """A paragraph as lines that fit, all but the first of them indented by two places more."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)


def listed(names: Sequence[str]) -> str:
    """Names with commas between, or semicolons where one has commas of its own."""
    return ("; " if any(", " in name for name in names) else ", ").join(names)


def by_value(rows: Sequence[Row], value: Callable[[Row], str]) -> dict[str, list[str]]:
    """Labels of rows by a value of theirs."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(value(row), []).append(row.label)
    return groups


def each_of(groups: Mapping[str, Sequence[str]]) -> str:
    """Each value with the labels of its rows in brackets."""
    return "; ".join(f"{value} ({listed(names)})" for value, names in groups.items())
