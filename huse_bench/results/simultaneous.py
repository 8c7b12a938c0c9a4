"""What the p-values of several comparisons say together: corrected, as ranks, and of who may be the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.statistics import LEVEL, Floats

__all__ = ["holm", "holm_of_pairs", "may_be_best", "rank_intervals"]


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


def holm_of_pairs(p_values: Floats) -> Floats:
    """P-values of all pairs, corrected by :func:`holm` for their number.

    Args:
        p_values: (M, M) of all pairs, symmetric.

    Returns:
        (M, M) adjusted p-values, with 1 on the diagonal.
    """
    upper = np.triu_indices(len(p_values), 1)
    adjusted = np.ones_like(p_values)
    adjusted[upper] = holm(p_values[upper])
    adjusted.T[upper] = adjusted[upper]
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
