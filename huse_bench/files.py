"""Files that are either whole or not there."""

from __future__ import annotations

import os
import re
import time
import uuid
from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "is_incidental", "remove_stale_temporaries", "safe_name", "write_atomically"]

#: How the names of unfinished files begin.
TEMPORARY_PREFIX = ".tmp-"

# No file takes this long to write, so an older temporary belongs to a process that was killed.
_STALE_SECONDS = 3600.0

# File systems take 255 bytes: this leaves room for a seed, digits of a hash, an ending and a temporary's prefix.
_LONGEST = 120

# Windows takes these for devices, whatever follows the dot, and a leading dot hides a file.
_SPECIAL = re.compile(r"(?=\.|(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\.)", re.IGNORECASE)

# What Windows puts beside files; other systems' own are hidden.
_SYSTEM_FILES = {"desktop.ini", "thumbs.db"}


def safe_name(name: str) -> str:
    """A name as the first part of a file's name, which any file system takes.

    Args:
        name: what somebody called a thing. Several may become the same, so that digits of a hash must follow, behind
            a hyphen.

    Returns:
        At most 120 letters, digits, dots, hyphens and underscores of ASCII, with no dot in front.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return ("_" + plain if _SPECIAL.match(plain) else plain)[:_LONGEST]


def write_atomically(path: Path, contents: bytes) -> None:
    """Write a file such that a reader, or a crash at any moment, meets the old file, the new one or none.

    Args:
        path: the file.
        contents: all of it.

    Raises:
        OSError: if the file cannot be written; the temporary file is gone then.
    """
    # Several processes may write the same file: each has a temporary of its own.
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    try:
        with temporary.open("xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        # The new name is on disk only when the folder is; Windows cannot sync a folder.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def is_incidental(path: Path) -> bool:
    """Whether a file is nobody's work: a hidden one, such as ``.DS_Store``, ``._x`` or one that
    :func:`write_atomically` had not finished, or Windows' own.
    """
    return path.name.startswith(".") or path.name.lower() in _SYSTEM_FILES


def remove_stale_temporaries(folder: Path) -> None:
    """Remove the temporary files of killed processes, and leave those of running ones.

    Args:
        folder: where to look; its subfolders are not searched.
    """
    for path in folder.iterdir():
        try:
            if path.name.startswith(TEMPORARY_PREFIX) and time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except FileNotFoundError:
            # Another process was faster.
            continue
