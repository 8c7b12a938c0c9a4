"""The shipped dataset 'emoji': what it holds."""

import hashlib
import io
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

import huse_bench_datasets.emoji as package
from huse_bench import Items
from huse_bench_datasets.emoji import Emoji

FOLDER = Path(package.__file__).parent
# A red button, a green apple and a blue heart: the channel that is largest.
COLOURED = {"1F191": 0, "1F34F": 1, "1F499": 2}


@pytest.fixture(scope="module")
def items() -> Items:
    return Emoji().load()


@pytest.fixture(scope="module")
def facts() -> dict:
    return json.loads((FOLDER / "data" / "items.json").read_text(encoding="utf-8"))


def _hexcode(item: str) -> str:
    return item.split("/")[1]


def test_counts(items) -> None:
    # Fixed: published numbers are about exactly these items.
    assert Counter(item.split("/")[0] for item in items.ids) == {
        "noto": 1760,
        "twemoji": 1760,
        "fluent": 1465,
        "openmoji": 1768,
    }
    assert len(items.class_names) == 70
    assert Counter(items.splits.tolist()) == {"train": 4724, "validation": 671, "test": 1358}


def test_all_drawings_of_an_emoji_are_in_one_split_and_class(items) -> None:
    seen = defaultdict(set)
    for item, label, split in zip(items.ids, items.labels, items.splits, strict=True):
        seen[_hexcode(item)].add((label, split))
    assert all(len(places) == 1 for places in seen.values())


def test_every_class_is_split_70_10_20_by_emoji(items) -> None:
    emoji = {_hexcode(item): place for item, *place in zip(items.ids, items.labels, items.splits, strict=True)}
    for label in range(len(items.class_names)):
        counts = Counter(split for of, split in emoji.values() if of == label)
        total = sum(counts.values())
        assert total >= 8
        assert set(counts) == {"train", "validation", "test"}
        assert abs(counts["test"] - 0.2 * total) <= 0.5
        assert abs(counts["validation"] - 0.1 * total) <= 0.5
        assert abs(counts["train"] - 0.7 * total) <= 1


def test_the_split_is_the_recorded_one(items, facts) -> None:
    # A split that changes makes every published number incomparable: give it a new salt, and say so.
    splits = {_hexcode(item): split for item, split in zip(items.ids, items.splits, strict=True)}
    lines = "".join(f"{hexcode} {splits[hexcode]}\n" for hexcode in sorted(splits))
    assert facts["split"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert facts["split"]["salt"] == "huse-bench emoji split 1"
    assert facts["split"]["sha256"] == "349172c2bc14d67fe00ab5f49577855979ace56f53415293a27d9de84a8920fa"


def test_every_class_has_its_group_in_unicode(items, facts) -> None:
    groups = dict(zip(items.class_names, facts["unicode_groups"], strict=True))
    assert set(groups.values()) == {
        "smileys-emotion",
        "people-body",
        "animals-nature",
        "food-drink",
        "travel-places",
        "activities",
        "objects",
        "symbols",
        "flags",
    }
    assert groups["animal-bird"] == "animals-nature"
    assert groups["zodiac"] == "symbols"
    assert list(items.taxonomy.classes) == list(items.class_names)


def test_components_skin_tones_and_borrowed_flags_are_left_out(items) -> None:
    points = {point for item in items.ids for point in _hexcode(item).split("-")}
    assert points.isdisjoint({"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF", "FE0F"})
    assert "noto/1F1EB-1F1F7" in items.ids
    assert "fluent/1F1EB-1F1F7" not in items.ids


def test_known_emoji(items, facts) -> None:
    tiger = next(one for one in facts["emoji"] if one["hexcode"] == "1F42F")
    assert tiger["name"] == "tiger face"
    assert items.class_names[tiger["class"]] == "animal-mammal"
    assert items.class_names[items.labels[list(items.ids).index("openmoji/1F42F")]] == "animal-mammal"


def test_thumbnails_are_those_of_the_test_items(items) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    of_test = [item for item, split in zip(items.ids, items.splits, strict=True) if split == "test"]
    assert list(items.thumbnails) == of_test
    assert sum(map(len, items.thumbnails.values())) < 1.5e6
    colours = {}
    for item, contents in items.thumbnails.items():
        picture = image.open(io.BytesIO(contents))
        assert (picture.format, picture.size) == ("WEBP", (40, 40))
        colours[item] = np.asarray(picture.convert("RGB"), dtype=float).mean(axis=(0, 1))
    # Each is the drawing of its item.
    for drawn_by in ("noto", "twemoji", "fluent", "openmoji"):
        for hexcode, channel in COLOURED.items():
            item = f"{drawn_by}/{hexcode}"
            assert colours[item].argmax() == channel, (item, colours[item])


def test_package_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 13e6


def test_drawings_of_an_emoji_are_a_group(items):
    assert list(items.groups) == [_hexcode(item) for item in items.ids]


def test_the_notes_have_what_the_features_find_as_they_are(items) -> None:
    test = np.flatnonzero(items.splits == "test")
    labels, groups = items.labels[test], np.array(items.groups)[test]
    correct = items.taxonomy.correct_sets(5)
    notes = (FOLDER / "data" / "README.md").read_text(encoding="utf-8")
    for features in (items.image_features, items.text_features):
        unit = features.values[test].astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        similarities = np.where(groups[:, None] == groups, -np.inf, unit @ unit.T)
        found = labels[np.argsort(-similarities, axis=1, kind="stable")[:, :5]]
        for score in ((found[:, 0] == labels).mean(), correct[labels[:, None], found].mean()):
            assert f"{score:.4f}".removeprefix("0") in notes
