"""A dataset's items are checked before anything is trained on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from huse_bench.components import Features, Items
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


def test_content_hash_changes_with_each_part():
    items = make_items()
    variants = [
        items,
        replace(items, ids=["x", *items.ids[1:]]),
        replace(items, labels=np.array([1, 0, 0, 0, 0, 1, 1, 1])),
        replace(items, splits=np.array(["train", "train", "test", "validation"] * 2)),
        replace(items, class_names=["cat", "wolf"]),
        replace(items, groups=["a", "a", *"bcdefg"[:6]]),
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
