"""The dataset 'manifest': tables as users write them, and what is said about each way to get one wrong."""

import codecs
import gzip
import os
import shutil
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import huse_bench as hb
from huse_bench.errors import DataError
from huse_bench.features._checks import check_items
from huse_bench_datasets._own_data.assign import assign_splits
from huse_bench_datasets._own_data.table import Table, read_table
from huse_bench_datasets.manifest import Manifest

ROWS = [
    ("cats/1.jpg", "a cat", "cat", "train"),
    ("cats/2.jpg", "two cats, asleep", "cat", "validation"),
    ("cats/3.jpg", 'a "cat"', "cat", "test"),
    ("dogs/1.jpg", "ein Hündchen", "dog", "train"),
    ("dogs/2.jpg", "dog", "dog", "validation"),
    ("dogs/3.jpg", "犬", "dog", "test"),
]
HEADER = ("image", "text", "label", "split")
TREE = "parent,child\nanimal,cat\nanimal,dog\nanimal,bird\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six pictures of two classes."""
    for image, *_ in ROWS:
        path = tmp_path / image
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"picture")
    return tmp_path


def write(folder: Path, rows=ROWS, header=HEADER, name: str = "items.csv", **options) -> Path:
    path = folder / name
    pd.DataFrame(rows, columns=list(header)).to_csv(path, index=False, **options)
    return path


def columns(*names: str) -> dict:
    chosen = [HEADER.index(name) for name in names]
    return {"rows": [[row[column] for column in chosen] for row in ROWS], "header": names}


def refused(path: Path, **options) -> str:
    with pytest.raises(DataError) as caught:
        Manifest(path, **options).load()
    return str(caught.value)


def test_a_manifest_is_read(folder) -> None:
    (folder / "taxonomy.csv").write_text(TREE.replace("animal,bird\n", ""))
    (folder / "classes.csv").write_text("text,label\nDomestic dog,dog\nA cat,cat\n")
    items = Manifest(write(folder)).load()
    assert items.ids == [row[0] for row in ROWS]
    assert items.texts == [row[1] for row in ROWS]
    assert items.class_names == ["cat", "dog"]
    assert items.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert items.labels.dtype == np.int64
    assert items.splits.tolist() == [row[3] for row in ROWS]
    assert items.images == [folder / row[0] for row in ROWS]
    assert items.taxonomy.edges == (("animal", "cat"), ("animal", "dog"))
    assert items.class_texts == ["A cat", "Domestic dog"]
    assert items.image_features is items.text_features is items.class_features is None
    assert items.notices == []


def test_it_is_found_by_its_name_with_backbones_for_raw_items() -> None:
    dataset = hb.load("dataset", "manifest")
    assert dataset is Manifest
    assert dataset.backbones == {"image": "efficientnet-lite0", "text": "minilm", "class": "use"}


@pytest.mark.parametrize(
    "options",
    [
        {"sep": ";"},
        {"sep": "\t"},
        {"encoding": "utf-8-sig"},
        {"lineterminator": "\r\n"},
        {"quoting": 1},
    ],
)
def test_dialects_give_the_same_items(folder, options) -> None:
    expected = Manifest(write(folder)).load()
    items = Manifest(write(folder, name="other.csv", **options)).load()
    assert (items.ids, items.texts, items.class_names) == (expected.ids, expected.texts, expected.class_names)
    assert items.splits.tolist() == expected.splits.tolist()


def test_parquet_gives_the_same_items(folder) -> None:
    expected = Manifest(write(folder)).load()
    frame = pd.DataFrame(ROWS, columns=list(HEADER)).astype({"label": "category"})
    frame.to_parquet(folder / "items.parquet")
    items = Manifest(folder / "items.parquet").load()
    assert (items.ids, items.texts, items.class_names) == (expected.ids, expected.texts, expected.class_names)
    assert items.splits.tolist() == expected.splits.tolist()


def test_column_names_in_any_case_and_order_and_blank_lines_are_fine(folder) -> None:
    path = folder / "items.csv"
    body = "\n".join(f'{row[2]},{row[0]}, "x" ,{row[3]}' for row in ROWS).replace(' "x" ', "  a text ")
    path.write_text(f"\n Label,IMAGE,Text,Split\n{body}\n\n\n")
    items = Manifest(path).load()
    assert items.ids == [row[0] for row in ROWS]
    assert set(items.texts) == {"a text"}


def test_line_numbers_count_lines_of_the_file_not_rows(folder) -> None:
    path = folder / "items.csv"
    path.write_text('image,text,label\n\ncats/1.jpg,"one\ntwo\nthree",cat\ncats/2.jpg,x,\ncats/3.jpg,x,dog\n')
    assert "the label is empty or NaN in line 6" in refused(path)


def test_ids_may_be_given(folder) -> None:
    rows = [(*row, f"item-{number}") for number, row in enumerate(ROWS)]
    items = Manifest(write(folder, rows, (*HEADER, "id"))).load()
    assert items.ids == [f"item-{number}" for number in range(6)]


def test_pictures_may_be_in_another_folder(folder) -> None:
    (folder / "tables").mkdir()
    path = write(folder / "tables")
    expected = [folder / row[0] for row in ROWS]
    assert Manifest(path, images=str(folder)).load().images == expected
    assert Manifest(path, images="..").load().images == expected
    message = refused(path)
    assert "6 of 6 pictures are no files in" in message
    assert "dataset option 'images'" in message


def test_absolute_paths_inside_the_folder_are_fine(folder) -> None:
    rows = [(str(folder / row[0]), *row[1:]) for row in ROWS]
    assert Manifest(write(folder, rows)).load().images == [folder / row[0] for row in ROWS]


# Splits


def many(folder: Path, pictures: int, texts: int = 1) -> Path:
    """Two classes of pictures, each with some texts."""
    rows = []
    for label in ("cat", "dog"):
        for picture in range(pictures):
            image = f"{label}{picture}.jpg"
            (folder / image).touch()
            rows += [(image, f"text {text}", label, f"{image}#{text}") for text in range(texts)]
    return write(folder, rows, ("image", "text", "label", "id"))


def test_splits_are_made_where_there_are_none(folder) -> None:
    items = Manifest(many(folder, 40)).load()
    for label in (0, 1):
        assert Counter(items.splits[items.labels == label].tolist()) == {"train": 28, "validation": 4, "test": 8}
    assert "70 / 10 / 20 %" in items.notices[0]
    assert "seed 0, sha256 " in items.notices[0]


def test_made_splits_depend_on_the_items_and_the_seed_alone(folder) -> None:
    path = many(folder, 40)
    first = Manifest(path).load()
    moved = folder / "moved"
    moved.mkdir()
    for image in folder.glob("*.jpg"):
        shutil.copy(image, moved)
    frame = pd.read_csv(path).sample(frac=1, random_state=3)
    frame["image"] = "./" + frame["image"]
    frame.to_csv(moved / "items.csv", index=False)
    second = Manifest(moved / "items.csv").load()
    assert dict(zip(first.ids, first.splits, strict=True)) == dict(zip(second.ids, second.splits, strict=True))
    assert first.notices[0] == second.notices[0]
    other = Manifest(path, split_seed=1).load()
    assert (other.splits != first.splits).any()
    assert other.notices[0] != first.notices[0]


def test_the_texts_of_a_picture_are_in_one_split(folder) -> None:
    items = Manifest(many(folder, 40, texts=3)).load()
    seen = defaultdict(set)
    for image, split in zip(items.images, items.splits.tolist(), strict=True):
        seen[image].add(split)
    assert all(len(splits) == 1 for splits in seen.values())
    assert Counter(items.splits.tolist()) == {"train": 168, "validation": 24, "test": 48}


def test_validation_is_made_where_only_train_and_test_are_given(folder) -> None:
    rows = []
    for label in ("cat", "dog"):
        for picture in range(30):
            image = f"{label}{picture}.jpg"
            (folder / image).touch()
            rows.append((image, "x", label, "Train" if picture < 20 else "TEST"))
    items = Manifest(write(folder, rows)).load()
    assert Counter(items.splits.tolist()) == {"train": 36, "validation": 4, "test": 20}
    test = {Path(row[0]).name for row in rows if row[3] == "TEST"}
    assert {image.name for image, split in zip(items.images, items.splits, strict=True) if split == "test"} == test
    assert "names no validation items: 10 % of each class's train items" in items.notices[0]


@pytest.mark.parametrize("word", ["val", "Valid", "dev", "VALIDATION"])
def test_words_for_validation(folder, word) -> None:
    rows = [(*row[:3], word if row[3] == "validation" else row[3]) for row in ROWS]
    assert Manifest(write(folder, rows)).load().splits.tolist() == [row[3] for row in ROWS]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "vall", "test"] * 2, "unknown splits 'vall' (did you mean 'val'?) in lines 3, 6"),
        (["val", "val", "test"] * 2, "no item is in the train split, which methods learn from (it has 4 validation, 2"),
        (["train", "val", "train"] * 2, "no item is in the test split, which the tables are made from"),
        (["train", None, "test"] * 2, "the split is empty or NaN in lines 3, 6"),
    ],
)
def test_refused_splits(folder, words, message) -> None:
    rows = [(*row[:3], word) for row, word in zip(ROWS, words, strict=True)]
    assert message in refused(write(folder, rows))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 3)),
        min_size=2,
        unique_by=lambda pair: pair[0],
    ),
    st.integers(0, 5),
)
def test_a_made_split_is_70_10_20_within_each_class(groups, seed) -> None:
    names = [name for name, _ in groups]
    labels = np.array([label for _, label in groups])
    assume(np.bincount(labels).max() >= 3)
    splits, _ = assign_splits(Table(Path("t.csv"), {}, range(len(names))), labels, names, seed)
    for label in np.unique(labels):
        of_class = Counter(splits[labels == label].tolist())
        size = (labels == label).sum()
        # At least one of each where there are three items; two and one leave out validation, then test.
        assert of_class["train"] >= 1
        assert abs(of_class["test"] - 0.2 * size) < 1
        assert abs(of_class["validation"] - 0.1 * size) < 1
        assert (of_class["test"] >= 1) == (size >= 2)
        assert (of_class["validation"] >= 1) == (size >= 3)


def drawn(labels, names=None, groups=None, seed=0):
    """The splits of a table without any, and what is said about them."""
    names = [f"{row}.jpg" for row in range(len(labels))] if names is None else names
    table = Table(Path("t.csv"), {}, range(len(labels)))
    return assign_splits(table, np.array(labels), names, seed, groups)


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (2, "60 / 20 / 40 items (50 / 17 / 33 %) are drawn for train / validation / test"),
        (3, "60 / 60 / 60 items (33 / 33 / 33 %) are drawn for train / validation / test"),
        (4, "120 / 60 / 60 items (50 / 25 / 25 %) are drawn for train / validation / test"),
    ],
)
def test_small_classes_are_split_as_far_as_they_go_and_the_shares_are_said(each, said) -> None:
    labels = np.repeat(np.arange(60), each)
    splits, (notice,) = drawn(labels)
    assert all("train" in splits[labels == label] for label in range(60))
    assert said in notice
    assert "70 / 10 / 20 % were due" in notice


def test_shares_that_are_as_due_are_said_without_more() -> None:
    _, (notice,) = drawn(np.repeat([0, 1], 40))
    assert "56 / 8 / 16 items (70 / 10 / 20 %) are drawn for train / validation / test, class by class (seed" in notice


def test_too_few_for_a_validation_split() -> None:
    with pytest.raises(DataError, match=r"no item is left for the test split: 3 items are 3 .* Add items to the"):
        drawn([0, 1, 2])
    with pytest.raises(DataError, match="no item is left for the validation split: 3 items are 3 items or pictures"):
        drawn([0, 0, 1])


def test_a_rare_second_label_keeps_an_item_to_train_on() -> None:
    # A picture has one row for each of its labels; 2 and 3 are on few pictures, and never first.
    pictures = [(f"{number}.jpg", [number % 2]) for number in range(60)]
    for number, labels in {3: [2], 8: [2], 13: [3, 2], 20: [3]}.items():
        pictures[number][1].extend(labels)
    rows = [(name, label) for name, labels in pictures for label in labels]
    names, labels = [name for name, _ in rows], np.array([label for _, label in rows])
    for seed in range(40):
        splits, _ = drawn(labels, names, seed=seed)
        assert all("train" in splits[labels == label] for label in range(4))
        assert all("test" in splits[labels == label] for label in range(4) if label != 2)
        of_picture = defaultdict(set)
        for name, split in zip(names, splits.tolist(), strict=True):
            of_picture[name].add(split)
        assert all(len(found) == 1 for found in of_picture.values())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 12), st.integers(0, 3)), min_size=6, max_size=60),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_pictures_and_groups_stay_together_whatever_the_order(rows, seed, random) -> None:
    def split(rows):
        names, groups, labels = zip(*rows, strict=True)
        words = [f"p{name}" for name in names], [f"g{group}" for group in groups]
        return dict(zip(rows, drawn(labels, words[0], words[1], seed)[0].tolist(), strict=True))

    try:
        found = split(rows)
    except DataError:
        return
    for part in (0, 1):
        together = defaultdict(set)
        for row, name in found.items():
            together[row[part]].add(name)
        assert all(len(splits) == 1 for splits in together.values())
    assert {label for *_, label in rows} == {row[2] for row, name in found.items() if name == "train"}
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert split(shuffled) == found


def test_groups_are_a_column_and_are_drawn_whole(folder) -> None:
    path = many(folder, 40)
    frame = pd.read_csv(path)
    frame["group"] = [f"product {int(name[3:-4]) // 4}" for name in frame["image"]]
    frame.to_csv(path, index=False)
    items = Manifest(path).load()
    assert items.groups == frame["group"].tolist()
    in_group = defaultdict(set)
    for group, split in zip(items.groups, items.splits.tolist(), strict=True):
        in_group[group].add(split)
    assert all(len(splits) == 1 for splits in in_group.values())
    assert items.notices[0] == (
        "items.csv: the column 'group' puts 80 items in 10 groups; items of a group are in one split and count as one "
        "witness"
    )
    # Drawn again for other groups, all else stays.
    again = items.redrawn([name[:4] for name in items.ids])
    assert (again.ids, again.title) == (items.ids, items.title)
    assert again.groups == [name[:4] for name in items.ids]
    check_items(again, "manifest")


def test_another_column_may_name_the_groups(folder) -> None:
    rows = [(*row, f"item-{number}", row[2]) for number, row in enumerate(ROWS)]
    path = write(folder, rows, (*HEADER, "id", "Product"))
    assert Manifest(path).load().groups is None
    items = Manifest(path, group="product").load()
    assert items.groups == [row[2] for row in ROWS]
    assert items.redrawn is None
    with pytest.raises(DataError, match="the group 'cat' is in two splits: item 'item-0' is in train"):
        check_items(items, "manifest")
    both = write(folder, [(*row, "x") for row in rows], (*HEADER, "id", "Product", "group"), name="both.csv")
    assert Manifest(both, group="product").load().notices[0] == "both.csv: columns that are not used: 'group'"
    assert "the header lacks 'produkt' (did you mean 'product'?)" in refused(path, group="Produkt")
    rows[4] = (*rows[4][:-1], None)
    message = refused(write(folder, rows, (*HEADER, "id", "Product")), group="product")
    assert "the product is empty or NaN in line 6. Name the group of every item" in message


def test_the_title_is_the_files_name_or_an_option(folder) -> None:
    assert Manifest(write(folder, name="shop.csv")).load().title == "shop.csv"
    assert Manifest(write(folder), title="Our shop").load().title == "Our shop"


def test_names_of_items_say_nothing_of_the_machine(folder) -> None:
    rows = [(str(folder / row[0]), *row[1:]) for row in ROWS]
    assert Manifest(write(folder, rows)).load().ids == [row[0] for row in ROWS]


# Classes


def test_without_a_taxonomy_the_tree_is_flat_and_that_is_said(folder) -> None:
    items = Manifest(write(folder)).load()
    assert items.taxonomy.correct_set("cat", 2) == {"cat", "dog"}
    assert "no taxonomy" in items.notices[0]
    assert "HP@K is 1 for every method" in items.notices[0]


def test_a_class_may_be_called_root(folder) -> None:
    rows = [(*row[:2], {"cat": "root"}.get(row[2], row[2]), row[3]) for row in ROWS]
    assert Manifest(write(folder, rows)).load().class_names == ["dog", "root"]


def test_class_files_may_have_other_names(folder) -> None:
    (folder / "taxonomy.csv").write_text("nonsense")
    (folder / "classes.csv").write_text("nonsense")
    (folder / "tree.csv").write_text(TREE)
    (folder / "words.csv").write_text("label,text\ncat,Cat\ndog,Dog\nbird,Bird\n")
    items = Manifest(write(folder), taxonomy="tree.csv", class_texts="words.csv").load()
    assert items.class_texts == ["Cat", "Dog"]
    assert items.notices == [
        "tree.csv has 1 class without items: bird",
        "words.csv has 1 class without items: bird",
    ]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            "parent,child\nanimal,cats\nanimal,dog\n",
            "1 of 2 labels are not in the taxonomy: 'cat' (did you mean 'cats'?)",
        ),
        ("parent,child\nanimal,cat\nanimal,dog\ncat,animal\n", "has the cycle"),
        ("parent,child\nanimal,cat\nbeast,dog\n", "is not connected to class"),
        ("parent,child\nanimal,cat\nanimal,cat\nanimal,dog\n", "'animal', 'cat' in lines 2, 3"),
        ("parent,child\nanimal,cat\n,dog\n", "the parent is empty or NaN in line 3"),
        ("animal,cat\nanimal,dog\n", "the header lacks 'parent', 'child'. Expected: parent, child; found: animal, cat"),
        ("", "taxonomy.csv is empty"),
    ],
)
def test_refused_taxonomies(folder, tree, message) -> None:
    (folder / "taxonomy.csv").write_text(tree)
    refusal = refused(write(folder))
    assert message in refusal
    assert str(folder / "taxonomy.csv") in refusal


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("label,text\ncat,A cat\n", "1 of 2 classes have no text: 'dog'"),
        ("label,text\ncat,A cat\ndog,\n", "the text is empty or NaN in line 3"),
        ("label,text\ncat,A cat\nnan,Dog\n", "the label is empty or NaN in line 3. Name the class of each row"),
        ("label,text\ncat,A cat\ndog,Dog\ncat,Cat\n", "'cat' in lines 2, 4"),
    ],
)
def test_refused_class_texts(folder, texts, message) -> None:
    (folder / "classes.csv").write_text(texts)
    refusal = refused(write(folder))
    assert message in refusal
    assert str(folder / "classes.csv") in refusal


def test_one_class_is_too_few(folder) -> None:
    rows = [(*row[:2], "cat", row[3]) for row in ROWS]
    assert "all items are of one class, 'cat'" in refused(write(folder, rows))


# The table itself


def test_nothing_given() -> None:
    assert "name a CSV or Parquet file with columns image, text and label" in refused(None)


def test_file_that_is_not_there(folder) -> None:
    write(folder)
    message = refused(folder / "item.csv")
    assert "No such file" in message
    assert "did you mean 'items.csv'?" in message


def test_folder_in_place_of_a_file(folder) -> None:
    assert "is a folder, but a CSV or Parquet file is needed; name the table itself" in refused(folder)
    write(folder)
    assert "it holds items.csv: name one of them" in refused(folder)


def test_zip_in_place_of_a_file(folder) -> None:
    path = folder / "items.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write(folder))
    assert "is a zip archive: unpack it" in refused(path)


def test_gzip_in_place_of_a_file(folder) -> None:
    path = folder / "items.csv.gz"
    path.write_bytes(gzip.compress(write(folder).read_bytes()))
    assert "is compressed with gzip: unpack it" in refused(path)


@pytest.mark.parametrize("content", ["", "\n \n", "image,text,label\n"])
def test_empty_files(folder, content) -> None:
    (folder / "items.csv").write_text(content)
    message = refused(folder / "items.csv")
    assert "is empty" in message or "is blank" in message or "has a header but no rows" in message
    assert "one row for each" in message


def test_wrong_header_says_what_was_expected_found_and_meant(folder) -> None:
    message = refused(write(folder, header=("img", "caption", "labels", "split")))
    assert "the header lacks 'image' (did you mean 'img'?), 'text', 'label' (did you mean 'labels'?)" in message
    assert (
        "Expected: image, text, label, and optionally split, id, group; found: img, caption, labels, split" in message
    )


def test_column_named_twice(folder) -> None:
    assert "names the column 'text' twice" in refused(write(folder, header=("image", "text", "label", "Text")))


def test_unused_columns_are_named_with_what_may_have_been_meant(folder) -> None:
    items = Manifest(write(folder, header=("image", "text", "label", "splits"))).load()
    assert items.notices[0] == "items.csv: columns that are not used: 'splits' (did you mean 'split'?)"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_other_encodings_are_named_with_their_lines(folder, encoding) -> None:
    rows = [row for row in ROWS if row[1] != "犬"]
    message = refused(write(folder, rows, encoding=encoding))
    assert r"is not UTF-8 in line 5 (dogs/1.jpg,ein H\xfcndchen," in message
    assert "iconv -f WINDOWS-1252 -t UTF-8 items.csv" in message


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf_16_is_named(folder, mark) -> None:
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    path = write(folder)
    path.write_bytes(mark + path.read_text(encoding="utf-8").encode(encoding))
    assert "is encoded in UTF-16. Save it as UTF-8" in refused(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "cats/1.jpg,a cat, asleep,cat",
            "the header has 3 cells, but line 3 has 4. Put a cell that holds a comma in quotes",
        ),
        ("cats/1.jpg,cat", "but line 3 has 2"),
        ('cats/1.jpg,"a cat,cat', "line 3: unexpected end of data. Is a quote not closed?"),
        ('cats/1.jpg,"a" cat,cat', "line 3: ',' expected after '\"'. Is a quote not closed?"),
    ],
)
def test_malformed_lines_are_named(folder, line, message) -> None:
    path = folder / "items.csv"
    path.write_text(f"image,text,label\ndogs/1.jpg,dog,dog\n{line}\n")
    assert message in refused(path)


def test_quote_that_swallows_the_file(folder) -> None:
    path = folder / "items.csv"
    body = "".join(f"cats/1.jpg,a cat with a long text {number},cat\n" for number in range(5000))
    path.write_text(f'image,text,label\ndogs/1.jpg,"dog,dog\n{body}')
    assert "line 2: unexpected end of data. Is a quote not closed?" in refused(path)


@pytest.mark.parametrize("empty", [None, "", " ", "nan", float("nan")])
def test_empty_cells_are_refused_with_their_lines(folder, empty) -> None:
    for column in ("image", "label"):
        rows = [list(row) for row in ROWS]
        rows[1][HEADER.index(column)] = rows[4][HEADER.index(column)] = empty
        assert f"the {column} is empty or NaN in lines 3, 6." in refused(write(folder, rows))


def test_empty_texts_are_kept_and_counted(folder) -> None:
    rows = [list(row) for row in ROWS]
    rows[1][1] = None
    items = Manifest(write(folder, rows)).load()
    assert items.texts[1] == ""
    assert items.notices[0] == "items.csv: 1 of 6 texts are empty, in line 3"


def test_repeated_ids_are_named_with_their_lines(folder) -> None:
    rows = [(*row, number) for row, number in zip(ROWS, "abcbab", strict=True)]
    message = refused(write(folder, rows, (*HEADER, "id")))
    assert "2 values of id are given more than once: 'a' in lines 2, 6; 'b' in lines 3, 5, 7" in message


def test_repeated_pictures_need_ids(folder) -> None:
    message = refused(write(folder, [*ROWS, ROWS[0]]))
    assert "1 values of image are given more than once: 'cats/1.jpg' in lines 2, 8" in message
    assert "add a column 'id'" in message


def test_parquet_with_pictures_inside(folder) -> None:
    image = pa.array([{"bytes": b"x", "path": "a.jpg"}])
    pq.write_table(pa.table({"image": image, "text": ["x"], "label": ["cat"]}), folder / "items.parquet")
    assert "the column 'image' holds struct" in refused(folder / "items.parquet")


def test_damaged_parquet(folder) -> None:
    (folder / "items.parquet").write_bytes(b"PAR1 and then nothing")
    assert "is a damaged Parquet file" in refused(folder / "items.parquet")


def test_missing_values_and_numbers_in_parquet(folder) -> None:
    table = pa.table({"a": [1.5, None, float("nan")], "b": [1, 2, None], "C": ["x", None, "y"]})
    pq.write_table(table, folder / "t.parquet")
    found = read_table(folder / "t.parquet", ["a", "b", "c"])
    assert found.columns == {"a": ["1.5", "", ""], "b": ["1", "2", ""], "c": ["x", "", "y"]}
    assert found.where([1, 2]) == "rows 1, 2"


def test_many_lines_are_cut_short(folder) -> None:
    rows = [(f"{number}.jpg", "x", None) for number in range(30)]
    message = refused(write(folder, rows, HEADER[:3]))
    assert "in lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 20 more." in message


# Pictures


def test_all_missing_pictures_are_listed(folder) -> None:
    (folder / "cats/2.jpg").unlink()
    (folder / "dogs/3.jpg").unlink()
    (folder / "dogs/3.jpg").mkdir()
    message = refused(write(folder))
    assert "2 of 6 pictures are no files in" in message
    assert "\n  line 3: cats/2.jpg\n  line 7: dogs/3.jpg\n" in message
    assert "Correct these paths, add the files, or take the rows out" in message


def test_many_missing_pictures_are_listed_in_a_file(folder) -> None:
    rows = [*ROWS, *((f"no/{number}.jpg", "x", "cat", "train") for number in range(200))]
    message = refused(write(folder, rows))
    assert "200 of 206 pictures are no files" in message
    assert message.count("\n") == 11
    report = Path(message.split("all listed in ")[1].split(";")[0])
    listed = report.read_text().splitlines()
    report.unlink()
    assert listed == [f"  line {number + 8}: no/{number}.jpg" for number in range(200)]


@pytest.mark.parametrize(
    ("image", "cure"),
    [
        ("https://example.org/1.jpg", "Addresses are not fetched: download the pictures"),
        ("cats\\1.jpg", "Write the paths with / in place of \\"),
        ("cats/\0.jpg", "Correct these paths"),
    ],
)
@pytest.mark.skipif(os.sep != "/", reason="a backslash separates folders there")
def test_cures_of_missing_pictures(folder, image, cure) -> None:
    assert cure in refused(write(folder, [(image, *ROWS[0][1:]), *ROWS[1:]]))


@pytest.mark.parametrize("image", ["../secret.jpg", "cats/../../secret.jpg", "/etc/hostname", "."])
def test_paths_out_of_the_folder_are_refused(folder, image) -> None:
    inner = folder / "inner"
    inner.mkdir()
    for name in ("cats", "dogs"):
        shutil.copytree(folder / name, inner / name)
    (folder / "secret.jpg").touch()
    message = refused(write(inner, [(image, *ROWS[0][1:]), *ROWS[1:]]))
    assert f"1 pictures lie outside {inner}, such as {image!r} (line 2)" in message
    assert "dataset option 'images'" in message


@pytest.mark.parametrize("link", ["file", "folder"])
def test_links_out_of_the_folder_are_refused(folder, link) -> None:
    inner = folder / "inner"
    (inner / "dogs").mkdir(parents=True)
    if link == "folder":
        (inner / "cats").symlink_to(folder / "cats")
    else:
        (inner / "cats").mkdir()
        (inner / "cats/1.jpg").symlink_to(folder / "cats/1.jpg")
    rows = [("cats/1.jpg", "x", "cat", "train")]
    assert "1 pictures lie outside" in refused(write(inner, rows))


def test_links_inside_the_folder_are_followed(folder) -> None:
    (folder / "cats/1.jpg").unlink()
    (folder / "cats/1.jpg").symlink_to(folder / "dogs/1.jpg")
    (folder / "dogs/2.jpg").unlink()
    (folder / "dogs/2.jpg").symlink_to(folder / "nowhere.jpg")
    message = refused(write(folder))
    assert "1 of 6 pictures are no files" in message
    assert "line 6: dogs/2.jpg" in message


def test_a_folder_that_is_a_link_itself_is_fine(folder, tmp_path_factory) -> None:
    write(folder)
    link = tmp_path_factory.mktemp("other") / "link"
    link.symlink_to(folder)
    assert Manifest(link / "items.csv").load().images == [link / row[0] for row in ROWS]
