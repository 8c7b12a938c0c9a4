"""Intervals and tests for scores that vary with the seed and with the query.

All take scores ``(..., S, Q)`` of S seeds on the same Q queries. A score is taken as a sum of what the seed, the
query and the two together contribute; both the seeds and the queries are a sample of those one could have had.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Interval",
    "bootstrap_interval",
    "effect_size",
    "hierarchical_bootstrap",
    "holm",
    "may_be_best",
    "mean_interval",
    "paired_tests",
    "rank_intervals",
]

Floats = NDArray[np.float64]

#: A p-value below it is significant; an interval covers with one minus it.
LEVEL = 0.05

#: Resamples of the bootstrap and sign flips of the test.
RESAMPLES = 10_000

# Numbers in a block of resampled weights: 16 MB.
_BLOCK = 2_000_000


class Interval(NamedTuple):
    """Ends of 95 % intervals, each an array of the leading shape of the scores."""

    low: Floats
    high: Floats


class _MeanSquares(NamedTuple):
    """Mean squares of the two-way analysis of variance over SQ: the variance of the mean is seeds + queries - rest."""

    seeds: Floats
    queries: Floats
    rest: Floats


def mean_interval(values: Floats) -> Interval:
    """95 % interval of the mean over seeds and queries.

    The half-widths of the two contributions add in quadrature: ``t(Q-1) e_queries`` with
    ``e_queries^2 = MS_queries / SQ``, and ``t(S-1) e_seeds`` with ``e_seeds^2 = max(MS_seeds - MS_rest, 0) / SQ``,
    from the mean squares of the two-way analysis of variance. Percentiles of the bootstrap are too narrow where
    few seeds vary: five seeds drawn again vary less than five others, and so few say little about how much they vary.

    Args:
        values: (..., S, Q) scores of S >= 2 seeds on Q >= 2 queries.

    Returns:
        The interval, of shape (...), symmetric about the mean.

    Source: Searle, Casella and McCulloch, "Variance Components" (1992), chapter 4, for the two errors; Zou and
    Donner, "Construction of confidence limits about effect measures" (2008), for adding them.
    """
    mean = values.mean(axis=(-2, -1))
    half = _half_width(values)
    return Interval(mean - half, mean + half)


def hierarchical_bootstrap(values: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Means of resampled seeds and, within them, resampled queries.

    Each resample draws S seeds and Q queries with replacement. The queries are the same for every seed and every
    leading index, for so they are in the data: differences between methods stay paired.

    Args:
        values: (..., S, Q) scores.
        resamples: how many.
        seed: of the random numbers.

    Returns:
        (resamples, ...) means.

    Source: Owen, "The pigeonhole bootstrap" (2007).
    """
    *leading, seeds, queries = values.shape
    columns = values.reshape(-1, queries).T
    generator = np.random.default_rng(seed)
    means = []
    for count in _blocks(resamples, queries):
        drawn = generator.integers(queries, size=(count, queries)) + queries * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * queries).reshape(count, queries).astype(float)
        by_seed = (times @ columns).reshape(count, -1, seeds)
        weights = generator.multinomial(seeds, [1 / seeds] * seeds, size=count)
        means.append(np.einsum("rgs,rs->rg", by_seed, weights).reshape(count, *leading) / (seeds * queries))
    return np.concatenate(means)


def bootstrap_interval(values: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """95 % interval of the mean by the hierarchical bootstrap, widened for few seeds.

    The 2.5 % and 97.5 % percentiles, with their distances from the mean multiplied so that a normal
    distribution of means would give the interval of :func:`mean_interval`.

    Args:
        values: (..., S, Q) scores of S >= 2 seeds on Q >= 2 queries.
        resamples: how many.
        seed: of the random numbers.

    Returns:
        The interval, of shape (...).
    """
    means = hierarchical_bootstrap(values, resamples, seed)
    mean = values.mean(axis=(-2, -1))
    normal = special.ndtri(1 - LEVEL / 2) * means.std(axis=0)
    half = _half_width(values)
    stretch = np.divide(half, normal, out=np.ones_like(half), where=normal > 0)
    low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return Interval(mean + (low - mean) * stretch, mean + (high - mean) * stretch)


def paired_tests(values: Floats, flips: int = RESAMPLES - 1, seed: int = 0) -> Floats:
    """Two-sided p-values that two methods are equally good, for all pairs of methods.

    A paired permutation test: under the hypothesis the difference of each query, averaged over seeds, could as well
    have had the other sign. Flips of queries alone would take a lucky seed for a better method, and flips of five
    seeds cannot give a p-value below 1/16. So to each flipped mean difference comes what other seeds would have
    added: a normal number of variance ``max((S-1) MS_seeds / chi^2(S-1) - MS_rest, 0) / SQ``, with a new chi-square
    for each flip since the seeds' variance is known from S of them only.
    ``p = (1 + how many are at least as far from 0 as the observed difference) / (flips + 1)``.

    Args:
        values: (..., M, S, Q) scores of M methods; seeds S >= 2 and queries Q >= 2 are paired across methods.
        flips: how many.
        seed: of the random numbers.

    Returns:
        (..., M, M) p-values, symmetric, with 1 on the diagonal.

    Source: Weerahandi, "Generalized confidence intervals" (1993), for the variance of the seeds; Phipson and Smyth,
    "Permutation p-values should never be zero" (2010), for the formula of p.
    """
    *leading, methods, seeds, queries = values.shape
    by_query = values.mean(axis=-2)
    means = by_query.mean(axis=-1)
    differences = means[..., :, None] - means[..., None, :]
    # The seeds' part gets the sign of the difference, so that the order of two methods does not matter.
    side = np.sign(differences)
    seeds_ms, rest_ms = _pair_mean_squares(values)
    observed = np.abs(differences)
    # Equal up to rounding is equal: a difference of no query may not look significant.
    observed -= 1e-9 * np.maximum(np.abs(means).max(axis=-1), 1e-300)[..., None, None]
    columns = by_query.reshape(-1, queries).T
    generator = np.random.default_rng(seed)
    exceeding = np.zeros(observed.shape, dtype=np.int64)
    for count in _blocks(flips, queries + observed.size):
        bits = np.frombuffer(generator.bytes(count * (queries // 8 + 1)), dtype=np.uint8).reshape(count, -1)
        signs = np.unpackbits(bits, axis=1, count=queries).astype(float) * 2 - 1
        flipped = (signs @ columns).reshape(count, *leading, methods) / queries
        normal, uncertain = (
            draws.reshape(count, *[1] * (len(leading) + 2))
            for draws in (generator.standard_normal(count), (seeds - 1) / generator.chisquare(seeds - 1, count))
        )
        of_seeds = np.sqrt(np.maximum(uncertain * seeds_ms - rest_ms, 0))
        possible = flipped[..., :, None] - flipped[..., None, :] + side * normal * of_seeds
        exceeding += (np.abs(possible) >= observed).sum(axis=0)
    return (1 + exceeding) / (flips + 1)


def holm(p_values: Floats) -> Floats:
    """P-values corrected for having made several comparisons, controlling the chance of any false positive.

    Args:
        p_values: (n,) of all comparisons made.

    Returns:
        (n,) adjusted p-values, at most 1.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def rank_intervals(means: Floats, adjusted: Floats) -> NDArray[np.int64]:
    """Simultaneous 95 % intervals of the methods' ranks, 1 being the best.

    A method ranks below all that are significantly better, and above all that are significantly worse.

    Args:
        means: (M,) mean scores, of which larger is better.
        adjusted: (M, M) p-values of all pairs, corrected for their number.

    Returns:
        (M, 2) lowest and highest rank.

    Source: Al Mohamad, Goeman and van Zwet, "Simultaneous confidence intervals for ranks" (2022), with Holm's
    correction for the pairs in place of Tukey's.
    """
    better = (means[:, None] > means) & (adjusted < LEVEL)
    return np.stack([1 + better.sum(axis=0), len(means) - better.sum(axis=1)], axis=1)


def may_be_best(means: Floats, p_values: Floats) -> NDArray[np.bool_]:
    """Which methods may be the best: those that no other is significantly better than.

    A method is left out where the p-value against one of a larger mean, halved since only the one direction counts and
    multiplied by the number of other methods, is below 0.05. That leaves the best method out in at most 5 % of cases,
    whichever it is: as the best it is compared with the M - 1 others, not with the one that looks best by chance.

    Args:
        means: (M,) mean scores, of which larger is better.
        p_values: (M, M) two-sided p-values of all pairs, not corrected.

    Returns:
        (M,) bool.

    Source: Hsu, "Constrained simultaneous confidence intervals for multiple comparisons with the best" (1984), with
    Bonferroni's correction in place of Dunnett's.
    """
    worse = (means[:, None] < means) & (p_values / 2 * (len(means) - 1) < LEVEL)
    return np.asarray(~worse.any(axis=1))


def effect_size(values: Floats) -> Floats:
    """Cohen's d_z: the mean of paired differences over their standard deviation across queries.

    Args:
        values: (..., S, Q) differences of scores, which are averaged over seeds first.

    Returns:
        (...) effect sizes; 0 where there is no difference, infinite where all queries differ alike.

    Source: Lakens, "Calculating and reporting effect sizes" (2013), equation 6.
    """
    by_query = values.mean(axis=-2)
    mean, deviation = by_query.mean(axis=-1), by_query.std(axis=-1, ddof=1)
    alike = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    sizes: Floats = np.divide(mean, deviation, out=alike, where=deviation > 0)
    return sizes


def _half_width(values: Floats) -> Floats:
    seeds, queries = values.shape[-2:]
    squares = _mean_squares(values)
    t_queries, t_seeds = special.stdtrit([queries - 1, seeds - 1], 1 - LEVEL / 2)
    of_seeds = np.maximum(squares.seeds - squares.rest, 0)
    half: Floats = np.sqrt(t_queries**2 * squares.queries + t_seeds**2 * of_seeds)
    return half


def _mean_squares(values: Floats) -> _MeanSquares:
    seeds, queries = values.shape[-2:]
    assert min(seeds, queries) >= 2
    mean = values.mean(axis=(-2, -1), keepdims=True)
    by_seed = values.mean(axis=-1, keepdims=True) - mean
    by_query = values.mean(axis=-2, keepdims=True) - mean
    rest = values - mean - by_seed - by_query
    return _MeanSquares(
        seeds=(by_seed**2).sum(axis=(-2, -1)) / (seeds * (seeds - 1)),
        queries=(by_query**2).sum(axis=(-2, -1)) / (queries * (queries - 1)),
        rest=(rest**2).sum(axis=(-2, -1)) / (seeds * queries * (seeds - 1) * (queries - 1)),
    )


def _pair_mean_squares(values: Floats) -> tuple[Floats, Floats]:
    """(..., M, M) mean squares of the seeds and of the rest of each difference, as of :class:`_MeanSquares`."""
    methods = values.shape[-3]
    squares = np.zeros((2, *values.shape[:-3], methods, methods))
    for first in range(methods):
        for second in range(first):
            of_pair = _mean_squares(values[..., first, :, :] - values[..., second, :, :])
            squares[0, ..., first, second] = squares[0, ..., second, first] = of_pair.seeds
            squares[1, ..., first, second] = squares[1, ..., second, first] = of_pair.rest
    return squares[0], squares[1]


def _blocks(total: int, row: int) -> Iterator[int]:
    """Sizes of blocks of rows that sum to the total, each of a bounded number of numbers."""
    size = max(1, _BLOCK // row)
    for start in range(0, total, size):
        yield min(size, total - start)
