"""The steps that make the dataset 'icons'."""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huse_bench import errors
from huse_bench_datasets._outline import read_outline
from huse_bench_datasets._shipped.sources import npm
from huse_bench_datasets.icons import Icons, _icons
from huse_bench_datasets.icons._choice import choose
from huse_bench_datasets.icons._classes import RULES, read_rules
from huse_bench_datasets.icons._icons import Icon, collect
from huse_bench_datasets.icons._things import naming


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Path:
    """A cat by each set, with what else a package has that is to be left out."""
    packages = {}
    monkeypatch.setattr(_icons, "PACKAGES", packages)

    def make(name: str, files: Mapping[str, bytes | str | dict | list]) -> None:
        path = tmp_path / f"{name}-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for file, content in files.items():
                data = (
                    content
                    if isinstance(content, bytes)
                    else (content if isinstance(content, str) else json.dumps(content)).encode()
                )
                member = tarfile.TarInfo(f"package/{file}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        packages[name] = npm(name, "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())

    tabler = {
        "cat": {"category": "Animals", "tags": ["pet", "cat", 9], "styles": {"outline": {}, "filled": {}}},
        "full": {"category": "Animals", "tags": [], "styles": {"filled": {}}},
    }
    make("tabler", {"icons.json": tabler, "icons/outline/cat.svg": "<t/>", "icons/filled/cat.svg": "<f/>"})
    mdi = [
        {"name": "cat", "aliases": ["house-cat"], "tags": ["Animal", "Holiday"], "deprecated": False},
        {"name": "cat-outline", "aliases": ["house-cat-outline"], "tags": ["Animal"], "deprecated": False},
        {"name": "firm", "aliases": [], "tags": ["Brand / Logo"], "deprecated": True},
    ]
    make("mdi", {"meta.json": mdi, "svg/cat.svg": "<m/>", "svg/cat-outline.svg": "<o/>", "svg/firm.svg": "<x/>"})
    families = {
        "cat": {"label": "Cat", "search": {"terms": ["feline", "cat"]}},
        "firm": {"label": "Firm", "search": {"terms": []}},
        "4": {"label": "4", "search": {"terms": []}},
    }
    categories = (
        "animals:\n  icons:\n    - cat\n  label: Animals\nhalloween:\n  icons:\n    - cat\n    - '4'\n  label: x\n"
    )
    make(
        "fontawesome",
        {
            "metadata/icon-families.json": families,
            "metadata/categories.yml": categories,
            "svgs-full/solid/cat.svg": "<s/>",
            "svgs-full/solid/4.svg": "<4/>",
            "svgs-full/brands/firm.svg": "<b/>",
        },
    )
    types = (
        'export declare const icons: readonly [{\n    readonly name: "cat";\n    readonly categories: readonly [];\n'
        '    readonly alias: {\n        readonly name: "kitty";\n    };\n'
        '    readonly tags: readonly ["*new*", "pets"];\n'
        '}, {\n    readonly name: "dog";\n    readonly tags: readonly [];\n}];\n'
    )
    make("phosphor", {"dist/icons.d.ts": types, "assets/regular/cat.svg": "<p/>", "assets/regular/dog.svg": "<d/>"})
    make("lucide", {"tags.json": {"cat": ["pet"]}, "icons/cat.svg": "<l/>"})
    return tmp_path


def test_each_icon_has_the_text_the_categories_and_the_picture_of_its_set(sources) -> None:
    found = [(icon.set, icon.name, icon.text, list(icon.categories), icon.picture) for icon in collect(sources)]
    assert found == [
        ("tabler", "cat", "cat: pet, 9", ["Animals"], b"<t/>"),
        ("mdi", "cat", "cat: house cat", ["Animal", "Holiday"], b"<m/>"),
        ("mdi", "cat-outline", "cat: house cat", ["Animal"], b"<o/>"),
        ("fontawesome", "4", "4", ["halloween"], b"<4/>"),
        ("fontawesome", "cat", "cat: feline", ["animals", "halloween"], b"<s/>"),
        ("phosphor", "cat", "cat: pets", [], b"<p/>"),
        ("phosphor", "dog", "dog", [], b"<d/>"),
        ("lucide", "cat", "cat: pet", [], b"<l/>"),
    ]


WORDS = [f"w{letter}" for letter in "abcdefghijkl"]
VARIED = [*WORDS, *(f"{word}-plus" for word in WORDS), *(f"{word}-shop" for word in WORDS[:9])]


def test_a_word_that_ends_the_names_of_ten_icons_says_a_variant() -> None:
    thing = naming(VARIED)
    assert thing("wa-plus") == "wa"
    # Nine are too few, so that a coffee shop is no coffee.
    assert thing("wa-shop") == "wa-shop"
    # Where the rest is no icon, the word may be a part of the thing's name.
    assert thing("sur-plus") == "sur-plus"
    assert thing("wa-2-plus") == "wa"


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("mood-happy", "face-happy"),
        ("emoticon-happy-outline", "face-happy"),
        ("smiley-happy", "face-happy"),
        ("mood", "mood"),
        ("zodiac-leo", "leo"),
        ("euro-sign", "currency-euro"),
        ("account", "account"),
        ("account-tie", "user-tie"),
        ("level-2", "level"),
        ("2", "2"),
    ],
)
def test_what_sets_call_otherwise_has_one_name(name, thing) -> None:
    assert naming(["zodiac", name])(name) == thing


@given(st.lists(st.sampled_from(VARIED), min_size=1, unique=True))
def test_variants_of_one_name_are_one_thing_and_nothing_else_is(names) -> None:
    thing = naming(names)
    for name in names:
        assert name == thing(name) or name.startswith(thing(name) + "-")
        assert thing(thing(name)) == thing(name)


def rules(tmp_path, *lines: str):
    path = tmp_path / "classes.txt"
    path.write_text("\n".join(["# a comment", "", *lines]) + "\n", encoding="utf-8")
    return read_rules(path)


def test_the_class_is_the_one_of_most_sets_and_a_tie_goes_to_the_first_line(tmp_path) -> None:
    read = rules(tmp_path, "animals < a: Animal; Pet", "feasts < a: Holiday", "feasts < b: holiday", "animals < c: x")

    def class_of(**categories):
        return read.class_of("cat", categories.items())

    assert class_of(a=["Holiday"]) == "feasts"
    assert class_of(a=["Animal"], b=["holiday"]) == "animals"
    # The second set has a whole vote, the first one halves.
    assert class_of(a=["Animal", "Holiday"], b=["holiday"]) == "feasts"
    assert class_of(a=["Animal", "Holiday", "Unknown"], b=["holiday"], c=["x"]) == "animals"
    # A set has one vote, however many icons and categories it has.
    assert class_of(a=["Animal"] * 9, b=["holiday"]) == "animals"
    assert class_of(a=["Pet"] * 9 + ["Holiday"], b=["holiday"]) == "feasts"
    assert class_of(a=["Unknown"], d=["Animal"]) is None


def test_what_is_put_by_hand_comes_first(tmp_path) -> None:
    read = rules(
        tmp_path, "cat = kitty tom-*", "-: cat-food", "things: cat-* dog", "animals: dog", "animals < a: Animal"
    )
    assert [read.thing(name) for name in ("kitty", "tom-1", "tom", "dog")] == ["cat", "cat", "tom", "dog"]
    animal = [("a", ["Animal"])]
    assert read.class_of("cat", animal) == "animals"
    assert read.class_of("cat-food", animal) is None
    assert read.class_of("cat-tree", animal) == "things"
    assert read.class_of("dog", animal) == "things"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["animals"], r"classes.txt line 3 is not 'THING = NAMES'.*: 'animals'"),
        (["animals < Animal"], "line 3 is not"),
        (["cat: a", "animals < a: Animal", "plants < a: Tree; Animal"], "line 5: a's 'Animal' has a class already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message) -> None:
    with pytest.raises(errors.DataError, match=message):
        rules(tmp_path, *lines)


def icon(set_: str, name: str, *categories: str) -> Icon:
    return Icon(set_, name, name, categories, b"<svg/>")


def test_two_drawings_of_a_thing_are_taken_of_each_set_the_plain_ones_first(tmp_path) -> None:
    words = [f"w{letter}" for letter in "abcdefghijklmno"]
    names = [
        f"{word}{end}" for word in words for end in ("", "-x", "-outline", "-clock", "-off", "-slash", "-off-outline")
    ]
    icons = [icon(name_of, name, "Animal") for name_of in ("mdi", "tabler") for name in names]
    chosen = choose(icons, rules(tmp_path, "animals < mdi: Animal"))
    assert len(chosen) == 2 * 2 * len(words)
    assert [one.id for one in chosen[:4]] == ["tabler/wa", "tabler/wa-outline", "mdi/wa", "mdi/wa-outline"]
    assert {(one.thing, one.label) for one in chosen[:4]} == {("wa", "animals")}


def test_what_is_crossed_out_is_left_out(tmp_path) -> None:
    names = [f"thing{letter}x" for letter in "abcdefghijklmno"]
    crossed = ["bell-off", "bell-slash", "bell-ring-off-outline", "offer", "slash-dot", "car-off-road"]
    chosen = choose([icon("mdi", name, "A") for name in (*names, *crossed)], rules(tmp_path, "a < mdi: A"))
    assert {one.icon.name for one in chosen} == {*names, "offer", "slash-dot", "car-off-road"}


def test_small_classes_and_things_without_a_class_are_left_out(tmp_path) -> None:
    large = [icon("tabler", f"large{number}x", "A") for number in range(15)]
    small = [icon("tabler", f"small{number}x", "B") for number in range(14)]
    other = [icon("tabler", f"other{number}x", "C") for number in range(20)]
    # Another set has no categories and joins by the name.
    joined = [icon("lucide", "large3x"), icon("lucide", "other9x")]
    chosen = choose([*small, *other, *large, *joined], rules(tmp_path, "a < tabler: A", "b < tabler: B"))
    assert Counter(one.icon.set for one in chosen) == {"tabler": 15, "lucide": 1}
    assert {one.label for one in chosen} == {"a"}


def test_the_rules_have_the_classes_of_the_tree_and_every_set_with_categories() -> None:
    read = read_rules(RULES)
    nodes = read_outline(Icons.folder / "outline.txt")
    leaves = {node.name for node in nodes} - {node.parent.name for node in nodes if node.parent is not None}
    assert {label for _, label in read.by_hand} | set(read.order) == leaves | {"-"}
    assert {of for of, _ in read.by_category} == {"tabler", "mdi", "fontawesome"}
    for patterns in (read.merged, read.by_hand):
        repeated = {pattern for pattern, count in Counter(pattern for pattern, _ in patterns).items() if count > 1}
        assert repeated == set()
