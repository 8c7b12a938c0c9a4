"""UPMC Food-101: both layouts, each kind of dirt, and every refusal, on copies made on the fly."""

import csv
import hashlib
import io
import json
import shutil
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from huse_bench import Items, cli, errors
from huse_bench_datasets.food101 import Food101
from huse_bench_datasets.food101._folder import Folder, listed
from huse_bench_datasets.food101._pictures import Picture, find_pictures
from huse_bench_datasets.food101._taxonomy import classes
from huse_bench_datasets.food101._texts import read_texts

LAYOUTS = ["titles", "pages"]
CLASSES = ("apple_pie", "pizza", "sushi")
NOT_UTF8 = "texts that are not in UTF-8, read with \N{REPLACEMENT CHARACTER} for what is unreadable"


def write_food101(root: Path, layout: str, names: Sequence[str] = CLASSES, train: int = 10, test: int = 4) -> Path:
    """Write a copy of the data set: pictures of noise on a colour by class, numbered through train and test."""
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 200, (len(names), 3))
    for split, numbers in (("train", range(train)), ("test", range(train, train + test))):
        rows = []
        for name, colour in zip(names, colours, strict=True):
            folder = root / "images" / split / name
            folder.mkdir(parents=True)
            for number in numbers:
                pixels = colour + rng.integers(-40, 40, (24, 32, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}_{number}.jpg")
                rows.append((f"{name}_{number}", f"{name.replace('_', ' ')} recipe {number}", name))
        if layout == "titles":
            table = root / "texts" / f"{split}_titles.csv"
            table.parent.mkdir(exist_ok=True)
            table.write_text("".join(f"{file}.jpg,{text},{name}\n" for file, text, name in rows), encoding="utf-8")
        else:
            for file, text, name in rows:
                page = root / "texts_txt" / name / f"{file}.txt"
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(f"{text}\nServes four.\n", encoding="utf-8")
    return root


@pytest.fixture
def titles(tmp_path) -> Path:
    return write_food101(tmp_path / "copy", "titles")


@pytest.fixture
def pages(tmp_path) -> Path:
    return write_food101(tmp_path / "copy", "pages")


def _texts(items: Items) -> dict[str, str]:
    return dict(zip(items.ids, items.texts, strict=True))


def _notice(items: Items, beginning: str) -> str:
    (found,) = [notice for notice in items.notices if notice.startswith(beginning)]
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("below", ["", "food-101"])
def test_both_layouts_are_found_by_looking(tmp_path, layout, below) -> None:
    write_food101(tmp_path / below, layout)
    (tmp_path / ".cache").mkdir()
    items = Food101(tmp_path).load()
    assert Food101.title == "UPMC Food-101"
    assert list(items.class_names) == list(CLASSES)
    assert items.taxonomy.classes == CLASSES
    assert list(items.class_texts) == ["apple pie", "pizza", "sushi"]
    assert items.labels.dtype == np.int64
    assert len(set(items.ids)) == len(items.ids) == 3 * 14
    for name, label, split, image, text in zip(
        items.ids, items.labels, items.splits, items.images, items.texts, strict=True
    ):
        class_name, file = name.split("/")
        number = int(file.rsplit("_", 1)[1])
        assert items.class_names[label] == class_name
        assert (split == "test") == (number >= 10)
        assert image == tmp_path / below / "images" / ("test" if number >= 10 else "train") / class_name / f"{file}.jpg"
        assert image.is_file()
        assert text.splitlines()[0] == f"{class_name.replace('_', ' ')} recipe {number}"
    # Nothing is wrong with these copies.
    assert items.notices[0] == (
        "3 of the 101 classes, and results are about these alone; there are apple_pie, pizza, sushi"
    )
    assert items.notices[-1].startswith("validation split: 3 pictures")
    assert [notice[:25] for notice in items.notices[1:-1]] == ["the texts are page titles"] * (layout == "titles")


def test_absent_classes_are_named_where_they_are_the_fewer(titles) -> None:
    for name in sorted(set(classes()) - set(CLASSES) - {"waffles"}):
        for split in ("train", "test"):
            picture = titles / "images" / split / name / f"{name}_{split}.jpg"
            picture.parent.mkdir()
            picture.write_bytes(b"")
    items = Food101(titles).load()
    assert items.notices[0] == "100 of the 101 classes, and results are about these alone; absent are waffles"
    assert len(items.class_names) == len(items.taxonomy.classes) == 100
    assert items.labels.max() == 99


def test_pictures_are_not_opened(titles) -> None:
    for picture in (titles / "images").rglob("*.jpg"):
        picture.write_bytes(b"")
    assert len(Food101(titles).load().ids) == 42


def test_the_validation_split_is_a_tenth_of_each_class(tmp_path) -> None:
    folder = write_food101(tmp_path, "titles", ["pizza", "sushi"], train=40, test=2)
    items = Food101(folder).load()
    assert Counter(zip(items.splits.tolist(), items.labels.tolist(), strict=True)) == {
        (split, label): count for label in (0, 1) for split, count in (("train", 36), ("validation", 4), ("test", 2))
    }
    again, other = Food101(folder).load(), Food101(folder, validation_seed=1).load()
    assert (again.splits == items.splits).all()
    assert (other.splits != items.splits).any()
    assert items.notices[-1] == again.notices[-1] != other.notices[-1]
    assert items.notices[-1].startswith("validation split: 8 pictures, 10% of each class's train pictures by seed 0")
    lines = "".join(f"{name}\t{split}\n" for name, split in sorted(zip(items.ids, items.splits, strict=True)))
    assert items.notices[-1].endswith(f"; SHA-256 of the splits {hashlib.sha256(lines.encode()).hexdigest()[:12]}")


def test_a_published_split_can_be_used(titles, tmp_path) -> None:
    lists = {"train": [], "val": [], "test": []}
    for name in CLASSES:
        lists["train"] += [f"{name}_{number}.jpg" for number in range(7)]
        lists["val"] += [f"{name}_{number}.jpg" for number in range(7, 10)]
        lists["test"] += [f"{name}_{number}.jpg" for number in range(10, 14)]
    path = tmp_path / "split.json"
    path.write_text(json.dumps(lists))
    items = Food101(titles, split_file=str(path)).load()
    of = {"train": "train", "validation": "val", "test": "test"}
    for name, split in zip(items.ids, items.splits, strict=True):
        assert f"{name.split('/')[1]}.jpg" in lists[of[split]]
    assert items.notices[-1].startswith("validation split: 9 pictures, as in split.json; SHA-256 of the splits ")

    path.write_text(json.dumps(lists), encoding="utf-8-sig")
    assert Food101(titles, split_file=str(path)).load().splits.tolist() == items.splits.tolist()

    path.write_text(json.dumps({**lists, "val": []}))
    with pytest.raises(errors.DataError, match=r"in neither train nor val of .*: 9, namely apple_pie_7, "):
        Food101(titles, split_file=str(path)).load()
    for content in ("{", "[]", '{"train": [], "val": []}', '{"train": [1], "val": [], "test": []}'):
        path.write_text(content)
        with pytest.raises(errors.DataError, match=r"split.json is not JSON with the lists .* train, val and test"):
            Food101(titles, split_file=str(path)).load()
    with pytest.raises(errors.DataError, match=r"cannot read the split file nowhere.json: No such file"):
        Food101(titles, split_file="nowhere.json").load()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_meet_in_any_form_of_unicode(tmp_path, layout, form) -> None:
    folder = write_food101(tmp_path / "copy", layout)
    other = "NFD" if form == "NFC" else "NFC"
    for path in [path for path in folder.rglob("pizza_*") if path.is_file()]:
        of = form if path.suffix == ".jpg" else other
        path.rename(path.with_name(unicodedata.normalize(of, path.name.replace("pizza", "pizzé"))))
    for path in folder.rglob("*.csv"):
        text = path.read_text(encoding="utf-8")
        renamed = text.replace("pizza_", "pizzé_")
        path.write_text(unicodedata.normalize(other, renamed), encoding="utf-8")
    lists = {"train": [], "val": [], "test": []}
    for picture in (folder / "images" / "train").rglob("*.jpg"):
        name = unicodedata.normalize(other, picture.name)
        lists["val" if name.endswith("_9.jpg") else "train"].append(name)
    (tmp_path / "split.json").write_text(json.dumps(lists), encoding="utf-8")
    items = Food101(folder, split_file=str(tmp_path / "split.json")).load()
    found = _texts(items)
    assert {f"pizza/pizzé_{number}" for number in range(14)} < found.keys()
    assert {text.splitlines()[0] for name, text in found.items() if "pizzé_3" in name} == {"pizza recipe 3"}
    assert all(found.values())
    assert Counter(items.splits.tolist()) == {"train": 27, "validation": 3, "test": 12}


def test_an_unclosed_quote_swallows_no_rows(titles) -> None:
    table = titles / "texts" / "train_titles.csv"
    lines = table.read_text().splitlines()
    lines[3] = 'apple_pie_3.jpg,"A pie,apple_pie'
    lines[4] = "apple_pie_4.txt,named as its text,apple_pie"
    lines[19] = 'pizza_9.jpg,"Margherita",pizza'
    lines[20] = 'sushi_0.jpg,"Rice, fish, and ""wasabi""",sushi'
    table.write_text("\n".join(lines) + "\n")
    assert len(pd.read_csv(table, header=None)) == len(lines) - 16
    items = Food101(titles).load()
    texts = _texts(items)
    assert texts["apple_pie/apple_pie_3"] == '"A pie'
    assert texts["pizza/pizza_9"] == "Margherita"
    assert texts["apple_pie/apple_pie_4"] == "named as its text"
    assert texts["sushi/sushi_0"] == 'Rice, fish, and "wasabi"'
    assert all(texts.values())
    assert [notice[:14] for notice in items.notices] == ["3 of the 101 c", "the texts are ", "validation spl"]


TITLES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20)


@given(st.lists(TITLES, min_size=1, max_size=4))
def test_any_title_that_a_csv_writer_wrote_is_read_back(tmp_path_factory, texts) -> None:
    root = tmp_path_factory.mktemp("copy")
    (root / "texts").mkdir()
    pictures = [Picture(root / f"pizza_{number}.jpg", "pizza", "train") for number in range(len(texts) + 1)]
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(
        [picture.path.name, text, "pizza"] for picture, text in zip(pictures, [*texts, "one with a text"], strict=True)
    )
    (root / "texts" / "train_titles.csv").write_bytes(table.getvalue().encode())
    (root / "texts" / "test_titles.csv").write_bytes(b"")
    found, notices = read_texts(Folder(root, "titles"), pictures)
    assert list(found) == [*(text.strip() for text in texts), "one with a text"]
    assert len(notices) == 1 + any(not text.strip() for text in texts)


def test_each_kind_of_dirt_among_titles_is_told(titles) -> None:
    table = titles / "texts" / "train_titles.csv"
    lines = table.read_text().splitlines()
    lines[0] = "apple_pie_0.jpg,,apple_pie"
    lines[1] = 'apple_pie_1.jpg," ",apple_pie'
    del lines[2]
    more = [
        "",
        "pizza_77.jpg,a picture that is not here,pizza",
        "pizza_0.jpg,a second title,pizza",
        "ramen_1.jpg,a class that is not here,ramen",
        "soylent_1.jpg,people,soylent_green",
        "image_path,title",
    ]
    content = "\r\n".join(lines + more).encode() + b"\r\npizza_78.jpg,cr\xe8me,pizza"
    table.write_bytes(b"\xef\xbb\xbf" + content.replace(b"sushi recipe 5", b"caf\xe9"))
    (titles / "images" / "train" / "pizza" / "pizza_9.jpg").unlink()
    items = Food101(titles).load()
    texts = _texts(items)
    assert {name for name, text in texts.items() if not text} == {
        f"apple_pie/apple_pie_{number}" for number in (0, 1, 2)
    }
    assert texts["pizza/pizza_0"] == "pizza recipe 0"
    assert texts["sushi/sushi_5"] == "caf\N{REPLACEMENT CHARACTER}"
    assert list(items.notices)[2:-1] == [
        f"{NOT_UTF8}: 2, namely train_titles.csv line 25, train_titles.csv line 36",
        "rows of a picture that has one already, left out: 1, namely train_titles.csv line 32 (pizza_0)",
        "rows of no class of Food-101, left out: 1, namely train_titles.csv line 34 (soylent_green)",
        "rows that are not 'picture,title,class', left out: 1, namely train_titles.csv line 35",
        "texts without a picture, left out: 3, namely pizza_77, pizza_78, pizza_9",
        "pictures with a blank text, kept with an empty one: 2, namely apple_pie_0, apple_pie_1",
        "pictures without a text, kept with an empty one: 1, namely apple_pie_2",
    ]


def test_each_kind_of_dirt_among_pages_is_told(pages) -> None:
    folder = pages / "texts_txt"
    (folder / "pizza" / "pizza_0.txt").unlink()
    (folder / "pizza" / "pizza_1.txt").write_text(" \n\t\n")
    (folder / "pizza" / "pizza_2.txt").write_bytes("crème fraîche".encode("cp1252"))
    (folder / "pizza" / "pizza_3.txt").write_bytes("\N{BYTE ORDER MARK}crème".encode())
    (folder / "pizza" / "pizza_99.txt").write_text("no picture")
    (folder / "ramen").mkdir()
    (folder / "ramen" / "ramen_1.txt").write_text("a class that is not here")
    (folder / "README").write_text("no class")
    items = Food101(pages).load()
    texts = _texts(items)
    assert {name for name, text in texts.items() if not text} == {"pizza/pizza_0", "pizza/pizza_1"}
    assert texts["pizza/pizza_2"] == "cr\N{REPLACEMENT CHARACTER}me fra\N{REPLACEMENT CHARACTER}che"
    assert texts["pizza/pizza_3"] == "crème"
    assert sorted(list(items.notices)[1:-1]) == [
        "pictures with a blank text, kept with an empty one: 1, namely pizza_1",
        "pictures without a text, kept with an empty one: 1, namely pizza_0",
        f"{NOT_UTF8}: 1, namely pizza_2.txt",
        "texts without a picture, left out: 1, namely pizza_99",
    ]


def test_pages_are_read_when_asked_for(pages) -> None:
    items = Food101(pages).load()
    assert len(items.texts) == 42
    last = pages / "texts_txt" / "sushi" / "sushi_13.txt"
    last.write_text("another page")
    assert items.texts[-1] == list(items.texts[40:])[1] == "another page"
    last.unlink()
    with pytest.raises(errors.DataError, match=r"cannot read .*sushi_13.txt: No such file"):
        items.texts[-1]


def test_other_files_among_the_pictures_are_told(titles) -> None:
    train = titles / "images" / "train"
    (train / "list.jpg").write_text("in no class")
    (train / "pizza" / "Thumbs.db").write_text("")
    (train / "pizza" / ".DS_Store").write_text("")
    (train / "__MACOSX").mkdir()
    (train / "pizza" / "pizza_0.jpg").rename(train / "pizza" / "pizza_0.JPEG")
    items = Food101(titles).load()
    assert len(items.ids) == 42
    assert all(_texts(items).values())
    assert _notice(items, "files in images") == (
        "files in images that are no picture of a class, left out: 2, namely train/list.jpg, train/pizza/Thumbs.db"
    )


PICTURE = Path("a.jpg")


def _whole(train: int, test: int) -> list[Picture]:
    names = classes()
    return [
        Picture(PICTURE, names[number % 101], split)
        for split, count in (("train", train), ("test", test))
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (67_988, 22_716, []),
        (67_972, 22_716, ["train has 67972 pictures and the whole data set 67988: 16 too few"]),
        (
            67_989,
            22_715,
            [
                "train has 67989 pictures and the whole data set 67988: 1 too many",
                "test has 22715 pictures and the whole data set 22716: 1 too few",
            ],
        ),
        (40_000, 20_000, ["a part of the data set: 60000 pictures of all 101 classes; the whole has 90704"]),
    ],
)
def test_the_counts_of_the_whole_are_compared(train, test, told) -> None:
    from huse_bench_datasets.food101._pictures import _compared_with_whole

    assert _compared_with_whole(_whole(train, test)) == told


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a", "b"], 2) == "a, b"
    many = [f"n{number}" for number in range(500)]
    assert listed(many).endswith("n19 and 480 more")


def _archive(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "food"), "zip", folder))


def _tar(folder: Path) -> Path:
    path = folder.parent / "food.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder)
    return path


def _other_file(folder: Path) -> Path:
    path = folder.parent / "notes.txt"
    path.write_text("a file")
    return path


def _only_an_archive(folder: Path) -> Path:
    place = folder.parent / "place"
    place.mkdir()
    shutil.move(_archive(folder), place)
    return place


def _two(folder: Path) -> Path:
    shutil.copytree(folder, folder.parent / "copy2")
    return folder.parent


def _eth(folder: Path) -> Path:
    for split in ("train", "test"):
        shutil.rmtree(folder / "images" / split)
    (folder / "meta").mkdir()
    (folder / "meta" / "classes.txt").write_text("apple_pie\n")
    return folder


def _without(name: str) -> Callable[[Path], Path]:
    def remove(folder: Path) -> Path:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return folder

    return remove


def _both_texts(folder: Path) -> Path:
    (folder / "texts_txt").mkdir()
    return folder


def _renamed_class(folder: Path) -> Path:
    (folder / "images" / "train" / "apple_pie").rename(folder / "images" / "train" / "apple_pies")
    (folder / "images" / "train" / "sushi").rename(folder / "images" / "train" / "xyzzy")
    return folder


def _leak(folder: Path) -> Path:
    shutil.copy(folder / "images/train/pizza/pizza_0.jpg", folder / "images/test/pizza/pizza_0.jpg")
    shutil.copy(folder / "images/train/pizza/pizza_1.jpg", folder / "images/train/pizza/pizza_1.png")
    return folder


def _empty_split(folder: Path) -> Path:
    for path in (folder / "images" / "test").rglob("*.jpg"):
        path.unlink()
    return folder


def _utf16(folder: Path) -> Path:
    table = folder / "texts" / "test_titles.csv"
    table.write_text(table.read_text(), encoding="utf-16")
    return folder


def _utf16_without_a_mark(folder: Path) -> Path:
    table = folder / "texts" / "test_titles.csv"
    table.write_text(table.read_text(), encoding="utf-16-le")
    return folder


def _other_titles(folder: Path) -> Path:
    for split in ("train", "test"):
        (folder / "texts" / f"{split}_titles.csv").write_text("1,a title,pizza\n")
    return folder


def _linked(*parts: str) -> Callable[[Path], Path]:
    def link(folder: Path) -> Path:
        place, outside = folder.joinpath(*parts), folder.parent / "outside"
        outside.mkdir()
        moved = outside / place.name
        shutil.move(place, moved)
        place.symlink_to(moved)
        return folder

    return link


REFUSED = [
    (lambda _: None, r"reads your copy of UPMC Food-101: name its folder .*--data.*images/train/<class>/"),
    (lambda folder: folder / "nothing", r"there is nothing at .*nothing: name the folder"),
    (_archive, r"food.zip is a file, .* reads a folder. Unpack it and name the folder"),
    (_tar, r"food.tar.gz is a file, .* reads a folder. Unpack it and name the folder"),
    (_other_file, r"notes.txt is a file, .* reads a folder. Name the folder of your copy"),
    (_only_an_archive, r"place has no folder images, .*texts_txt.*there is: food.zip. Unpack food.zip first"),
    (lambda folder: folder / "texts", r"has no folder images, .*there is: test_titles.csv, train_titles.csv"),
    (_two, r"more than one folder with images in it \(copy, copy2\): name the one you want"),
    (_eth, r"images has no folder train and no folder test. It looks like ETH Food-101, .*has no texts.*is: nothing"),
    (_without("images/test"), r"images has no folder test\. UPMC Food-101 has .*In images there is: train/\."),
    (_without("texts"), r"neither texts_txt nor texts/train_titles.csv nor texts/test_titles.csv.*there is: images/"),
    (_without("texts/test_titles.csv"), r"neither texts_txt nor texts/test_titles.csv"),
    (_both_texts, r"both texts_txt and train_titles.csv, .*different results: move one of the two"),
    (_renamed_class, r"no class of Food-101: apple_pies \(10 files, did you mean 'apple_pie'\?\), xyzzy \(10 files\)"),
    (_leak, r"there more than once, .*: 2, namely pizza/pizza_0, pizza/pizza_1. Keep one"),
    (_empty_split, r"images/test has no pictures: its folders of classes should hold .jpg files"),
    (_utf16, r"test_titles.csv is encoded in UTF-16: save it as UTF-8"),
    (_utf16_without_a_mark, r"test_titles.csv is encoded in UTF-16 without a byte order mark: save it as UTF-8"),
    (_other_titles, r"none of the 42 pictures .* has a text, .*pictures without a text, .*: 42, namely apple_pie_0, "),
    (_linked("images"), r"links that lead out of .*copy are not followed: .*images"),
    (_linked("images", "train"), r"links that lead out of .* are not followed: .*images/train"),
    (_linked("images", "train", "pizza"), r"links that lead out of .* are not followed: .*images/train/pizza"),
    (
        _linked("images", "train", "pizza", "pizza_3.jpg"),
        r"not followed: .*pizza_3.jpg. Put the files themselves there",
    ),
    (_linked("texts", "test_titles.csv"), r"links that lead out of .* are not followed: .*texts/test_titles.csv"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_cannot_be_used_is_refused(titles, change, message) -> None:
    with pytest.raises(errors.DataError, match=message):
        Food101(change(titles)).load()


@pytest.mark.parametrize("parts", [("texts_txt",), ("texts_txt", "sushi"), ("texts_txt", "sushi", "sushi_2.txt")])
def test_pages_outside_are_refused(pages, parts) -> None:
    with pytest.raises(
        errors.DataError,
        match=f"links that lead out of .* are not followed: .*{parts[-1]}. Put the files themselves there",
    ):
        Food101(_linked(*parts)(pages)).load()


def test_links_within_the_copy_are_followed(titles) -> None:
    pizza = titles / "images" / "train" / "pizza"
    shutil.move(pizza / "pizza_0.jpg", titles / "elsewhere.jpg")
    (pizza / "pizza_0.jpg").symlink_to(titles / "elsewhere.jpg")
    (titles.parent / "link").symlink_to(titles)
    assert len(Food101(titles.parent / "link").load().ids) == 42


def test_an_unreadable_folder_is_told(titles) -> None:
    # Tests may run as root, who may read everything: a file in the place of a folder fails likewise.
    shutil.rmtree(titles / "images" / "test")
    (titles / "images" / "test").write_text("")
    with pytest.raises(errors.DataError, match=r"cannot read .*images/test: Not a directory"):
        find_pictures(Folder(titles, "titles"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dirty_copy_goes_from_raw_files_to_tables(tmp_path, monkeypatch, capsys, cache, layout) -> None:
    monkeypatch.setenv("HUSE_BENCH_CACHE", str(cache))
    folder = write_food101(tmp_path / "copy", layout, train=12, test=4)
    pizza = folder / "images" / "train" / "pizza"
    (pizza / "pizza_0.jpg").write_bytes((pizza / "pizza_0.jpg").read_bytes()[:200])
    (pizza / "Thumbs.db").write_text("")
    with Image.open(pizza / "pizza_1.jpg") as picture:
        picture.convert("L").resize((900, 700)).save(pizza / "pizza_1.jpg")
    if layout == "titles":
        table = folder / "texts" / "train_titles.csv"
        content = table.read_bytes()
        content = content.replace(b"sushi_3.jpg", b"sushi_3.txt").replace(b"sushi recipe 4,", b'"sushi, recipe 4,')
        content = content.replace(b"sushi recipe 5,", b"caf\xe9,").replace(b"sushi recipe 6,", b" ,")
        table.write_bytes(content.replace(b"sushi_7.jpg", b"sushi_77.jpg"))
    else:
        texts = folder / "texts_txt" / "sushi"
        (texts / "sushi_5.txt").write_bytes(b"caf\xe9")
        (texts / "sushi_6.txt").write_text(" ")
        (texts / "sushi_7.txt").rename(texts / "sushi_77.txt")
    # A split of few pictures, of which the image backbone takes a fraction of a second each.
    numbers = {"train": range(8), "val": range(8, 12), "test": range(12, 16)}
    lists = {split: [f"{name}_{number}.jpg" for name in CLASSES for number in of] for split, of in numbers.items()}
    (tmp_path / "split.json").write_text(json.dumps(lists))
    (tmp_path / "config.toml").write_text(
        f"[training]\nbatch_size = 16\nwidth = 32\n[dataset_options]\nsplit_file = '{tmp_path / 'split.json'}'\n"
    )
    arguments = ["run", "--dataset", "food101", "--data", str(folder), "--methods", "huse,triplet", "--steps", "10"]
    arguments += ["--config", str(tmp_path / "config.toml"), "--results", str(tmp_path / "results")]
    # The default text backbones have tests of their own, and weights that take long to read.
    arguments += ["--text-backbone", "tfidf", "--class-backbone", "tfidf"]
    code = cli.main(arguments)
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "UPMC Food-101" in out
    assert out.count("HUSE ") >= 3
    told = " ".join((out + err).split())
    for what in (
        "pizza_0",
        "left out: 1, namely train/pizza/Thumbs.db",
        "unreadable: 1, namely",
        "kept with an empty one: 1, namely sushi_6",
        "kept with an empty one: 1, namely sushi_7",
        "left out: 1, namely sushi_77",
    ):
        assert what in told
    records = [json.loads(path.read_text()) for path in (tmp_path / "results" / "runs").glob("*.json")]
    assert [record["dataset"]["items"] for record in records] == [{"train": 23, "validation": 12, "test": 12}] * 2
