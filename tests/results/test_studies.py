"""Rows whose seeds share the winners of several searches: what is averaged, and whether intervals then cover."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from huse_bench.results.statistics import mean_interval
from huse_bench.results.studies import Studies
from huse_bench.results.variance import seed_spread


@dataclass
class Told:
    studies: int


@dataclass
class Seeded:
    seed: int


@dataclass
class Row:
    """As much of a row as is looked at."""

    seeds: list[int]
    studies: list[int] = field(default_factory=list)

    @property
    def finished(self):
        return [Seeded(seed) for seed in self.seeds]

    @property
    def tunings(self):
        return [Told(count) for count in self.studies]


SIX = list(range(6))


def test_seeds_of_a_study_are_averaged():
    studies = Studies([Row(SIX, [3, 3, 3]), Row(SIX)])
    values = np.arange(12.0).reshape(6, 2)
    # Seeds 0 and 3, 1 and 4, 2 and 5.
    assert studies.means(values, SIX).tolist() == [[3, 4], [5, 6], [7, 8]]
    assert studies.means(np.stack([values, -values]), SIX)[1].tolist() == [[-3, -4], [-5, -6], [-7, -8]]
    assert studies.means(values, SIX).mean() == values.mean()


@pytest.mark.parametrize(
    "rows",
    [
        [Row(SIX), Row(SIX, [1])],
        # Five do not go up in three, and three are one of each.
        [Row([0, 1, 2, 3, 4], [3])],
        [Row([0, 1, 2], [3])],
        # All of one study.
        [Row([0, 3, 6], [3])],
        [Row(SIX, [3]), Row([0, 1, 2, 3], [3])],
        # Two studies of one method and three of another: six.
        [Row(SIX, [2]), Row(SIX, [3])],
        [],
    ],
)
def test_else_seeds_stay_as_they_are(rows):
    values = np.arange(12.0).reshape(6, 2)
    assert Studies(rows).means(values, SIX) is values


def test_intervals_cover_where_searches_differ_as_much_as_seeds_do():
    # Gaussian scores of four methods around 0.5: a study adds 0.03 to all its seeds, a seed 0.03, a query 0.2.
    rng, covered, naive = np.random.default_rng(0), [], []
    studies = Studies([Row(SIX, [3])])
    for _ in range(400):
        of_studies = 0.03 * rng.normal(size=(4, 3))[:, np.array(SIX) % 3]
        seeds = of_studies + 0.03 * rng.normal(size=(4, 6))
        values = 0.5 + seeds[:, :, None] + 0.2 * rng.normal(size=(4, 1, 300)) + 0.05 * rng.normal(size=(4, 6, 300))
        for kept, scores in ((covered, studies.means(values, SIX)), (naive, values)):
            spread = seed_spread(list(scores))
            for method in range(4):
                ends = mean_interval(scores[method], spread.of(method))
                kept.append(float(ends.low) <= 0.5 <= float(ends.high))
    assert 0.93 <= np.mean(covered) <= 0.985
    # What it is there for.
    assert np.mean(naive) < 0.93
