"""Products of a tile of weights, most of which may be alike, with the rows on both of its sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.kernels.cpu import _products

WAYS = {
    "as it sees fit": _products.add_products,
    "all": _products._add_all,
    "few": lambda weights, *others: _products._add_few(weights, np.float64(-0.1), *others),
    "few beside 0": lambda weights, *others: _products._add_few(weights, np.float64(0), *others),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 600), st.integers(1, 600), st.integers(1, 70)),
    share=st.sampled_from([0, 0.02, 0.5, 1]),
    usual=st.sampled_from([0.0, 1.0, -0.1]),
)
def test_all_ways_give_what_numpy_gives(way, seed, shape, share, usual):
    generator = np.random.default_rng(seed)
    height, width, dim = shape
    weights = np.where(generator.random((height, width)) < share, generator.integers(1, 4, (height, width)) / 7, usual)
    rows, columns, of_rows, of_columns = (
        generator.standard_normal((count, dim)) for count in (height, width, height, width)
    )
    expected = of_rows + weights @ columns, of_columns + weights.T @ rows
    WAYS[way](weights, rows, columns, of_rows, of_columns)
    np.testing.assert_allclose(of_rows, expected[0], rtol=0, atol=1e-11)
    np.testing.assert_allclose(of_columns, expected[1], rtol=0, atol=1e-11)
