"""The steps that make the dataset 'clipart'."""

import io
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huse_bench_datasets.clipart import _folders, _picture, _texts, build
from huse_bench_datasets.clipart._metadata import Metadata, read_metadata

# Metadata ----------------------------------------------------------------------------------------------------------

SVG = """<?xml version="1.0"?>
<svg width="100pt" height="{height}" xmlns="http://www.w3.org/2000/svg"
     xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
     xmlns:cc="http://web.resource.org/cc/">
  <metadata><rdf:RDF><cc:Work rdf:about="">
    <dc:title>A  lemon
    </dc:title>
    <dc:description/>
    <dc:subject><rdf:Bag>
      <rdf:li>fruit</rdf:li><rdf:li></rdf:li><rdf:li>fruit</rdf:li><rdf:li>sour one</rdf:li>
    </rdf:Bag></dc:subject>
    <dc:publisher><cc:Agent><dc:title>Open Clip Art Library</dc:title></cc:Agent></dc:publisher>
    {licence}
    <dc:creator><cc:Agent><dc:title>A. Painter</dc:title></cc:Agent></dc:creator>
  </cc:Work></rdf:RDF></metadata>
  {drawn}
</svg>
"""


def _svg(drawn: str = "", height: str = "200pt", licence: str = "") -> bytes:
    return SVG.format(drawn=drawn, height=height, licence=licence).encode()


def test_metadata_are_read() -> None:
    assert read_metadata(_svg()) == Metadata("A lemon", "", ("fruit", "sour one"), "A. Painter", public_domain=False)
    assert read_metadata(b"<svg/>") == Metadata("", "", (), "", public_domain=False)


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("http://web.resource.org/cc/PublicDomain", True),
        ("http://creativecommons.org/licenses/publicdomain/", True),
        ("http://creativecommons.org/licenses/GPL/2.0/", False),
        ("", False),
    ],
)
def test_what_is_in_the_public_domain_says_so(licence, free) -> None:
    svg = _svg(licence=f'<cc:license rdf:resource="{licence}"/>')
    assert read_metadata(svg).public_domain is free


# Texts -------------------------------------------------------------------------------------------------------------


def _texts_of(folder: str = "food/fruit", **said: Metadata) -> dict[str, str]:
    metadata = {f"{folder}/{name}.svg": one for name, one in said.items()}
    texts = _texts.write_texts(metadata, dict.fromkeys(metadata, folder))
    return {path.removeprefix(f"{folder}/").removesuffix(".svg"): text for path, text in texts.items()}


def test_a_text_is_name_description_and_keywords() -> None:
    said = Metadata("Lemon_Slice", "A slice of lemon, cut.", ("sour", "lemon slice", "yellow_thing", "cut"), "Ann Lee")
    assert _texts_of(a=said) == {"a": "Lemon Slice. A slice of lemon, cut. sour, yellow thing"}


def test_what_files_a_drawing_or_is_no_word_is_left_out() -> None:
    noise = ("hash", "HASH(0x8f48a28)", "0x8f48a28", "11", "unsorted", "Ann Lee", "http://x.org/", "a@b.org")
    texts = _texts_of(a=Metadata("Lemon", "HASH(0x85a0c44)", ("Fruits", "food", "sour", *noise), "Ann Lee"))
    assert texts == {"a": "Lemon. sour"}


def test_a_keyword_of_a_fifth_of_a_folder_files_everywhere() -> None:
    metadata = {f"x/{i}.svg": Metadata(f"thing {chr(97 + i)}", "", ("menu",) if i < 2 else (), "") for i in range(10)}
    metadata["y/a.svg"] = Metadata("bill", "", ("menu", "paper"), "")
    folders = {path: path[0] for path in metadata}
    assert _texts.write_texts(metadata, folders)["y/a.svg"] == "bill. paper"
    # One of eleven does not.
    del metadata["x/1.svg"]
    metadata |= {"x/k.svg": Metadata("thing k", "", (), "")}
    assert _texts.write_texts(metadata, {path: path[0] for path in metadata})["x/0.svg"] == "thing a. menu"


def test_the_title_of_a_collection_gives_way_to_the_file_name() -> None:
    signs = {
        name: Metadata("AIGA_Signs", "", (), "J. Balin")
        for name in ("aiga_bus1", "aiga_toilet_women_", "aiga_NoSmoking")
    }
    more = {name: Metadata("AIGA_Signs", "EPS", (), "J. Balin") for name in ("aiga_taxi_balin_01", "aiga_lift")}
    assert _texts_of(**signs, **more) == {
        "aiga_bus1": "bus",
        "aiga_toilet_women_": "toilet women",
        "aiga_NoSmoking": "no smoking",
        "aiga_taxi_balin_01": "taxi. EPS",
        "aiga_lift": "lift. EPS",
    }


def test_the_title_of_a_series_is_its_name() -> None:
    series = {f"sm_00{number}": Metadata("Clipart by N. B. - stick man", "", (), "") for number in range(6)}
    assert _texts_of(**series) == dict.fromkeys(series, "stick man")
    # Four of one title are no collection.
    few = {name: Metadata("Eagle", "", (), "") for name in "abcd"}
    assert _texts_of(**few) == dict.fromkeys(few, "Eagle")


def test_names_without_a_word_are_left_out_and_addresses_go() -> None:
    said = {"a": Metadata("M 16", "", (), ""), "b": Metadata("Phone (email: x@y.org)", "", (), "")}
    assert _texts_of(**said) == {"b": "Phone"}


def test_a_file_without_a_title_is_named_by_its_file() -> None:
    assert _texts_of(hummer_02=Metadata("", "", ("car",), "")) == {"hummer_02": "hummer. car"}


# Folders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("animals/cat.svg", "animals"),
        ("signs_and_symbols/flags/europe/italy/a.svg", "signs_and_symbols/flags/europe"),
        ("science/astronomy/moon.svg", "geography/astronomy"),
        ("shapes/stars/star.svg", None),
        ("computer/icons/flat-theme/action/a.svg", None),
        ("computer/hardware/mouse.svg", "computer/hardware"),
    ],
)
def test_the_folder_of_a_path(path, folder) -> None:
    assert _folders.folder_of(path) == folder


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ({"a"}, "a"),
        ({"a", "a/b"}, "a/b"),
        ({"a", "a/b/c", "a/b"}, "a/b/c"),
        ({"a", "ab"}, None),
        ({"a/b", "a/c"}, None),
        ({"a/b", "a/c", "a"}, None),
    ],
)
def test_a_drawing_of_several_folders_has_one_class_or_none(folders, expected) -> None:
    assert _folders.home(folders) == expected


def test_small_folders_go_up_and_small_tops_go() -> None:
    sizes = {"a": 2, "a/b": 3, "a/b/c": 2, "a/d": 5, "e/f": 4}
    folders = {f"{folder}/{number}": folder for folder, size in sizes.items() for number in range(size)}
    classes = _folders.fold(folders, {path: path for path in folders}, 5, 1)
    # c joins b, which is large enough then; a alone is not, and nor is f in e.
    assert Counter(classes.values()) == {"a/b": 5, "a/d": 5}
    assert all(folders[path].startswith(folder) for path, folder in classes.items())
    # All of d are one group.
    groups = {path: "d" if folder == "a/d" else path for path, folder in folders.items()}
    assert Counter(_folders.fold(folders, groups, 5, 2).values()) == {"a": 7, "a/b": 5}


def test_every_folder_that_is_left_out_has_a_reason() -> None:
    assert all(len(reason) > 10 for reason in _folders.LEFT_OUT.values())


# Choice ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 80)), min_size=40, max_size=400), st.randoms())
def test_choice_keeps_its_limits_whatever_the_order(items, random) -> None:
    folders = {f"{number}": f"top/{folder}" for number, (folder, _) in enumerate(items)}
    groups = {f"{number}": f"group {folder} {group}" for number, (folder, group) in enumerate(items)}
    classes = build.choose(groups, folders)
    shuffled = dict(random.sample(list(groups.items()), len(groups)))
    assert build.choose(shuffled, folders) == classes
    assert max(Counter(groups[path] for path in classes).values(), default=0) <= 10
    of_class = defaultdict(set)
    for path, folder in classes.items():
        of_class[folder].add(path)
        assert folder in {folders[path], "top"}
    for members in of_class.values():
        assert 15 <= len(members) <= 200
        assert len({groups[path] for path in members}) >= 8


# Pictures ----------------------------------------------------------------------------------------------------------


def _pixels(drawn: str, **options: str) -> np.ndarray | None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed")
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    contents = _picture.picture(_svg(drawn, **options))
    return None if contents is None else np.asarray(image.open(io.BytesIO(contents)))


def test_what_is_drawn_is_in_the_middle_of_a_white_square() -> None:
    pixels = _pixels('<rect x="60" y="100" width="60" height="120" fill="red"/>')
    assert pixels.shape == (224, 224, 3)
    red = pixels[:, :, 1] < 128
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    # Twice as high as wide, with a margin of 4 % of its height above and below, which makes 1.08 of it a side.
    assert len(rows) == pytest.approx(224 / 1.08, abs=5)
    assert len(columns) == pytest.approx(112 / 1.08, abs=5)
    assert rows[0] + rows[-1] == pytest.approx(223, abs=3)
    assert columns[0] + columns[-1] == pytest.approx(223, abs=3)
    assert (pixels[:5] == 255).all()


@pytest.mark.parametrize(
    "drawn", ["", '<rect x="500" y="0" width="9" height="9"/>', '<rect width="9" height="9" fill="white"/>']
)
def test_a_drawing_that_shows_nothing_has_no_picture(drawn) -> None:
    assert _pixels(drawn) is None


def test_a_drawing_without_a_size_has_no_picture() -> None:
    assert _pixels('<rect width="9" height="9"/>', height="0") is None
