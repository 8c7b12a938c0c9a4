"""Old runs against fresh ones: honest rows pass, better and worse ones do not."""

import numpy as np
import pytest

from huse_bench.results.recurrence import recurrences

QUERIES = 400
GROUPS = np.arange(QUERIES) // 2
COLUMNS = [("i2t", "R@1"), ("t2i", "R@1"), ("image", "accuracy")]


def row(rng, seeds, mean=0.5, spread=0.02):
    """Scores of some seeds, whose means vary, on queries of unequal difficulty."""
    difficulty = np.random.default_rng(5).normal(0, 0.2, QUERIES)
    levels = mean + rng.normal(0, spread, seeds)
    chance = np.clip(levels[:, None] + difficulty, 0, 1)
    return {column: (rng.random((seeds, QUERIES)) < chance).astype(float) for column in COLUMNS}


@pytest.mark.parametrize(("seeds", "fresh"), [(5, 1), (1, 2)])
def test_honest_rows_are_accepted(seeds, fresh):
    rng = np.random.default_rng(0)
    accepted = [
        found.accepted
        for _ in range(20)
        for found in recurrences(
            [row(rng, seeds) for _ in range(2)], [row(rng, fresh) for _ in range(2)], [row(rng, 5)], GROUPS
        )
    ]
    # 1 % of 20 checks of two rows each, at most; more than two of them would come once in a thousand times.
    assert sum(accepted) >= 38


def test_seeds_that_agree_by_chance_do_not_say_that_none_differs():
    """On few queries two seeds of three may well find all, and the third half of them."""
    found, half = np.ones(32), np.arange(32) % 2.0
    alike, apart = (np.stack(seeds) for seeds in ([found, found], [found, half]))
    of_all = [{COLUMNS[0]: alike}, {COLUMNS[0]: apart}]
    rows = recurrences(of_all, [{COLUMNS[0]: half[None]}, {COLUMNS[0]: found[None]}])
    assert all(row.accepted for row in rows)


@pytest.mark.parametrize("shift", [0.25, -0.25])
def test_better_and_worse_rows_are_refused(shift):
    rng = np.random.default_rng(1)
    lied, honest = recurrences(
        [row(rng, 5, 0.5 + shift), row(rng, 5)], [row(rng, 1), row(rng, 1)], [row(rng, 5), row(rng, 5)], GROUPS
    )
    assert not lied.accepted
    assert np.sign(lied.difference) == np.sign(shift)
    assert abs(lied.difference) == pytest.approx(0.25, abs=0.08)
    assert honest.accepted


def test_what_can_be_detected_is_found_about_every_second_time():
    rng = np.random.default_rng(2)

    def compared(shift):
        one = COLUMNS[0]
        rows = [row(rng, 5, 0.5 + shift), row(rng, 1), *(row(rng, 5) for _ in range(6))]
        old, new, *others = [{one: scores[one]} for scores in rows]
        return recurrences([old], [new], others, GROUPS)[0]

    # Five seeds say little about how much seeds vary, so what one check says of its power varies too.
    detectable = np.median([compared(0).detectable for _ in range(15)])
    refused = sum(not compared(detectable).accepted for _ in range(30))
    # Between a fifth and four fifths of them.
    assert 6 <= refused <= 24


def test_few_seeds_find_less_than_many():
    rng = np.random.default_rng(3)
    (few,) = recurrences([row(rng, 1)], [row(rng, 2)], (), GROUPS)
    (many,) = recurrences([row(rng, 5)], [row(rng, 1)], [row(rng, 5) for _ in range(6)], GROUPS)
    assert few.detectable > many.detectable
