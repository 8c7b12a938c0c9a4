"""Thumbnails of test items: what is one, how many a results folder keeps, and their file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from huse_bench.untrusted import read_parquet

__all__ = [
    "LARGEST",
    "MOST",
    "MOST_BYTES",
    "SIDE",
    "candidates",
    "from_thumbnails_file",
    "kept",
    "thumbnail_fault",
    "thumbnails_file",
]

#: Pixels that a thumbnail has at most on a side.
SIDE = 40

#: Bytes of the largest thumbnail; a PNG of noise with transparency is below it.
LARGEST = 8192

#: Thumbnails and bytes that a results folder keeps at most.
MOST, MOST_BYTES = 30_000, 16 << 20

_PNG = b"\x89PNG\r\n\x1a\n"


def thumbnail_fault(contents: object) -> str | None:
    """What is wrong with the contents of a thumbnail's file.

    Args:
        contents: bytes of a PNG or WebP file; a dataset may give anything.

    Returns:
        What is wrong, to follow the item's name; None where nothing is.
    """
    if not isinstance(contents, bytes):
        return f"is no bytes but {type(contents).__name__}"
    if len(contents) > LARGEST:
        return f"has {len(contents)} bytes, and {LARGEST} are the most"
    size = _size(contents)
    if size is None:
        return "is neither a PNG nor a WebP picture"
    if not all(1 <= side <= SIDE for side in size):
        return f"has {size[0]} x {size[1]} pixels, and {SIDE} x {SIDE} are the most"
    return None


def _size(contents: bytes) -> tuple[int, int] | None:
    """Width and height by a picture's header; None for what is no PNG or WebP."""
    if contents.startswith(_PNG) and contents[12:16] == b"IHDR" and len(contents) > 24:
        return int.from_bytes(contents[16:20]), int.from_bytes(contents[20:24])
    if contents[:4] != b"RIFF" or contents[8:12] != b"WEBP" or len(contents) < 30:
        return None
    # The first chunk says which of WebP's three headers follows (RFC 9649).
    if contents[12:16] == b"VP8 " and contents[23:26] == b"\x9d\x01\x2a":
        return (int.from_bytes(contents[26:28], "little") & 0x3FFF, int.from_bytes(contents[28:30], "little") & 0x3FFF)
    if contents[12:16] == b"VP8L" and contents[20] == 0x2F:
        bits = int.from_bytes(contents[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if contents[12:16] == b"VP8X":
        return int.from_bytes(contents[24:27], "little") + 1, int.from_bytes(contents[27:30], "little") + 1
    return None


def candidates(count: int) -> list[int]:
    """Which of so many items a results folder keeps thumbnails of, as far as there is room for their bytes.

    Args:
        count: of items that have a picture.

    Returns:
        At most ``MOST`` places of items, those to keep first in front; they depend on the count alone.
    """
    chosen: list[int] = np.random.default_rng(0).permutation(count)[:MOST].tolist()
    return chosen


def kept(ids: Sequence[str], thumbnails: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those that a results folder keeps: all, or of too many a choice that depends on their order alone.

    Args:
        ids: of the test items.
        thumbnails: pictures by id; those of other items are left out.

    Returns:
        Pictures by id, in the order of the items.
    """
    there = [item for item in ids if item in thumbnails]
    chosen, size = set(), 0
    for place in candidates(len(there)):
        size += len(thumbnails[there[place]])
        if size > MOST_BYTES:
            break
        chosen.add(place)
    return {item: thumbnails[item] for place, item in enumerate(there) if place in chosen}


def thumbnails_file(thumbnails: Mapping[str, bytes]) -> bytes:
    """Thumbnails by id as the contents of a parquet file."""
    table = pa.table({"id": list(thumbnails), "picture": pa.array(thumbnails.values(), pa.binary())})
    buffer = pa.BufferOutputStream()
    # Pictures are packed already.
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return bytes(buffer.getvalue())


def from_thumbnails_file(contents: bytes) -> dict[str, bytes]:
    """What :func:`thumbnails_file` was given; the contents may be anybody's.

    Raises:
        ValueError: if they are no parquet file, or hold something else than thumbnails, or more than a results folder
            keeps.
    """
    # Ids take room too.
    table = read_parquet(contents, most_values=2 * MOST, most_bytes=2 * MOST_BYTES)
    if table.column_names != ["id", "picture"]:
        raise ValueError(f"its columns are {', '.join(table.column_names)} and should be id, picture")
    ids, pictures = (table[name].to_pylist() for name in table.column_names)
    for item, picture in zip(ids, pictures, strict=True):
        if not isinstance(item, str) or (fault := thumbnail_fault(picture)):
            raise ValueError(f"the thumbnail of {item!r} {fault if isinstance(item, str) else 'has no id'}")
    found = dict(zip(ids, pictures, strict=True))
    if len(found) < len(ids):
        raise ValueError("an id stands in it twice")
    return found
