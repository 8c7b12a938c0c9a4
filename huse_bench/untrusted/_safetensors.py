"""What a safetensors file says of its contents, held against its size."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from huse_bench.untrusted._texts import MOST_TEXT, json_value

__all__ = ["SafetensorsHeader", "safetensors_header"]

# Bytes of a number, by safetensors' names.
_WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}

_SHOWN = 80


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a safetensors file says of its contents, checked against its size.

    Attributes:
        metadata: texts by name.
        tensors: by name, the type of the numbers, as ``"F32"``, and the shape.
        offset: where the numbers begin in the file, in bytes.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    offset: int


def safetensors_header(file: BinaryIO) -> SafetensorsHeader:
    """The header of a safetensors file whose tensors lie one behind the other up to its end.

    Args:
        file: at its start.

    Raises:
        OSError: if it cannot be read.
        ValueError: if the header is longer than the file or ``MOST_TEXT``, or is no such header.
    """
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError(f"its header would have {length:,} bytes, and the file has {size:,}")
    if length > MOST_TEXT:
        raise ValueError(f"its header has {length:,} bytes, and {MOST_TEXT:,} are the limit")
    fields = json_value(file.read(length))
    if not isinstance(fields, dict):
        raise ValueError("its header is no JSON object")  # noqa: TRY004  the file is wrong, no caller
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are no texts by name")
    tensors, places = {}, []
    for name, said in fields.items():
        dtype, shape, place = _tensor(name, said)
        tensors[name] = (dtype, shape)
        places.append(place)
    end = 0
    for begin, behind in sorted(places):
        if begin != end:
            raise ValueError(f"its tensors do not lie one behind the other: one ends at {end}, the next begins {begin}")
        end = behind
    if end != size - 8 - length:
        raise ValueError(f"its tensors have {end:,} bytes, and {size - 8 - length:,} follow its header")
    return SafetensorsHeader(metadata, tensors, 8 + length)


def _tensor(name: str, said: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Type, shape and place of a tensor."""
    try:
        dtype, shape, (begin, end) = said["dtype"], said["shape"], said["data_offsets"]
        # JSON's true is no number.
        whole = all(type(number) is int and number >= 0 for number in [*shape, begin, end])
        sound = whole and end - begin == math.prod(shape) * _WIDTHS[dtype]
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(f"its tensor {name[:_SHOWN]!a} has not a known type, a shape and a place that fit each other")
    return dtype, tuple(shape), (begin, end)
