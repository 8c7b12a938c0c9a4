"""Zip archives, whose list of files is as long as they say."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MOST_LISTED", "open_zip"]

#: Bytes of an archive's list of its files, which zipfile reads whole and holds in twelve times its size: 100,000 files
#: of names of 100 letters.
MOST_LISTED = 2**24


class _Archive(io.FileIO):
    """Contents of files are read in small pieces, so that what is asked for at once and large is the list."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_LISTED:
            raise zipfile.BadZipFile(f"the list of its files has {size:,} bytes, and {MOST_LISTED:,} are the limit")
        return super().read(size)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive for reading, if the list of its files is of a size that any use has.

    Args:
        path: a .zip file.

    Raises:
        zipfile.BadZipFile: if it is no such archive, or lists more than ``MOST_LISTED`` bytes.
        OSError: if the file cannot be read.
    """
    with _Archive(path) as file, zipfile.ZipFile(file) as packed:
        yield packed
