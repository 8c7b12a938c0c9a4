"""Files that are either whole or not there."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "is_temporary", "remove_stale_temporaries", "write_atomically"]

#: How the names of unfinished files begin.
TEMPORARY_PREFIX = ".tmp-"

# No file takes this long to write, so an older temporary belongs to a process that was killed.
_STALE_SECONDS = 3600.0


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


def is_temporary(path: Path) -> bool:
    """Whether a file is one that :func:`write_atomically` had not finished."""
    return path.name.startswith(TEMPORARY_PREFIX)


def remove_stale_temporaries(folder: Path) -> None:
    """Remove the temporary files of killed processes, and leave those of running ones.

    Args:
        folder: where to look; its subfolders are not searched.
    """
    for path in folder.iterdir():
        try:
            if is_temporary(path) and time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except FileNotFoundError:
            # Another process was faster.
            continue
