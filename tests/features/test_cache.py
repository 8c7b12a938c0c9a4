"""The cache: what changes a key, what a kill, a second process or a damaged file does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.features import _encode as encode_module
from huse_bench.features import load_dataset, make_features
from huse_bench.features._partial import Partial
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter

BATCH = 32


@pytest.fixture
def build(pictures):
    """Load the album with features."""

    def call(**options):
        config = resolve_config(given={"dataset": "album", "data": pictures, **options})
        return make_features(*load_dataset(config), config, Reporter(quiet=True))

    return call


def keys():
    return {entry.facts["kind"]: entry.facts["key"] for entry in Cache().entries()[0]}


def newest(kind):
    return max((e for e in Cache().entries()[0] if e.facts["kind"] == kind), key=lambda e: e.path.stat().st_ctime_ns)


def repaint(pictures):
    path = pictures / "apple/apple-0000.png"
    Image.new("RGB", (30, 24), "green").save(path)


def rename_first(pictures):
    # Sorted last now, within its class: the same contents in another order.
    (pictures / "apple/apple-0000.png").rename(pictures / "apple/zapple-0000.png")


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("revision", {"image"}),
        ("name", {"image"}),
        ("reference", {"image"}),
        ("decoder", {"image"}),
        ("a picture's contents", {"image"}),
        ("the order of the pictures", {"image", "text"}),
        ("a text", {"text"}),
        ("train texts of a fitted backbone", {"class", "text"}),
    ],
)
def test_each_ingredient_changes_the_key(build, pictures, encoded, monkeypatch, change, kinds):
    options = {}
    if change == "reference":
        options["image_backbone"] = "tinted:1"
    if change == "train texts of a fitted backbone":
        options |= {"text_backbone": "words", "class_backbone": "words"}
    build(**options)
    before = keys()
    if change == "revision":
        monkeypatch.setattr(hb.load("backbone", "mean-colours"), "revision", "2")
    if change == "name":
        options["image_backbone"] = "tinted:0"
    if change == "reference":
        options["image_backbone"] = "tinted:2"
    if change == "decoder":
        monkeypatch.setattr(encode_module, "DECODER_VERSION", 99)
    if change == "a picture's contents":
        repaint(pictures)
    if change == "the order of the pictures":
        rename_first(pictures)
    if change == "a text":
        shutil.move(pictures / "plum/plum-0039.jpg", pictures / "plum/prune-0039.jpg")
        # The picture is the same and at the same place.
    if change == "train texts of a fitted backbone":
        shutil.move(pictures / "plum/plum-0037.jpg", pictures / "plum/plum-0037x7.jpg")
    encoded()
    build(**options)
    assert {kind for kind in before if newest(kind).facts["key"] != before[kind]} == kinds
    again = encoded()
    assert ("pictures" in again, "texts" in again) == ("image" in kinds, bool(kinds & {"text", "class"}))


def test_nothing_else_changes_the_key(build, pictures, encoded):
    build()
    encoded()
    for path in pictures.rglob("*.*"):
        os.utime(path, (1, 1))
    build()
    moved = pictures.parent / "elsewhere"
    pictures.rename(moved)
    build(data=moved)
    # Another split of the same items, seeds and training do not matter to backbones that are not fitted.
    build(data=moved, seeds=[7], training={"steps": 3}, results=Path("other"))
    assert encoded() == {}
    assert len(Cache().entries()[0]) == 3


@pytest.fixture
def opened(monkeypatch):
    """The pictures that are opened from now on, to be hashed."""
    paths = []
    real_open = Path.open

    def spy(path, *arguments, **options):
        if path.suffix in (".jpg", ".png"):
            paths.append(path)
        return real_open(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    return paths


def test_the_hash_of_a_file_that_was_just_written_is_not_remembered(build, pictures, opened):
    # Its time of writing may be any, as in an archive.
    for path in pictures.rglob("*.*"):
        os.utime(path, (1, 1))
    build()
    opened.clear()
    build()
    assert len(opened) == 120


@pytest.mark.usefixtures("settled")
def test_another_picture_of_the_same_name_size_and_time_is_another(build, pictures):
    paths = [pictures / f"apple/apple-000{number}.bmp" for number in (0, 1)]
    for path, colour in zip(paths, ("red", "green"), strict=True):
        Image.new("RGB", (30, 24), colour).save(path)
        os.utime(path, (1_600_000_000, 1_600_000_000))
    first = build()
    # One is replaced by a new file, one is written in place.
    for path, colour in zip(paths, ("blue", "white"), strict=True):
        temporary = path.with_suffix(".new")
        Image.new("RGB", (30, 24), colour).save(temporary, "BMP")
        os.utime(temporary, (1_600_000_000, 1_600_000_000))
        if colour == "blue":
            temporary.replace(path)
        else:
            path.write_bytes(temporary.read_bytes())
            os.utime(path, (1_600_000_000, 1_600_000_000))
            temporary.unlink()
    second = build()
    for path, colour in zip(paths, ([0, 0, 1], [1, 1, 1]), strict=True):
        row = first.images.index(path)
        assert second.images[row] == path
        assert second.image_features.values[row].reshape(3, 9).mean(1) == pytest.approx(np.add(colour, 0.01))
        assert (first.image_features.values[row] != second.image_features.values[row]).any()


@pytest.mark.usefixtures("settled")
def test_hashes_of_unchanged_files_are_remembered(build, pictures, opened):
    build()
    opened.clear()
    build()
    assert not opened
    (pictures / "apple/apple-0000.png").write_bytes((pictures / "apple/apple-0004.png").read_bytes())
    opened.clear()
    build()
    assert [path.name for path in opened] == ["apple-0000.png"]
    # Another file of the same size.
    path = pictures / "apple/apple-0008.png"
    path.write_bytes(bytes(path.stat().st_size))
    assert "apple/apple-0008.png" not in build().ids
    # Notes that were spoiled are no notes.
    for notes in Cache().hashes.iterdir():
        notes.write_text('{"files": {"apple-0000.png": 3}}')
    opened.clear()
    build()
    assert len(opened) == 120


def test_files_are_safetensors_that_say_where_they_are_from(build):
    items = build()
    entry = newest("image")
    tensors = load_file(entry.path)
    assert list(tensors) == ["features"]
    assert (tensors["features"] == items.image_features.values).all()
    with safe_open(entry.path, "numpy") as file:
        facts = file.metadata()
    assert (facts["kind"], facts["backbone"], facts["dataset"]) == ("image", "mean-colours@1", "album")
    assert set(json.loads(facts["versions"])) == {"huse-bench", "numpy", "pillow", "python", "torch"}
    assert isinstance(items.image_features.values, np.memmap)
    assert entry.offset % 8 == 0


@pytest.mark.parametrize("damage", ["a bit", "the end", "the beginning", "another file"])
def test_a_damaged_file_is_noticed_and_made_again(build, encoded, damage):
    first = build().image_features.values.copy()
    encoded()
    path = newest("image").path
    data = bytearray(path.read_bytes())
    if damage == "a bit":
        data[-100] ^= 1
    if damage == "the end":
        del data[-4:]
    if damage == "the beginning":
        data[:8] = b"\xff" * 8
    if damage == "another file":
        data = newest("text").path.read_bytes()
    path.write_bytes(data)
    again = build().image_features.values
    assert (again == first).all()
    assert encoded() == {"pictures": 120}


def command(*arguments):
    return [sys.executable, "-m", "huse_bench", "features", "build", "album", "--data", "pictures", *arguments]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def log_lines(work):
    path = work.parent / "log"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_stopped_goes_on_where_it_was(build, album, encoded, monkeypatch, tmp_path, how):
    # Longer than the address of a socket may be.
    temporary = tmp_path / ("temporary" * 10)
    temporary.mkdir()
    process = subprocess.Popen(
        command("--workers", "1"),
        env=os.environ | {"ALBUM_SLEEP": "0.2", "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, what they start would ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no threads yet
    )
    wait_for(lambda: len(log_lines(album)) >= 3)
    children = psutil.Process(process.pid).children()
    assert children
    process.send_signal(how)
    said = process.communicate()[1]
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted" in said
        assert "Traceback" not in said
    # Neither processes nor files are left behind.
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(temporary.iterdir()) == []
    (unfinished,) = Cache().unfinished()
    done = encoded()["pictures"]
    assert done >= 2 * BATCH
    assert done - BATCH <= unfinished.rows <= done
    assert Cache().entries()[0] == []

    resumed = build()
    assert encoded()["pictures"] == 120 - unfinished.rows
    assert Cache().unfinished() == []
    monkeypatch.setenv("HUSE_BENCH_CACHE", str(tmp_path / "fresh"))
    assert (build().image_features.values == resumed.image_features.values).all()
    assert encoded()["pictures"] == 120


@pytest.mark.usefixtures("pictures")
def test_two_builds_at_once_do_the_work_once(album, encoded, monkeypatch):
    gate = album / "gate"
    gate.touch()
    monkeypatch.setenv("ALBUM_GATE", str(gate))
    first = subprocess.Popen(command("--workers", "0"), stdout=subprocess.PIPE, text=True)
    second = None
    try:
        wait_for(lambda: log_lines(album))
        second = subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = second.stderr.readline()
    finally:
        gate.unlink()
        outputs = [process.communicate()[0] for process in (first, second) if process is not None]
    assert said == "image features by mean-colours: another process is making them, waiting for it\n"
    assert outputs[0] == outputs[1]
    assert (first.returncode, second.returncode) == (0, 0)
    assert encoded() == {"pictures": 120, "texts": 123}


def test_names_of_entries_fit_any_file_system(tmp_path):
    cache = Cache(tmp_path)
    one, other = (cache.stem("image", f"hf-image:/home/{600 * 'x'}", key * 64) for key in "ab")
    assert len(f"{one.name}.safetensors.lock") < 200
    assert one != other


def test_files_of_the_system_are_no_entries(tmp_path):
    cache = Cache(tmp_path)
    cache.folder.mkdir()
    for name in ("._image-x-1.safetensors", "._image-x-1.partial", ".DS_Store"):
        (cache.folder / name).write_bytes(b"\0\5\x16\7")
    assert cache.entries() == ([], {})
    assert cache.unfinished() == []


def test_what_a_crash_left_is_cut_off(tmp_path):
    facts = {"key": "k"}
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)

    def begun():
        partial = Partial(tmp_path / "x", facts)
        partial.close()
        return partial.rows

    partial = Partial(tmp_path / "x", facts)
    partial.append(rows[:2], {1: ("left out", "why", "file")})
    partial.append(rows[2:], {})
    partial.close()
    assert begun() == 4
    journal, data = tmp_path / "x.journal", tmp_path / "x.partial"
    whole = journal.read_bytes(), data.read_bytes()

    def restore():
        journal.write_bytes(whole[0])
        data.write_bytes(whole[1])

    # Half a journal line; rows without a line; a line without its rows; rows that are not what was written.
    journal.write_bytes(whole[0][:-5])
    assert begun() == 2
    assert data.stat().st_size == 2 * 3 * 4
    restore()
    data.write_bytes(whole[1] + b"junk")
    assert begun() == 4
    restore()
    data.write_bytes(whole[1][:-4])
    assert begun() == 2
    restore()
    data.write_bytes(b"\1" + whole[1][1:])
    assert begun() == 0
    restore()
    journal.write_bytes(b"junk\n" + whole[0])
    assert begun() == 0
    # Files of another key are begun anew.
    restore()
    facts = {"key": "other"}
    assert begun() == 0
    facts = {"key": "k"}
    restore()
    partial = Partial(tmp_path / "x", facts)
    assert (partial.rows, partial.dim, partial.flaws) == (4, 3, {"1": ["left out", "why", "file"]})
    partial.remove()
    assert not journal.exists()
    assert not data.exists()


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from huse_bench import ImageBackbone
from huse_bench.features._backbones import Opened
from huse_bench.features._encode import Encoder
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter
import huse_bench.results, PIL.Image

class Wide(ImageBackbone):
    revision, dim = "1", 30_000
    def preprocess(self, image):
        return np.asarray(image, np.float32).transpose(2, 0, 1)
    def encode_pixels(self, pixels):
        return np.repeat(pixels.reshape(len(pixels), -1), 10_000, axis=1)

paths = sorted(Path("tiny").iterdir())
encoder = Encoder(Cache(), Reporter(quiet=True), "tiny", 0)
opened = Opened(Wide(), "wide", "test", None)
encoder.pictures(opened, paths[:64])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
encoded = encoder.pictures(opened, paths)
print(encoded.values.nbytes / 2**20, peak() - before)
"""


def test_memory_does_not_grow_with_the_dataset(album):
    folder = album / "tiny"
    folder.mkdir()
    for index in range(2000):
        (folder / f"{index:04}.ppm").write_bytes(b"P6 1 1 255 " + bytes([index % 256, index // 256, 7]))
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size, growth = map(float, done.stdout.split())
    assert size > 220
    assert growth < 40
