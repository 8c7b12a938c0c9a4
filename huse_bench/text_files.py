"""Read text files, which people edit and others send."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from huse_bench.errors import ConfigError
from huse_bench.untrusted import json_value, read_limited

__all__ = ["read_json", "read_text", "read_toml"]


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without the byte order mark that some editors write.

    Args:
        path: the file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is larger than any text of ours.
        UnicodeError: if it is not UTF-8; the message names UTF-16 and UTF-32.
    """
    contents = read_limited(path)
    # Known by the zeros among the first four bytes, with or without a byte order mark.
    encoding = json.detect_encoding(contents)
    if not encoding.startswith("utf-8"):
        raise UnicodeError(f"it is encoded in {encoding[:6].upper()}; save it as UTF-8")
    return contents.decode("utf-8-sig")


def read_json(path: Path) -> Any:
    """The value of a JSON file in UTF-8.

    Args:
        path: the file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is too large, not UTF-8, no JSON, or nested too deep.
    """
    return json_value(read_text(path))


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
    except RecursionError as error:
        raise ConfigError(f"{path} is not a TOML file: it is nested too deep{end}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not a TOML file: {error}{end}") from error
