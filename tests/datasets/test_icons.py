"""The shipped dataset 'icons': what it holds."""

import hashlib
import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from huse_bench import Items
from huse_bench_datasets.icons import Icons

SETS = ("tabler", "mdi", "fontawesome", "phosphor", "lucide")


@pytest.fixture(scope="module")
def items() -> Items:
    return Icons().load()


def _class_of(items, name: str) -> str:
    return items.class_names[items.labels[list(items.ids).index(name)]]


def test_counts(items) -> None:
    # Fixed: published numbers are about exactly these items.
    assert Counter(item.split("/")[0] for item in items.ids) == dict(
        zip(SETS, (1071, 1602, 752, 536, 551), strict=True)
    )
    assert len(items.class_names) == 60
    assert Counter(items.splits.tolist()) == {"train": 3169, "validation": 444, "test": 899}
    assert len(set(items.groups)) == 1818
    assert np.bincount(items.labels).min() == 25


def test_the_split_is_the_recorded_one(items) -> None:
    # A split that changes makes every published number incomparable: give it a new salt, and say so.
    facts = json.loads((Icons.folder / "data" / "items.json").read_text(encoding="utf-8"))
    splits = dict(zip(items.groups, items.splits.tolist(), strict=True))
    lines = "".join(f"{group} {splits[group]}\n" for group in sorted(splits))
    assert facts["split"]["salt"] == "huse-bench icons split 1"
    assert facts["split"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert facts["split"]["sha256"] == "d9575d796214b1e6786ada0400053b78bf981325ce6f7b77c30656281a0affd8"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("tabler/cat", "animals"),
        ("fontawesome/wine-glass", "drinks"),
        ("phosphor/airplane", "aircraft"),
        ("lucide/hammer", "tools"),
        ("mdi/zodiac-leo", "zodiac signs"),
        ("mdi/transmission-tower", "electricity"),
        ("tabler/mood-happy", "faces"),
        ("lucide/cloud-rain", "weather"),
        # By hand: T-shirts are sorted under shopping, wheelchairs under vehicles.
        ("tabler/shirt", "clothing and bags"),
        ("tabler/wheelchair", "cycles"),
    ],
)
def test_known_icons_have_the_class_of_what_they_show(items, name, label) -> None:
    assert _class_of(items, name) == label


def test_drawings_of_one_thing_are_a_group_in_every_set(items) -> None:
    groups = dict(zip(items.ids, items.groups, strict=True))
    for same in (
        ["tabler/cat", "mdi/cat", "fontawesome/cat", "phosphor/cat", "lucide/cat"],
        ["mdi/bicycle", "tabler/bike", "lucide/bike", "phosphor/bicycle", "fontawesome/bicycle"],
        ["tabler/home", "mdi/home", "fontawesome/house", "phosphor/house", "lucide/house"],
        ["mdi/lightbulb", "mdi/lightbulb-outline", "lucide/lightbulb"],
    ):
        assert len({groups[item] for item in same}) == 1, same
    assert groups["tabler/cat"] != groups["tabler/dog"]


def test_interface_signs_logos_letters_and_what_is_crossed_out_are_left_out(items) -> None:
    names = {item.split("/")[1] for item in items.ids}
    assert names.isdisjoint(
        {"plus", "x", "check", "settings", "arrow-left", "letter-a", "number-1", "brand-github", "key"}
    )
    assert [name for name in names if name.endswith(("-off", "-slash", "-off-outline"))] == []


def test_the_text_is_the_name_and_the_tags_of_the_set(items) -> None:
    texts = dict(zip(items.ids, items.texts, strict=True))
    assert texts["phosphor/cow"].startswith("cow: ")
    assert texts["mdi/lightbulb"] == texts["mdi/lightbulb-outline"]
    words = defaultdict(list)
    for item, text in texts.items():
        words[item.split("/")[0]].append(":" in text)
    # MDI alone has icons of which it says nothing but the name.
    assert {name: min(said) for name, said in words.items()}.keys() == set(SETS)
    assert np.mean(words["mdi"]) < 0.7 < min(np.mean(words[name]) for name in SETS if name != "mdi")


def test_the_notes_have_the_counts(items) -> None:
    notes = (Icons.folder / "README.md").read_text(encoding="utf-8")
    for name, title in zip(SETS, ("Tabler", "MDI", "Font Awesome, solid", "Phosphor, regular", "Lucide"), strict=True):
        row = next(line for line in notes.splitlines() if line.startswith(f"| {title} |"))
        assert f"| {sum(item.startswith(name + '/') for item in items.ids):,} |" in row
    sizes, of_test = Counter(items.groups), set(np.array(items.groups)[items.splits == "test"])
    sets = defaultdict(set)
    for item, group in zip(items.ids, items.groups, strict=True):
        sets[group].add(item.split("/")[0])
    shared = [group for group, of in sets.items() if len(of) > 1]
    text = " ".join(notes.split())
    assert f"makes {len(sizes):,} groups: {sum(size == 1 for size in sizes.values())} of one icon" in text
    assert f"the largest of {max(sizes.values())} " in text
    assert f"{len(shared)} groups, with {sum(sizes[group] for group in shared):,} icons" in text
    assert f"by more than one set, {sum(len(of) == 5 for of in sets.values())} by all five" in text
    counts = Counter(items.splits.tolist())
    assert f"{counts['train']:,} to train on, {counts['validation']} to validate" in text
    assert f"{counts['test']} of {len(of_test)} groups to test" in text
    per_class = np.bincount(items.labels)
    assert f"have {per_class.min()} to {per_class.max()} icons" in text
    of_class = defaultdict(set)
    for label, group in zip(items.labels.tolist(), items.groups, strict=True):
        of_class[label].add(group)
    assert f"{min(map(len, of_class.values()))} groups at least" in text
