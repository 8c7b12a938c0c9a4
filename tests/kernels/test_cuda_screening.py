"""What screens a ranking on a GPU: products by the model of a tensor core are within the bound, and whatever products
within it never cost a query one of its best. Plain torch; the kernels are run by test_cuda_interpreter.py.
"""

import importlib.util
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

if importlib.util.find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("the interpreter has its own tests", allow_module_level=True)

from huse_bench.kernels import unchecked
from huse_bench.kernels.cuda import _screening, top_k
from huse_bench.kernels.cuda._keys import BLOCK
from huse_bench.kernels.cuda._screening import Rounded, Shortlist, bound, slots


def truncated(numbers, unit):
    """Numbers without what is below a unit."""
    return np.trunc(numbers / unit) * unit


def of_tensor_core(x, y, total, addends):
    """Products (n, m) of float16 rows added to a sum in float32, so many at once, by a tensor core.

    All are cut to 24 bits of the greatest, that of the sum too; so does the V100, and later ones keep some bits more.
    """
    for first in range(0, x.shape[1], addends):
        some = slice(first, first + addends)
        terms = np.concatenate([total[..., None], x[:, None, some] * y[None, :, some]], axis=2)
        _, exponent = np.frexp(np.abs(terms).max(axis=2))
        cut = truncated(terms, np.exp2(exponent - 24.0)[..., None]).sum(axis=2)
        _, exponent = np.frexp(np.abs(cut))
        total = truncated(cut, np.exp2(exponent - 24.0))
    return total


def products(queries, gallery, addends):
    """What the kernel computes, of rounded rows."""
    parts = [side.parts for side in (queries, gallery)]
    counts = [len(side.lengths) for side in (queries, gallery)]
    (x, x_low), (y, y_low) = (
        (part.high[:count].double().numpy(), part.low[:count].double().numpy())
        for part, count in zip(parts, counts, strict=True)
    )
    total = np.zeros(counts, np.float32)
    for first in range(0, queries.tiling.dim, queries.tiling.step):
        step = slice(first, first + queries.tiling.step)
        cross = of_tensor_core(x[:, step], y_low[:, step], np.zeros(counts), addends)
        cross = of_tensor_core(x_low[:, step], y[:, step], cross, addends)
        total += of_tensor_core(x[:, step], y[:, step], cross / 2048, addends).astype(np.float32)
    return torch.from_numpy(total).double()


@pytest.mark.parametrize("addends", [4, 8, 16])
@pytest.mark.parametrize("dim", [1, 40, 512])
@pytest.mark.parametrize("kind", ["random", "of one sign", "halfway", "of many sizes", "denormal"])
def test_products_are_within_the_bound_of_the_scores(kind, dim, addends):
    generator = torch.Generator().manual_seed(dim)
    rows = {
        "random": torch.randn(40, dim, generator=generator),
        "of one sign": torch.rand(40, dim, generator=generator) + 0.3,
        # As far from two numbers of float16 as there are, all rounded the same way.
        "halfway": (1 + 2.0**-11 + 2.0**-12 - 2.0**-23) * torch.ones(40, dim),
        "of many sizes": torch.randn(40, dim, generator=generator) * 10.0 ** -(torch.arange(40)[:, None] % 8),
        "denormal": torch.randn(40, dim, generator=generator) * 1e-41,
    }[kind]
    x, y = rows[:20], 3 * rows[20:]
    sides = Rounded.of(x), Rounded.of(y)
    scale = float(sides[0].scale) * float(sides[1].scale)
    scores = (x.double() @ y.double().T).float().double() * scale
    off = (products(*sides, addends) - scores).abs()
    most = bound(*sides)
    assert bool((off <= most[:, None]).all())
    if kind not in ("of many sizes", "denormal"):
        # Not much wider than steps of 32 products at a part in 2**22 each.
        longest = sides[1].lengths.max()
        assert bool((most <= 2.0**-22 * 46 * sides[0].lengths * longest).all())


@pytest.mark.parametrize("length", [1e-44, 1e-20, 1.0, 1e20, 3e38])
def test_rows_are_brought_to_a_length_of_one_by_a_power_of_two(length):
    rows = normalize(torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), dim=1) * length
    side = Rounded.of(rows)
    assert float(torch.frexp(side.scale).mantissa) == 0.5
    # Beyond, float32 has no such power.
    if 1e-38 < length < 1e38:
        assert 0.5 <= float(side.lengths.max()) < 1
    joined = side.parts.high[:5, :7].double() + side.parts.low[:5, :7].double() / 2048
    scaled = rows.double() * side.scale.double()
    assert bool(((joined - scaled).abs() <= 2.0**-22 * scaled.abs() + 2.0**-36).all())


@st.composite
def _screened(draw):
    """Scores of few values, products as far off as the bound lets them, and the k best to be found."""
    queries, gallery = draw(st.integers(1, 4)), draw(st.integers(1, 20 * BLOCK))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    values = draw(st.integers(1, 400))
    scores = torch.randint(values, (queries, gallery), generator=generator) / 8.0
    most = draw(st.sampled_from([0.0, 1 / 16, 1 / 8, 1.0]))
    signs = torch.randint(-1, 2, (queries, gallery), generator=generator)
    left_out = torch.rand(queries, gallery, generator=generator) < draw(st.sampled_from([0.0, 0.2]))
    left = int((~left_out).sum(dim=1).min())
    return scores, scores + most * signs, most, left_out, draw(st.integers(0, left))


@settings(max_examples=300, deadline=None)
@given(_screened(), st.sampled_from([BLOCK, 3 * BLOCK, 8 * BLOCK]), st.sampled_from([1, 6]))
def test_products_within_the_bound_rule_none_of_the_best_out(case, span, spare):
    scores, found, most, left_out, k = case
    if not k:
        return
    scores, found = (some.masked_fill(left_out, -torch.inf) for some in (scores, found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_screening, "_SPARE", spare)
        shortlist = Shortlist(len(found), k, found.device)
        for first in range(0, found.shape[1], span):
            some = found[:, first : first + span]
            padded = torch.nn.functional.pad(some, (0, -some.shape[1] % BLOCK), value=-torch.inf)
            maxima = padded.unflatten(1, (-1, BLOCK)).amax(dim=2)
            shortlist.add(slice(0, len(found)), slice(first, first + some.shape[1]), maxima)
        room = slots(k)
        blocks, needed = shortlist.candidates(slice(0, len(found)), torch.full((len(found),), most).double())
    for query, best in enumerate(scores.sort(dim=1, descending=True, stable=True).indices[:, :k]):
        listed = blocks[query, : needed[query]].tolist()
        maxima = [float(block.max()) for block in found[query].split(BLOCK)]
        floor = sorted(maxima, reverse=True)[k - 1] - 2 * most if k <= len(maxima) else -np.inf
        near = {i for i, maximum in enumerate(maxima) if maximum >= floor}
        if len(listed) == room:
            # Some are left out, or too few blocks have anything.
            assert len(near) >= room or floor == -np.inf
            continue
        assert sorted(listed) == sorted(near)
        assert {int(i) // BLOCK for i in best} <= set(listed)


def test_few_queries_and_small_galleries_have_all_pairs_scored():
    module = importlib.import_module("huse_bench.kernels.cuda.top_k")
    many = torch.empty(100_000, 1)
    assert module._pays(many, many, 10)
    assert not module._pays(many[:100], many, 10)
    assert not module._pays(many, many[:9000], 10)
    # A shortlist of so many blocks would be all of them.
    assert not module._pays(many, many, 5000)
    with unchecked():
        assert not module._pays(many, many, 10)
    assert top_k is module.top_k
