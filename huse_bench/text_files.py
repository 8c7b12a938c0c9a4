"""Read text files that people edit."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from huse_bench.errors import ConfigError

__all__ = ["read_text", "read_toml"]


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


def read_toml(path: Path, what: str, cure: str = "") -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: the file.
        what: what messages call it.
        cure: what the user can do about a file that is none, for the end of messages.

    Raises:
        ConfigError: if it cannot be read or is not TOML.
    """
    end = f"; {cure}" if cure else ""
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}{end}") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}{end}") from error
