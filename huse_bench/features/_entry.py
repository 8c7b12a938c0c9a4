"""One file of features in the cache: safetensors, with where the numbers are from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from huse_bench.errors import DataError
from huse_bench.untrusted import json_value, safetensors_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Entry", "entry_header", "read_entry", "sha256_of"]

_TENSOR = "features"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of features.

    Attributes:
        path: the file.
        facts: what it says of itself: kind, backbone, dataset, key, sha256, versions and so on.
        rows: number of feature vectors.
        dim: length of each.
        offset: where the numbers begin in the file, in bytes.
        used: when it was last used, in seconds since 1970.
    """

    path: Path
    facts: Mapping[str, str]
    rows: int
    dim: int
    offset: int
    used: float

    @property
    def name(self) -> str:
        """What commands call it."""
        return self.path.stem

    @property
    def flaws(self) -> dict[int, tuple[str, str, str]]:
        """By row, of the pictures that had to be left out or are truncated: which of the two, why, and the file."""
        return {int(row): (flaw[0], flaw[1], flaw[2]) for row, flaw in json_value(self.facts["flaws"]).items()}

    def values(self) -> NDArray[np.float32]:
        """(rows, dim) float32, mapped from the file."""
        import numpy as np  # noqa: PLC0415  listing a cache needs none

        return np.memmap(self.path, "<f4", "r", self.offset, (self.rows, self.dim))

    def is_sound(self) -> bool:
        """Whether the numbers are those that were written, by their checksum."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return sha256_of(file) == self.facts["sha256"]


def sha256_of(file: BinaryIO) -> str:
    """The checksum of a file from where it stands to its end."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def entry_header(facts: Mapping[str, str], rows: int, dim: int) -> bytes:
    """What a safetensors file begins with: the length of the description, and the description."""
    tensor = {"dtype": "F32", "shape": [rows, dim], "data_offsets": [0, 4 * rows * dim]}
    text = json.dumps({"__metadata__": dict(facts), _TENSOR: tensor}).encode("ascii")
    # Spaces behind the description put the numbers on a boundary that memory maps like.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_entry(path: Path) -> Entry:
    """An entry, without its numbers; raises DataError if the file is none, or not as long as it says."""
    with path.open("rb") as file:
        try:
            return _entry(path, file)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise _damaged(path, f"it is no whole safetensors file of features: {error}") from error


def _entry(path: Path, file: BinaryIO) -> Entry:
    header = safetensors_header(file)
    ((name, (dtype, shape)),) = header.tensors.items()
    rows, dim = shape
    if name != _TENSOR or dtype != "F32":
        raise ValueError(f"it holds {name!a} of the type {dtype}")
    entry = Entry(path, header.metadata, rows, dim, header.offset, os.fstat(file.fileno()).st_mtime)
    # What every entry says of itself.
    _ = entry.flaws, entry.facts["sha256"]
    return entry


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} cannot be used: {reason}. Remove it with: huse-bench features prune --damaged. The next run makes the "
        f"features again"
    )
