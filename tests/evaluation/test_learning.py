"""R@1 of a sample of the validation split, against the tables' own counting of the same items."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from huse_bench.errors import DataError
from huse_bench.evaluation import DIRECTIONS, ValidationSample, evaluate_retrieval
from huse_bench.taxonomy import Taxonomy

FLAT = Taxonomy.from_edges([("root", c) for c in range(6)], classes=range(6))


def some_rows(seed, items):
    return normalize(torch.randn(items, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
@pytest.mark.parametrize("items", [40, 1000])
def test_the_measure_is_r_at_1_of_the_tables_on_the_same_items(protocol, items):
    labels, groups = np.arange(300) ** 2 % 6, np.arange(300) // 3
    sample = ValidationSample(torch.from_numpy(labels), groups, items=items, protocol=protocol)
    image, text = some_rows(0, 300)[sample.rows], some_rows(1, 300)[sample.rows]
    expected = evaluate_retrieval(
        image, text, labels[sample.rows], FLAT, groups=groups[sample.rows], protocol=protocol, recall_ks=(1,),
        hp_ks=(1,),
    ).scores  # fmt: skip
    assert sample(image, text) == {f"{d} R@1": expected[d]["R@1"] for d in DIRECTIONS}
    # Other rows in the galleries.
    other = {"image_gallery": 2 * text, "text_gallery": image.roll(1, 0)}
    expected = evaluate_retrieval(
        image, text, labels[sample.rows], FLAT, groups=groups[sample.rows], protocol=protocol, recall_ks=(1,),
        hp_ks=(1,), **other,
    ).scores  # fmt: skip
    assert sample(image, text, **other) == {f"{d} R@1": expected[d]["R@1"] for d in DIRECTIONS}


def test_whole_groups_are_drawn_with_a_fixed_seed():
    groups = np.random.default_rng(0).integers(0, 60, 500)
    labels = np.arange(500) % 6
    draws = [ValidationSample(labels, groups, items=100, seed=seed).rows for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert draws[0].tolist() != draws[2].tolist()
    for rows in draws:
        assert (np.diff(rows) > 0).all()
        assert 80 < len(rows) <= 100
        inside = np.isin(np.arange(500), rows)
        assert all(inside[groups == group].all() or not inside[groups == group].any() for group in range(60))
    # With v1 every item is a group of its own.
    assert len(ValidationSample(labels, groups, items=100, protocol="v1").rows) == 100
    np.testing.assert_array_equal(ValidationSample(labels, groups).rows, np.arange(500))


def test_there_are_two_groups_however_large():
    groups = np.repeat([0, 1, 2], 20)
    sample = ValidationSample(np.arange(60) % 6, groups, items=10)
    assert len(sample.rows) == 40
    assert len(np.unique(groups[sample.rows])) == 2
    assert set(sample(some_rows(0, 40), some_rows(1, 40))) == {f"{d} R@1" for d in DIRECTIONS}


@pytest.mark.parametrize("groups", [[7], [7, 7, 7]])
def test_what_cannot_be_measured_is_left_out(groups):
    rows = some_rows(0, len(groups))
    assert ValidationSample([0] * len(groups), groups)(rows, rows) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0.5, 1.0]}, "labels must be integers"),
        ({"labels": []}, r"labels must be \(n,\) and not empty"),
        ({"groups": [0]}, r"groups must be \(3,\) integers like the labels"),
        ({"protocol": "v3"}, "unknown protocol 'v3'"),
    ],
)
def test_errors_name_what_does_not_fit(change, message):
    with pytest.raises(DataError, match=message):
        ValidationSample(**{"labels": [0, 1, 1], **change})


def test_embeddings_must_be_those_of_the_rows():
    sample = ValidationSample([0, 1, 1])
    with pytest.raises(DataError, match="give the embeddings of the 3 items in rows, got 2 images, 3 texts"):
        sample(some_rows(0, 2), some_rows(0, 3))
