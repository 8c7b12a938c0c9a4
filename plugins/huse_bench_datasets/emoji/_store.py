"""The files of the dataset: how they are written by the build and read by :class:`Emoji`, with their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from huse_bench import errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FOLDER", "read", "write"]

#: Where the installed package keeps its files.
FOLDER = Path(__file__).with_name("data")

_FACTS = "items.json"
_FEATURES = "features.safetensors"
_THUMBNAILS = "thumbnails.safetensors"
_SUMS = "SHA256SUMS"


def write(
    folder: Path, facts: Mapping[str, Any], features: Mapping[str, NDArray[np.float16]], thumbnails: Sequence[bytes]
) -> None:
    """Write facts, features, thumbnails and their hashes.

    Args:
        folder: where to; made if it does not exist.
        facts: what ``items.json`` is to hold.
        features: (n, d) float16 by what they describe.
        thumbnails: WebP pictures of the test items, in their order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        _FACTS: (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode(),
        _FEATURES: safetensors.numpy.save(dict(features)),
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


def read(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float16]], list[bytes]]:
    """Read facts, features and thumbnails, and check that they are the ones that were written.

    Args:
        folder: where from.

    Returns:
        The facts, the features by what they describe, and the thumbnails of the test items.

    Raises:
        DataError: if a file is missing or its content has changed.
    """
    lines = _bytes(folder / _SUMS).decode(errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    facts = json.loads(_verified(folder / _FACTS, sums))
    features = safetensors.numpy.load(_verified(folder / _FEATURES, sums))
    packed = safetensors.numpy.load(_verified(folder / _THUMBNAILS, sums))
    pictures, ends = packed["pictures"].tobytes(), [0, *packed["ends"].tolist()]
    return facts, features, [pictures[start:end] for start, end in pairwise(ends)]


def _verified(path: Path, sums: Mapping[str, str]) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sums.get(path.name):
        raise errors.DataError(f"{path} is corrupt: its SHA-256 is not the one in {path.with_name(_SUMS)}. {_CURE}")
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.DataError(f"cannot read {path}: {error.strerror}. {_CURE}") from error


_CURE = "Reinstall huse-bench (pip install --force-reinstall --no-deps huse-bench)"
