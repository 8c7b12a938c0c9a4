"""Names mean the same in every file: missing ones, white space, Unicode's forms, and numbers of classes."""

import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huse_bench.errors import DataError
from huse_bench_datasets._own_data.table import Table
from huse_bench_datasets._own_data.words import alike, closest, unknown
from huse_bench_datasets.features import PrecomputedFeatures
from huse_bench_datasets.manifest import Manifest

COUNT = 12
NAMES = ["café", "crêpe", "tea"]
LABELS = np.arange(COUNT) % 3
WORDS = [NAMES[label] for label in LABELS]
SPLITS = np.repeat(["train", "validation", "test"], [6, 3, 3])


def apart(word: str) -> str:
    """A word in Unicode's decomposed form, as macOS writes the names of files."""
    return unicodedata.normalize("NFD", word)


@pytest.fixture
def folder(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "image.npy", rng.normal(size=(COUNT, 5)).astype(np.float32))
    np.save(tmp_path / "text.npy", rng.normal(size=(COUNT, 3)).astype(np.float32))
    (tmp_path / "taxonomy.csv").write_text("parent,child\n" + "".join(f"all,{name}\n" for name in NAMES))
    return tmp_path


def as_array(folder: Path, labels, splits=SPLITS) -> None:
    np.save(folder / "labels.npy", np.array(labels))
    np.save(folder / "splits.npy", np.array(splits))


def as_csv(folder: Path, labels, splits=SPLITS) -> None:
    rows = "".join(f'"{label}","{split}"\n' for label, split in zip(labels, splits, strict=True))
    (folder / "items.csv").write_text(f"label,split\n{rows}", encoding="utf-8")


def as_parquet(folder: Path, labels, splits=SPLITS) -> None:
    pq.write_table(pa.table({"label": list(labels), "split": list(splits)}), folder / "items.parquet")


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        PrecomputedFeatures(path).load()
    return str(caught.value)


READERS = pytest.mark.parametrize("write", [as_array, as_csv, as_parquet])


@READERS
@pytest.mark.parametrize("missing", ["nan", "NaN", "", " ", " nan\t"])
def test_missing_values_are_missing_in_every_file(folder, write, missing) -> None:
    write(folder, [missing, *WORDS[1:-1], missing])
    place = "lines 2, 13" if write is as_csv else "rows 0, 11"
    assert f"the label is empty or NaN in {place}. Name the item's class" in refused(folder)


@READERS
def test_white_space_is_no_part_of_a_name_in_any_file(folder, write) -> None:
    write(folder, [f" {word}\t" for word in WORDS], [f"{split} " for split in SPLITS])
    items = PrecomputedFeatures(folder).load()
    assert [items.class_names[label] for label in items.labels] == WORDS
    assert items.splits.tolist() == SPLITS.tolist()


@READERS
def test_forms_of_one_label_are_one_class_and_that_is_said_once(folder, write) -> None:
    write(folder, [apart(word) if row % 2 else word for row, word in enumerate(WORDS)])
    items = PrecomputedFeatures(folder).load()
    assert items.class_names == NAMES
    assert items.labels.tolist() == LABELS.tolist()
    (notice,) = items.notices
    name = {as_array: "labels.npy", as_csv: "items.csv", as_parquet: "items.parquet"}[write]
    expected = r"'cre\u0302pe' as 'cr\xeape'"
    assert notice == f"{name}: 2 names are read in Unicode's composed form (NFC), such as {expected}"


@READERS
def test_names_meet_across_files_in_any_form(folder, write) -> None:
    (folder / "taxonomy.csv").write_text("parent,child\n" + "".join(f"all,{apart(name)}\n" for name in NAMES))
    (folder / "classes.csv").write_text("label,text\n" + "".join(f"{name},{apart(name)}!\n" for name in NAMES))
    write(folder, [apart(word) for word in WORDS])
    items = PrecomputedFeatures(folder).load()
    assert items.class_names == NAMES
    assert {child for _, child in items.taxonomy.edges} == set(NAMES)
    # A text is no name.
    assert items.class_texts == [f"{apart(name)}!" for name in NAMES]
    assert [notice.split(":")[0] for notice in items.notices][1:] == ["taxonomy.csv"]


def test_forms_of_one_class_are_one_row_too_many(folder) -> None:
    as_csv(folder, WORDS)
    (folder / "classes.csv").write_text("label\n" + "\n".join([*NAMES, apart("café")]))
    assert r"'café' in lines 2, 5 (written 'caf\xe9' and 'cafe\u0301'). Keep one row a class" in refused(folder)


def test_all_repeated_edges_are_named_whatever_their_form(folder) -> None:
    as_csv(folder, WORDS)
    tree = [*NAMES, "tea", apart("café"), "tea"]
    (folder / "taxonomy.csv").write_text("parent,child\n" + "".join(f"all,{name}\n" for name in tree))
    message = refused(folder)
    assert "2 edges are given more than once: 'all', 'café' in lines 2, 6; 'all', 'tea' in lines 4, 5, 7." in message
    assert message.endswith("Keep one row of each")


def pictures(folder: Path, on_disk, in_table) -> Path:
    for name in on_disk:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    rows = "".join(f"{name},a text,{NAMES[row % 2]}\n" for row, name in enumerate(in_table))
    (folder / "pictures.csv").write_text(f"image,text,label\n{rows}", encoding="utf-8")
    (folder / "taxonomy.csv").unlink()
    return folder / "pictures.csv"


FILES = [f"gläser/é{row}.png" for row in range(10)]


@pytest.mark.parametrize("disk", [apart, str])
@pytest.mark.parametrize("table", [apart, str])
def test_pictures_are_found_in_any_form(folder, disk, table) -> None:
    on_disk = [disk(name) for name in FILES]
    path = pictures(folder, on_disk, [table(name) for name in FILES])
    items = Manifest(path).load()
    assert [image.stat().st_ino for image in items.images] == [(folder / name).stat().st_ino for name in on_disk]
    assert items.ids == FILES
    assert ("10 names are read in Unicode's composed form" in items.notices[0]) == (table is apart)


def test_a_picture_in_the_form_of_the_table_comes_first(folder) -> None:
    (folder / "é.png").write_text("composed")
    (folder / apart("é.png")).write_text("apart")
    if (folder / "é.png").read_text() == "apart":
        pytest.skip("the file system keeps one form")
    path = pictures(folder, FILES, [*FILES, apart("é.png")])
    assert Manifest(path).load().images[-1].read_text() == "apart"


def test_pictures_of_one_name_in_two_forms_are_told_apart(folder) -> None:
    path = pictures(folder, FILES, [*FILES, apart(FILES[0])])
    written = r"(written 'gl\xe4ser/\xe90.png' and 'gla\u0308ser/e\u03010.png')"
    with pytest.raises(DataError) as caught:
        Manifest(path).load()
    assert f"'gläser/é0.png' in lines 2, 12 {written}" in str(caught.value)


def test_missing_pictures_are_listed_as_they_are_written(folder) -> None:
    path = pictures(folder, FILES, [*FILES, apart("é11.png")])
    with pytest.raises(DataError) as caught:
        Manifest(path).load()
    assert f"line 12: {apart('é11.png')}" in str(caught.value)


# Numbers


@pytest.mark.parametrize("write", [as_array, as_csv, as_parquet])
def test_a_whole_number_is_a_row_of_classes(folder, write) -> None:
    (folder / "classes.csv").write_text("label\ntea\ncafé\ncrêpe\n", encoding="utf-8")
    write(folder, LABELS.tolist())
    items = PrecomputedFeatures(folder).load()
    assert items.class_names == ["tea", "café", "crêpe"]
    assert items.labels.tolist() == LABELS.tolist()


def test_a_category_of_numbers_in_parquet_is_a_row_of_classes(folder) -> None:
    (folder / "classes.csv").write_text("label\ntea\ncafé\ncrêpe\n", encoding="utf-8")
    labels = pa.DictionaryArray.from_arrays(pa.array((2 - LABELS).astype(np.int8)), pa.array([2, 1, 0]))
    pq.write_table(pa.table({"label": labels, "split": SPLITS.tolist()}), folder / "items.parquet")
    assert PrecomputedFeatures(folder).load().labels.tolist() == LABELS.tolist()


def numbered(folder: Path, names, labels) -> PrecomputedFeatures:
    (folder / "classes.csv").write_text("label\n" + "".join(f"{name}\n" for name in names))
    (folder / "taxonomy.csv").write_text("parent,child\n" + "".join(f"all,{name}\n" for name in names))
    as_csv(folder, labels)
    return PrecomputedFeatures(folder)


def test_numbers_that_are_names_stay_names(folder) -> None:
    items = numbered(folder, [7, 8, 9], LABELS + 7).load()
    assert (items.class_names, items.labels.tolist(), items.notices) == (["7", "8", "9"], LABELS.tolist(), [])
    items = numbered(folder, [0, 1, 2], LABELS).load()
    assert (items.class_names, items.labels.tolist(), items.notices) == (["0", "1", "2"], LABELS.tolist(), [])


def test_numbers_that_are_names_of_other_rows_are_said_to_be_names(folder) -> None:
    items = numbered(folder, [2, 0, 1], LABELS).load()
    assert [items.class_names[label] for label in items.labels] == [str(label) for label in LABELS]
    example = "'0' is the class of that name, not row 0, '2'"
    assert items.notices == [
        f"items.csv: the labels are numbers, read as names and not as rows of classes.csv: {example}"
    ]


@pytest.mark.parametrize("labels", [LABELS + 1, np.where(LABELS == 2, 10, LABELS)])
def test_numbers_of_no_row_are_refused(folder, labels) -> None:
    numbered(folder, ["a", "b", "c"], labels)
    message = refused(folder)
    assert "labels are in no line of classes.csv: '" in message
    assert message.endswith("; labels that are all whole numbers from 0 to 2 would be rows of it")


def test_numbers_beside_names_are_no_rows(folder) -> None:
    numbered(folder, ["a", "b", "c"], ["a", *LABELS[1:]])
    assert "3 labels are in no line of classes.csv: '1', '2', '0'" in refused(folder)


# Names that look alike


def test_labels_that_may_be_meant_as_one_are_pointed_out(folder) -> None:
    (folder / "taxonomy.csv").unlink()
    as_csv(folder, ["7", "7.0", "007", "Tea", "tea ", "TEA", "t\u200bea", "café", "\uff43afé", "8", "7", "9"])
    items = PrecomputedFeatures(folder).load()
    assert len(items.class_names) == 11
    assert items.notices[0] == (
        "labels that are read as different ones, but may be meant as one: '007' and '7' and '7.0', 'TEA' and 'Tea' and "
        r"'tea' and 't\u200bea', 'caf\xe9' and '\uff43af\xe9'"
    )


def test_labels_that_differ_are_not_alike() -> None:
    assert alike(["7", "70", "7.5", "-7", "1e1", "10", "tea", "teas", "te a", "thé", "the"], "labels") == []


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("7.0", ["17", "7", "8"], " (did you mean '7'?)"),
        ("007", ["17", "7", "8"], " (did you mean '7'?)"),
        ("TEA", ["teal", "tea"], " (did you mean 'tea'?)"),
        # A Cyrillic letter.
        ("\u0441ruller", ["cruller"], r" (did you mean 'cruller'? '\u0441ruller' is not 'cruller')"),
        ("tea\u00a0pot", ["tea pot"], r" (did you mean 'tea pot'? 'tea\xa0pot' is not 'tea pot')"),
        ("zebra", ["tea"], ""),
    ],
)
def test_hints_tell_names_apart(word, known, hint) -> None:
    assert closest(word, known) == hint


def test_many_unknown_words_are_cut_short() -> None:
    assert unknown(["tee", "xyz", "a", "b"], ["tea"], 2) == "'tee' (did you mean 'tea'?), 'xyz' and 2 more"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
def test_columns_are_the_same_for_each_form(cells) -> None:
    forms = [
        Table.of_cells(
            Path("t.csv"), {"label": [unicodedata.normalize(form, cell) for cell in cells]}, range(len(cells))
        )
        for form in ("NFC", "NFD")
    ]
    assert forms[0].columns == forms[1].columns
    assert forms[0].notices() == []
    written = [forms[1].written("label", row) for row in range(len(cells))]
    assert [unicodedata.normalize("NFC", word) for word in written] == forms[1].columns["label"]
