"""The orders that compiled loops take, against numpy's stable sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.kernels.cpu._sorting import FEW, best_first, kth_best, order_run


@st.composite
def _values(draw):
    """Values of which many are equal, fewer and more than are sorted by counting."""
    count = draw(st.sampled_from([1, 2, 7, FEW, FEW + 1, 2 * FEW, 1000]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return generator.integers(0, draw(st.sampled_from([1, 3, count, 100 * count])), count).astype(np.float32), generator


@settings(max_examples=100, deadline=None)
@given(_values())
def test_best_first_keeps_equal_values_in_their_order(made):
    values, _ = made
    assert best_first(values).tolist() == np.argsort(-values, kind="stable").tolist()


@settings(max_examples=100, deadline=None)
@given(_values(), st.data())
def test_kth_best(made, data):
    values, _ = made
    k = data.draw(st.integers(1, len(values)))
    assert kth_best(values.copy(), k) == np.sort(values)[-k]


@settings(max_examples=100, deadline=None)
@given(_values())
def test_runs_are_in_the_order_of_scores_and_then_of_candidates(made):
    scores, generator = made
    candidates = generator.choice(10 * len(scores), len(scores), replace=False)
    order = np.empty(len(scores), np.int64)
    order_run(candidates, scores, order)
    assert order.tolist() == candidates[np.lexsort((candidates, -scores))].tolist()


@pytest.mark.parametrize("values", [[np.inf, 1.0, -np.inf, 1.0], [-0.0, 0.0, -1.0, 0.0]])
def test_infinite_values_and_zeros_of_either_sign(values):
    values = np.array(values * 100, np.float32)
    assert best_first(values).tolist() == np.argsort(-values, kind="stable").tolist()
    assert best_first(values[:8]).tolist() == np.argsort(-values[:8], kind="stable").tolist()
