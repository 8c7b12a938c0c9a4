"""Files that are read as a whole, and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

__all__ = ["MOST_NESTED", "MOST_TEXT", "json_value", "read_limited"]

#: Bytes of a text or of a header: a record has 25 kB, a bundle's list of 25,000 files 5 MB.
MOST_TEXT = 2**25

#: Lists and objects of JSON inside each other; a record has a handful. What is deeper could not be walked through.
MOST_NESTED = 64


def read_limited(path: Path, most: int = MOST_TEXT) -> bytes:
    """All of a file that is not too large.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it has more.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        # A pipe, which has no size, is read as far as it may go.
        contents = file.read((min(size, most) or most) + 1)
    if len(contents) > most:
        raise ValueError(f"it has more than {most:,} bytes, which is the limit")
    return contents


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text that is not nested too deep to be walked through.

    Raises:
        ValueError: if it is no JSON, or nested deeper than ``MOST_NESTED``.
    """
    problem = f"it is nested deeper than {MOST_NESTED} lists and objects, which is the limit"
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(problem) from None
    level = [value]
    for _ in range(MOST_NESTED + 1):
        level = [part for whole in level if isinstance(whole, dict | list) for part in _parts(whole)]
        if not level:
            return value
    raise ValueError(problem)


def _parts(whole: dict[str, Any] | list[Any]) -> Collection[Any]:
    return whole.values() if isinstance(whole, dict) else whole
