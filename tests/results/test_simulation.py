"""How often the intervals cover and the tests are wrong, on simulated runs whose truth is known."""

import sys

import numpy as np
import pytest
from scipy import special

from huse_bench.results.across import interquartile_mean, middle_half
from huse_bench.results.simultaneous import holm_of_pairs, may_be_best, rank_intervals
from huse_bench.results.statistics import LEVEL, bootstrap_interval, hierarchical_bootstrap, mean_interval, paired_tests
from huse_bench.results.summary_means import middle_means
from huse_bench.results.variance import seed_spread

QUERIES = 480
METHODS = 6

# What a score depends on beside its method's mean: how hard the query is for every method, how hard for this method,
# and how good the seed is; standard deviations in units of the noise.
DIFFICULTY, OWN_DIFFICULTY = 1.0, 0.5
SEED_EFFECTS = {
    "none": np.zeros(METHODS),
    "medium": np.full(METHODS, 0.1),
    "large": np.full(METHODS, 0.4),
    # The last method's variance is four times the first's.
    "differing": 0.2 * np.geomspace(1, 2, METHODS),
}

#: Groups of queries, and how alike the queries of one are in all but the seed.
GROUPS = {"1": np.arange(QUERIES), "4": np.arange(QUERIES) // 4}
GROUPS["1 to 12"] = np.repeat(np.arange(QUERIES), np.random.default_rng(0).integers(1, 13, QUERIES))[:QUERIES]
CLUSTERS = [("1", 0.0), *((size, alike) for size in ("4", "1 to 12") for alike in (0.0, 0.3, 0.7))]

LEVELS = (0.05, 0.6, 0.95, 0.98)
SEEDS = (2, 3, 5)


def simulate(rng, trials, seeds, effect, size="1", alike=0.0, level=0.6, gaps=0.0):
    """Hits (trials, methods, seeds, queries) of methods whose chance of a hit is the level over all there could be.

    Gaps (methods,) make them better than that.
    """
    groups, effects = GROUPS[size], SEED_EFFECTS[effect][:, None, None]

    def normal(*shape):
        own = rng.standard_normal((trials, *shape, QUERIES), dtype=np.float32)
        if not alike:
            return own
        of_group = rng.standard_normal((trials, *shape, groups[-1] + 1), dtype=np.float32)
        return np.sqrt(alike) * of_group[..., groups] + np.sqrt(1 - alike) * own

    spread = np.sqrt(1 + DIFFICULTY**2 + OWN_DIFFICULTY**2 + effects**2)
    latent = DIFFICULTY * normal(1, 1) + OWN_DIFFICULTY * normal(METHODS, 1) + normal(METHODS, seeds)
    latent += (special.ndtri(level) + np.reshape(gaps, (-1, 1, 1))) * spread + effects * rng.standard_normal(
        (trials, METHODS, seeds, 1)
    )
    return (latent > 0).astype(float)


def learnt(hits, size):
    return seed_spread(list(np.moveaxis(hits, -3, 0)), GROUPS[size])


def show(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}")


def covers(interval, truth):
    low, high = interval
    return (low <= truth) & (truth <= high)


def coverage(rng, trials, seeds, effect, size, alike, level):
    """How often each method's interval holds the level."""
    covered = []
    for _ in range(0, trials, 100):
        hits = simulate(rng, 100, seeds, effect, size, alike, level)
        covered.append(covers(mean_interval(hits, learnt(hits, size), GROUPS[size]), level))
    return np.concatenate(covered).mean(axis=0)


def chance(trials, rate=LEVEL):
    """Two standard errors of a rate in so many trials."""
    return 2 * np.sqrt(rate * (1 - rate) / trials)


def spanned(rates):
    return f"{np.mean(rates):.3f} ({np.min(rates):.3f} to {np.max(rates):.3f})"


@pytest.mark.simulation
@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_intervals_cover(capsys, seeds, effect):
    """Over all kinds of groups 93 to 97 %, with each kind but for chance; a method may have less."""
    rng = np.random.default_rng([1, seeds])
    trials, cells, worst = 400, [], 1.0
    for level in LEVELS:
        by_method = [coverage(rng, trials, seeds, effect, *cluster, level) for cluster in CLUSTERS]
        of_kind = [rates.mean() for rates in by_method]
        cells.append(spanned(of_kind))
        worst = min(worst, np.mean(by_method, axis=0).min())
        assert 0.93 <= np.mean(of_kind) <= 0.97
        assert min(of_kind) >= 0.93 - chance(trials)
        assert max(of_kind) <= 0.97 + chance(trials)
    show(capsys, f"| {seeds} | {effect} | {' | '.join(cells)} | {worst:.3f} |")


@pytest.mark.simulation
@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_bootstrap_intervals_of_differences_cover(capsys, seeds, effect):
    """As plain percentiles of few seeds do not."""
    rng = np.random.default_rng([2, seeds])
    trials, covered = 300, []
    for trial, hits in enumerate(simulate(rng, trials, seeds, effect, "1 to 12", 0.7)):
        paired, groups = hits[0] - hits[-1], GROUPS["1 to 12"]
        spread = learnt(hits, "1 to 12").of_pairs().of(METHODS - 1).of(0)
        widened = bootstrap_interval(paired, spread, groups, 1000, trial)
        plain = np.quantile(hierarchical_bootstrap(paired, groups, 1000, trial), [LEVEL / 2, 1 - LEVEL / 2])
        covered.append([covers(widened, 0), covers(plain, 0)])
    widened, plain = np.mean(covered, axis=0)
    show(capsys, f"| {seeds} | {effect} | {widened:.3f} | {plain:.3f} |")
    assert 0.93 - chance(trials) <= widened <= 0.97 + chance(trials)
    if effect == "large" and seeds < 5:
        assert plain < 0.9


def wrongs(rng, trials, seeds, effect, size, alike, level, flips):
    """How often a pair is called different, any pair is ranked, and one of equally good methods lacks its mark."""
    found = []
    for trial, hits in enumerate(simulate(rng, trials, seeds, effect, size, alike, level)):
        p_values = paired_tests(hits, learnt(hits, size), GROUPS[size], flips, trial)
        pairs = (p_values[np.triu_indices(METHODS, 1)] <= LEVEL).mean()
        unmarked = 1 - may_be_best(hits.mean(axis=(1, 2)), p_values).mean()
        found.append([pairs, (holm_of_pairs(p_values) < LEVEL).any(), unmarked])
    return np.mean(found, axis=0)


@pytest.mark.simulation
@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_equal_methods_are_rarely_called_different(capsys, seeds, effect):
    """A pair, any pair after Holm's correction, and one method against the five others: at most 5 % each."""
    rng = np.random.default_rng([3, seeds])
    trials = 100
    kinds = [*((*cluster, 0.6) for cluster in CLUSTERS), ("1", 0.0, 0.95), ("4", 0.7, 0.95), ("1 to 12", 0.7, 0.95)]
    rates = np.array([wrongs(rng, trials, seeds, effect, *kind, 999) for kind in kinds]).T
    show(capsys, f"| {seeds} | {effect} | {' | '.join(spanned(of_kind) for of_kind in rates)} |")
    assert (rates.mean(axis=1) <= LEVEL + chance(trials * len(kinds))).all()
    assert rates.max() <= LEVEL + 1.5 * chance(trials)


# Over several data sets.

#: Hit rates of the data sets: apart, alike, and one of them near the top.
DATA_SETS = ((0.45, 0.6, 0.75), (0.6, 0.6, 0.6), (0.6, 0.9))

#: How much better each method is on all data sets, in standard deviations of the latent score.
GAPS = {"equal": np.zeros(METHODS), "different": np.array([0, 0, 0.1, 0.1, 0.3, 0.6])}


def true_means(levels, effect, gaps):
    """The interquartile mean of each method over all runs that there could be, with all queries that there could be."""
    draws = special.ndtri((np.arange(10_000) + 0.5) / 10_000)
    spread = np.sqrt(1 + DIFFICULTY**2 + OWN_DIFFICULTY**2)

    def of_method(gap, effect):
        latent = [(special.ndtri(level) + gap) * np.hypot(spread, effect) + effect * draws for level in levels]
        return middle_half([special.ndtr(of_set / spread)[None] for of_set in latent])[0]

    return np.array([of_method(gap, of) for gap, of in zip(gaps, SEED_EFFECTS[effect], strict=True)])


def over_data_sets(rng, trials, levels, seeds, effect, size, alike, gaps):
    """How often intervals hold the means, how often the ranks say what is not so, and how many ranks a method has."""
    truth = true_means(levels, effect, gaps)
    hits = [simulate(rng, trials, seeds, effect, size, alike, level, gaps) for level in levels]
    covered, wrong, widths = np.zeros(METHODS), 0, 0.0
    for trial in range(trials):
        found = middle_means([of_set[trial] for of_set in hits], [GROUPS[size]] * len(levels), 300, trial)
        covered += covers((found.low, found.high), truth)
        ranks = rank_intervals(found.value, holm_of_pairs(found.p_values))
        # A method that ranks above another is better in truth, by more than the truth is known.
        above = ranks[:, None, 1] < ranks[None, :, 0]
        wrong += (above & (truth[:, None] < truth + 1e-3)).any()
        widths += (ranks[:, 1] - ranks[:, 0] + 1).mean()
    return covered / trials, wrong / trials, widths / trials


@pytest.mark.simulation
@pytest.mark.parametrize("effect", SEED_EFFECTS)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("gaps", GAPS)
def test_means_over_data_sets_are_covered_and_ranks_are_right(capsys, gaps, seeds, effect):
    rng = np.random.default_rng([4, seeds])
    trials, kinds = 60, [("1", 0.0), ("1 to 12", 0.7)]
    found = [
        over_data_sets(rng, trials, levels, seeds, effect, *kind, GAPS[gaps]) for levels in DATA_SETS for kind in kinds
    ]
    covered, wrong, widths = (np.array(each) for each in zip(*found, strict=True))
    of_kind = covered.mean(axis=1)
    show(
        capsys,
        f"| {gaps} | {seeds} | {effect} | {spanned(of_kind)} | {covered.mean(axis=0).min():.3f} | {wrong.mean():.3f} "
        f"| {widths.mean():.1f} |",
    )
    assert 0.93 <= of_kind.mean() <= 0.98
    assert of_kind.min() >= 0.93 - chance(trials)
    assert wrong.mean() <= LEVEL + chance(trials * len(found))


# A short form of the same, for every run of the tests.


@pytest.mark.parametrize(("seeds", "size", "alike", "level"), [(2, "1 to 12", 0.7, 0.6), (3, "4", 0.7, 0.95)])
def test_a_few_intervals_cover(seeds, size, alike, level):
    rates = coverage(np.random.default_rng(5), 200, seeds, "medium", size, alike, level)
    assert 0.93 - chance(200) <= rates.mean() <= 0.97 + chance(200)


def test_without_groups_they_would_not():
    rng = np.random.default_rng(5)
    hits = simulate(rng, 200, 3, "none", "1 to 12", 0.7)
    taken_for_single = mean_interval(hits, learnt(hits, "1"))
    assert covers(taken_for_single, 0.6).mean() < 0.85


def test_few_equal_methods_are_called_different():
    rates = wrongs(np.random.default_rng(6), 80, 2, "large", "4", 0.7, 0.6, 999)
    assert rates.max() <= LEVEL + chance(80)


def test_few_means_over_data_sets_are_missed_and_few_ranks_wrong():
    covered, wrong, _ = over_data_sets(
        np.random.default_rng(7), 40, DATA_SETS[0], 3, "medium", "1 to 12", 0.7, GAPS["different"]
    )
    assert 0.93 - chance(40) <= covered.mean() <= 1
    assert wrong <= LEVEL + chance(40)


def test_seeds_alone_would_miss_means_over_data_sets():
    """Other test items are drawn too: without them the intervals would be far too short."""
    rng, levels = np.random.default_rng(8), DATA_SETS[0]
    hits = [simulate(rng, 40, 5, "none", "1 to 12", 0.7, level) for level in levels]
    truth, covered = true_means(levels, "none", GAPS["equal"])[0], 0
    for trial in range(40):
        mean = interquartile_mean([of_set[trial, 0].mean(axis=1) for of_set in hits], 300)
        covered += mean.low <= truth <= mean.high
    assert covered / 40 < 0.8
