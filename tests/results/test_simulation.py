"""How often the intervals cover and the tests are wrong, on simulated runs whose truth is known."""

import sys

import numpy as np
import pytest
from scipy import special

from huse_bench.results.statistics import (
    LEVEL,
    bootstrap_interval,
    hierarchical_bootstrap,
    may_be_best,
    mean_interval,
    paired_tests,
)

pytestmark = pytest.mark.simulation

QUERIES = 500
TRIALS = 2000

# What a method's scores depend on beside its mean: how hard the query is for every method, how hard for this method,
# and how good the seed is; standard deviations in units of the noise.
DIFFICULTY, OWN_DIFFICULTY = 1.0, 0.5
SEED_EFFECTS = {"none": 0.0, "small": 0.03, "medium": 0.1, "large": 0.4}


def simulate(rng, methods, seeds, seed_effect, level=0.7):
    """Hits (methods, seeds, queries) of equally good methods, and the chance of a hit over all seeds and queries."""
    latent = level + DIFFICULTY * rng.standard_normal(QUERIES)
    latent = latent + OWN_DIFFICULTY * rng.standard_normal((methods, 1, QUERIES))
    latent = latent + seed_effect * rng.standard_normal((methods, seeds, 1))
    latent = latent + rng.standard_normal((methods, seeds, QUERIES))
    spread = np.sqrt(1 + DIFFICULTY**2 + OWN_DIFFICULTY**2 + seed_effect**2)
    return (latent > 0).astype(float), special.ndtr(level / spread)


def show(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}")


def covers(interval, truth):
    low, high = interval
    return (low <= truth) & (truth <= high)


@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_cover(capsys, seeds, effect):
    rng = np.random.default_rng([1, seeds])
    covered = np.zeros(2)
    for _ in range(TRIALS):
        hits, truth = simulate(rng, 2, seeds, SEED_EFFECTS[effect])
        covered += covers(mean_interval(hits[0]), truth), covers(mean_interval(hits[0] - hits[1]), 0)
    of_mean, of_difference = covered / TRIALS
    show(capsys, f"interval, {seeds} seeds, seed effect {effect}: mean {of_mean:.3f}, difference {of_difference:.3f}")
    # Two or three seeds say too little about how much seeds vary.
    least = 0.93 if seeds >= 5 else 0.85
    assert least <= of_mean <= 0.97
    assert least <= of_difference <= 0.97


@pytest.mark.parametrize("effect", SEED_EFFECTS)
def test_bootstrap_intervals_cover_as_percentiles_do_not(capsys, effect):
    rng = np.random.default_rng(2)
    trials, resamples = TRIALS // 2, 1000
    covered = np.zeros(2)
    for trial in range(trials):
        hits, _ = simulate(rng, 2, 5, SEED_EFFECTS[effect])
        paired = hits[0] - hits[1]
        percentiles = np.quantile(hierarchical_bootstrap(paired, resamples, trial), [LEVEL / 2, 1 - LEVEL / 2])
        covered += covers(bootstrap_interval(paired, resamples, trial), 0), covers(percentiles, 0)
    widened, plain = covered / trials
    show(capsys, f"bootstrap, 5 seeds, seed effect {effect}: widened {widened:.3f}, plain percentiles {plain:.3f}")
    assert 0.93 <= widened <= 0.97
    if effect == "large":
        assert plain < 0.93


@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_equal_methods_are_rarely_called_different(capsys, seeds, effect):
    rng = np.random.default_rng([3, seeds])
    wrong = 0
    for trial in range(TRIALS):
        hits, _ = simulate(rng, 2, seeds, SEED_EFFECTS[effect])
        wrong += paired_tests(hits, 499, trial)[0, 1] <= LEVEL
    rate = wrong / TRIALS
    show(capsys, f"test, {seeds} seeds, seed effect {effect}: false positives {rate:.3f}")
    # Two standard errors of a rate of 5 % in so many trials.
    assert rate <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / TRIALS)


@pytest.mark.parametrize("effect", SEED_EFFECTS)
def test_equal_methods_tie(capsys, effect):
    """Of six equally good methods, any two are ranked in at most 5 % of columns, and a given one lacks its mark."""
    from huse_bench.results.intervals import _adjusted

    rng = np.random.default_rng(4)
    trials = TRIALS // 4
    ranked, marked = 0, 0
    for trial in range(trials):
        hits, _ = simulate(rng, 6, 5, SEED_EFFECTS[effect])
        p_values = paired_tests(hits, 1999, trial)
        ranked += (_adjusted(p_values) < LEVEL).any()
        marked += may_be_best(hits.mean(axis=(1, 2)), p_values).mean()
    ranked, unmarked = ranked / trials, 1 - marked / trials
    show(capsys, f"6 methods, 5 seeds, seed effect {effect}: any two ranked {ranked:.3f}, one unmarked {unmarked:.3f}")
    # The six of a column are nearly one draw, of which two standard errors are allowed.
    assert max(ranked, unmarked) <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / trials)
