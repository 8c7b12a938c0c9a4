"""Confusion counts, beside those that are made one item at a time."""

import numpy as np
import pytest

from huse_bench.errors import RecordError
from huse_bench.results import Store
from huse_bench.results.confusion import confusion


def test_each_item_is_counted_once_at_its_two_classes(tmp_path, make_record):
    rng = np.random.default_rng(0)
    predictions = {"label": rng.integers(0, 6, 200)}
    predictions |= {f"{task}_prediction": rng.integers(0, 6, 200) for task in ("image", "text", "fusion")}
    store = Store(tmp_path, dataset="emoji")
    record = store.write(make_record(dataset__classes=7), predictions=predictions)
    expected = np.zeros((3, 7, 7), dtype=int)
    for number, task in enumerate(("image", "text", "fusion")):
        for true, predicted in zip(predictions["label"], predictions[f"{task}_prediction"], strict=True):
            expected[number, true, predicted] += 1
    np.testing.assert_array_equal(confusion(record, store), expected)


def test_the_accuracies_of_a_record_are_on_the_diagonal(tmp_path, write_run):
    record = write_run("huse", 0, 0.5, dataset__classes=10)
    found = confusion(record, Store(tmp_path))
    assert found.sum(axis=(1, 2)).tolist() == [90, 90, 90]
    shares = [np.trace(counts) / 90 for counts in found]
    assert shares == pytest.approx(
        [record.classification.image, record.classification.text, record.classification.fusion]
    )


def test_a_run_without_a_classifier_has_none(tmp_path, write_run, make_record):
    store = Store(tmp_path, dataset="emoji")
    assert confusion(write_run("triplet", 0, 0.5, classifier=False), store) is None
    assert confusion(store.write(make_record("cme")), store) is None


def test_classes_that_the_dataset_has_not_are_named(tmp_path, write_run):
    record = write_run("huse", 0, 0.5, dataset__classes=9)
    with pytest.raises(RecordError, match=r"predictions of the run huse-s0-\w+ have the classes \d and 9 for item \d+"):
        confusion(record, Store(tmp_path))
