"""The statistics against scipy, brute force and what is known in closed form."""

from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.results.statistics import (
    bootstrap_interval,
    effect_size,
    hierarchical_bootstrap,
    holm,
    may_be_best,
    mean_interval,
    paired_tests,
    rank_intervals,
)


def alike_seeds(by_query, seeds=3):
    """Scores that do not depend on the seed, so that queries alone vary."""
    return np.repeat(np.asarray(by_query, dtype=float)[..., None, :], seeds, axis=-2)


@pytest.fixture
def scores():
    """Two methods of 4 seeds on 60 queries, in shares of 10 as HP@10 has them."""
    rng = np.random.default_rng(5)
    chances = rng.random(60) * 0.6 + np.array([0.2, 0.27])[:, None, None] + rng.normal(0, 0.03, (2, 4, 1))
    return rng.binomial(10, chances.clip(0, 1)) / 10


# Intervals.


def test_with_seeds_alike_the_interval_is_students_over_queries(scores):
    queries = scores[0, 0]
    expected = scipy.stats.ttest_1samp(queries, 0).confidence_interval(0.95)
    np.testing.assert_allclose(np.ravel(mean_interval(alike_seeds(queries))), expected)


def test_with_queries_alike_the_interval_is_students_over_seeds():
    seeds = np.array([0.61, 0.66, 0.58, 0.7, 0.64])
    expected = scipy.stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    np.testing.assert_allclose(np.ravel(mean_interval(np.repeat(seeds[:, None], 7, axis=1))), expected)


def test_the_interval_adds_the_two_errors_of_a_two_way_analysis(scores):
    """Against the analysis of variance written out with loops."""
    values = scores[1]
    seeds, queries = values.shape
    grand = values.mean()
    ms_seeds = sum(queries * (row.mean() - grand) ** 2 for row in values) / (seeds - 1)
    ms_queries = sum(seeds * (column.mean() - grand) ** 2 for column in values.T) / (queries - 1)
    rest = 0.0
    for i in range(seeds):
        for j in range(queries):
            rest += (values[i, j] - values[i].mean() - values[:, j].mean() + grand) ** 2
    ms_rest = rest / ((seeds - 1) * (queries - 1))
    assert ms_seeds > ms_rest
    t_seeds, t_queries = (scipy.stats.t.ppf(0.975, n - 1) for n in (seeds, queries))
    half = np.sqrt((t_queries**2 * ms_queries + t_seeds**2 * (ms_seeds - ms_rest)) / values.size)
    low, high = mean_interval(values)
    np.testing.assert_allclose([low, high], [grand - half, grand + half])


def test_leading_axes_are_done_one_by_one(scores):
    low, high = mean_interval(scores)
    for i in range(2):
        np.testing.assert_allclose([low[i], high[i]], np.ravel(mean_interval(scores[i])))


def test_without_variation_intervals_are_points():
    values = np.full((2, 3, 8), 0.25)
    np.testing.assert_allclose(mean_interval(values), 0.25)
    np.testing.assert_allclose(bootstrap_interval(values, 50), 0.25)


# The bootstrap.


def test_bootstrap_over_queries_is_scipys(scores):
    queries = scores[0, 0]
    expected = scipy.stats.bootstrap((queries,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    means = hierarchical_bootstrap(alike_seeds(queries), 20_000)
    np.testing.assert_allclose(np.quantile(means, [0.025, 0.975]), expected.confidence_interval, atol=0.003)
    assert means.std() == pytest.approx(expected.standard_error, rel=0.03)


def test_bootstrap_over_seeds_is_scipys():
    seeds = np.array([0.61, 0.66, 0.58, 0.7, 0.64])
    expected = scipy.stats.bootstrap((seeds,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    means = hierarchical_bootstrap(np.repeat(seeds[:, None], 4, axis=1), 20_000)
    np.testing.assert_allclose(np.quantile(means, [0.025, 0.975]), expected.confidence_interval, atol=0.002)


def test_bootstrap_draws_the_same_queries_for_every_seed_and_method(scores):
    """The variance has a closed form, which independent draws would not have."""
    values = scores[0] - scores[1]
    seeds, queries = values.shape
    centred = values - values.mean()
    by_seed, by_query, cell = centred.mean(1), centred.mean(0), centred
    variance = (by_seed**2).sum() / seeds**2 * (1 - 1 / queries) + (by_query**2).sum() / queries**2 * (1 - 1 / seeds)
    variance += (cell**2).sum() / (seeds * queries) ** 2
    both = hierarchical_bootstrap(scores, 40_000)
    assert both.shape == (40_000, 2)
    differences = both[:, 0] - both[:, 1]
    assert differences.std() == pytest.approx(np.sqrt(variance), rel=0.02)
    assert differences.mean() == pytest.approx(values.mean(), abs=0.001)
    np.testing.assert_allclose(differences, hierarchical_bootstrap(values, 40_000), atol=1e-12)


def test_bootstrap_interval_has_the_width_that_covers(scores):
    np.testing.assert_allclose(bootstrap_interval(scores), mean_interval(scores), atol=0.004)
    narrow = np.quantile(hierarchical_bootstrap(scores[0]), [0.025, 0.975])
    low, high = bootstrap_interval(scores[0])
    assert high - low > 1.1 * (narrow[1] - narrow[0])


# Tests.


def test_flips_over_queries_are_scipys_permutation_test():
    rng = np.random.default_rng(3)
    first, second = rng.random((2, 40))
    second += 0.04
    expected = scipy.stats.permutation_test(
        (first, second), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", n_resamples=20_000, rng=1
    )
    assert 0.01 < expected.pvalue < 0.5
    p_values = paired_tests(alike_seeds([first, second]), 19_999)
    assert p_values[0, 1] == pytest.approx(expected.pvalue, abs=0.01)


def test_few_flips_are_counted_exactly():
    """Five queries all won by 1: of the 32 sign patterns 2 are as far from 0."""
    p_values = paired_tests(alike_seeds([np.ones(5), np.zeros(5)]), 20_000)
    assert p_values[0, 1] == pytest.approx(2 / 32, abs=0.006)


def test_where_only_seeds_vary_the_test_is_students():
    seeds = np.array([0.05, 0.02, 0.09, 0.01, -0.03])
    values = np.stack([seeds[:, None] + np.zeros(400), np.zeros((5, 400))])
    expected = scipy.stats.ttest_1samp(seeds, 0).pvalue
    assert 0.1 < expected < 0.5
    assert paired_tests(values, 20_000)[0, 1] == pytest.approx(expected, abs=0.015)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 30))
def test_p_values_are_symmetric_and_never_zero(seed, seeds, queries):
    values = np.random.default_rng(seed).integers(0, 3, (2, 3, seeds, queries)) / 2
    p_values = paired_tests(values, 99)
    assert p_values.shape == (2, 3, 3)
    np.testing.assert_array_equal(p_values, p_values.swapaxes(-1, -2))
    assert (np.diagonal(p_values, axis1=-2, axis2=-1) == 1).all()
    assert p_values.min() >= 1 / 100
    assert p_values.max() <= 1


def test_a_lucky_seed_is_not_a_better_method():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (2, 4, 500))
    better = noise[0] + 0.05
    lucky = noise[0] + np.array([[0.2], [0.0], [0.0], [0.0]])
    assert paired_tests(np.stack([better, noise[1]]))[0, 1] < 0.001
    assert paired_tests(np.stack([lucky, noise[1]]))[0, 1] > 0.2


def test_the_same_scores_are_equally_good(scores):
    assert paired_tests(np.stack([scores[0], scores[0]]), 99)[0, 1] == 1


def test_a_seed_makes_a_test_repeatable(scores):
    np.testing.assert_array_equal(paired_tests(scores, 500), paired_tests(scores, 500))
    assert (hierarchical_bootstrap(scores, 20, seed=1) != hierarchical_bootstrap(scores, 20, seed=2)).any()


def test_blocks_do_not_change_the_count(scores, monkeypatch):
    """As many flips and resamples are made, however little memory a block may take."""
    monkeypatch.setattr("huse_bench.results.statistics._BLOCK", 1000)
    assert hierarchical_bootstrap(scores, 101).shape == (101, 2)
    certain = alike_seeds([np.ones(50), np.zeros(50)])
    assert paired_tests(certain, 499)[0, 1] == 1 / 500


# Corrections, ranks, effects.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferronis(p_values):
    """A hypothesis falls when every set of hypotheses with it does, each at Bonferroni's bound."""
    count = len(p_values)
    sets = [chosen for size in range(1, count + 1) for chosen in combinations(range(count), size)]
    expected = [
        max(min(1, len(chosen) * min(p_values[j] for j in chosen)) for chosen in sets if i in chosen)
        for i in range(count)
    ]
    np.testing.assert_allclose(holm(np.array(p_values)), expected)


def test_ranks_are_between_those_significantly_better_and_worse():
    means = np.array([0.9, 0.5, 0.88, 0.1])
    adjusted = np.ones((4, 4))
    for i, j in [(0, 1), (0, 3), (2, 3), (1, 3)]:
        adjusted[i, j] = adjusted[j, i] = 0.01
    np.testing.assert_array_equal(rank_intervals(means, adjusted), [[1, 2], [2, 3], [1, 3], [4, 4]])


def test_a_method_may_be_the_best_unless_any_other_is_better():
    means = np.array([0.9, 0.5, 0.88, 0.8])
    p_values = np.ones((4, 4))
    # Halved, and times three others: 0.033 is the largest that counts.
    for i, j, p in [(0, 1, 0.04), (2, 1, 0.03), (0, 3, 0.04), (0, 2, 0.9), (1, 3, 0.001)]:
        p_values[i, j] = p_values[j, i] = p
    # The second is not significantly worse than the first, but than the third.
    assert may_be_best(means, p_values).tolist() == [True, False, True, True]
    assert may_be_best(np.array([0.5, 0.5]), np.full((2, 2), 0.001)).tolist() == [True, True]


def test_effect_size_is_the_paired_t_statistic_per_root_of_queries(scores):
    by_query = scores.mean(axis=1)
    statistic = scipy.stats.ttest_rel(by_query[0], by_query[1]).statistic
    assert effect_size(scores[0] - scores[1]) == pytest.approx(statistic / np.sqrt(60))
    assert effect_size(np.zeros((2, 5))) == 0
    assert effect_size(np.full((2, 5), -0.1)) == -np.inf
