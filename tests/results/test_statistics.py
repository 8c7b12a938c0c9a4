"""The statistics against scipy, brute force and what is known in closed form."""

from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.results import statistics
from huse_bench.results.simultaneous import holm, holm_of_pairs, may_be_best, rank_intervals
from huse_bench.results.statistics import Interval, effect_size, hierarchical_bootstrap
from huse_bench.results.variance import SeedSpread, analysis, seed_spread, stacked


def alike_seeds(by_query, seeds=3):
    """Scores that do not depend on the seed, so that queries alone vary."""
    return np.repeat(np.asarray(by_query, dtype=float)[..., None, :], seeds, axis=-2)


def alone(values, groups=None):
    """How much seeds vary by one method's own scores, or by those of several that do not learn from each other."""
    if values.ndim == 2:
        return seed_spread([values], groups).of(0)
    return stacked([alone(part, groups) for part in values])


def mean_interval(values, groups=None):
    return statistics.mean_interval(values, alone(values, groups), groups)


def bootstrap_interval(values, groups=None, **draws):
    return statistics.bootstrap_interval(values, alone(values, groups), groups, **draws)


def paired_tests(values, flips=9999, groups=None):
    spread = seed_spread(list(np.moveaxis(values, -3, 0)), groups)
    return statistics.paired_tests(values, spread, groups, flips)


def wilson(mean, half):
    """The shares as far from the mean as a half-width that goes with the root of x (1 - x), by a polynomial's roots."""
    wide = half**2 / (mean * (1 - mean))
    return np.sort(np.roots([1 + wide, -2 * mean - wide, mean**2]).real)


@pytest.fixture
def scores():
    """Two methods of 4 seeds on 60 queries, in shares of 10 as HP@10 has them."""
    rng = np.random.default_rng(5)
    chances = rng.random(60) * 0.6 + np.array([0.2, 0.27])[:, None, None] + rng.normal(0, 0.03, (2, 4, 1))
    return rng.binomial(10, chances.clip(0, 1)) / 10


# Intervals.


def test_with_seeds_alike_the_half_width_is_students_over_queries(scores):
    queries = scores[0, 0]
    low, high = scipy.stats.ttest_1samp(queries, 0).confidence_interval(0.95)
    expected = wilson(queries.mean(), (high - low) / 2)
    np.testing.assert_allclose(np.ravel(mean_interval(alike_seeds(queries))), expected)


def test_with_queries_alike_the_half_width_is_students_over_seeds():
    seeds = np.array([0.61, 0.66, 0.58, 0.7, 0.64])
    low, high = scipy.stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    expected = wilson(seeds.mean(), (high - low) / 2)
    np.testing.assert_allclose(np.ravel(mean_interval(np.repeat(seeds[:, None], 7, axis=1))), expected)


def test_hits_of_independent_queries_have_wilsons_interval():
    """But for the t of so many queries, and for n - 1 in place of n."""
    hits = np.repeat([1.0, 0.0], [380, 20])
    expected = scipy.stats.binomtest(380, 400).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(np.ravel(mean_interval(alike_seeds(hits))), expected, atol=0.0012)


def analysis_by_loops(values, groups):
    """The mean squares over SQ, written out, and the degrees of freedom of the groups'."""
    seeds, queries = values.shape
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    few = len(members) / (len(members) - 1)
    grand = values.mean()
    ms_seeds = sum((row.mean() - grand) ** 2 for row in values) / (seeds * (seeds - 1))
    apart = [sum(values[i, j] - grand for i in range(seeds) for j in of_group) / seeds for of_group in members]
    second, fourth = sum(u**2 for u in apart), sum(u**4 for u in apart)
    rest = 0.0
    for i in range(seeds):
        for of_group, u in zip(members, apart, strict=True):
            rest += (sum(values[i, j] - values[i].mean() for j in of_group) - u) ** 2
    freedom = min(2 * second**2 / (fourth - second**2 / len(members)), len(members) - 1)
    return ms_seeds, few * second / queries**2, few * rest / (queries**2 * seeds * (seeds - 1)), freedom


UNEQUAL = np.repeat(np.arange(17), [9, 1, 1, 2, 8, 3, 1, 1, 4, 6, 2, 1, 5, 7, 3, 2, 4])


@pytest.mark.parametrize("groups", [np.arange(60), np.arange(60) // 4, UNEQUAL[:60], UNEQUAL[:60][::-1] * 3 % 17])
def test_the_interval_adds_the_two_errors_of_a_two_way_analysis(scores, groups):
    """Against the analysis of variance written out with loops."""
    values = scores[1]
    ms_seeds, ms_groups, ms_rest, freedom = analysis_by_loops(values, groups)
    parts = analysis(values, groups)
    np.testing.assert_allclose(parts, [values.mean(), ms_seeds, ms_groups, ms_rest, freedom])
    t_seeds, t_groups = (scipy.stats.t.ppf(0.975, n) for n in (len(values) - 1, freedom))
    half = np.sqrt(t_groups**2 * ms_groups + t_seeds**2 * max(ms_seeds - ms_rest, 0))
    np.testing.assert_allclose(np.ravel(mean_interval(values, groups)), wilson(values.mean(), half))


def test_a_few_large_groups_leave_few_degrees_of_freedom():
    sizes = np.array([40, 40, *[1] * 40])
    groups = np.repeat(np.arange(42), sizes)
    values = np.repeat([[0.0, 1.0, *[0.0, 1.0] * 20]], 3, axis=0)[:, groups]
    # The sums of deviations are 20 in two groups and 1/2 in forty.
    second, fourth = 2 * 20**2 + 40 / 4, 2 * 20**4 + 40 / 16
    assert analysis(values, groups).freedom == pytest.approx(2 * second**2 / (fourth - second**2 / 42))
    assert analysis(values).freedom == 119


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_without_a_miss_or_a_hit_the_groups_are_counted(mean):
    low, high = mean_interval(np.full((3, 40), mean), np.arange(40) // 4)
    other = scipy.stats.t.ppf(0.975, 9) ** 2 / 10
    expected = (0, other / (1 + other)) if mean == 0 else (1 / (1 + other), 1)
    assert (low, high) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(4, 30), st.floats(0, 1))
def test_an_interval_is_a_part_of_the_possible_shares(seed, seeds, queries, chance):
    rng = np.random.default_rng(seed)
    values = (rng.random((seeds, queries)) < chance * rng.random((seeds, 1))).astype(float)
    low, high = mean_interval(values, np.arange(queries) // 3)
    assert 0 <= low <= values.mean() + 1e-12
    assert values.mean() - 1e-12 <= high <= 1
    if values.min() == values.max():
        assert low < high


def test_leading_axes_are_done_one_by_one(scores):
    low, high = mean_interval(scores)
    for i in range(2):
        np.testing.assert_allclose([low[i], high[i]], np.ravel(mean_interval(scores[i])))


def test_without_variation_intervals_are_points():
    values = np.full((2, 3, 8), 0.25)
    np.testing.assert_allclose(mean_interval(values), 0.25)
    np.testing.assert_allclose(bootstrap_interval(values, resamples=50), 0.25)


# What methods learn from each other about their seeds.


def varying(rng, deviations, seeds=3, queries=200):
    """Shares of methods whose seeds' means have these standard deviations, beside what the queries bring."""
    effects = rng.normal(0, 1, (len(deviations), seeds, 1)) * np.reshape(deviations, (-1, 1, 1))
    return (0.5 + effects + rng.uniform(-0.2, 0.2, (len(deviations), seeds, queries))).clip(0, 1)


@pytest.mark.parametrize("counts", [[3] * 6, [2, 5, 2, 3, 4, 5]])
def test_the_common_variance_is_the_likeliest(counts):
    """By a search for the greatest likelihood of the F distribution that the methods' variances have."""
    every = varying(np.random.default_rng(4), [0.02, 0.02, 0.05, 0.01, 0.03, 0.2], seeds=5)
    values = [scores[:count] for scores, count in zip(every, counts, strict=True)]
    own = np.array(counts) - 1
    means = np.array([scores.mean() for scores in values])
    scale = means * (1 - means)
    ratios = np.array([scores.mean(axis=1).var(ddof=1) for scores in values]) / scale
    logs = np.linspace(-14, 0, 140_001)
    chance = sum(scipy.stats.f.logpdf(ratio / np.exp(logs), d, 2) - logs for ratio, d in zip(ratios, own, strict=True))
    common = np.exp(logs[np.argmax(chance)])
    spread = seed_spread(values)
    np.testing.assert_allclose(spread.total, (own * ratios + 2 * common) / (own + 2) * scale, rtol=1e-3)
    told = own * 2 / (own + 4)
    np.testing.assert_allclose(spread.freedom, own + 0.6 * np.minimum(told.sum() - told, 2))


def test_a_method_alone_has_its_own_variance():
    (values,) = varying(np.random.default_rng(0), [0.05])
    spread = seed_spread([values])
    assert spread.total[0] == pytest.approx(values.mean(axis=1).var(ddof=1))
    assert spread.freedom[0] == 2


def test_two_seeds_no_longer_swing_between_two_regimes():
    """Widths by own variances differ manifold, since two seeds may be alike by chance; together they do not."""
    values = varying(np.random.default_rng(1), [0.04] * 10, seeds=2)
    spread = seed_spread(list(values))
    apart, together = (np.subtract(*statistics.mean_interval(values, found)[::-1]) for found in (alone(values), spread))
    assert apart.max() > 10 * apart.min()
    assert together.max() < 3 * together.min()
    assert together.max() < 0.3


def test_one_wild_method_does_not_widen_the_others():
    calm = varying(np.random.default_rng(2), [0.02] * 9)
    wild = varying(np.random.default_rng(3), [0.4])
    before, after = seed_spread(list(calm)), seed_spread([*calm, *wild])
    assert after.total[-1] > 50 * after.total[:-1].max()
    np.testing.assert_array_less(after.total[:-1], 2 * before.total)


def test_a_method_that_does_not_vary_neither_teaches_nor_learns():
    varied = varying(np.random.default_rng(2), [0.02] * 3)
    fixed = alike_seeds(np.linspace(0, 1, 200))
    spread = seed_spread([*varied, fixed])
    assert (spread.total[-1], spread.rest[-1]) == pytest.approx((0, 0), abs=1e-30)
    np.testing.assert_allclose(spread.total[:3], seed_spread(list(varied)).total)
    np.testing.assert_allclose(spread.freedom, [*seed_spread(list(varied)).freedom, 2])


def test_the_spread_of_a_difference_is_that_of_two_methods_that_have_nothing_in_common():
    spread = SeedSpread(np.array([1.0, 2.0]), np.array([0.5, 0.25]), np.array([4.0, 3.0]))
    pairs = spread.of_pairs()
    np.testing.assert_array_equal(pairs.total, [[2, 3], [3, 4]])
    np.testing.assert_array_equal(pairs.rest, [[1, 0.75], [0.75, 0.5]])
    np.testing.assert_array_equal(pairs.freedom, [[4, 3], [3, 3]])


# Groups.


@pytest.mark.parametrize("groups", [None, np.arange(60)[::-1].copy()])
def test_queries_of_their_own_are_groups_of_one(scores, groups):
    np.testing.assert_allclose(mean_interval(scores, groups), mean_interval(scores))
    assert paired_tests(scores, 99, groups)[0, 1] == pytest.approx(paired_tests(scores, 99)[0, 1], abs=0.2)


def test_the_same_query_again_is_no_new_witness(scores):
    """Each query three times over, in any order: all that is said must be what one of each says."""
    order = np.random.default_rng(1).permutation(180)
    thrice, groups = np.repeat(scores, 3, axis=-1)[..., order], np.repeat(np.arange(60), 3)[order]
    paired, paired_thrice = scores[0] - scores[1], thrice[0] - thrice[1]
    np.testing.assert_allclose(mean_interval(thrice, groups), mean_interval(scores))
    np.testing.assert_allclose(hierarchical_bootstrap(thrice, groups, 50), hierarchical_bootstrap(scores, None, 50))
    ends = statistics.bootstrap_interval(paired, alone(scores).of_pairs().of(1).of(0))
    ends_thrice = statistics.bootstrap_interval(paired_thrice, alone(thrice, groups).of_pairs().of(1).of(0), groups)
    np.testing.assert_allclose(ends_thrice, ends)
    np.testing.assert_array_equal(paired_tests(thrice, 999, groups), paired_tests(scores, 999))
    assert effect_size(paired_thrice, groups) == pytest.approx(effect_size(paired))
    # Taken for independent they would be three times as many witnesses.
    np.testing.assert_allclose(analysis(thrice).groups, analysis(scores).groups / 3, rtol=0.02)


def test_flips_of_unequal_groups_are_those_of_their_sums():
    """Against all 256 flips."""
    rng = np.random.default_rng(3)
    groups = np.repeat([4, 1, 7, 0, 2, 9, 3, 5], [1, 5, 2, 9, 1, 3, 4, 2])
    first, second = rng.random((2, len(groups)))
    second = second * 0.6
    sums = np.array([(first - second)[groups == group].sum() for group in np.unique(groups)])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    expected = (np.abs(sums @ signs) >= abs(sums.sum()) - 1e-12).mean()
    assert 0.01 < expected < 0.2
    found = paired_tests(alike_seeds([first, second]), 20_000, groups)[0, 1]
    assert found == pytest.approx(expected, abs=0.006)


def test_the_bootstrap_of_unequal_groups_draws_them_whole():
    """The standard deviation of a ratio of sums, by its linearisation."""
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(100), rng.integers(1, 9, 100))
    by_query = (rng.random(100)[groups] + 0.2 * rng.random(len(groups))) / 1.2
    apart = np.array([(by_query - by_query.mean())[groups == group].sum() for group in range(100)])
    means = hierarchical_bootstrap(alike_seeds(by_query), groups, 20_000)
    assert means.std() == pytest.approx(np.sqrt((apart**2).sum()) / len(groups), rel=0.04)
    assert means.mean() == pytest.approx(by_query.mean(), abs=0.003)


# The bootstrap.


def test_bootstrap_over_queries_is_scipys(scores):
    queries = scores[0, 0]
    expected = scipy.stats.bootstrap((queries,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    means = hierarchical_bootstrap(alike_seeds(queries), resamples=20_000)
    np.testing.assert_allclose(np.quantile(means, [0.025, 0.975]), expected.confidence_interval, atol=0.003)
    assert means.std() == pytest.approx(expected.standard_error, rel=0.03)


def test_bootstrap_over_seeds_is_scipys():
    seeds = np.array([0.61, 0.66, 0.58, 0.7, 0.64])
    expected = scipy.stats.bootstrap((seeds,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    means = hierarchical_bootstrap(np.repeat(seeds[:, None], 4, axis=1), resamples=20_000)
    np.testing.assert_allclose(np.quantile(means, [0.025, 0.975]), expected.confidence_interval, atol=0.002)


def test_bootstrap_draws_the_same_queries_for_every_seed_and_method(scores):
    """The variance has a closed form, which independent draws would not have."""
    values = scores[0] - scores[1]
    seeds, queries = values.shape
    centred = values - values.mean()
    by_seed, by_query, cell = centred.mean(1), centred.mean(0), centred
    variance = (by_seed**2).sum() / seeds**2 * (1 - 1 / queries) + (by_query**2).sum() / queries**2 * (1 - 1 / seeds)
    variance += (cell**2).sum() / (seeds * queries) ** 2
    both = hierarchical_bootstrap(scores, resamples=40_000)
    assert both.shape == (40_000, 2)
    differences = both[:, 0] - both[:, 1]
    assert differences.std() == pytest.approx(np.sqrt(variance), rel=0.02)
    assert differences.mean() == pytest.approx(values.mean(), abs=0.001)
    np.testing.assert_allclose(differences, hierarchical_bootstrap(values, resamples=40_000), atol=1e-12)


def test_bootstrap_interval_has_the_width_that_covers(scores):
    paired = scores[0] - scores[1]
    spread = seed_spread(list(scores)).of_pairs().of(1).of(0)
    low, high = statistics.bootstrap_interval(paired, spread)
    t_groups, t_seeds = scipy.stats.t.ppf(0.975, [59, spread.freedom])
    of_queries = paired.mean(axis=0).var(ddof=1) / 60
    half = np.sqrt(t_groups**2 * of_queries + t_seeds**2 * (spread.total - spread.rest) / 4)
    assert (low, high) == pytest.approx((paired.mean() - half, paired.mean() + half), abs=0.006)
    narrow = np.quantile(hierarchical_bootstrap(paired), [0.025, 0.975])
    assert high - low > 1.1 * (narrow[1] - narrow[0])


def test_a_difference_of_shares_is_at_most_one():
    values = np.array([[1.0] * 6, [0.0] * 6])
    low, high = statistics.bootstrap_interval(values, SeedSpread(*np.array([0.5, 0.0, 1.0])), resamples=200)
    assert Interval(low, high) == (-1, 1)


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
    seeds = np.array([0.55, 0.52, 0.59, 0.51, 0.47])
    values = np.stack([seeds[:, None] + np.zeros(400), np.full((5, 400), 0.5)])
    expected = scipy.stats.ttest_1samp(seeds, 0.5).pvalue
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
    noise = 0.5 + rng.normal(0, 0.02, (2, 4, 500))
    better = noise[0] + 0.05
    lucky = noise[0] + np.array([[0.2], [0.0], [0.0], [0.0]])
    assert paired_tests(np.stack([better, noise[1]]))[0, 1] < 0.001
    assert paired_tests(np.stack([lucky, noise[1]]))[0, 1] > 0.2


def test_the_same_scores_are_equally_good(scores):
    assert paired_tests(np.stack([scores[0], scores[0]]), 99)[0, 1] == 1


def test_a_seed_makes_a_test_repeatable(scores):
    np.testing.assert_array_equal(paired_tests(scores, 500), paired_tests(scores, 500))
    assert (hierarchical_bootstrap(scores, seed=1) != hierarchical_bootstrap(scores, seed=2)).any()


def test_blocks_do_not_change_the_count(scores, monkeypatch):
    """As many flips and resamples are made, however little memory a block may take."""
    monkeypatch.setattr("huse_bench.results.statistics._BLOCK", 1000)
    assert hierarchical_bootstrap(scores, resamples=101).shape == (101, 2)
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


def every_pair(values, spread, groups, flips):
    """The test of every ordered pair, each with itself as well, followed to the last flip."""
    sums = np.stack([values.mean(axis=-2)[..., groups == group].sum(axis=-1) for group in np.unique(groups)], axis=-1)
    seeds, queries = values.shape[-2:]
    means = sums.sum(axis=-1) / queries
    differences = means[..., :, None] - means[..., None, :]
    pairs = spread.of_pairs()
    freedom, place = np.unique(pairs.freedom, return_inverse=True)
    observed = np.abs(differences) - 1e-9 * np.maximum(np.abs(means).max(axis=-1), 1e-300)[..., None, None]
    generator = np.random.default_rng(0)
    exceeding = np.zeros(observed.shape)
    # As many at a time as there too, for the same random numbers.
    for size in statistics._blocks(flips, sums.shape[-1] + observed.size):
        bits = np.frombuffer(generator.bytes(size * (sums.shape[-1] // 8 + 1)), dtype=np.uint8).reshape(size, -1)
        signs = np.unpackbits(bits, axis=1, count=sums.shape[-1]).astype(float) * 2 - 1
        flipped = np.einsum("fg,...g->f...", signs, sums) / queries
        normal = generator.standard_normal(size).reshape(size, *[1] * observed.ndim)
        uncertain = (freedom / generator.chisquare(freedom, (size, len(freedom))))[:, place.reshape(observed.shape)]
        of_seeds = np.sqrt(np.maximum(uncertain * pairs.total - pairs.rest, 0) / seeds)
        possible = flipped[..., :, None] - flipped[..., None, :] + np.sign(differences) * normal * of_seeds
        exceeding += (np.abs(possible) >= observed).sum(axis=0)
    return (1 + exceeding) / (flips + 1)


@pytest.fixture(scope="module")
def many():
    """Scores of seven methods in two columns, some alike and some far apart, and how much their seeds vary."""
    rng = np.random.default_rng(3)
    chance = np.array([0.3, 0.3, 0.35, 0.5, 0.52, 0.8, 0.8])[:, None, None] + rng.normal(0, 0.15, 60)
    values = (rng.random((2, 7, 3, 60)) < chance).astype(float)
    spread = stacked([seed_spread([*column[:6], column[6][:2]]) for column in values])
    return values, spread, np.arange(60) // 2


def test_half_of_the_pairs_are_enough(many):
    values, spread, groups = many
    assert len(np.unique(spread.freedom)) > 1
    expected = every_pair(values, spread, groups, 4000)
    np.testing.assert_allclose(statistics.paired_tests(values, spread, groups, 4000), expected, atol=1e-12)
    assert 0.001 < np.median(expected) < 0.9


def test_what_is_asked_and_what_is_settled_changes_no_other(many):
    values, spread, groups = many
    expected = statistics.paired_tests(values, spread, groups, 4000)
    asked = np.zeros((7, 7), dtype=bool)
    asked[2:4] = asked[:, 2:4] = True
    found = statistics.paired_tests(values, spread, groups, 4000, asked=asked)
    np.testing.assert_array_equal(found, np.where(asked & ~np.eye(7, dtype=bool), expected, 1))
    settled = statistics.paired_tests(values, spread, groups, 4000, settled=0.1)
    np.testing.assert_array_equal(settled[expected < 0.1], expected[expected < 0.1])
    assert settled[expected >= 0.1].min() >= 0.1


@pytest.mark.parametrize("methods", [2, 3, 7])
def test_what_is_settled_says_no_of_all_that_is_asked(many, methods):
    values, spread, groups = many
    values, spread = values[:, :methods], SeedSpread(*(part[:, :methods] for part in spread))
    whole, settled = (
        statistics.paired_tests(values, spread, groups, 4000, settled=level) for level in (1.0, statistics.SETTLED)
    )
    for column, all_, some in zip(values.mean(axis=(2, 3)), whole, settled, strict=True):
        np.testing.assert_array_equal(may_be_best(column, all_), may_be_best(column, some))
        np.testing.assert_array_equal(*(rank_intervals(column, holm_of_pairs(p_values)) for p_values in (all_, some)))
