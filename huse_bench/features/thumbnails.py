"""Thumbnails of picture files, as the networks see them: upright, on white, without metadata."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

from huse_bench.features._decode import UndecodableError, decode
from huse_bench.results.thumbnails import SIDE

__all__ = ["make_thumbnails"]

# A large JPEG is read in small: that takes a fraction of the time, and four pixels for each one of the thumbnail do.
_JPEG_SIDE = 4 * SIDE

# Of the emoji's thumbnails too: half a kilobyte each.
_QUALITY = 60


def make_thumbnails(pictures: Mapping[str, Path], max_pixels: int, advance: Callable[[int], None]) -> dict[str, bytes]:
    """Make thumbnails of picture files.

    Args:
        pictures: files by id.
        max_pixels: of :func:`huse_bench.features._decode.decode`.
        advance: called with how many pictures are done.

    Returns:
        WebP files by id, at most ``SIDE`` pixels a side; those of pictures that cannot be decoded are left out.

    Raises:
        MissingExtraError: if Pillow is not installed.
    """
    made = {}
    for done, (item, path) in enumerate(pictures.items(), start=1):
        contents = _thumbnail(str(path), max_pixels)
        if contents is not None:
            made[item] = contents
        advance(done)
    return made


def _thumbnail(path: str, max_pixels: int) -> bytes | None:
    try:
        small = decode(path, max_pixels, _JPEG_SIDE).image
    # Said when its features were made.
    except UndecodableError:
        return None
    small.thumbnail((SIDE, SIDE))
    # A colour profile, which some versions of Pillow would copy, may be longer than the picture and name who made it.
    small.info = {}
    contents = io.BytesIO()
    small.save(contents, "WEBP", quality=_QUALITY, method=6)
    return contents.getvalue()
