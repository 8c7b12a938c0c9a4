"""Thumbnails of real picture files: what they show, how large they are, and what is not in them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from huse_bench.config import MAX_PIXELS
from huse_bench.errors import MissingExtraError
from huse_bench.features.thumbnails import make_thumbnails
from huse_bench.results.thumbnails import SIDE, thumbnail_fault

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def made(path, max_pixels=MAX_PIXELS):
    """The thumbnail of one file; None where it has none."""
    return make_thumbnails({"item": path}, max_pixels, lambda _: None).get("item")


def shown(contents):
    assert thumbnail_fault(contents) is None
    with Image.open(io.BytesIO(contents)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGB")).astype(int)


def saved(tmp_path, picture, name="picture.png", **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 200), (40, 20)), ((90, 300), (12, 40)), ((40, 40), (40, 40)), ((16, 9), (16, 9)), ((2000, 1), (40, 1))],
)
@pytest.mark.parametrize("name", ["picture.png", "picture.jpg"])
def test_large_pictures_shrink_and_small_ones_stay(tmp_path, size, expected, name):
    found = shown(made(saved(tmp_path, Image.new("RGB", size, (200, 30, 30)), name)))
    assert found.shape == (*expected[::-1], 3)
    # WebP keeps brightness from 16 to 235, and rounds.
    assert np.abs(found - (200, 30, 30)).max() <= 8


def test_a_turned_jpeg_stands_upright(tmp_path):
    """Stored lying, as a camera held upright does: orientation 6 turns it right."""
    stored = Image.new("RGB", (3200, 1600), RED)
    stored.paste(BLUE, (1600, 0, 3200, 1600))
    exif = Image.Exif()
    exif[0x0112] = 6
    found = shown(made(saved(tmp_path, stored, "turned.jpg", exif=exif)))
    assert found.shape == (40, 20, 3)
    # What was left is above.
    assert np.abs(found[4:14] - RED).max() <= 40
    assert np.abs(found[-14:-4] - BLUE).max() <= 40


def test_transparency_is_white(tmp_path):
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste((*GREEN, 255), (0, 0, 50, 100))
    found = shown(made(saved(tmp_path, picture)))
    assert np.abs(found[:, 24:] - WHITE).max() <= 8
    assert np.abs(found[:, :16] - GREEN).max() <= 40


def test_nothing_but_pixels_is_published(tmp_path):
    """No place, name or profile of the photographer."""
    exif = Image.Exif()
    exif[0x8298] = "by Mallory"
    exif.get_ifd(0x8825)[1] = "N"
    secret = b"Mallory's profile" * 1000
    picture = Image.new("RGB", (300, 200), GREEN)
    path = saved(tmp_path, picture, "photo.jpg", exif=exif, icc_profile=secret, xmp=b"Mallory", comment=b"Mallory")
    contents = made(path)
    assert b"Mallory" in path.read_bytes()
    assert contents == made(saved(tmp_path, picture, "plain.jpg"))


def test_noise_is_small_enough(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert thumbnail_fault(made(saved(tmp_path, Image.fromarray(noise)))) is None


def test_the_bytes_are_the_same_each_time(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), "noise.jpg")
    assert made(path) == made(path)


def test_what_cannot_be_decoded_has_none(tmp_path):
    good = saved(tmp_path, Image.new("RGB", (50, 50), RED))
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(good.read_bytes()[:30])
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    calls = []
    found = make_thumbnails(
        {"damaged": damaged, "good": good, "gone": tmp_path / "gone.png", "text": text}, MAX_PIXELS, calls.append
    )
    assert list(found) == ["good"]
    assert calls == [1, 2, 3, 4]


def test_decompression_bombs_are_not_read(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (100, 100)))
    assert made(path, max_pixels=100 * 100) is not None
    assert made(path, max_pixels=100 * 100 - 1) is None


def test_a_large_jpeg_looks_as_one_that_was_read_whole(tmp_path):
    """Reading it in small is a matter of time alone."""
    y, x = np.mgrid[0:1200, 0:1600]
    photo = Image.fromarray(np.stack([x * 255 / 1600, y * 255 / 1200, (x + y) * 255 / 2800], axis=2).astype(np.uint8))
    small = shown(made(saved(tmp_path, photo, "photo.jpg", quality=95)))
    whole = shown(made(saved(tmp_path, photo, "photo.png")))
    assert max(small.shape) == SIDE
    assert np.abs(small - whole).mean() < 3


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.new("RGB", (50, 50)))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"huse-bench\[images\]"):
        made(path)
