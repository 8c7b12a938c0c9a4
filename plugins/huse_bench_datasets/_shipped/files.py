"""The files of a shipped dataset: how a build writes them and how they are read, with their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from huse_bench import errors
from huse_bench_datasets._shipped.bits import Packed, pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CURE", "FEATURES", "Contents", "read", "write"]

#: What helps where a shipped file is damaged.
CURE = "Reinstall huse-bench (pip install --force-reinstall --no-deps huse-bench)"

#: The file of the features.
FEATURES = "features.safetensors"

_FACTS = "items.json"
_THUMBNAILS = "thumbnails.safetensors"
_SUMS = "SHA256SUMS"
_PACKED = ("image", "text")


@dataclass(frozen=True)
class Contents:
    """What the files hold.

    Attributes:
        facts: of ``items.json``.
        features: (n, d) float32 by what they describe: ``image``, ``text`` and ``class``.
        thumbnails: WebP pictures of the test items, in their order.
    """

    facts: dict[str, Any]
    features: Mapping[str, NDArray[np.float32]]
    thumbnails: Sequence[bytes]


def write(
    folder: Path, facts: Mapping[str, Any], features: Mapping[str, NDArray[np.floating]], thumbnails: Sequence[bytes]
) -> None:
    """Write facts, features, thumbnails and their hashes.

    Args:
        folder: where to; made if it does not exist.
        facts: what ``items.json`` is to hold.
        features: (n, d) by what they describe: ``image`` and ``text``, kept in 8 bits, and ``class``, in float16.
        thumbnails: WebP pictures of the test items, in their order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The classes are few, and each stands for all of its items.
    tensors: dict[str, NDArray[Any]] = {"class": features["class"].astype(np.float16)}
    for what in _PACKED:
        packed = pack(features[what])
        tensors |= {what: packed.codes, f"{what}.start": packed.start, f"{what}.step": packed.step}
    contents = {
        _FACTS: (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode(),
        FEATURES: safetensors.numpy.save(tensors),
        _THUMBNAILS: safetensors.numpy.save(
            {
                "pictures": np.frombuffer(b"".join(thumbnails), dtype=np.uint8),
                "ends": np.cumsum([len(picture) for picture in thumbnails], dtype=np.int64),
            }
        ),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    (folder / _SUMS).write_text(sums, encoding="utf-8", newline="\n")


def read(folder: Path) -> Contents:
    """Read facts, features and thumbnails, and check that they are the ones that were written.

    Args:
        folder: where from.

    Returns:
        What the files hold.

    Raises:
        DataError: if a file is missing or its content has changed.
    """
    lines = _bytes(folder / _SUMS).decode(errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    facts = json.loads(_verified(folder / _FACTS, sums))
    tensors = safetensors.numpy.load(_verified(folder / FEATURES, sums))
    features = {what: unpack(Packed(*(tensors[what + part] for part in ("", ".start", ".step")))) for what in _PACKED}
    features["class"] = tensors["class"].astype(np.float32)
    packed = safetensors.numpy.load(_verified(folder / _THUMBNAILS, sums))
    pictures, ends = packed["pictures"].tobytes(), [0, *packed["ends"].tolist()]
    return Contents(facts, features, [pictures[start:end] for start, end in pairwise(ends)])


def _verified(path: Path, sums: Mapping[str, str]) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sums.get(path.name):
        raise errors.DataError(f"{path} is corrupt: its SHA-256 is not the one in {path.with_name(_SUMS)}. {CURE}")
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.DataError(f"cannot read {path}: {error.strerror}. {CURE}") from error
