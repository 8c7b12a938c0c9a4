"""A dataset's items are checked before anything is trained on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from huse_bench.components import ClassGraph, Features, Items
from huse_bench.errors import DataError
from huse_bench.features import prepare
from huse_bench.taxonomy import Taxonomy


def make_items(**changes) -> Items:
    rng = np.random.default_rng(0)
    names = ["cat", "dog"]
    items = Items(
        ids=[f"item{i}" for i in range(8)],
        labels=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        splits=np.array(["train", "train", "validation", "test"] * 2),
        class_names=names,
        taxonomy=Taxonomy.from_edges([("animal", "cat"), ("animal", "dog")], classes=names),
        image_features=Features(rng.normal(size=(8, 3)).astype(np.float16), "eye@1"),
        text_features=Features(rng.normal(size=(8, 4)).astype(np.float32), "ear@1"),
        class_features=Features(rng.normal(size=(2, 5)).astype(np.float32), "mind@1"),
    )
    return replace(items, **changes)


def spoiled(features: Features, row: int, value: float) -> Features:
    values = features.values.copy()
    values[row] = value
    return Features(values, features.backbone)


def test_layout():
    items = make_items()
    data = prepare(items, "toy")
    assert {name: split.ids for name, split in data.splits.items()} == {
        "train": ["item0", "item1", "item4", "item5"],
        "validation": ["item2", "item6"],
        "test": ["item3", "item7"],
    }
    train = data.splits["train"]
    assert train.image.dtype == train.text.dtype == torch.float32
    assert train.image.numpy() == pytest.approx(items.image_features.values[[0, 1, 4, 5]])
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert data.classes.distances.shape == (2, 2)
    assert data.backbones == {"image": "eye@1", "text": "ear@1", "class": "mind@1"}


def test_groups_are_numbered_within_each_split():
    alone = prepare(make_items(), "toy").splits
    assert {name: split.groups.tolist() for name, split in alone.items()} == {
        "train": [0, 1, 2, 3],
        "validation": [0, 1],
        "test": [0, 1],
    }
    grouped = prepare(make_items(groups=["b", "a", "v", "t", "a", "b", "v", "t"]), "toy").splits
    assert {name: split.groups.tolist() for name, split in grouped.items()} == {
        "train": [0, 1, 1, 0],
        "validation": [0, 0],
        "test": [0, 0],
    }


def test_a_group_in_two_splits_is_refused():
    message = (
        "toy: the group 'g' is in two splits: item 'item1' is in train, item 'item2' in validation; "
        "put all items of a group in one split"
    )
    with pytest.raises(DataError, match=message):
        prepare(make_items(groups=["a", "g", "g", "c", "d", "e", "f", "h"]), "toy")


def test_a_number_of_groups_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="toy: there must be one group for each of 8 items, got 2 groups"):
        prepare(make_items(groups=["a", "b"]), "toy")


def test_groups_are_a_part_of_the_data_but_not_of_its_content():
    alone = prepare(make_items(), "toy")
    grouped = prepare(make_items(groups=["a", "a", "v", "t", "b", "b", "w", "u"]), "toy")
    assert grouped.content_hash == alone.content_hash
    assert {part for part in alone.parts if grouped.parts[part] != alone.parts[part]} == {"groups"}


def test_content_hash_changes_with_each_part():
    items = make_items()
    variants = [
        items,
        replace(items, ids=["x", *items.ids[1:]]),
        replace(items, labels=np.array([1, 0, 0, 0, 0, 1, 1, 1])),
        replace(items, splits=np.array(["train", "train", "test", "validation"] * 2)),
        replace(items, class_names=["cat", "wolf"]),
        *(
            replace(items, **{kind: spoiled(getattr(items, kind), 0, 2.0)})
            for kind in ("image_features", "text_features", "class_features")
        ),
        replace(items, image_features=Features(items.image_features.values, "eye@2")),
    ]
    assert len({prepare(variant, "toy").content_hash for variant in variants}) == len(variants)
    assert prepare(make_items(), "toy").content_hash == prepare(items, "toy").content_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            lambda i: {"image_features": spoiled(i.image_features, 2, np.nan)},
            r"toy: image features are not finite \(NaN or infinity\) in 1 of 8 rows: item2",
        ),
        (
            lambda i: {"text_features": spoiled(i.text_features, slice(1, 8), np.inf)},
            r"in 7 of 8 rows: item1, item2, item3, item4, item5 and 2 more",
        ),
        (
            lambda i: {"text_features": spoiled(i.text_features, 3, 0)},
            r"toy: text features are all zeros in 1 of 8 rows: item3",
        ),
        (
            lambda i: {"class_features": spoiled(i.class_features, 1, 0)},
            r"class features are all zeros in 1 of 2 rows: dog",
        ),
        (lambda _: {"image_features": None}, r"toy: image features are missing"),
        (
            lambda i: {"image_features": Features(i.image_features.values[:5], "eye")},
            r"must be \(8, d\), .* got \(5, 3\)",
        ),
        (lambda i: {"ids": ["item1", *i.ids[1:]]}, r"the id 'item1' is given to two items"),
        (
            lambda _: {"labels": np.array([0, 0, 0, 0, 1, 1, 1, 2])},
            r"item 'item7' has label 2, but the classes are 0 to 1",
        ),
        (lambda _: {"labels": np.array([0, 1])}, r"one label for each of 8 items, got \(2,\)"),
        (lambda _: {"splits": np.array(["train"] * 7 + ["dev"])}, r"unknown split 'dev'; .* train, validation, test"),
        (lambda _: {"splits": np.array(["train", "test"] * 4)}, r"the validation split has no items"),
        (lambda _: {"labels": np.array([0, 0, 0, 0, 0, 0, 0, 1])}, r"the class 'dog' has a single item"),
        (lambda _: {"labels": np.array([0, 0, 1, 0, 0, 0, 1, 0])}, r"the class 'dog' has no item in the train split"),
        (
            lambda _: {"taxonomy": Taxonomy.from_edges([("a", "cat")], classes=["cat"])},
            r"the taxonomy has 1 classes, the dataset 2",
        ),
    ],
)
def test_refused_items(changes, message):
    items = make_items()
    with pytest.raises(DataError, match=message):
        prepare(replace(items, **changes(items)), "toy")


KINDS = pytest.mark.parametrize("kind", ["image", "text", "class"])


def with_rows(kind: str, rows: dict[int, float], dtype: type = np.float64) -> Items:
    items = make_items()
    features = getattr(items, f"{kind}_features")
    values = features.values.astype(dtype)
    for row, value in rows.items():
        values[row] = value
    return replace(items, **{f"{kind}_features": Features(values, features.backbone)})


@KINDS
@pytest.mark.parametrize("value", [np.finfo(np.float64).min, np.finfo(np.float64).max, 1e39, 1e20, -1e20])
def test_rows_too_large_for_float32_are_refused(kind, value):
    name = "dog" if kind == "class" else "item1"
    count = 2 if kind == "class" else 8
    message = (
        rf"toy: {kind} features are too large for float32 \(the square of their length is no number\) in 1 of {count} "
        rf"rows: {name}\. Rebuild them, leave the items out, or scale all features of this kind by one number"
    )
    with pytest.raises(DataError, match=message):
        prepare(with_rows(kind, {1: value}), "toy")


@KINDS
@pytest.mark.parametrize("value", [1e-60, 1e-30, 1e-13, np.finfo(np.float64).smallest_subnormal])
def test_rows_too_small_for_float32_are_refused(kind, value):
    message = rf"toy: {kind} features are too small for float32 \(shorter than 1e-12\) in 1 of . rows: "
    with pytest.raises(DataError, match=message):
        prepare(with_rows(kind, {1: value}), "toy")


@KINDS
@pytest.mark.parametrize("scale", [1e18, 1e-11])
def test_rows_that_float32_can_hold_become_unit_vectors(kind, scale):
    items = make_items()
    features = getattr(items, f"{kind}_features")
    scaled = features.values.astype(np.float64) * scale
    data = prepare(replace(items, **{f"{kind}_features": Features(scaled, "x@1")}), "toy")
    found = data.classes.embeddings if kind == "class" else getattr(data.splits["test"], kind)
    lengths = torch.nn.functional.normalize(found, dim=1).norm(dim=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0, 1e-60, 1e39])
def test_a_wrong_row_is_found_wherever_it_is(value):
    count = 10_000
    values = np.ones((count, 2))
    values[[0, 4095, 4096, 9_999]] = value
    items = Items(
        ids=[f"item{i}" for i in range(count)],
        labels=np.arange(count) % 2,
        splits=np.repeat(["train", "validation", "test"], [9_000, 500, 500]),
        class_names=["cat", "dog"],
        taxonomy=make_items().taxonomy,
        image_features=Features(values, "eye@1"),
        text_features=Features(np.ones((count, 2)), "ear@1"),
        class_features=make_items().class_features,
    )
    with pytest.raises(DataError, match=r"in 4 of 10000 rows: item0, item4095, item4096, item9999\. "):
        prepare(items, "toy")


@pytest.mark.parametrize("value", [1e-13, 1e20, np.inf, np.nan])
def test_class_embeddings_without_a_direction_are_refused(value):
    embeddings = torch.eye(3)
    embeddings[1] = value
    with pytest.raises(DataError, match=r"embedding of class 1 has the length .* in torch.float32, .* scale all of"):
        ClassGraph(embeddings)
    embeddings[1] = 1e-11
    assert ClassGraph(embeddings).embeddings.norm(dim=1).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_class_embeddings_of_any_precision_are_taken(dtype):
    embeddings = torch.randn(50, 700, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert ClassGraph(embeddings).embeddings.dtype == dtype


@pytest.mark.parametrize("reference", ["vit", "./vit", "{here}/vit", "{here}/../{name}/vit/"])
def test_a_model_folder_is_called_by_its_name_wherever_it_lies(tmp_path, monkeypatch, reference):
    from types import SimpleNamespace

    from huse_bench.features._backbones import Opened

    (tmp_path / "vit").mkdir()
    monkeypatch.chdir(tmp_path)
    reference = reference.format(here=tmp_path, name=tmp_path.name)
    opened = Opened(SimpleNamespace(revision="sha256-1", precision="float32"), "hf-image", "huse-bench", reference)
    assert opened.label == "hf-image:vit@sha256-1"
    assert opened.written == f"hf-image:{reference}"


@pytest.mark.parametrize("reference", ["google/vit-base", "https://tfhub.dev/google/use/4"])
def test_a_model_that_is_no_folder_keeps_its_name(reference):
    from types import SimpleNamespace

    from huse_bench.features._backbones import Opened

    opened = Opened(SimpleNamespace(revision="1", precision="float32"), "b", "huse-bench", reference)
    assert opened.label == f"b:{reference}@1"
