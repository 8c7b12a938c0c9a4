"""Methods over data sets, against brute force and the definitions."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from huse_bench.results.across import improvement, interquartile_mean

#: Data sets of different numbers of runs.
RUNS = st.lists(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=4).map(np.array), min_size=1, max_size=4)


@given(RUNS)
def test_interquartile_mean_is_that_of_runs_repeated_until_all_weigh_alike(runs):
    # Each data set has 12 scores of equal weight, of which the middle half can be counted out.
    repeated = np.sort(np.concatenate([np.repeat(scores, 12 // len(scores)) for scores in runs]))
    quarter = len(repeated) // 4
    expected = repeated[quarter : len(repeated) - quarter].mean()
    found = interquartile_mean(runs, resamples=10)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert (found.low is None) == (min(map(len, runs)) == 1)


def test_interquartile_mean_is_scipys_trimmed_mean():
    scores = np.random.default_rng(0).random((4, 5))
    assert interquartile_mean(list(scores)).value == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))


@given(RUNS, st.data())
def test_improvement_counts_pairs(first, data):
    second = data.draw(st.tuples(*(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=3) for _ in first)))
    second = [np.array(scores, dtype=float) for scores in second]
    by_data_set = [
        np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(ours, theirs)])
        for ours, theirs in zip(first, second, strict=True)
    ]
    found = improvement(first, second, resamples=10)
    assert found.value == pytest.approx(np.mean(by_data_set))
    assert improvement(second, first, resamples=10).value == pytest.approx(1 - found.value)
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_intervals_are_those_of_all_resamples():
    # Three runs, of which two are drawn: nine resamples of each method on each data set.
    first = [np.array([0.1, 0.5, 0.9]), np.array([0.4, 0.45, 0.7])]
    second = [np.array([0.2, 0.6, 0.3]), np.array([0.5, 0.3, 0.65])]

    def drawn(scores):
        return [np.array(pair) for pair in product(scores, repeat=2)]

    def wins(a, b):
        return np.mean([np.sign(x - y) / 2 + 0.5 for x, y in product(a, b)])

    def ends(value, means, freedom):
        stretch = stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
        return value + (np.quantile(means, [0.025, 0.975]) - value) * stretch

    every = [
        (wins(a, b) + wins(c, d)) / 2
        for a, b, c, d in product(drawn(first[0]), drawn(second[0]), drawn(first[1]), drawn(second[1]))
    ]
    found = improvement(first, second, resamples=40_000)
    np.testing.assert_allclose([found.low, found.high], np.clip(ends(found.value, every, 4), 0, 1), atol=0.02)
    middles = [stats.trim_mean(np.concatenate([a, b]), 0.25) for a, b in product(drawn(first[0]), drawn(first[1]))]
    mean = interquartile_mean(first, resamples=40_000)
    np.testing.assert_allclose([mean.low, mean.high], ends(mean.value, middles, 2), atol=0.02)


@pytest.mark.parametrize(("seeds", "sets"), [(2, 1), (5, 1), (5, 3)])
def test_where_every_run_is_better_the_score_interval_is_the_root_of_newcombes(seeds, sets):
    better, worse = [np.arange(1.0, seeds + 1)] * sets, [-np.arange(seeds)] * sets
    found = improvement(better, worse)
    assert (found.value, found.high) == (1, 1)
    reach = (1 - found.low) * np.sqrt(sets)
    theta = 1 - reach
    variance = theta * reach * (1 + (seeds - 1) * (reach / (2 - theta) + theta / (1 + theta))) / seeds**2
    assert reach == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance), abs=1e-9)
    turned = improvement(worse, better)
    assert turned == pytest.approx((0, 0, 1 - found.low))
    # Always better here and always worse there is no sure tie.
    both = improvement([better[0], worse[0]], [worse[0], better[0]])
    assert both == pytest.approx((0.5, 0.5 - reach / 2, 0.5 + reach / 2))


def test_one_run_has_no_interval_and_no_runs_are_refused():
    assert improvement([np.array([0.2])], [np.array([0.1, 0.3])]) == (0.5, None, None)
    for bad in ([], [np.array([])]):
        with pytest.raises(ValueError, match="no data set"):
            interquartile_mean(bad)
    with pytest.raises(ValueError, match="shorter"):
        improvement([np.ones(2)] * 2, [np.ones(2)])


@pytest.mark.simulation
@pytest.mark.parametrize("sets", [1, 2, 4])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_how_often_intervals_cover(sets, seeds):
    """Normal scores; the last data set is three times as noisy as the first."""
    rng = np.random.default_rng([sets, seeds])
    levels, noise = np.linspace(0.5, 0.8, sets), np.linspace(0.01, 0.03, sets)
    of_all = [level + spread * rng.standard_normal(200_000) for level, spread in zip(levels, noise, strict=True)]
    middle = interquartile_mean(of_all, resamples=2).value
    trials = 400
    for gap in (0.0, 1.0, 2.5):
        chance = stats.norm.cdf(gap / np.sqrt(2))
        covered = np.zeros(2)
        for trial in range(trials):
            first, second = (
                [
                    level + spread * (rng.standard_normal(seeds) - behind)
                    for level, spread in zip(levels, noise, strict=True)
                ]
                for behind in (0.0, gap)
            )
            mean, win = interquartile_mean(first, 300, trial), improvement(first, second, 300, trial)
            covered += [mean.low <= middle <= mean.high, win.low <= chance <= win.high]
        # Three standard errors below 0.92, which is what few runs give at the worst.
        assert (covered / trials > 0.88).all(), (gap, covered / trials)
