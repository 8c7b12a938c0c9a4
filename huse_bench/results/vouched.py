"""Files whose hashes stand in another one, which vouches for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from huse_bench.errors import RecordError
from huse_bench.untrusted import MOST_BYTES, read_limited, read_parquet

__all__ = ["Vouched"]


@dataclass(frozen=True)
class Vouched:
    """How files of one kind are read.

    Args:
        owner: the file that has their hashes, as messages call it.
        cure: what else there is to do than to restore one.
    """

    owner: str
    cure: str

    def contents(self, path: Path, digest: str | None) -> bytes:
        """All of a file.

        Args:
            path: the file.
            digest: its SHA-256; with None it may be any file.

        Raises:
            RecordError: if it cannot be read, or is another one.
        """
        try:
            contents = read_limited(path, MOST_BYTES)
        except OSError as error:
            hint = "restore it" if isinstance(error, FileNotFoundError) else "make it readable"
            raise RecordError(f"{path} cannot be read ({error.strerror or error}); {hint}, or {self.cure}") from error
        except ValueError as error:
            raise RecordError(f"{path} cannot be read ({error}); restore it, or {self.cure}") from error
        if digest is not None and hashlib.sha256(contents).hexdigest() != digest:
            raise RecordError(f"{path} is not the file that was written with {self.owner}; restore it, or {self.cure}")
        return contents

    def table(self, path: Path, digest: str | None) -> pa.Table:
        """As :meth:`contents`, of a Parquet file."""
        contents = self.contents(path, digest)
        try:
            return read_parquet(contents)
        except ValueError as error:
            raise RecordError(f"{path} cannot be read ({error}); restore it, or {self.cure}") from error
