"""Interquartile means of methods over data sets, where other seeds and other test items could have been had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from huse_bench.results.across import middle_half
from huse_bench.results.statistics import LEVEL
from huse_bench.results.variance import analysis, group_sums

__all__ = ["MiddleMeans", "middle_means"]

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]

# Resamples of the bootstrap: the ends of an interval move by a twentieth of its length at most.
_RESAMPLES = 2_000

# Numbers in a block of resampled weights: 16 MB.
_BLOCK = 2_000_000


class MiddleMeans(NamedTuple):
    """Interquartile means (M,) of M methods, with the ends of their 95 % intervals and p-values (M, M) of all pairs."""

    value: Floats
    low: Floats
    high: Floats
    p_values: Floats


def middle_means(
    values: Sequence[Sequence[Floats]], groups: Sequence[Groups | None], resamples: int = _RESAMPLES, seed: int = 0
) -> MiddleMeans:
    """Interquartile means over data sets and seeds, their intervals, and tests of all pairs of methods.

    The data sets are taken as they are; seeds, drawn for each method, and groups of test items, drawn for all methods
    together, are a sample of those one could have had. A stratified bootstrap draws either within each data set. An
    interval reaches from the mean as far as the percentiles of seeds and those of groups do, added in quadrature: the
    former stretched by Student's t over the normal distribution's for few seeds, and without what they owe to the
    queries, which is in the latter too. The p-value of a pair is the level at which the interval of its difference,
    made in the same way of the bootstrap's variances, would end at 0.

    Args:
        values: for each data set, and for each of M methods, (S, Q) scores of S >= 2 seeds on its Q test items, on a
            scale that the data sets have in common.
        groups: for each data set (Q,) numbers of at least 2 groups of items; None for each item its own.
        resamples: of the bootstrap.
        seed: of the random numbers.

    Returns:
        The means of the methods.

    Source: Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (2021), for the mean
    and its bootstrap; Rao and Wu, "Resampling inference with complex survey data" (1988), for S - 1 seeds drawn of S;
    Zou and Donner, "Construction of confidence limits about effect measures" (2008), for the sum; Satterthwaite (1946),
    for the degrees of freedom.
    """
    methods = range(len(values[0]))
    generator = np.random.default_rng(seed)
    runs = [[scores[method].mean(axis=1) for scores in values] for method in methods]
    means = np.array([middle_half([scores[None] for scores in of_method])[0] for of_method in runs])
    by_seed = np.stack([_seeds_drawn(of_method, resamples, generator) for of_method in runs], axis=1)
    by_group = _groups_drawn(values, groups, resamples, generator)
    seeds = np.maximum(by_seed.var(axis=0) - [_rest(values, groups, runs[m], m) for m in methods], 0)
    freedom = np.array([_freedom(of_method) for of_method in runs])
    of_groups = min(len(group_sums(of_all[0], kinds).sizes) for of_all, kinds in zip(values, groups, strict=True)) - 1

    whole = by_seed.std(axis=0)
    shrunk = np.divide(np.sqrt(seeds), whole, out=np.zeros_like(whole), where=whole > 0)
    stretch = shrunk * special.stdtrit(freedom, 1 - LEVEL / 2) / special.ndtri(1 - LEVEL / 2)
    low, high = (
        means + sign * np.hypot(stretch * _reach(by_seed, means, sign), _reach(by_group, means, sign))
        for sign in (-1, 1)
    )
    return MiddleMeans(means, low, high, _p_values(means, seeds, freedom, by_group, of_groups))


def _seeds_drawn(runs: Sequence[Floats], resamples: int, generator: np.random.Generator) -> Floats:
    """Means (resamples,) of S - 1 of the S runs on each data set."""
    return middle_half([scores[generator.integers(len(scores), size=(resamples, len(scores) - 1))] for scores in runs])


def _groups_drawn(
    values: Sequence[Sequence[Floats]], groups: Sequence[Groups | None], resamples: int, generator: np.random.Generator
) -> Floats:
    """Means (resamples, M) with other groups of each data set, the same for all methods and seeds."""
    drawn: list[list[Floats]] = []
    for of_all, kinds in zip(values, groups, strict=True):
        sums, sizes = group_sums(np.concatenate(of_all), kinds)
        count, blocks = len(sizes), []
        for start in range(0, resamples, block := max(1, _BLOCK // count)):
            times = generator.multinomial(count, [1 / count] * count, size=min(block, resamples - start)).astype(float)
            blocks.append((times @ sums.T) / (times @ sizes)[:, None])
        ends = np.cumsum([len(scores) for scores in of_all])[:-1]
        drawn.append(np.split(np.concatenate(blocks), ends, axis=1))
    return np.stack([middle_half(of_method) for of_method in zip(*drawn, strict=True)], axis=1)


def _rest(
    values: Sequence[Sequence[Floats]], groups: Sequence[Groups | None], runs: Sequence[Floats], method: int
) -> float:
    """Part of the variance by seeds that is due to their few queries."""
    rests = [float(analysis(of_all[method], kinds).rest) for of_all, kinds in zip(values, groups, strict=True)]
    return float(np.sum(_shares(runs) ** 2 * rests))


def _ordered(runs: Sequence[Floats]) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Scores in their order, the data set of each, and the weight up to and with it."""
    scores = np.concatenate(runs)
    order = np.argsort(scores, kind="stable")
    places = np.repeat(np.arange(len(runs)), [len(of_set) for of_set in runs])[order]
    weights = np.array([1 / (len(of_set) * len(runs)) for of_set in runs])[places]
    return scores[order], places, np.cumsum(weights)


def _shares(runs: Sequence[Floats]) -> Floats:
    """How much of the middle half is of each data set."""
    _, places, ends = _ordered(runs)
    inside = np.diff(np.clip(ends, 0.25, 0.75), prepend=0.25)
    return np.asarray(2 * np.bincount(places, weights=inside, minlength=len(runs)), dtype=float)


def _freedom(runs: Sequence[Floats]) -> float:
    """Degrees of freedom of the variance by seeds: each data set's part is that of its scores, cut at the quartiles."""
    scores, _, ends = _ordered(runs)
    # Ends are sums of fractions, which may fall short of a quartile by rounding.
    low, high = (scores[np.searchsorted(ends, quartile - 1e-9)] for quartile in (0.25, 0.75))
    parts = np.array([np.clip(of_set, low, high).var(ddof=1) / len(of_set) for of_set in runs])
    few = np.array([len(of_set) - 1 for of_set in runs])
    noise = (parts**2 / few).sum()
    return float(parts.sum() ** 2 / noise) if noise > 0 else float(few.min())


def _reach(drawn: Floats, means: Floats, sign: int) -> Floats:
    """How far the 95 % percentile interval of resampled means reaches below (-1) or above (1) the means."""
    end = np.quantile(drawn, LEVEL / 2 if sign < 0 else 1 - LEVEL / 2, axis=0)
    # Of few resamples both percentiles may lie on one side.
    return np.asarray(np.maximum(sign * (end - means), 0))


def _p_values(means: Floats, seeds: Floats, freedom: Floats, by_group: Floats, of_groups: int) -> Floats:
    """(M, M) p-values of all pairs, by bisection."""
    apart = np.abs(means[:, None] - means)
    of_seeds = seeds[:, None] + seeds
    noise = (seeds**2 / freedom)[:, None] + seeds**2 / freedom
    of_pairs = np.divide(of_seeds**2, noise, out=np.ones_like(noise), where=noise > 0)
    covered = np.cov(by_group, rowvar=False).reshape(len(means), len(means))
    of_draws = np.diag(covered)[:, None] + np.diag(covered) - 2 * covered
    low, high = np.zeros_like(apart), np.ones_like(apart)
    for _ in range(50):
        middle = (low + high) / 2
        t_seeds, t_groups = (special.stdtrit(df, 1 - middle / 2) for df in (of_pairs, of_groups))
        half = np.sqrt(t_seeds**2 * of_seeds + t_groups**2 * np.maximum(of_draws, 0))
        # Equal up to rounding is equal.
        wider = half >= apart - 1e-12
        low, high = np.where(wider, middle, low), np.where(wider, high, middle)
    # The other end of the bisection: where nothing varies, what differs at all is sure.
    np.fill_diagonal(high, 1.0)
    return np.maximum(high, high.T)
