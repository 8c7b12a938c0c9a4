"""Dropout drops as often as it says, without a pattern, and the same on every device."""

import importlib.util
import math
import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from huse_bench.kernels import cpu, reference
from huse_bench.kernels.relu_dropout import drawn_keys, relu_dropout

SHAPE = (600, 500)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Many short sums gain nothing from threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def key_of(seed: int) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return drawn_keys(1)[0]


def kept(seed: int, rate: float, shape=SHAPE) -> torch.Tensor:
    """1 where an element is kept, else 0, in double precision."""
    return (relu_dropout(torch.ones(shape), rate, key_of(seed)) > 0).double()


def sigmas(share: float, expected: float, count: int) -> float:
    return abs(share - expected) / math.sqrt(expected * (1 - expected) / count)


@pytest.mark.parametrize("rate", [0.001, 0.15, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(rate):
    masks = torch.stack([1 - kept(seed, rate) for seed in range(10)])
    assert sigmas(float(masks.mean()), rate, masks.numel()) < 5
    # Of every row, column and step as well as of all: the squares of independent deviations are chi-squared.
    for dims in ((0, 2), (0, 1), (1, 2)):
        shares = masks.mean(dim=dims)
        chi_squared = (shares - rate).square().sum() / (rate * (1 - rate)) * (masks.numel() / len(shares))
        assert abs(float(chi_squared) - len(shares)) < 5 * math.sqrt(2 * len(shares))


@pytest.mark.parametrize("shift", [1, 2, 3, 4, 7, 8, 16, 64, 499, 500, 501, 512, 4096, 65536])
def test_elements_are_dropped_independently(shift):
    mask = kept(1, 0.15).view(-1)
    both = mask[shift:] * mask[:-shift]
    # Pairs that share an element covary, so the mean product varies more than that of as many separate pairs.
    product = 0.85**2
    deviation = math.sqrt((product * (1 - product) + 2 * (0.85**3 - product**2)) / len(both))
    assert abs(float(both.mean()) - product) < 5 * deviation


def test_draws_are_independent_of_each_other():
    masks = torch.stack([kept(seed, 0.15).view(-1) - 0.85 for seed in range(30)])
    correlations = (masks @ masks.T / (0.15 * 0.85) / masks.shape[1]).fill_diagonal_(0)
    assert float(correlations.abs().max()) < 5 / math.sqrt(masks.shape[1])


def test_masks_of_different_draws_are_no_rearrangement_of_each_other():
    # Were each draw a piece of one sequence, numbers of dropped elements of aligned pieces would come again.
    counts = [kept(seed, 0.5, (2**16,)).view(16, -1).sum(dim=1) for seed in range(300)]
    totals = torch.stack(counts).sum(dim=1)
    assert float(totals.var()) == pytest.approx(2**16 / 4, rel=0.45)
    assert len({tuple(sorted(count.tolist())) for count in counts}) == 300


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_kept_is_the_scaled_relu(dtype):
    x = torch.randn(SHAPE, dtype=dtype)
    out = relu_dropout(x, 0.2, key_of(0))
    assert out.dtype == dtype
    assert not bool(out[x <= 0].any())
    positive = out > 0
    torch.testing.assert_close(out[positive], x[positive] / 0.8)
    assert float(out.mean()) == pytest.approx(float(F.relu(x).mean()), rel=0.02)


def test_the_gradient_is_that_of_the_mask_that_was_used():
    x = torch.randn(40, 30, dtype=torch.float64, requires_grad=True)
    out = relu_dropout(x, 0.3, key_of(3))
    upstream = torch.randn(30, 40, dtype=torch.float64).T
    out.backward(upstream)
    torch.testing.assert_close(x.grad, upstream * (out > 0) / 0.7)

    # Away from zero, where the slopes on both sides differ.
    some = (x[:5].detach() + 0.01 * x[:5].detach().sign()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: relu_dropout(x, 0.3, key_of(3)), some)


def test_a_transposed_input_gives_what_its_copy_gives():
    x = torch.randn(30, 40).T
    expected = relu_dropout(x.contiguous(), 0.4, key_of(0))
    assert torch.equal(relu_dropout(x, 0.4, key_of(0)), expected)


def test_the_mask_follows_from_its_key_alone():
    first = kept(5, 0.15)
    try:
        torch.set_num_threads(2)
        assert torch.equal(kept(5, 0.15), first)
    finally:
        torch.set_num_threads(1)
    assert not torch.equal(kept(6, 0.15), first)


def test_keys_that_are_drawn_at_once_are_those_drawn_one_by_one():
    torch.manual_seed(4)
    at_once = drawn_keys(5)
    torch.manual_seed(4)
    assert torch.equal(torch.cat([drawn_keys(1) for _ in range(5)]), at_once)
    assert int(at_once.max()) < 2**32 <= 3 * int(at_once.max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_each_of_several_batches_has_the_mask_that_it_has_alone(dtype):
    keys = torch.stack([key_of(seed) for seed in range(3)])
    x = torch.randn(3, 20, 30).to(dtype).requires_grad_()
    upstream = torch.randn(3, 20, 30).to(dtype)
    out = relu_dropout(x, 0.4, keys)
    (gradient,) = torch.autograd.grad(out, x, upstream)
    for batch in range(3):
        alone = x[batch].detach().requires_grad_()
        expected = relu_dropout(alone, 0.4, keys[batch])
        assert torch.equal(out[batch], expected)
        assert torch.equal(gradient[batch], torch.autograd.grad(expected, alone, upstream[batch])[0])


def test_a_part_of_a_batch_has_its_part_of_the_mask():
    x = torch.randn(50, 8)
    whole = relu_dropout(x, 0.4, key_of(1))
    assert torch.equal(relu_dropout(x[20:], 0.4, key_of(1), place=20 * 8), whole[20:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("place", [0, 7, 2**31 - 500])
def test_torchs_operations_form_the_same_bits(dtype, place):
    keys = torch.stack([key_of(seed) for seed in range(2)])
    x = torch.randn(2, 40, 30).to(dtype)
    x[0, 0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    bound, scale = round(0.3 * 2**32), 1 / 0.7
    out = cpu.relu_dropout.drop(x, keys, bound, place, scale)
    expected = reference.drop(x, keys, bound, place, scale)
    assert out.dtype == dtype
    torch.testing.assert_close(out, expected, rtol=0, atol=0, equal_nan=True)
    upstream = torch.randn(2, 40, 30).to(dtype)
    found = cpu.relu_dropout.pass_back(upstream, out, scale)
    torch.testing.assert_close(found, reference.pass_back(upstream, out, scale), rtol=0, atol=0)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_not_finite_stay_visible(bad):
    assert not bool(relu_dropout(torch.full((100,), bad), 0.1, key_of(0)).isfinite().all())


# Triton decides at its import whether it interprets, so a process of its own does.
ON_A_GPU = """
import sys
import torch
from huse_bench.kernels.cuda import relu_dropout as cuda

there = "cuda" if torch.cuda.is_available() else "cpu"
x, keys, upstream = (tensor.to(there) for tensor in torch.load(sys.argv[1]))
out = cuda.drop(x, keys, int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
torch.save([out.cpu(), cuda.pass_back(upstream, out, float(sys.argv[4])).cpu()], sys.argv[1])
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.parametrize("place", [0, 2**31 - 500])
def test_a_gpu_drops_the_same_elements(tmp_path, place):
    # Those of one layer of several, which do not lie side by side.
    keys = torch.stack([key_of(seed) for seed in range(12)]).view(3, 4, 2)[:, 2]
    # Neither whole blocks nor a multiple of 16.
    x, upstream = torch.randn(2, 3, 43, 31)
    x[0, 0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    bound, scale = round(0.6 * 2**32), 1 / 0.4
    torch.save([x, keys, upstream], tmp_path / "tensors.pt")
    interpret = "0" if torch.cuda.is_available() else "1"
    command = [sys.executable, "-c", ON_A_GPU, tmp_path / "tensors.pt", str(bound), str(place), str(scale)]
    subprocess.run(command, check=True, env={**os.environ, "TRITON_INTERPRET": interpret})
    out, gradient = torch.load(tmp_path / "tensors.pt")
    expected = cpu.relu_dropout.drop(x, keys, bound, place, scale)
    torch.testing.assert_close(out, expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(gradient, cpu.relu_dropout.pass_back(upstream, expected, scale), rtol=0, atol=0)
