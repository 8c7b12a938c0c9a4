"""Read text files that people edit."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without the byte order mark that some editors write.

    Args:
        path: the file.

    Raises:
        OSError: if it cannot be read.
        UnicodeError: if it is not UTF-8; the message names UTF-16 and UTF-32.
    """
    contents = path.read_bytes()
    # Known by the zeros among the first four bytes, with or without a byte order mark.
    encoding = json.detect_encoding(contents)
    if not encoding.startswith("utf-8"):
        raise UnicodeError(f"it is encoded in {encoding[:6].upper()}; save it as UTF-8")
    return contents.decode("utf-8-sig")
