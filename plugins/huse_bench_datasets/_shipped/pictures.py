"""From drawings to features and thumbnails."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import numpy as np

from huse_bench import ImageBackbone, errors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["decode", "encode", "on_white", "rasterise", "thumbnail"]

_CHUNK = 256
_SVG_SIDE = 224
_THUMBNAIL_SIDE = 40
# At 40 pixels more cannot be told from it.
_THUMBNAIL_QUALITY = 60


def decode(picture: bytes) -> Image:
    """Decode the contents of an image file; an SVG is made 224 pixels wide."""
    from PIL import Image  # noqa: PLC0415  the image backbone, made before, says how to install it

    if picture.lstrip().startswith(b"<"):
        picture = rasterise(picture)
    return Image.open(io.BytesIO(picture))


def on_white(picture: Image) -> Image:
    """Lay a picture on white."""
    from PIL import Image  # noqa: PLC0415  as in decode

    drawing = picture.convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return Image.alpha_composite(white, drawing).convert("RGB")


def encode(backbone: ImageBackbone, pictures: Sequence[bytes]) -> NDArray[np.floating]:
    """The features of pictures on white, with a progress bar.

    Args:
        backbone: the encoder.
        pictures: contents of n image files.

    Returns:
        (n, d) features.
    """
    starts = range(0, len(pictures), _CHUNK)
    with click.progressbar(starts, label="image features", file=sys.stderr) as bar:
        # In chunks, since all the pictures decoded would take gigabytes.
        chunks = [
            backbone.encode([on_white(decode(picture)) for picture in pictures[start : start + _CHUNK]])
            for start in bar
        ]
    return np.concatenate(chunks)


def thumbnail(picture: bytes) -> bytes:
    """A drawing on white as WebP, 40 pixels wide."""
    from PIL import Image  # noqa: PLC0415  as in decode

    small = on_white(decode(picture)).resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    contents = io.BytesIO()
    small.save(contents, "WEBP", quality=_THUMBNAIL_QUALITY, method=6)
    return contents.getvalue()


def rasterise(svg: bytes, side: int = _SVG_SIDE) -> bytes:
    """A drawing as PNG.

    Args:
        svg: contents of its file.
        side: pixels of the longer side.

    Raises:
        MissingExtraError: if resvg-py is not installed.
        ValueError: for what is no drawing, or has no size.
    """
    try:
        import resvg_py  # noqa: PLC0415  the only package of the extra that no backbone asks for
    except ModuleNotFoundError as error:
        raise errors.MissingExtraError("the rebuilding of datasets", "datasets-build", "resvg-py") from error
    # No system fonts: what is installed must not change the features. Without the resolution, all lengths in points
    # or millimetres are 0.
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg.decode(errors="replace"), width=side, height=side, skip_system_fonts=True, dpi=96
        )
    )
