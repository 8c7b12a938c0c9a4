"""Intervals and tests for scores that vary with the seed and with the query.

All take scores ``(..., S, Q)`` of S seeds on the same Q queries. A score is taken as a sum of what the seed, the
query and the two together contribute; both the seeds and the groups of queries are a sample of those one could have
had.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from huse_bench.results.variance import SeedSpread, analysis, group_sums

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "SETTLED",
    "Interval",
    "bootstrap_interval",
    "effect_size",
    "hierarchical_bootstrap",
    "mean_interval",
    "paired_tests",
    "stretched_interval",
]

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]

#: A p-value below it is significant; an interval covers with one minus it.
LEVEL = 0.05

#: From here up a p-value says no of all that is asked of it, whatever it is corrected for: it is halved at the most.
SETTLED = 2 * LEVEL

#: Resamples of the bootstrap and sign flips of the test.
RESAMPLES = 10_000

# Numbers in a block of resampled weights: 16 MB.
_BLOCK = 2_000_000

# Numbers of a part of such a block that a processor's cache has room for.
_PART = 50_000


class Interval(NamedTuple):
    """Ends of 95 % intervals, each an array of the leading shape of the scores."""

    low: Floats
    high: Floats


def mean_interval(values: Floats, spread: SeedSpread, groups: Groups | None = None) -> Interval:
    """95 % interval of a mean share over seeds and queries.

    Its ends are the shares x with ``(x - mean)^2 = h^2 x (1 - x) / (mean (1 - mean))``, where h is the half-width that
    the mean has by itself: Wilson's interval, which stays within 0 and 1 and is the longer on the side of 1/2. Where
    all queries are hit, or none, it is Wilson's for as many queries as there are groups.

    Args:
        values: (..., S, Q) shares of S >= 2 seeds on Q queries.
        spread: (...) how much seeds vary.
        groups: (Q,) numbers of at least 2 groups of queries; None for each query its own.

    Returns:
        The interval, of shape (...).

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927); for variances that
    are estimated, Franco, Little, Louis and Slud, "Comparative study of confidence intervals for proportions in
    complex sample surveys" (2019).
    """
    parts = analysis(values, groups)
    mean = np.clip(parts.mean, 0, 1)
    binomial = mean * (1 - mean)
    count = len(group_sums(values, groups).sizes)
    all_alike = special.stdtrit(parts.freedom, 1 - LEVEL / 2) ** 2 / count
    half = _half_width(values, spread, groups)
    wide = np.divide(half**2, binomial, out=np.array(all_alike), where=binomial > 0)
    middle, reach = mean + wide / 2, np.sqrt(wide * binomial + wide**2 / 4)
    low, high = (middle - reach) / (1 + wide), (middle + reach) / (1 + wide)
    # As they are, but for rounding.
    return Interval(np.clip(low, 0, mean), np.clip(high, mean, 1))


def hierarchical_bootstrap(
    values: Floats, groups: Groups | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """Means of resampled seeds and, within them, resampled groups of queries.

    Each resample draws S seeds and G groups with replacement. The groups are the same for every seed and every
    leading index, for so they are in the data: differences between methods stay paired.

    Args:
        values: (..., S, Q) scores.
        groups: (Q,) numbers of groups; None for each query its own.
        resamples: how many.
        seed: of the random numbers.

    Returns:
        (resamples, ...) means.

    Source: Owen, "The pigeonhole bootstrap" (2007), with groups drawn whole as in Cameron, Gelbach and Miller,
    "Bootstrap-based improvements for inference with clustered errors" (2008).
    """
    sums, sizes = group_sums(values, groups)
    *leading, seeds, count = sums.shape
    columns = sums.reshape(-1, count).T
    generator = np.random.default_rng(seed)
    means = []
    for size in _blocks(resamples, count):
        drawn = generator.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count).astype(float)
        by_seed = (times @ columns).reshape(size, -1, seeds)
        weights = generator.multinomial(seeds, [1 / seeds] * seeds, size=size)
        totals = np.einsum("rgs,rs->rg", by_seed, weights) / (seeds * (times @ sizes))[:, None]
        means.append(totals.reshape(size, *leading))
    return np.concatenate(means)


def bootstrap_interval(
    values: Floats, spread: SeedSpread, groups: Groups | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """95 % interval of a mean difference by the hierarchical bootstrap, widened for few seeds.

    The 2.5 % and 97.5 % percentiles, with their distances from the mean multiplied so that a normal distribution of
    means would give the half-width of the seeds and of the groups added in quadrature, each with the t of its degrees
    of freedom. Plain percentiles are too narrow where few seeds vary: five seeds drawn again vary less than five
    others.

    Args:
        values: (..., S, Q) differences of scores of S >= 2 seeds on Q queries.
        spread: (...) how much their seeds vary.
        groups: (Q,) numbers of at least 2 groups of queries; None for each query its own.
        resamples: how many.
        seed: of the random numbers.

    Returns:
        The interval, of shape (...), within -1 and 1.
    """
    return stretched_interval(hierarchical_bootstrap(values, groups, resamples, seed), values, spread, groups)


def stretched_interval(means: Floats, values: Floats, spread: SeedSpread, groups: Groups | None = None) -> Interval:
    """The interval of :func:`bootstrap_interval` by means that were resampled before.

    Resampled means of two methods differ by what their differences' resampled mean is, so that all pairs need the
    bootstrap of each method alone.

    Args:
        means: (resamples, ...) of the differences.
        values: (..., S, Q) the differences.
        spread: (...) how much their seeds vary.
        groups: (Q,) numbers of at least 2 groups of queries; None for each query its own.

    Returns:
        The interval, of shape (...), within -1 and 1.
    """
    mean = values.mean(axis=(-2, -1))
    normal = special.ndtri(1 - LEVEL / 2) * means.std(axis=0)
    half = _half_width(values, spread, groups)
    stretch = np.divide(half, normal, out=np.ones_like(half), where=normal > 0)
    low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    ends = (mean + (end - mean) * stretch for end in (low, high))
    return Interval(*(np.clip(end, -1, 1) for end in ends))


def paired_tests(
    values: Floats,
    spread: SeedSpread,
    groups: Groups | None = None,
    flips: int = RESAMPLES - 1,
    seed: int = 0,
    *,
    asked: NDArray[np.bool_] | None = None,
    settled: float = 1.0,
) -> Floats:
    """Two-sided p-values that two methods are equally good, for all pairs of methods.

    A paired permutation test: under the hypothesis the difference of each group of queries, averaged over seeds, could
    as well have had the other sign. Flips of groups alone would take a lucky seed for a better method, and flips of
    five seeds cannot give a p-value below 1/16. So to each flipped mean difference comes what other seeds would have
    added: a normal number of variance ``max(total f / chi^2(f) - rest, 0) / S``, with a new chi-square for each flip
    since the seeds' variance is known to f degrees of freedom only.
    ``p = (1 + how many are at least as far from 0 as the observed difference) / (flips + 1)``.

    Args:
        values: (..., M, S, Q) scores of M methods; seeds S >= 2 and queries are paired across methods.
        spread: (..., M) how much each method's seeds vary.
        groups: (Q,) numbers of at least 2 groups of queries; None for each query its own.
        flips: how many.
        seed: of the random numbers.
        asked: (M, M) symmetric, which pairs are wanted; None for all. The others have a p-value of 1.
        settled: a pair whose p-value is certain to be at least this is not followed further, and has some p-value from
            there up.

    Returns:
        (..., M, M) p-values, symmetric, with 1 on the diagonal. What is asked and what is settled changes no other.

    Source: Canay, Romano and Shaikh, "Randomization tests under an approximate symmetry assumption" (2017), for flips
    of groups; Weerahandi, "Generalized confidence intervals" (1993), for the variance of the seeds; Phipson and Smyth,
    "Permutation p-values should never be zero" (2010), for the formula of p.
    """
    *leading, methods, seeds, queries = values.shape
    by_group = group_sums(values.mean(axis=-2), groups).values
    count = by_group.shape[-1]
    means = by_group.sum(axis=-1) / queries
    first, second = np.triu_indices(methods, 1)

    def of_pairs(array: NDArray[Any]) -> NDArray[Any]:
        return array[..., first, second].reshape(-1)

    differences = of_pairs(means[..., :, None] - means[..., None, :])
    # The seeds' part gets the sign of the difference, so that the order of two methods does not matter.
    side = np.sign(differences)
    seeds_spread = spread.of_pairs()
    freedom, place = np.unique(seeds_spread.freedom, return_inverse=True)
    total, rest = of_pairs(seeds_spread.total), of_pairs(seeds_spread.rest)
    place = of_pairs(place.reshape(seeds_spread.freedom.shape))
    # Equal up to rounding is equal: a difference of no query may not look significant.
    slack = 1e-9 * np.maximum(np.abs(means).max(axis=-1), 1e-300)
    observed = np.abs(differences) - np.repeat(slack.reshape(-1), len(first))
    starts = methods * np.arange(slack.size)[:, None]
    one, other = (starts + first).reshape(-1), (starts + second).reshape(-1)
    columns = by_group.reshape(-1, count).T
    generator = np.random.default_rng(seed)
    exceeding = np.zeros(observed.shape, dtype=np.int64)
    wanted = np.ones(len(first), dtype=bool) if asked is None else asked[first, second]
    followed = np.flatnonzero(np.tile(wanted, slack.size))
    for size in _blocks(flips, count + means.size * methods):
        bits = np.frombuffer(generator.bytes(size * (count // 8 + 1)), dtype=np.uint8).reshape(size, -1)
        signs = np.unpackbits(bits, axis=1, count=count).astype(float) * 2 - 1
        flipped = (signs @ columns) / queries
        normal = generator.standard_normal(size)[:, None]
        uncertain = freedom / generator.chisquare(freedom, (size, len(freedom)))
        for some in np.split(followed, np.arange(0, len(followed), max(1, _PART // size))[1:]):
            of_seeds = np.sqrt(np.maximum(uncertain[:, place[some]] * total[some] - rest[some], 0) / seeds)
            possible = flipped[:, one[some]] - flipped[:, other[some]] + side[some] * normal * of_seeds
            exceeding[some] += (np.abs(possible) >= observed[some]).sum(axis=0)
        followed = followed[1 + exceeding[followed] < settled * (flips + 1)]
    exceeding[np.tile(~wanted, slack.size)] = flips
    p_values = np.ones((*leading, methods, methods))
    p_values[..., first, second] = ((1 + exceeding) / (flips + 1)).reshape(*leading, len(first))
    p_values[..., second, first] = p_values[..., first, second]
    return p_values


def effect_size(values: Floats, groups: Groups | None = None) -> Floats:
    """Cohen's d_z: the mean of paired differences over their standard deviation across groups of queries.

    Args:
        values: (..., S, Q) differences of scores, which are averaged over seeds first.
        groups: (Q,) numbers of at least 2 groups; None for each query its own.

    Returns:
        (...) effect sizes, which are the paired t statistics over the root of the number of groups; 0 where there is
        no difference, infinite where all groups differ alike.

    Source: Lakens, "Calculating and reporting effect sizes" (2013), equation 6.
    """
    sums, sizes = group_sums(values.mean(axis=-2), groups)
    mean = sums.sum(axis=-1) / sizes.sum()
    apart = (sums - mean[..., None] * sizes) / sizes.mean()
    deviation = np.sqrt((apart**2).sum(axis=-1) / (len(sizes) - 1))
    alike = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    # Differences that are alike up to rounding are alike.
    effects: Floats = np.divide(mean, deviation, out=alike, where=deviation > 1e-12)
    return effects


def _half_width(values: Floats, spread: SeedSpread, groups: Groups | None) -> Floats:
    """Half-widths due to the groups and to the seeds, added in quadrature, as of Zou and Donner (2008)."""
    parts = analysis(values, groups)
    t_groups, t_seeds = (special.stdtrit(freedom, 1 - LEVEL / 2) for freedom in (parts.freedom, spread.freedom))
    of_seeds = np.maximum(spread.total - spread.rest, 0) / values.shape[-2]
    half: Floats = np.sqrt(t_groups**2 * parts.groups + t_seeds**2 * of_seeds)
    return half


def _blocks(total: int, row: int) -> Iterator[int]:
    """Sizes of blocks of rows that sum to the total, each of a bounded number of numbers."""
    size = max(1, _BLOCK // row)
    for start in range(0, total, size):
        yield min(size, total - start)
