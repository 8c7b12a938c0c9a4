"""A distribution with a dataset of real picture files and backbones that take no time and count their work."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ALBUM = '''
import os
import time
from pathlib import Path

import numpy as np
from huse_bench import Dataset, Features, ImageBackbone, Items, Taxonomy, TextBackbone


def note(what, count):
    """One line in the log for each call that encodes."""
    if "ALBUM_LOG" in os.environ:
        with open(os.environ["ALBUM_LOG"], "a") as log:
            log.write(f"{what} {count}\\n")
    time.sleep(float(os.environ.get("ALBUM_SLEEP", 0)))
    while os.path.exists(os.environ.get("ALBUM_GATE", "")):
        time.sleep(0.01)


class MeanColours(ImageBackbone):
    """The mean colour of each ninth of a picture."""
    title = "Mean colours"
    revision = os.environ.get("ALBUM_REVISION", "1")
    dim = 27

    def preprocess(self, image):
        assert image.mode == "RGB"
        pixels = np.asarray(image.resize((12, 12)), np.float32) / 255
        return pixels.transpose(2, 0, 1)

    def encode_pixels(self, pixels):
        note("pictures", len(pixels))
        return pixels.reshape(len(pixels), 3, 3, 4, 3, 4).mean((3, 5)).reshape(len(pixels), 27) + np.float32(0.01)


class Rounded(MeanColours):
    """Computes in bfloat16 where it shall: cuts off the other half of each number."""
    title = "Rounded"
    precisions = ("float32", "bfloat16")

    def encode_pixels(self, pixels):
        made = super().encode_pixels(pixels)
        return made if self.precision == "float32" else (made.view(np.uint32) & 0xFFFF0000).view(np.float32)


class Letters(TextBackbone):
    """How often each letter occurs."""
    title = "Letters"
    revision = "1"
    dim = 27

    def encode(self, texts):
        note("texts", len(texts))
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] + [1] for text in texts], np.float32)


class Words(TextBackbone):
    """How often each word of the train texts occurs, with a length that is known once it was fitted."""
    title = "Words"
    revision = "1"
    fitted = True

    def fit(self, texts):
        note("fit", len(texts))
        self.words = sorted({word for text in texts for word in text.split()})
        self.dim = len(self.words) + 1

    def encode(self, texts):
        note("texts", len(texts))
        return np.array([[text.split().count(word) for word in self.words] + [1] for text in texts], np.float32)


class Tinted(MeanColours):
    """With a number that is written behind the colon."""
    title = "Tinted"
    reference = "a number"

    def __init__(self, tint):
        self.tint = float(tint)

    def encode_pixels(self, pixels):
        return super().encode_pixels(pixels) + np.float32(self.tint)


class Wrong(MeanColours):
    """Gives vectors of another length than it says."""
    dim = 5


class Unpicklable(MeanColours):
    def __init__(self):
        self.open = lambda: None


class Choosy(MeanColours):
    def preprocess(self, image):
        raise ZeroDivisionError("too bright")


class Deadly(MeanColours):
    def preprocess(self, image):
        os._exit(9)


class Loud(MeanColours):
    def preprocess(self, image):
        os.write(1, b"an old friend\\n")
        return super().preprocess(image)


class Uneven(MeanColours):
    def preprocess(self, image):
        return np.zeros((3, image.height, image.width), np.float32)


class Album(Dataset):
    """Pictures in folders named like their class; the text is the file's name, the split its last digit."""
    title = "Album"
    backbones = {"image": "mean-colours", "text": "letters", "class": "letters"}

    def __init__(self, data=None, upper: bool = False, seed: int = 0):
        super().__init__(data)
        self.upper = upper

    def load(self):
        paths = sorted(Path(self.data).rglob("*.*"))
        names = sorted({path.parent.name for path in paths})
        splits = {8: "validation", 9: "test"}
        digits = [int(path.stem[-1]) for path in paths]
        texts = [f"{path.parent.name} {path.stem}" for path in paths]
        return Items(
            ids=[f"{path.parent.name}/{path.name}" for path in paths],
            labels=np.array([names.index(path.parent.name) for path in paths]),
            splits=np.array([splits.get(digit, "train") for digit in digits]),
            class_names=names,
            taxonomy=Taxonomy.from_edges([("all", name) for name in names], classes=names),
            images=paths,
            texts=[text.upper() for text in texts] if self.upper else texts,
            notices=("this album is a test",),
        )


class Mute(Album):
    """Brings features in place of texts."""
    title = "Mute"

    def load(self):
        items = super().load()
        lengths = np.array([[len(text), label] for text, label in zip(items.texts, items.labels)], np.float32)
        return Items(**{**vars(items), "texts": None, "text_features": Features(lengths, "ears@1")})


class Bare(Album):
    """Names no backbone for its pictures."""
    title = "Bare"
    backbones = {"text": "letters", "class": "letters"}
'''

ENTRY_POINTS = """
[huse_bench.datasets]
album = album_plugins:Album
bare = album_plugins:Bare
mute = album_plugins:Mute

[huse_bench.backbones]
mean-colours = album_plugins:MeanColours
rounded = album_plugins:Rounded
letters = album_plugins:Letters
words = album_plugins:Words
tinted = album_plugins:Tinted
wrong = album_plugins:Wrong
unpicklable = album_plugins:Unpicklable
choosy = album_plugins:Choosy
deadly = album_plugins:Deadly
loud = album_plugins:Loud
uneven = album_plugins:Uneven
"""

COLOURS = {"apple": (200, 30, 40), "lemon": (230, 210, 60), "plum": (90, 40, 120)}


@pytest.fixture
def album(distribution, tmp_path, monkeypatch) -> Path:
    """The album distribution on the Python path, the cache in a folder of the test; gives a working folder."""
    monkeypatch.setenv("HUSE_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ALBUM_LOG", str(tmp_path / "log"))
    return distribution("album_plugins", ALBUM, ENTRY_POINTS)


@pytest.fixture
def pictures(album) -> Path:
    """A folder of 120 pictures of three classes, JPEG and PNG, of the classes' colours with noise."""
    return make_pictures(album / "pictures", 40)


def make_pictures(folder: Path, each: int) -> Path:
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for index in range(each):
            noise = rng.normal(0, 25, (24 + index % 5, 30, 3))
            image = Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{name}-{index:04}.{'png' if index % 4 == 0 else 'jpg'}")
    return folder


def counted(work: Path) -> dict[str, int]:
    """How many pictures and texts were encoded since the log was begun, and how many texts fitted on."""
    log = work.parent / "log"
    totals: dict[str, int] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        what, count = line.split()
        totals[what] = totals.get(what, 0) + int(count)
    return totals


@pytest.fixture
def encoded(album):
    """What was encoded since this was last called, by kind."""

    def call() -> dict[str, int]:
        totals = counted(album)
        (album.parent / "log").unlink(missing_ok=True)
        return totals

    return call


@pytest.fixture
def settled(monkeypatch):
    """Take every file for one that was written long ago, so that its hash is remembered at once."""
    monkeypatch.setattr("huse_bench.features._contents._SETTLED_NS", 0)
