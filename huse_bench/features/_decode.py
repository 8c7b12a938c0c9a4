"""Reading a picture file, whatever it holds, as one upright RGB picture."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from huse_bench.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DECODER_VERSION", "MAX_JPEG_PIXELS", "MAX_PIXELS", "Decoded", "UndecodableError", "decode"]

#: Changes whenever a picture would give other pixels than before.
DECODER_VERSION = 1

#: Width times height of the largest picture that is read at its full size; Pillow warns above the same number.
MAX_PIXELS = 89_478_485

#: Of the largest JPEG: libjpeg reads those at a half, a quarter or an eighth of their size.
MAX_JPEG_PIXELS = 4 * MAX_PIXELS

# A JPEG is read at a reduced size as long as its shorter side keeps this many pixels.
_JPEG_SIDE = 1024

# Not all of Pillow's: its EPS reader runs another program, and others read no pictures of the web.
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "MPO", "PPM", "AVIF", "JPEG2000", "ICO", "TGA")

_ORIENTATION = 0x0112


class UndecodableError(Exception):
    """A file that gives no picture; the message is the reason alone, without the file's name."""


class Decoded(NamedTuple):
    """A picture.

    Attributes:
        image: upright, RGB.
        truncated: whether the file ends too early, so that the lower part is grey or black.
    """

    image: Image.Image
    truncated: bool


def decode(path: str) -> Decoded:
    """Read one picture.

    The first frame, turned upright as its EXIF orientation says, transparency laid on white, 16-bit gray cut to its
    high byte, any other mode converted to RGB as Pillow does; colour profiles are not applied. A JPEG whose shorter
    side has 2048 pixels or more is read at a half, a quarter or an eighth of its size, never below 1024. A truncated
    file is read as far as it goes.

    Args:
        path: the file.

    Raises:
        UndecodableError: if the file is no picture, has no pixels that can be read, or has more than
            ``MAX_PIXELS`` (a JPEG: ``MAX_JPEG_PIXELS``).
        MissingExtraError: if Pillow is not installed.
    """
    try:
        from PIL import Image  # noqa: PLC0415  an optional package
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading pictures", "images", "pillow") from error

    # Pillow's own limit is a warning and global; ours is below.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which changes no pixel.
            warnings.simplefilter("ignore")
            return _decode(path)
    except UndecodableError:
        raise
    # Damaged files raise almost anything in Pillow's readers.
    except Exception as error:
        reason = " ".join(str(error).replace(f" {path!r}", "").split())
        raise UndecodableError(reason or type(error).__name__) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _decode(path: str) -> Decoded:
    from PIL import ImageFile  # noqa: PLC0415  an optional package

    try:
        return Decoded(_read(path), truncated=False)
    except OSError as error:
        if "truncated" not in str(error).lower():
            raise
    tolerated, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return Decoded(_read(path), truncated=True)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerated


def _read(path: str) -> Image.Image:
    from PIL import Image  # noqa: PLC0415  an optional package

    Image.init()
    with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as image:
        _check_size(image)
        if image.format == "JPEG":
            image.draft(None, (_JPEG_SIDE, _JPEG_SIDE))
        return _upright(_rgb(image), _orientation(image))


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    limit = MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS
    if width * height > limit:
        raise UndecodableError(
            f"{width} x {height} pixels are more than the {limit:,} that are read (a decompression bomb?); "
            f"scale the picture down"
        )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    # What EXIF data nobody can read says of the orientation is nothing.
    except Exception:  # noqa: BLE001  they raise almost anything
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose  # noqa: PLC0415  an optional package

    # EXIF 2.3, tag Orientation: what undoes each of its values.
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image  # noqa: PLC0415  an optional package

    if image.mode.startswith("I") or image.mode == "F":
        return _gray16(image)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB")
    return image.convert("RGB")


def _gray16(image: Image.Image) -> Image.Image:
    import numpy as np  # noqa: PLC0415  only these few pictures need it
    from PIL import Image  # noqa: PLC0415  an optional package

    values = np.asarray(image)
    # Older versions of Pillow open 16-bit PNG files as 32-bit ones.
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise UndecodableError(
            "gray values of more than 16 bits, whose range no file states; save it with 8 or 16 bits"
        )
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
