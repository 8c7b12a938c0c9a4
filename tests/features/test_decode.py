"""Every kind of picture file becomes the RGB picture that a viewer shows."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from huse_bench.config import MAX_PIXELS
from huse_bench.errors import MissingExtraError
from huse_bench.features._decode import JPEG_FACTOR, UndecodableError, decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

#: Upright: red and green above, blue and white below.
CORNERS = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)


@pytest.fixture
def read(tmp_path):
    """Save a picture, or bytes, and decode the file."""

    def call(picture, name="picture.png", **options):
        path = tmp_path / name
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture.save(path, **options)
        image, truncated = decode(str(path), MAX_PIXELS)
        assert image.mode == "RGB"
        assert not truncated
        return np.asarray(image)

    return call


def photo(width=500, height=400):
    """Gradients, as photos have."""
    y, x = np.mgrid[0:height, 0:width]
    values = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=2)
    return Image.fromarray(values.astype(np.uint8))


def test_rgb_and_gray(read):
    assert (read(Image.fromarray(CORNERS)) == CORNERS).all()
    gray = np.array([[0, 100], [200, 255]], np.uint8)
    assert (read(Image.fromarray(gray)) == gray[:, :, None]).all()
    assert (read(Image.fromarray(gray > 150)) == 255 * (gray > 150)[:, :, None]).all()


# What each value of the tag says of the stored rows and columns: EXIF 2.3, section 4.6.4.
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, CORNERS),
        (2, CORNERS[:, ::-1]),
        (3, CORNERS[::-1, ::-1]),
        (4, CORNERS[::-1]),
        (5, CORNERS.transpose(1, 0, 2)),
        (6, np.rot90(CORNERS)),
        (7, CORNERS[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(CORNERS, -1)),
        (0, CORNERS),
        (9, CORNERS),
    ],
)
@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.webp"])
def test_exif_orientation(read, orientation, stored, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Blocks of 16 pixels survive JPEG's compression.
    large = Image.fromarray(np.ascontiguousarray(stored)).resize((64, 64), Image.Resampling.NEAREST)
    options = {"exif": exif, "quality": 100} | ({"lossless": True} if name.endswith("webp") else {})
    assert read(large, name, **options)[16::32, 16::32].astype(int) == pytest.approx(CORNERS.astype(int), abs=3)


def test_exif_that_is_nonsense_is_no_orientation(read):
    assert (read(Image.fromarray(CORNERS), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff") == CORNERS).all()


def test_transparency_is_laid_on_white(read):
    rgba = np.dstack([CORNERS, np.array([[255, 0], [128, 255]], np.uint8)])
    expected = np.array([[RED, WHITE], [(127, 127, 255), WHITE]])
    assert read(Image.fromarray(rgba)).astype(int) == pytest.approx(expected, abs=1)
    la = np.dstack([np.array([[0, 50]], np.uint8), np.array([[255, 0]], np.uint8)])
    assert (read(Image.fromarray(la, "LA")) == np.array([[[0] * 3, [255] * 3]])).all()
    # One colour of a palette, or one gray, can stand for "transparent".
    assert (read(Image.fromarray(np.array([[7, 9]], np.uint8)), transparency=9) == [[[7] * 3, [255] * 3]]).all()


def test_palette(read):
    image = Image.fromarray(CORNERS).quantize(4)
    assert image.mode == "P"
    assert (read(image) == CORNERS).all()
    assert (read(image, "picture.gif") == CORNERS).all()
    index = np.asarray(image)[0, 1]
    green_is_transparent = CORNERS.copy()
    green_is_transparent[0, 1] = WHITE
    assert (read(image, transparency=int(index)) == green_is_transparent).all()


def test_first_frame_of_an_animation(read):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    assert (read(frames[0], "picture.gif", save_all=True, append_images=frames[1:]) == RED).all()


@pytest.mark.parametrize("name", ["picture.png", "picture.tiff"])
def test_16_bits_keep_their_high_byte(read, name):
    values = np.array([[0, 255, 256], [0x7FFF, 0x80FF, 0xFFFF]], np.uint16)
    assert (read(Image.fromarray(values), name) == (values >> 8)[:, :, None]).all()


def test_16_bits_of_colour(read):
    # Pillow cannot write these, so the chunks are written here (PNG specification, section 11).
    pixels = np.array([[[0xFFFF, 0x1234, 0]]], ">u2")

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    png += chunk(b"IDAT", zlib.compress(b"\0" + pixels.tobytes())) + chunk(b"IEND", b"")
    assert (read(png) == [[[0xFF, 0x12, 0]]]).all()


def test_float_gray_has_no_range(read):
    with pytest.raises(UndecodableError, match="more than 16 bits"):
        read(Image.fromarray(np.array([[0.5]], np.float32)), "picture.tiff")


def test_cmyk(read):
    # No ink is white, full cyan takes away all red.
    for cmyk, rgb in (((0, 0, 0, 0), WHITE), ((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), (0, 0, 0))):
        picture = Image.new("CMYK", (16, 16), cmyk)
        assert read(picture, "picture.jpg", quality=100).astype(int) == pytest.approx(
            np.broadcast_to(rgb, (16, 16, 3)), abs=3
        )
        assert (read(picture, "picture.tiff") == rgb).all()


def test_the_ending_of_the_name_does_not_matter(read):
    buffer = io.BytesIO()
    Image.fromarray(CORNERS).save(buffer, "PNG")
    assert (read(buffer.getvalue(), "picture.jpg") == CORNERS).all()


def test_a_large_jpeg_is_read_at_a_smaller_size(read):
    large = photo(4400, 3000)
    small = read(large, "picture.jpg", quality=95)
    assert small.shape == (1500, 2200, 3)
    expected = np.asarray(large.resize((2200, 1500), Image.Resampling.BOX))
    assert np.abs(small.astype(int) - expected).mean() < 2
    # A panorama is as large as its shorter side allows, and no other format is touched.
    assert read(photo(2100, 1000), "picture.jpg").shape == (1000, 2100, 3)
    assert read(photo(2100, 2100), "picture.bmp").shape == (2100, 2100, 3)


def test_decompression_bombs(read, monkeypatch):
    side = int(MAX_PIXELS**0.5) + 1
    header = io.BytesIO()
    # One bit a pixel: 11 MB of memory here, 270 MB as RGB, 11 kB in the file.
    Image.new("1", (side, side)).save(header, "PNG")
    with pytest.raises(UndecodableError, match=rf"too many pixels: {side} x {side} are more than 89,478,485; .* bomb"):
        read(header.getvalue())
    # What the file claims is enough; the size is in the frame header of a JPEG (T.81, B.2.2).
    jpeg = io.BytesIO()
    photo(16, 16).save(jpeg, "JPEG")
    data = bytearray(jpeg.getvalue())
    place = data.index(b"\xff\xc0") + 5
    side = int((JPEG_FACTOR * MAX_PIXELS) ** 0.5) + 1
    data[place : place + 4] = struct.pack(">HH", side, side)
    with pytest.raises(UndecodableError, match=f"too many pixels: {side} x {side} are more than 357,913,940"):
        read(bytes(data), "picture.jpg")
    # Ours is the only limit while a picture is read, and Pillow's own is left as it was.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert (read(Image.fromarray(CORNERS).resize((8, 8), Image.Resampling.NEAREST))[::4, ::4] == CORNERS).all()
    assert Image.MAX_IMAGE_PIXELS == 10


def test_as_many_pixels_as_are_allowed_are_read(tmp_path):
    path = str(tmp_path / "picture.png")
    photo(30, 20).save(path)
    assert decode(path, 600).image.size == (30, 20)
    with pytest.raises(UndecodableError, match="too many pixels: 30 x 20 are more than 599"):
        decode(path, 599)
    photo(40, 60).save(path, "JPEG")
    assert decode(path, 600).image.size == (40, 60)
    with pytest.raises(UndecodableError, match="too many pixels: 40 x 60 are more than 2,396"):
        decode(path, 599)


@pytest.mark.parametrize("name", ["picture.jpg", "picture.png"])
def test_truncated_files_are_read_as_far_as_they_go(tmp_path, name):
    path = tmp_path / name
    photo().save(path)
    whole = np.asarray(decode(str(path), MAX_PIXELS).image)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    image, truncated = decode(str(path), MAX_PIXELS)
    assert truncated
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert np.abs(np.asarray(image)[:100].astype(int) - whole[:100]).max() <= 1


def npy(save):
    file = io.BytesIO()
    save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "cannot identify image file: it is empty"),
        (b"<html>404</html>", "cannot identify image file: it is an HTML page, as of a failed download"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify image file: it is an EPS or Post"),
        (b"\n <!DOCTYPE HTML>\n<html>", "it is an HTML page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n",
            "it is a Git LFS pointer; .*lfs pull",
        ),
        (npy(np.save), "it is a NumPy array"),
        (npy(np.savez), r"it is a zip archive \(as are .npz, PyTorch's .pt and office files\)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "it is an HDF5 file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is an SVG drawing; render it to PNG"),
        (b"what is this?", "cannot identify image file$"),
        (b"\xff\xd8\xff\xe0", "cannot identify image file|truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "."),
    ],
)
def test_what_is_no_picture(read, contents, message):
    with pytest.raises(UndecodableError, match=message) as caught:
        read(contents)
    assert "picture.png" not in str(caught.value)


def test_damage_at_random_never_ends_in_another_error(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "picture"
    outcomes = set()
    for form in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        buffer = io.BytesIO()
        photo(40, 30).save(buffer, form)
        for _ in range(40):
            data = np.frombuffer(buffer.getvalue(), np.uint8).copy()
            places = rng.integers(len(data), size=rng.integers(1, 30))
            data[places] = rng.integers(256, size=len(places))
            path.write_bytes(data.tobytes())
            try:
                outcomes.add(decode(str(path), MAX_PIXELS).image.mode)
            except UndecodableError as error:
                outcomes.add(type(error).__name__)
    assert outcomes == {"RGB", "UndecodableError"}


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"'pillow'.*pip install 'huse-bench\[images\]'"):
        decode("picture.png", MAX_PIXELS)
