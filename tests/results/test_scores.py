"""Scores of single queries and items, against rankings scored one query at a time."""

import numpy as np
import pytest

from huse_bench.results.scores import item_scores, query_scores


def test_each_query_by_its_ranking():
    rng = np.random.default_rng(0)
    same, steps = rng.random((50, 10)) < 0.2, rng.integers(0, 4, (50, 10))
    correct = same | (rng.random((50, 10)) < 0.3)
    for k in (1, 5, 10):
        counts = {f"hits@{k}": same[:, :k].sum(1), f"hp@{k}": correct[:, :k].sum(1)}
        counts |= {f"similarity@{k}": steps[:, :k].sum(1), f"ideal@{k}": np.full(50, 3 * k)}
        expected = {
            f"R@{k}": [float(any(row[:k])) for row in same],
            f"P@{k}": [sum(row[:k]) / k for row in same],
            f"HP@{k}": [sum(row[:k]) / k for row in correct],
            f"BHP@{k}": [sum(row[:k]) / (3 * k) for row in steps],
        }
        for metric, scores in expected.items():
            found = query_scores(counts, metric)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, scores, rtol=1e-15)


def test_nothing_similar_in_the_gallery_counts_as_0():
    counts = {"similarity@2": np.array([0, 3]), "ideal@2": np.array([0, 4])}
    assert query_scores(counts, "BHP@2").tolist() == [0, 0.75]


def test_an_item_is_right_or_not():
    predictions = {"label": np.array([0, 1, 2]), "text_prediction": np.array([0, 2, 2])}
    assert item_scores(predictions, "text").tolist() == [1, 0, 1]


@pytest.mark.parametrize(("metric", "lacking"), [("R@3", "hits@3"), ("HP@3", "hp@3"), ("BHP@3", "similarity@3")])
def test_what_is_lacking_is_named(metric, lacking):
    with pytest.raises(KeyError, match=f"^'{lacking}'$"):
        query_scores({"hits@1": np.array([1])}, metric)
    with pytest.raises(KeyError, match=r"^'image_prediction'$"):
        item_scores({"label": np.array([1])}, "image")
