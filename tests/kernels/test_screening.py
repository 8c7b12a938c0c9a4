"""Ranking by products in bfloat16: always the exact ranking, and only where few pairs are left to score."""

import threading

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from huse_bench.kernels.cpu import _parts, _screening
from huse_bench.kernels.cpu import top_k as _module
from huse_bench.kernels.cpu._screening import rounded, rounding
from huse_bench.kernels.cpu._shortlist import longest
from huse_bench.kernels.top_k import rank_directions, top_k, top_k_directions


@pytest.fixture
def screened(monkeypatch):
    """Screening on any processor and for any size."""
    monkeypatch.setattr(_parts, "_PRODUCTS", 1)
    for name in ("_ROWS", "_DIM"):
        monkeypatch.setattr(_screening, name, 1)
    monkeypatch.setattr(_screening, "_GAIN", 0)
    _screening._is_fast.cache_clear()
    yield
    _screening._is_fast.cache_clear()


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def clusters(n, noise, classes=11, width=64):
    generator = torch.Generator().manual_seed(n)
    centres = torch.randn(classes, width, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    return normalize(centres[labels] + noise * torch.randn(n, width, generator=generator), dim=1)


def sides(*rows):
    return [_module._Side.of(some.numpy(), len(some)) for some in rows]


def expected(queries, gallery, k, *, exclude_self, groups=None):
    scores = (queries.double() @ gallery.double().T).float()
    if groups is not None:
        own = groups[:, None] == groups
        own.fill_diagonal_(exclude_self)
        scores[own] = -torch.inf
    elif exclude_self:
        scores.fill_diagonal_(-torch.inf)
    values, indices = scores.sort(dim=1, descending=True, stable=True)
    return values[:, :k], indices[:, :k]


@pytest.mark.parametrize("noise", [1.0, 0.05, 1e-3, 0.0])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.usefixtures("screened")
def test_what_is_screened_is_the_exact_ranking(monkeypatch, threads, noise, count, grouped):
    monkeypatch.setattr(_screening, "_PART", 1)
    monkeypatch.setattr(_module, "_TILE", 200)
    image, text = clusters(900, noise), clusters(900, noise).flip(0).contiguous()
    groups = torch.arange(900) // 3 if grouped else None
    assert _module._Products.of(*sides(image, text), 10, both=True).low is not None
    threads(count)
    found, indices = top_k_directions(image, text, 10, groups), rank_directions(image, text, 10, groups)
    assert torch.get_num_threads() == count
    for direction, queries, gallery in (("i2t", image, text), ("t2i", text, image), ("t2t", text, text)):
        want = expected(queries, gallery, 10, exclude_self=queries is gallery, groups=groups)
        for one, other in zip(found[direction], want, strict=True):
            assert torch.equal(one, other)
        assert torch.equal(indices[direction], want[1])
    for one, other in zip(top_k(image, text, 10), expected(image, text, 10, exclude_self=False), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("scale", [2.0**-10, 1.0, 1024.0])
@pytest.mark.parametrize("kind", ["random", "halfway", "of one sign"])
@pytest.mark.usefixtures("screened")
def test_rounded_products_are_within_half_the_margin_of_the_scores(scale, kind):
    rows = {
        "random": torch.randn(300, 512, generator=torch.Generator().manual_seed(1)),
        # As far from numbers of bfloat16 as there are, all rounded the same way.
        "halfway": torch.full((300, 512), 1 + 2.0**-8 + 2.0**-20),
        "of one sign": torch.rand(300, 512, generator=torch.Generator().manual_seed(2)) + 0.3,
    }[kind] * scale
    (side,) = sides(rows)
    wide = _module._margin(side.low.rounded_length, side.low.rounded_length, rows.numpy())
    margin = wide + rounding(side.low, side.low)
    scores = rows.double() @ rows.double().T
    off = float(((side.low.rows @ side.low.rows.T).double() - scores).abs().max())
    assert 2 * off <= margin
    # Not wider than what rounding may do, a part in 256 of each factor and of the product.
    assert margin <= 2.1 * 3 * 2**-8 * longest(rows.numpy()) ** 2
    if kind == "halfway":
        assert 2 * off > 0.6 * margin


@pytest.mark.usefixtures("screened")
def test_classes_that_leave_much_to_score_are_not_screened():
    rows = clusters(2000, 0.01, classes=5)
    assert _module._Products.of(*sides(rows, rows), 10).low is None
    rows = clusters(2000, 0.01, classes=400)
    assert _module._Products.of(*sides(rows, rows), 10).low is not None


@pytest.mark.usefixtures("screened")
def test_a_pair_is_screened_where_both_directions_are():
    # A few hundred rows of one side are near to each of the other: much to score for either of those alone.
    crowd, apart = clusters(1000, 0.01, classes=1), clusters(1000, 1.0, classes=1000)
    image, text = sides(torch.cat([apart[:900], crowd[:100]]), torch.cat([crowd[:900], apart[:100]]))
    one_way = [_module._Products.of(one, other, 10).low is not None for one, other in ((image, text), (text, image))]
    assert (_module._Products.of(image, text, 10, both=True).low is not None) == all(one_way)


@pytest.mark.parametrize("scale", [3e38, 1e-42])
@pytest.mark.usefixtures("screened")
def test_rows_beyond_bfloat16_are_ranked_without_it(scale):
    rows = torch.zeros(40, 32)
    rows[:, 0] = 1e-3 if scale > 1 else 1
    gallery = torch.zeros(40, 32)
    gallery[:, 0] = torch.linspace(0.5, 1.13, 40) * scale
    values, indices = top_k(rows, gallery, 3)
    want = expected(rows, gallery, 3, exclude_self=False)
    assert torch.equal(values, want[0])
    assert torch.equal(indices, want[1])


@pytest.mark.parametrize(
    ("rows", "others"),
    [
        (torch.ones(2000, 512, dtype=torch.float64), 2000),
        (torch.ones(2000, 64), 2000),
        (torch.ones(2000, 512), 100),
        (torch.ones(100, 512), 2000),
    ],
)
def test_what_gains_too_little_is_not_rounded(monkeypatch, rows, others):
    monkeypatch.setattr(_screening, "_GAIN", 0)
    assert rounded(rows, 1.0, others) is None


def test_products_leave_the_numbers_of_threads_as_they_are(threads):
    rows, tile = clusters(200, 1.0).bfloat16(), torch.empty(200, 200)
    threads(2)
    _screening.multiply_rounded(rows, rows, tile.bfloat16(), tile)
    assert torch.get_num_threads() == 2
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [2]
    torch.testing.assert_close(tile, (rows @ rows.T).float(), rtol=0, atol=0)


@pytest.mark.usefixtures("screened")
def test_products_that_are_further_off_are_not_trusted(monkeypatch):
    monkeypatch.setattr(_screening, "_PART", 1)
    rows = clusters(300, 1.0)
    (side,) = sides(rows)
    margin = rounding(side.low, side.low)
    assert _screening.pays(side.low, side.low, (rows, rows), 5, margin)
    assert not _screening.pays(side.low, side.low, (rows, 1.02 * rows), 5, margin)
    assert not _screening.pays(side.low, side.low, (rows, rows), 5, np.inf)
