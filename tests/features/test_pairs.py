"""Near pairs are those of all pairs, whatever bound, tile and rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.features import _pairs


def brute_force(left, right, limit):
    """All near pairs with their distances in float64."""
    unit = [
        rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        for rows in (left, right)
    ]
    distances = 1 - unit[0] @ unit[1].T
    return {(int(i), int(j)): distances[i, j] for i, j in np.argwhere(distances <= limit)}


def found(left, right, limit):
    pairs = {}
    for tile in _pairs.near_pairs(torch.from_numpy(left), None if right is None else torch.from_numpy(right), limit):
        ends = list(zip(tile.left.tolist(), tile.right.tolist(), strict=True))
        assert ends == sorted(ends)
        pairs |= dict(zip(ends, tile.distances.tolist(), strict=True))
    return pairs


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 40)),
    dim=st.integers(2, 9),
    tile=st.integers(1, 45),
    axes=st.integers(1, 4),
    sample=st.integers(1, 20),
    many=st.sampled_from([0.0, 0.05, 1.0]),
    limit=st.sampled_from([1e-5, 0.0203, 0.1003, 0.4003]),
    alone=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_near_pairs_are_those_of_brute_force(sizes, dim, tile, axes, sample, many, limit, alone, seed):
    rng = np.random.default_rng(seed)
    # Few values, so that rows repeat; the first column keeps them from being zero.
    left, right = (rng.integers(0, 3, (n, dim)).astype(np.float32) + np.eye(dim, dtype=np.float32)[0] for n in sizes)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TILE": tile, "AXES": axes, "SAMPLE": sample, "MANY": many, "FEW": 0}.items():
            patch.setattr(_pairs, f"_{name}", value)
        pairs = found(left, None if alone else right, limit)
    # No distance of such small integers is as near to such a limit as rounding.
    expected = brute_force(left, left if alone else right, limit)
    if alone:
        assert {tuple(sorted(ends)) for ends in pairs} == {tuple(sorted(ends)) for ends in expected}
    else:
        assert pairs.keys() == expected.keys()
    for ends, distance in pairs.items():
        assert distance == pytest.approx(expected[ends], abs=1e-6)


def test_of_features_few_pairs_are_compared_in_full(monkeypatch):
    """Features lie along few directions, and the bound is worth having only where it leaves little to compare."""
    rng = np.random.default_rng(0)
    along = rng.normal(size=(3000, 40)) @ rng.normal(size=(40, 256))
    rows = (along + 0.3 * rng.normal(size=along.shape)).astype(np.float32)
    rows[2000:2100] = rows[:100] + 0.01 * rng.normal(size=(100, 256)).astype(np.float32)
    compared = []
    near = _pairs._near

    def counted(left, right, possible, limit):
        compared.append(len(left) * len(right) if possible is None else len(possible))
        return near(left, right, possible, limit)

    monkeypatch.setattr(_pairs, "_near", counted)
    monkeypatch.setattr(_pairs, "_FEW", 0)
    left, right = rows[:2000], rows[2000:]
    assert found(left, right, 0.05).keys() == brute_force(left, right, 0.05).keys() == {(i, i) for i in range(100)}
    assert sum(compared) < 0.001 * len(left) * len(right)
