"""Features that are being made: rows on disk with a journal of whole batches, so that a killed build goes on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from huse_bench.untrusted import json_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Partial", "progress_of"]


class Partial:
    """The rows that were made so far, in ``<stem>.partial``, and one journal line a batch, in ``<stem>.journal``.

    A batch counts once its line is written, with the checksum of its rows: what a crash left behind it is cut off.

    Args:
        stem: path of the two files without their endings.
        facts: what is being made, for people, and its ``"key"``; files of another key are begun anew.

    Attributes:
        rows: rows that are done.
        dim: numbers in a row; 0 before the first batch.
        flaws: what is wrong with which row: status, reason and file by row number as a string.
    """

    def __init__(self, stem: Path, facts: dict[str, Any]) -> None:
        self.path = stem.with_name(f"{stem.name}.partial")
        self._journal_path = stem.with_name(f"{stem.name}.journal")
        self.rows = 0
        self.dim = 0
        self.flaws: dict[str, list[str]] = {}
        self._head = {"facts": facts}
        self._data: BinaryIO = self.path.open("r+b" if self.path.exists() else "w+b")
        kept = self._recover()
        self._data.seek(4 * self.rows * self.dim)
        self._data.truncate()
        self._journal = self._journal_path.open("r+b" if kept else "w+b")
        self._journal.seek(kept)
        self._journal.truncate()
        if not kept:
            self._note(self._head)

    def append(self, values: NDArray[np.float32], flaws: Mapping[int, Sequence[str]]) -> None:
        """Add a batch.

        Args:
            values: (n, dim) the next rows.
            flaws: status, reason and file by position in the batch.
        """
        data = np.ascontiguousarray(values, dtype="<f4").tobytes()
        named = {str(self.rows + row): list(flaw) for row, flaw in flaws.items()}
        # Data first: a journal line without its rows would be a lie.
        self._data.write(data)
        self._data.flush()
        self._note({"rows": len(values), "dim": values.shape[1], "crc": zlib.crc32(data), "flaws": named})
        self._count(len(values), values.shape[1], named)

    def close(self) -> None:
        """Close the files and keep them."""
        self._data.close()
        self._journal.close()

    def remove(self) -> None:
        """Close and delete the files."""
        self.close()
        # The journal first: rows without a journal are begun anew, a journal without rows would be checked in vain.
        self._journal_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _note(self, line: dict[str, Any]) -> None:
        self._journal.write(json.dumps(line).encode("ascii") + b"\n")
        self._journal.flush()

    def _count(self, rows: int, dim: int, flaws: dict[str, list[str]]) -> None:
        self.rows += rows
        self.dim = dim
        self.flaws |= flaws

    def _recover(self) -> int:
        """Take over the batches that are whole; gives how many bytes of the journal hold."""
        kept = 0
        for number, line in enumerate(_lines(self._journal_path)):
            try:
                entry = json_value(line)
                if number == 0:
                    sound = entry["facts"]["key"] == self._head["facts"]["key"]
                else:
                    rows, dim = int(entry["rows"]), int(entry["dim"])
                    sound = zlib.crc32(self._data.read(4 * rows * dim)) == entry["crc"]
                    if sound:
                        self._count(rows, dim, entry["flaws"])
            except (ValueError, TypeError, KeyError, OverflowError):
                sound = False
            if not sound:
                break
            kept += len(line)
        return kept


def progress_of(path: Path) -> tuple[dict[str, Any], int]:
    """What a ``.partial`` file is of and how many rows it has; ({}, 0) where its journal cannot be read."""
    try:
        head, *batches = map(json_value, _lines(path.with_suffix(".journal")))
        return dict(head["facts"]), sum(batch["rows"] for batch in batches)
    except (ValueError, TypeError, KeyError):
        return {}, 0


def _lines(path: Path) -> list[bytes]:
    """The complete lines of a journal, each with its newline."""
    try:
        contents = path.read_bytes()
    except FileNotFoundError:
        return []
    return contents[: contents.rfind(b"\n") + 1].splitlines(keepends=True)
