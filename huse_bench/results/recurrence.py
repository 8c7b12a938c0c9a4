"""Whether what a run recorded comes again with other seeds: paired tests of old against fresh runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from huse_bench.results.simultaneous import holm
from huse_bench.results.statistics import RESAMPLES, paired_tests
from huse_bench.results.variance import SeedSpread, group_sums, seed_spread

__all__ = ["FRESH_ALONE", "FRESH_BESIDE", "Recurrence", "recurrences"]

#: Chance that an honest bundle is refused. Below the 5 % of the tables: a refusal accuses, and honest bundles are many.
LEVEL = 0.01

#: Fresh seeds of a row that has two seeds at least, which say how much seeds vary.
FRESH_BESIDE = 1

#: Fresh seeds of a row that has one, since then they must say it.
FRESH_ALONE = 2

#: Scores of a row (S, Q) by column, such as ``("i2t", "R@1")``.
Columns = Mapping[tuple[str, str], NDArray[np.float64]]


class Recurrence(NamedTuple):
    """What fresh runs say of a row, in the column where they differ most surely.

    Attributes:
        p: p-value that both are of one distribution, corrected for all columns of all rows.
        column: task and metric.
        difference: mean of the recorded runs less that of the fresh ones.
        detectable: a difference that this test would find about every second time.
        columns: how many columns were compared.
    """

    p: float
    column: tuple[str, str]
    difference: float
    detectable: float
    columns: int

    @property
    def accepted(self) -> bool:
        """Whether the fresh runs may be of the same distribution, neither better nor worse."""
        return self.p >= LEVEL


def recurrences(
    recorded: Sequence[Columns],
    fresh: Sequence[Columns],
    others: Sequence[Columns] = (),
    groups: NDArray[np.int64] | None = None,
) -> list[Recurrence]:
    """Compare rows with fresh runs of them, two-sided.

    The test is that of two methods (:func:`~huse_bench.results.statistics.paired_tests`), for means over different
    numbers of seeds. How much seeds vary is learnt from all rows of two seeds or more, as in the tables; of a row with
    one recorded seed from its fresh ones, and of one whose recorded seeds are the same in each query from both. Holm's
    correction over all columns and rows keeps the chance that any honest row is refused at 1 % at most.

    Args:
        recorded: scores of each row, (S, Q) by column.
        fresh: of the same rows with other seeds; two at least where the row has one.
        others: of further rows with two seeds or more, which only say how much seeds vary.
        groups: (Q,) numbers of groups of queries; None for each its own.

    Returns:
        What was found, a row each.

    Source: as the test; for the correction Holm (1979).
    """
    found: list[tuple[int, tuple[str, str], float, float, SeedSpread]] = []
    tested: list[float] = []
    total = sum(len(columns) for columns in recorded)
    # So many that the least p-value that there can be is below the level after the correction.
    flips = max(RESAMPLES - 1, round(4 * total / LEVEL))
    for row, columns in enumerate(recorded):
        for column, old in columns.items():
            new = fresh[row][column]
            spread = _spread(column, row, recorded, fresh, others, groups)
            counts = np.array([len(old), len(new)])
            # Means as of one seed each: that of S seeds varies by an S-th.
            both = np.stack([old.mean(axis=0), new.mean(axis=0)])[:, None, :]
            of_means = SeedSpread(spread.total / counts, spread.rest / counts, np.full(2, spread.freedom))
            tested.append(float(paired_tests(both, of_means, groups, flips)[0, 1]))
            found.append((row, column, *_means(both, groups), of_means))
    adjusted = holm(np.array(tested))
    results = []
    for row, columns in enumerate(recorded):
        places = [place for place, entry in enumerate(found) if entry[0] == row]
        worst = min(places, key=lambda place: (adjusted[place], tested[place]))
        _, column, difference, groups_part, of_means = found[worst]
        detectable = _detectable(groups_part, of_means, total)
        results.append(Recurrence(float(adjusted[worst]), column, difference, detectable, len(columns)))
    return results


def _spread(
    column: tuple[str, str],
    row: int,
    recorded: Sequence[Columns],
    fresh: Sequence[Columns],
    others: Sequence[Columns],
    groups: NDArray[np.int64] | None,
) -> SeedSpread:
    """How much seeds of a row vary, learnt from it and from all others."""
    pool = [_seeds(old[column], new[column]) for old, new in zip(recorded, fresh, strict=True) if column in old]
    place = sum(column in old for old in recorded[:row])
    pool += [other[column] for other in others if column in other]
    spread = seed_spread(pool, groups).of(place)
    # Few seeds on few queries often have the same mean by chance. That their variance is at least what single queries
    # make of it is known from many queries.
    return spread._replace(total=np.maximum(spread.total, spread.rest))


def _seeds(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """What says how much seeds of a row vary: the recorded ones, where they do."""
    if len(old) == 1:
        return new
    # Two that are the same in each query say nothing of a third.
    return old if np.ptp(old, axis=0).any() else np.concatenate([old, new])


def _means(both: NDArray[np.float64], groups: NDArray[np.int64] | None) -> tuple[float, float]:
    """The mean difference, and its variance that is due to the groups of queries."""
    sums, sizes = group_sums(both[0, 0] - both[1, 0], groups)
    mean = sums.sum() / sizes.sum()
    count = len(sizes)
    variance = ((sums - mean * sizes) ** 2).sum() * count / (count - 1) / sizes.sum() ** 2
    return float(mean), float(variance)


def _detectable(groups_part: float, of_means: SeedSpread, tests: int) -> float:
    """The difference whose p-value would just be below the level, at the strictest step of the correction."""
    level = LEVEL / tests / 2
    seeds = max(float(of_means.total.sum() - of_means.rest.sum()), 0.0)
    t = float(special.stdtrit(float(of_means.freedom.min()), 1 - level))
    normal = float(special.ndtri(1 - level))
    return float(np.sqrt(normal**2 * groups_part + t**2 * seeds))
