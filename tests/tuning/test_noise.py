"""Groups of validation queries as witnesses of a gain, against formulae written out and against simulation."""

import numpy as np
import pytest
from scipy import stats

from huse_bench.tuning.noise import Lots


def test_queries_that_stand_alone_are_a_paired_t_test():
    rng = np.random.default_rng(0)
    best, default = rng.random(40), rng.random(40)
    lots = Lots(np.arange(40))
    gain = lots.gain(lots.sums(best), lots.sums(default))
    expected = stats.ttest_rel(best, default).confidence_interval(0.95)
    assert gain.value == pytest.approx((best - default).mean(), abs=1e-5)
    assert (gain.low, gain.high) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_groups_by_hand():
    # Three groups of one, two and three; differences add up to 1, 0 and -1, and their mean is 0.
    lots = Lots(np.array([7, 3, 3, 5, 5, 5]))
    assert lots.sizes.tolist() == [2, 3, 1]
    assert lots.sums(np.array([1.0, 0.5, 0.25, 0, 0, 1])) == (0.75, 1.0, 1.0)
    gain = lots.gain((0.0, -1.0, 1.0), (0.0, 0.0, 0.0))
    assert gain.value == 0
    assert gain.high == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(3 / 2 * 2) / 6)
    assert gain.low == -gain.high


def test_one_group_tells_nothing_of_others():
    lots = Lots(np.zeros(5, dtype=np.int64))
    gain = lots.gain(lots.sums(np.ones(5)), lots.sums(np.zeros(5)))
    assert (gain.value, gain.low, gain.high) == (1.0, None, None)


def test_many_groups_are_put_together_and_the_interval_covers():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(2000), 2)
    covered = []
    for _ in range(300):
        # Each group has a difference of its own, of mean 0.1.
        differences = np.repeat(rng.normal(0.1, 1, size=2000), 2)
        lots = Lots(groups)
        assert len(lots.sizes) == 512
        assert lots.sizes.sum() == 4000
        gain = lots.gain(lots.sums(differences), lots.sums(np.zeros(4000)))
        covered.append(gain.low <= 0.1 <= gain.high)
    # 95 % of 300, within three standard errors.
    assert 0.912 <= np.mean(covered) <= 0.988
    halves = [lots.sizes.min(), lots.sizes.max()]
    # Groups of two stay whole: four or three of them.
    assert halves == [6, 8]
