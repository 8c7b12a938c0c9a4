"""Best values at the edge of what was searched."""

import pytest

from huse_bench.space import Choice, LogUniform, Uniform
from huse_bench.tuning.bounds import at_bounds

LINEAR, LOGARITHMIC = Uniform(-1.0, 1.0), LogUniform(0.01, 100.0)


@pytest.mark.parametrize(
    ("value", "space", "said"),
    [
        (0.0, LINEAR, None),
        # 5 % of a range of 2 is 0.1.
        (-0.89, LINEAR, None),
        (-0.91, LINEAR, "x = -0.91 is at the lower bound of its space, -1: try beyond it"),
        (0.91, LINEAR, "x = 0.91 is at the upper bound of its space, 1: try beyond it"),
        (1.0, LINEAR, "x = 1 is at the upper bound of its space, 1: try beyond it"),
        (1.5, LINEAR, "x = 1.5 is outside its space, -1 to 1"),
        # 5 % of four decades is a factor of 10^0.2, 1.58.
        (0.016, LOGARITHMIC, None),
        (0.0157, LOGARITHMIC, "x = 0.0157 is at the lower bound of its space, 0.01: try beyond it"),
        (64.0, LOGARITHMIC, "x = 64 is at the upper bound of its space, 100: try beyond it"),
        (60.0, LOGARITHMIC, None),
        (0.0, LOGARITHMIC, "x = 0 is outside its space, 0.01 to 100"),
        ("a", Choice("a", "b"), None),
    ],
)
def test_within_a_twentieth_of_the_range_on_its_scale(value, space, said):
    assert at_bounds({"x": value, "held": 3.0}, {"x": space}) == ([] if said is None else [said])


def test_a_search_says_it_and_keeps_it(search):
    # AdamW heeds no factor on the only term of a loss: all trials are alike, and the first is the best of equals.
    (tuned,), _ = search(["outside"], 2)
    assert tuned.remarks[0] == "weight = 1 is outside its space, 2 to 4"
