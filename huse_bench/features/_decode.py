"""Reading a picture file, whatever it holds, as one upright RGB picture."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from huse_bench.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DECODER_VERSION", "JPEG_FACTOR", "TOO_LARGE", "Decoded", "UndecodableError", "decode"]

#: Changes whenever a picture would give other pixels than before.
DECODER_VERSION = 1

#: How many times as many pixels a JPEG may have: libjpeg reads it at a half, a quarter or an eighth of its size.
JPEG_FACTOR = 4

#: How the reason begins for a picture that has too many pixels.
TOO_LARGE = "too many pixels"

# For features, a JPEG is read at a reduced size as long as its shorter side keeps this many pixels.
_JPEG_SIDE = 1024

# How files begin that stand under a picture's name and are none, and what they are.
_OTHERS = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the picture itself with: git lfs pull"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"PK\x03\x04", "a zip archive (as are .npz, PyTorch's .pt and office files)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "an EPS or PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x80\x04", "a Python pickle"),
    (b"<!doctype html", "an HTML page, as of a failed download"),
    (b"<html", "an HTML page, as of a failed download"),
    (b"<svg", "an SVG drawing; render it to PNG"),
    (b"<?xml", "an XML file, perhaps an SVG drawing; render it to PNG"),
    (b"{", "a JSON or other text file"),
)
# Formats of the family of MP4, by the brand after "ftyp".
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"isom": "an MP4 video", b"mp42": "an MP4 video"}

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


def decode(path: str, max_pixels: int, jpeg_side: int = _JPEG_SIDE) -> Decoded:
    """Read one picture.

    The first frame, turned upright as its EXIF orientation says, transparency laid on white, 16-bit gray cut to its
    high byte, any other mode converted to RGB as Pillow does; colour profiles are not applied. A JPEG whose shorter
    side has at least twice ``jpeg_side`` pixels is read at a half, a quarter or an eighth of its size, never below
    ``jpeg_side``. A truncated file is read as far as it goes.

    Args:
        path: the file.
        max_pixels: width times height of the largest picture that is read; of a JPEG, ``JPEG_FACTOR`` times that.
        jpeg_side: pixels that the shorter side of a large JPEG keeps.

    Raises:
        UndecodableError: if the file is no picture, has no pixels that can be read, or has too many.
        MissingExtraError: if Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  an optional package
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading pictures", "images", "pillow") from error

    # Pillow's own limit is a warning and global; ours is below.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which changes no pixel.
            warnings.simplefilter("ignore")
            return _decode(path, max_pixels, jpeg_side)
    except UndecodableError:
        raise
    except UnidentifiedImageError as error:
        raise UndecodableError(f"cannot identify image file{_what_it_is(path)}") from error
    # Damaged files raise almost anything in Pillow's readers.
    except Exception as error:
        reason = " ".join(str(error).replace(f" {path!r}", "").split())
        raise UndecodableError(reason or type(error).__name__) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _decode(path: str, max_pixels: int, jpeg_side: int) -> Decoded:
    from PIL import ImageFile  # noqa: PLC0415  an optional package

    try:
        return Decoded(_read(path, max_pixels, jpeg_side), truncated=False)
    except OSError as error:
        if "truncated" not in str(error).lower():
            raise
    tolerated, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return Decoded(_read(path, max_pixels, jpeg_side), truncated=True)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerated


def _read(path: str, max_pixels: int, jpeg_side: int) -> Image.Image:
    from PIL import Image  # noqa: PLC0415  an optional package

    Image.init()
    with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as image:
        _check_size(image, max_pixels)
        if image.format == "JPEG":
            image.draft(None, (jpeg_side, jpeg_side))
        return _upright(_rgb(image), _orientation(image))


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    limit = max_pixels * (JPEG_FACTOR if image.format == "JPEG" else 1)
    if width * height > limit:
        raise UndecodableError(f"{TOO_LARGE}: {width} x {height} are more than {limit:,}; a decompression bomb?")


def _what_it_is(path: str) -> str:
    """The end of a sentence about a file that no reader knows: what it is, if that shows."""
    with open(path, "rb") as file:  # noqa: PTH123  paths are strings here
        start = file.read(64)
    if not start:
        return ": it is empty"
    if start[4:8] == b"ftyp":
        kind = _BRANDS.get(start[8:12])
    else:
        text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        kind = next((kind for begin, kind in _OTHERS if start.startswith(begin) or text.lower().startswith(begin)), "")
    return f": it is {kind}" if kind else ""


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
