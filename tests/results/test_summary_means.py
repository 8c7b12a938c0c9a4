"""Interquartile means over data sets with their intervals, against brute force and special cases."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from huse_bench.results.summary_means import middle_means


def scores(rng, shapes, level=0.5):
    return [[(rng.random((seeds, queries)) < level).astype(float) for seeds in of_all] for queries, of_all in shapes]


def test_values_are_scipys_trimmed_means_of_the_runs():
    values = scores(np.random.default_rng(0), [(40, (4, 4)), (30, (4, 4))])
    found = middle_means(values, [None, None], 20)
    for method in range(2):
        runs = np.concatenate([of_set[method].mean(axis=1) for of_set in values])
        assert found.value[method] == pytest.approx(stats.trim_mean(runs, 0.25))


def test_with_seeds_that_are_alike_an_interval_is_the_bootstrap_over_groups():
    """One data set of four groups, of which there are 256 draws."""
    rng = np.random.default_rng(1)
    groups = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    item = rng.random(8)
    found = middle_means([[np.stack([item] * 3)]], [groups], 40_000)
    sums, sizes = np.bincount(groups, item), np.bincount(groups)
    every = [sums[list(drawn)].sum() / sizes[list(drawn)].sum() for drawn in product(range(4), repeat=4)]
    np.testing.assert_allclose([found.low[0], found.high[0]], np.quantile(every, [0.025, 0.975]), atol=0.01)
    assert found.value[0] == pytest.approx(item.mean())


def test_with_items_that_are_alike_an_interval_is_that_of_the_seeds():
    """Two data sets of three runs each, of which two are drawn: nine draws on each."""
    runs = [np.array([0.1, 0.5, 0.9]), np.array([0.4, 0.45, 0.7])]
    found = middle_means([[of_set[:, None] * np.ones((1, 5))] for of_set in runs], [None, None], 40_000)
    pairs = [[np.array(pair) for pair in product(of_set, repeat=2)] for of_set in runs]
    every = [stats.trim_mean(np.concatenate([one, other]), 0.25) for one, other in product(*pairs)]
    ends = np.quantile(every, [0.025, 0.975])
    # Each data set's part of the degrees of freedom is that of its runs cut at the quartiles, which are .4 and .7.
    parts = np.array([np.clip(of_set, 0.4, 0.7).var(ddof=1) for of_set in runs])
    freedom = parts.sum() ** 2 / (parts**2 / 2).sum()
    stretch = stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
    expected = found.value + (ends - found.value) * stretch
    np.testing.assert_allclose([found.low[0], found.high[0]], expected, atol=0.02)


def test_a_pair_is_significant_where_the_interval_of_its_difference_ends_at_zero():
    """One data set and two runs of each method that are alike but for their level, so that the difference is known."""
    rng = np.random.default_rng(2)
    items = rng.random(400)
    other = np.clip(items + rng.normal(0.02, 0.2, 400), 0, 1)
    found = middle_means([[np.stack([items] * 2), np.stack([other] * 2)]], [None], 20_000)
    difference = other - items
    error = difference.std() / np.sqrt(400)
    expected = 2 * stats.t.sf(abs(difference.mean()) / error, 399)
    assert found.p_values[0, 1] == pytest.approx(expected, rel=0.1)
    assert found.p_values[0, 1] == found.p_values[1, 0]
    assert (np.diag(found.p_values) == 1).all()


def test_data_sets_weigh_alike_whatever_their_sizes():
    rng = np.random.default_rng(3)
    values = scores(rng, [(60, (2, 3)), (200, (5, 2)), (90, (3, 3))])
    found = middle_means(values, [None, np.arange(200) // 4, None], 200)
    for method in range(2):
        repeated = np.sort(np.concatenate([np.repeat(x[method].mean(axis=1), 60 // len(x[method])) for x in values]))
        assert found.value[method] == pytest.approx(repeated[45:135].mean())
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


def test_the_order_of_methods_changes_no_value_and_equal_ones_are_not_told_apart():
    values = scores(np.random.default_rng(4), [(80, (3, 3, 3)), (80, (3, 3, 3))])
    alike = [[of_set[0], of_set[0], of_set[2]] for of_set in values]
    found = middle_means(alike, [None, None], 500)
    assert found.p_values[0, 1] == pytest.approx(1)
    turned = middle_means([of_set[::-1] for of_set in alike], [None, None], 500)
    np.testing.assert_allclose(turned.value[::-1], found.value)
    np.testing.assert_allclose(turned.p_values[::-1, ::-1][0], found.p_values[0], atol=0.1)
    again = middle_means(alike, [None, None], 500)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))
