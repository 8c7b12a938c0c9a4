"""What the index of a parquet file and the headers of its pages say, read without a library.

PyArrow gives the facts of a column by functions that end the process where the index is damaged, and none of what the
headers of pages say, which is what its reader goes by. Both are written by Thrift's compact protocol.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from huse_bench.untrusted._texts import MOST_TEXT

__all__ = ["Chunk", "chunks"]

_MAGIC = b"PAR1"

# Structures inside each other; the format's own have six.
_DEEPEST = 16

# A header of a page has some tens of bytes, and more where it says the least and the greatest value.
_HEADER_SIZES = (2**12, 2**20)

# So many pages in a file would take minutes to look at.
_MOST_PAGES = 2**20


@dataclass(frozen=True)
class Chunk:
    """The values of one column in one group of rows.

    Attributes:
        rows: of the group.
        values: by the index or by the pages, whichever is more.
        size: in bytes, unpacked, likewise.
    """

    rows: int
    values: int
    size: int


def chunks(file: BinaryIO, columns: list[int], leaves: int) -> list[Chunk]:
    """All chunks of some columns.

    Args:
        file: of a parquet file, whose position is changed.
        columns: numbers of leaves of the schema.
        leaves: how many there are.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if the index or a page's header is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if size < 12 or tail[4:] != _MAGIC or length > size - 12:
        raise ValueError("it has no index of a parquet file at its end")
    if length > MOST_TEXT:
        raise ValueError(f"its index has {length:,} bytes, and {MOST_TEXT:,} are the limit")
    file.seek(size - 8 - length)
    found: list[Chunk] = []
    pages = _MOST_PAGES
    try:
        for group in _Reader(file.read(length)).struct().get(4, []):
            held, rows = group[1], _count(group[3])
            if len(held) != leaves:
                raise ValueError(f"it has a group of rows with {len(held)} columns of {leaves}")
            for column in columns:
                facts = held[column][3]
                values, unpacked, pages = _of_pages(file, facts, pages)
                found.append(Chunk(rows, max(values, _count(facts[5])), max(unpacked, _count(facts[6]))))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError("its index is damaged") from error
    return found


def _of_pages(file: BinaryIO, facts: dict[int, Any], most: int) -> tuple[int, int, int]:
    """Values and bytes of the pages of a chunk, and how many more pages may be looked at."""
    place, dictionary = _count(facts[9]), _count(facts.get(11, 0))
    if 0 < dictionary < place:
        place = dictionary
    end = place + _count(facts[7])
    values = unpacked = 0
    # As far as a reader goes: it stops where it has as many as the index says.
    while place < end and values < _count(facts[5]):
        most -= 1
        if most < 0:
            raise ValueError(f"it has more than {_MOST_PAGES:,} pages, which is the limit")
        header, length = _page_header(file, place)
        # Of a data page of either version; a dictionary's values are in its bytes.
        values += sum(_count(header[number][1]) for number in (5, 8) if number in header)
        unpacked += _count(header[2])
        place += length + _count(header[3])
    return values, unpacked, most


def _page_header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    for size in _HEADER_SIZES:
        file.seek(place)
        reader = _Reader(file.read(size))
        try:
            return reader.struct(), reader.place
        except ValueError as error:
            fault = error
    raise ValueError("the header of one of its pages is damaged") from fault


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"its index says {value!r} where it should count")
    return value


class _Reader:
    """Reads Thrift's compact protocol: structures as dicts by the numbers of their fields.

    Args:
        contents: what it is read from.

    Attributes:
        place: how much was read.
    """

    def __init__(self, contents: bytes) -> None:
        self.place = 0
        self._contents = contents

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """A structure; raises ValueError where it is cut off or nested too deep."""
        if depth > _DEEPEST:
            raise ValueError("its index is nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._bytes(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            # The value of a truth value is its type.
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):
            return self._bytes(1)[0]
        if kind in (4, 5, 6):
            return self._integer()
        if kind in (7, 8):
            return self._bytes(8 if kind == 7 else self._varint())
        if kind in (9, 10):
            head = self._bytes(1)[0]
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return self._list(count, head & 15, depth)
        if kind == 11:
            count = self._varint()
            kinds = self._bytes(1)[0] if count else 0
            return [self._list(1, part, depth) for _ in range(count) for part in (kinds >> 4, kinds & 15)]
        if kind == 12:
            return self.struct(depth)
        raise ValueError(f"its index has a value of the unknown type {kind}")

    def _list(self, count: int, kind: int, depth: int) -> list[Any]:
        if depth > _DEEPEST or count > len(self._contents) - self.place:
            raise ValueError("its index has a list that is longer than itself")
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _integer(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            digit = self._bytes(1)[0]
            number |= (digit & 127) << shift
            if digit < 128:
                return number
        raise ValueError("its index has a number that is too long")

    def _bytes(self, count: int) -> bytes:
        part = self._contents[self.place : self.place + count]
        if len(part) < count:
            raise ValueError("its index is cut off")
        self.place += count
        return part
