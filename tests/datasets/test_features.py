"""The dataset 'features': each way to lay arrays out gives the same items, and each misfit is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import huse_bench as hb
from huse_bench.errors import DataError
from huse_bench.features import prepare
from huse_bench_datasets.features import PrecomputedFeatures

COUNT = 12
RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(COUNT, 5)).astype(np.float32)
TEXT = RNG.normal(size=(COUNT, 3)).astype(np.float32)
CLASS = RNG.normal(size=(3, 4)).astype(np.float32)
# Not alphabetical, so that an order that is lost shows.
NAMES = ["oak", "cat", "dog"]
LABELS = np.arange(COUNT) % 3
SPLITS = np.repeat(["train", "validation", "test"], [6, 3, 3])
IDS = [f"item{number}" for number in range(COUNT)]


def items_csv(folder: Path, **changes) -> None:
    facts = {"label": [NAMES[label] for label in LABELS], "split": SPLITS, "id": IDS, **changes}
    pd.DataFrame({name: values for name, values in facts.items() if values is not None}).to_csv(
        folder / "items.csv", index=False
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    np.save(tmp_path / "image.npy", IMAGE)
    np.save(tmp_path / "text.npy", TEXT)
    np.save(tmp_path / "class.npy", CLASS)
    (tmp_path / "classes.csv").write_text("label\n" + "\n".join(NAMES) + "\n")
    (tmp_path / "taxonomy.csv").write_text("parent,child\nlife,oak\nlife,animal\nanimal,cat\nanimal,dog\n")
    items_csv(tmp_path)
    return tmp_path


def refused(path, **options) -> str:
    with pytest.raises(DataError) as caught:
        PrecomputedFeatures(path, **options).load()
    return str(caught.value)


def check(items, ids=IDS) -> None:
    assert list(items.ids) == ids
    assert items.class_names == NAMES
    assert items.labels.tolist() == LABELS.tolist()
    assert items.splits.tolist() == SPLITS.tolist()
    np.testing.assert_array_equal(items.image_features.values, IMAGE)
    np.testing.assert_array_equal(items.text_features.values, TEXT)
    np.testing.assert_array_equal(items.class_features.values, CLASS)
    assert items.notices == []
    data = prepare(items, "features")
    np.testing.assert_array_equal(data.splits["test"].image.numpy(), IMAGE[9:])


def test_a_folder_of_npy(folder) -> None:
    items = PrecomputedFeatures(folder).load()
    check(items)
    assert items.taxonomy.correct_set("cat", 2) == {"cat", "dog"}
    assert items.images is items.texts is items.class_texts is None


def test_it_is_found_by_its_name() -> None:
    assert hb.load("dataset", "features") is PrecomputedFeatures
    assert PrecomputedFeatures.backbones == {"class": "use"}


def _npy(path: Path, values) -> None:
    np.save(path.with_suffix(".npy"), values)


def _safetensors(path: Path, values) -> None:
    safetensors.numpy.save_file({"anything": values}, path.with_suffix(".safetensors"))


def _lists(path: Path, values) -> None:
    pq.write_table(pa.table({"vectors": values.tolist()}), path.with_suffix(".parquet"))


def _fixed_lists(path: Path, values) -> None:
    flat = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    pq.write_table(pa.table({"vectors": flat}), path.with_suffix(".parquet"), row_group_size=5)


@pytest.mark.parametrize("save", [_npy, _safetensors, _lists, _fixed_lists])
def test_a_folder_of_other_files(folder, save) -> None:
    for name, values in (("image", IMAGE), ("text", TEXT), ("class", CLASS)):
        (folder / f"{name}.npy").unlink()
        save(folder / name, values)
    check(PrecomputedFeatures(folder).load())


@pytest.mark.parametrize("labels", [LABELS.astype(np.int32), np.array(NAMES)[LABELS], LABELS.astype(np.uint8)])
@pytest.mark.parametrize("splits", [SPLITS, np.repeat([0, 1, 2], [6, 3, 3])])
def test_arrays_of_labels_and_splits(folder, labels, splits) -> None:
    (folder / "items.csv").unlink()
    np.save(folder / "labels.npy", labels)
    np.save(folder / "splits.npy", splits)
    check(PrecomputedFeatures(folder).load(), [str(number) for number in range(COUNT)])


def test_one_safetensors_file(folder) -> None:
    arrays = {"image": IMAGE, "text": TEXT, "class": CLASS, "labels": LABELS, "splits": np.repeat([0, 1, 2], [6, 3, 3])}
    inner = folder / "one"
    inner.mkdir()
    safetensors.numpy.save_file(arrays, inner / "all.safetensors")
    for name in ("classes.csv", "taxonomy.csv"):
        (folder / name).rename(inner / name)
    items = PrecomputedFeatures(inner / "all.safetensors").load()
    check(items, [str(number) for number in range(COUNT)])
    assert items.image_features.backbone.startswith("all.safetensors[image]@")


def test_safetensors_beside_a_table(folder) -> None:
    for name in ("image", "text", "class"):
        (folder / f"{name}.npy").unlink()
    safetensors.numpy.save_file({"image": IMAGE, "text": TEXT, "class": CLASS}, folder / "all.safetensors")
    check(PrecomputedFeatures(folder / "all.safetensors").load())


def test_one_parquet_file(folder) -> None:
    for name in ("image.npy", "text.npy", "items.csv"):
        (folder / name).unlink()
    names = [NAMES[label] for label in LABELS]
    table = pa.table({"image": IMAGE.tolist(), "text": TEXT.tolist(), "label": names, "split": SPLITS, "id": IDS})
    table = table.set_column(0, "image", table["image"].cast(pa.list_(pa.float32())))
    pq.write_table(table.set_column(1, "text", table["text"].cast(pa.list_(pa.float32()))), folder / "all.parquet")
    check(PrecomputedFeatures(folder / "all.parquet").load())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn])
def test_torch_types_are_read(folder, dtype) -> None:
    (folder / "image.npy").unlink()
    tensor = torch.from_numpy(IMAGE).to(dtype)
    safetensors.torch.save_file({"x": tensor}, folder / "image.safetensors")
    features = PrecomputedFeatures(folder).load().image_features
    np.testing.assert_array_equal(features.values, tensor.double().numpy())


def test_npy_stays_on_disk(folder) -> None:
    assert isinstance(PrecomputedFeatures(folder).load().image_features.values, np.memmap)


def test_features_are_named_by_their_file_and_its_content(folder) -> None:
    first = PrecomputedFeatures(folder).load().image_features.backbone
    name, _, revision = first.partition("@")
    assert name == "image.npy"
    assert len(revision) == 12
    assert PrecomputedFeatures(folder).load().image_features.backbone == first
    np.save(folder / "image.npy", IMAGE + 1)
    assert PrecomputedFeatures(folder).load().image_features.backbone != first


def test_without_class_features_the_names_or_texts_are_embedded(folder) -> None:
    (folder / "class.npy").unlink()
    items = PrecomputedFeatures(folder).load()
    assert items.class_features is None
    assert items.class_texts is None
    (folder / "classes.csv").write_text("label,text\noak,an oak\ncat,a cat\ndog,a dog\n")
    assert PrecomputedFeatures(folder).load().class_texts == ["an oak", "a cat", "a dog"]


def test_without_classes_csv_classes_are_alphabetical(folder) -> None:
    (folder / "class.npy").unlink()
    (folder / "classes.csv").unlink()
    items = PrecomputedFeatures(folder).load()
    assert items.class_names == ["cat", "dog", "oak"]
    assert [items.class_names[label] for label in items.labels] == [NAMES[label] for label in LABELS]


def test_classes_without_items_are_left_out_with_their_rows(folder) -> None:
    (folder / "classes.csv").write_text("label,text\noak,an oak\nelm,an elm\ncat,a cat\ndog,a dog\n")
    np.save(folder / "class.npy", np.insert(CLASS, 1, 7, axis=0))
    items = PrecomputedFeatures(folder).load()
    assert items.class_names == NAMES
    assert items.class_texts == ["an oak", "a cat", "a dog"]
    np.testing.assert_array_equal(items.class_features.values, CLASS)
    assert items.labels.tolist() == LABELS.tolist()
    assert items.notices == ["classes.csv has 1 class without items: elm"]


def test_splits_are_made_where_there_are_none(folder) -> None:
    items_csv(folder, split=None)
    items = PrecomputedFeatures(folder).load()
    assert sorted(items.splits.tolist()) == ["test"] * 3 + ["train"] * 6 + ["validation"] * 3
    assert "70 / 10 / 20 %" in items.notices[0]
    assert (PrecomputedFeatures(folder, split_seed=5).load().splits != items.splits).any()


GROUPS = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6])


@pytest.mark.parametrize("groups", [GROUPS, np.array([f"thing {group}" for group in GROUPS])])
@pytest.mark.parametrize("place", ["array", "column", "named column", "array beside arrays"])
def test_groups_are_an_array_or_a_column(folder, groups, place) -> None:
    options = {"group": "Product"} if place == "named column" else {}
    if "array" in place:
        np.save(folder / "groups.npy", groups)
    else:
        items_csv(folder, **{options.get("group", "group"): groups})
    if place == "array beside arrays":
        (folder / "items.csv").unlink()
        np.save(folder / "labels.npy", LABELS)
        np.save(folder / "splits.npy", SPLITS)
    items = PrecomputedFeatures(folder, **options).load()
    assert items.groups == [str(group) for group in groups]
    assert "puts 12 items in 7 groups" in items.notices[0]
    assert prepare(items, "features").splits["test"].groups.tolist() == [0, 0, 1]
    assert items.redrawn is None


def test_groups_are_drawn_whole(folder) -> None:
    items_csv(folder, split=None, group=[f"g{row // 3}" for row in range(COUNT)])
    items = PrecomputedFeatures(folder).load()
    assert {len(set(items.splits[start : start + 3])) for start in range(0, COUNT, 3)} == {1}
    assert items.redrawn(IDS).groups == IDS


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (GROUPS[:5], r"groups.npy is int64 of shape \(5,\), but .* for each of 12 items"),
        (GROUPS.astype(float), r"groups.npy is float64 of shape \(12,\), but there must be one word or whole number"),
        (GROUPS, r"the groups are both in groups.npy and in the column 'group' of items.csv: keep one"),
    ],
)
def test_refused_groups(folder, groups, message) -> None:
    items_csv(folder, group=GROUPS)
    if len(groups) < 12 or groups.dtype.kind == "f":
        items_csv(folder)
    np.save(folder / "groups.npy", groups)
    with pytest.raises(DataError, match=message):
        PrecomputedFeatures(folder).load()


def test_a_column_of_groups_needs_a_table(folder) -> None:
    (folder / "items.csv").unlink()
    np.save(folder / "labels.npy", LABELS)
    assert "the option 'group' names a column of items.csv, but the labels are in labels.npy" in refused(
        folder, group="thing"
    )


def test_the_title_is_the_folders_name_or_an_option(folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    assert PrecomputedFeatures(Path()).load().title == folder.name
    assert PrecomputedFeatures(folder, title="Ours").load().title == "Ours"


# Misfits


def test_nothing_given_or_nothing_there(folder) -> None:
    assert "name a folder that holds image.npy, text.npy and items.csv" in refused(None)
    (folder / "data").mkdir()
    assert "there is no" in refused(folder / "date")
    assert "(did you mean 'data'?)" in refused(folder / "date")


@pytest.mark.parametrize("name", ["image.npy", "items.csv", "x.zip"])
def test_other_files_in_place_of_a_folder(folder, name) -> None:
    (folder / "x.zip").write_bytes(b"PK\x03\x04")
    assert "is no folder, .safetensors or .parquet file" in refused(folder / name)


@pytest.mark.parametrize("part", ["image", "text"])
def test_missing_features_say_what_was_expected_and_found(folder, part) -> None:
    (folder / f"{part}.npy").rename(folder / f"{part}s.npy")
    message = refused(folder)
    assert (
        f"holds no {part} features. Expected: {part}.npy, {part}.safetensors or {part}.parquet; found: class" in message
    )
    assert f"{part}s.npy" in message


def test_missing_tensor_is_named(folder) -> None:
    for name in ("image", "text"):
        (folder / f"{name}.npy").unlink()
    safetensors.numpy.save_file({"image": IMAGE, "txt": TEXT}, folder / "all.safetensors")
    assert "and all.safetensors has no array or column of vectors called 'text'" in refused(folder / "all.safetensors")


def test_two_files_of_one_array(folder) -> None:
    _safetensors(folder / "image", IMAGE)
    assert "holds both image.npy and image.safetensors: keep one" in refused(folder)


def test_a_file_of_several_arrays(folder) -> None:
    (folder / "image.npy").unlink()
    safetensors.numpy.save_file({"a": IMAGE, "b": IMAGE}, folder / "image.safetensors")
    assert "image.safetensors holds 2 arrays (a, b), none of them called 'image'" in refused(folder)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("image", IMAGE[:-1], "image.npy has 11 rows, but there are 12 items"),
        ("text", TEXT[0], "text.npy has the shape (3,), but features are (n, d)"),
        ("text", TEXT[:, :0], "text.npy has the shape (12, 0), but features are (n, d)"),
        ("image", IMAGE.astype(np.int8), "image.npy holds int8, but features are floating point: convert it with"),
        ("image", IMAGE.astype(np.complex64), "image.npy holds complex64, but features are floating point"),
        ("class", CLASS[:2], "class.npy has 2 rows, but there are 3 classes in classes.csv"),
    ],
)
def test_arrays_of_the_wrong_shape_or_type(folder, part, values, message) -> None:
    np.save(folder / f"{part}.npy", values)
    refusal = refused(folder)
    assert message in refusal
    assert str(folder / f"{part}.npy") in refusal


def test_pickled_and_damaged_arrays(folder) -> None:
    np.save(folder / "image.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    assert "image.npy holds Python objects, which can run code and are not loaded" in refused(folder)
    for suffix in (".npy", ".safetensors", ".parquet"):
        for old in folder.glob("image.*"):
            old.unlink()
        for content in (b"", b"nonsense, and more of it"):
            (folder / f"image{suffix}").write_bytes(content)
            assert f"image{suffix} cannot be read as a {suffix} file of numbers (" in refused(folder)


def test_vectors_of_several_lengths(folder) -> None:
    (folder / "image.npy").unlink()
    for vectors in ([[1.0, 2.0], [3.0]], [[1.0], None], [None, None]):
        pq.write_table(pa.table({"v": pa.array(vectors, pa.list_(pa.float32()))}), folder / "image.parquet")
        assert "the vectors of the column 'v' must all be there and of one length" in refused(folder)


def test_nan_is_left_to_the_check_of_all_features(folder) -> None:
    np.save(folder / "image.npy", np.where(np.isclose(IMAGE, IMAGE[2, 1]), np.nan, IMAGE))
    with pytest.raises(DataError, match=r"image features are not finite.*item2"):
        prepare(PrecomputedFeatures(folder).load(), "features")


def test_labels_nowhere_or_twice(folder) -> None:
    np.save(folder / "labels.npy", LABELS)
    assert "found: items.csv, labels.npy, of which one must go" in refused(folder)
    (folder / "labels.npy").unlink()
    (folder / "items.csv").unlink()
    message = refused(folder)
    assert (
        "items.csv (columns label, and optionally split and id) or an array 'labels', but there is neither" in message
    )


def test_splits_go_with_labels(folder) -> None:
    np.save(folder / "splits.npy", SPLITS)
    assert "the labels are in items.csv: make it a column 'split' there" in refused(folder)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.where(LABELS == 2, 3, LABELS), "labels.npy has 3 in row 2, but the numbers must be 0 to 2 (oak, cat, dog)"),
        (LABELS - 1, "labels.npy has -1 in row 0"),
        (LABELS.astype(np.float32), "labels.npy is float32 of shape (12,)"),
        (LABELS[:, None], "labels.npy is int64 of shape (12, 1), but there must be one word or whole number"),
        (LABELS[:0], "of shape (0,)"),
        (
            np.array(["oak", "cat", "dof"])[LABELS],
            "1 labels are in no line of classes.csv: 'dof' (did you mean 'dog'?)",
        ),
        (np.array(["oak", "cat", ""])[LABELS], "the label is empty or NaN in rows 2, 5, 8, 11"),
    ],
)
def test_refused_arrays_of_labels(folder, labels, message) -> None:
    (folder / "items.csv").unlink()
    np.save(folder / "labels.npy", labels)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (np.arange(COUNT) % 4, "splits.npy has 3 in row 3, but the numbers must be 0 to 2 (train, validation, test)"),
        (SPLITS[:-1], "splits.npy has 11 values, but labels.npy 12"),
        (np.array(["train", "tests"])[LABELS % 2], "unknown splits 'tests' (did you mean 'test'?) in rows 1, 4, 7, 10"),
    ],
)
def test_refused_arrays_of_splits(folder, splits, message) -> None:
    (folder / "items.csv").unlink()
    np.save(folder / "labels.npy", LABELS)
    np.save(folder / "splits.npy", splits)
    assert message in refused(folder)


def test_numbers_need_names(folder) -> None:
    for name in ("items.csv", "classes.csv", "class.npy"):
        (folder / name).unlink()
    np.save(folder / "labels.npy", LABELS)
    assert "labels.npy has numbers, but nothing names them: add classes.csv with a column label" in refused(folder)


def test_class_features_need_an_order(folder) -> None:
    (folder / "classes.csv").unlink()
    message = refused(folder)
    assert "class.npy has a row for each class, but nothing says which: add classes.csv" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label\noak\ncat\ndog\ncat\n", "'cat' in lines 3, 5. Keep one row a class"),
        ("label,text\noak,x\ncat,x\n,x\ndog,x\n", "the label is empty or NaN in line 4"),
        ("name\noak\n", "the header lacks 'label'"),
    ],
)
def test_refused_classes(folder, content, message) -> None:
    (folder / "classes.csv").write_text(content)
    refusal = refused(folder)
    assert message in refusal
    assert str(folder / "classes.csv") in refusal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": ["cat", None] + ["dog"] * 10}, "the label is empty or NaN in line 3. Name the item's class"),
        ({"id": ["a", "b"] * 6}, "2 values of id are given more than once"),
        ({"id": [None, *IDS[1:]]}, "the id is empty or NaN in line 2"),
        ({"split": ["train"] * 12}, "no item is in the test split"),
        ({"label": ["cat"] * 12}, "all items are of one class, 'cat'"),
    ],
)
def test_refused_items(folder, changes, message) -> None:
    items_csv(folder, **changes)
    assert message in refused(folder)


def test_from_arrays_to_tables(tmp_path, quick_training) -> None:
    made = hb.load("dataset", "synthetic")(items=400, classes=4, image_dim=32, text_dim=24, noise=0.8).load()
    np.save(tmp_path / "image.npy", made.image_features.values)
    np.save(tmp_path / "text.npy", made.text_features.values)
    np.save(tmp_path / "class.npy", made.class_features.values)
    (tmp_path / "classes.csv").write_text("label\n" + "\n".join(made.class_names) + "\n")
    np.save(tmp_path / "labels.npy", made.labels)
    results = hb.run(
        methods=["huse"],
        dataset="features",
        data=tmp_path,
        dataset_options={"split_seed": 7},
        training={**quick_training, "steps": 200},
        results=tmp_path / "results",
        quiet=True,
    )
    (record,) = results.records
    assert record.status == "finished"
    assert (record.dataset.items.train, record.dataset.items.test) == (280, 80)
    assert record.dataset.image_backbone.startswith("image.npy@")
    assert any("70 / 10 / 20 %" in warning and "seed 7" in warning for warning in record.warnings)
    assert any("no taxonomy" in warning for warning in record.warnings)
    assert record.audit["findings"] == []
    assert record.audit["classes"]["test"]["items"] == 80
    # Four classes, well apart: chance is 0.25.
    assert results.tables()["table3"].to_numpy(dtype=float).min() > 0.5
