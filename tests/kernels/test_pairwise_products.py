"""Products of a tile of weights, most of which may be alike, with the rows on both of its sides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.kernels.cpu import _products


@pytest.mark.parametrize("few", [0, 0.1, 1])
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 70)),
    share=st.sampled_from([0, 0.02, 0.5, 1]),
    usual=st.sampled_from([0.0, 1.0, -0.1]),
)
def test_both_ways_give_what_numpy_gives(few, seed, shape, share, usual):
    generator = np.random.default_rng(seed)
    height, width, dim = shape
    weights = np.where(generator.random((height, width)) < share, generator.integers(1, 4, (height, width)) / 7, usual)
    rows, columns, of_rows, of_columns = (
        generator.standard_normal((count, dim)) for count in (height, width, height, width)
    )
    expected = of_rows + weights @ columns, of_columns + weights.T @ rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_products, "_FEW", few)
        _products.add_products(*map(torch.from_numpy, (weights, rows, columns, of_rows, of_columns)))
    np.testing.assert_allclose(of_rows, expected[0], rtol=0, atol=1e-11)
    np.testing.assert_allclose(of_columns, expected[1], rtol=0, atol=1e-11)


@pytest.mark.parametrize("share", [0.03, 0.07])
def test_which_way_is_taken_does_not_depend_on_threads(share):
    generator = np.random.default_rng(0)
    weights = torch.from_numpy((generator.random((500, 500)) < share).astype(np.float32))
    rows, columns = (torch.from_numpy(generator.standard_normal((500, 64), np.float32)) for _ in range(2))
    found, products, before = [], [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sums = torch.zeros_like(rows), torch.zeros_like(columns)
            _products.add_products(weights, rows, columns, *sums)
            found.append(sums)
            products.append((weights @ columns, weights.T @ rows))
    finally:
        torch.set_num_threads(before)
    if not all(torch.equal(one, two) for one, two in zip(*products, strict=True)):
        pytest.skip("torch's own products depend on the number of threads here")
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
