"""The compiled dropout drops as often as it says, without a pattern, and can be repeated."""

import math

import pytest
import torch
from torch.nn import functional as F

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.training import Model
from huse_bench.training.dropout import relu_dropout

SHAPE = (600, 500)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Many short sums gain nothing from threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kept(seed: int, rate: float, shape=SHAPE) -> torch.Tensor:
    """1 where an element is kept, else 0, in double precision."""
    torch.manual_seed(seed)
    return (relu_dropout(torch.ones(shape), rate) > 0).double()


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
    out = relu_dropout(x, 0.2)
    assert out.dtype == dtype
    assert not bool(out[x <= 0].any())
    positive = out > 0
    torch.testing.assert_close(out[positive], x[positive] / 0.8)
    assert float(out.mean()) == pytest.approx(float(F.relu(x).mean()), rel=0.02)


def test_the_gradient_is_that_of_the_mask_that_was_used():
    x = torch.randn(40, 30, dtype=torch.float64, requires_grad=True)
    out = relu_dropout(x, 0.3)
    upstream = torch.randn(30, 40, dtype=torch.float64).T
    out.backward(upstream)
    torch.testing.assert_close(x.grad, upstream * (out > 0) / 0.7)

    def fixed(x):
        torch.manual_seed(3)
        return relu_dropout(x, 0.3)

    assert torch.autograd.gradcheck(fixed, x[:5].detach().requires_grad_())


def test_a_transposed_input_gives_what_its_copy_gives():
    x = torch.randn(30, 40).T
    torch.manual_seed(0)
    expected = relu_dropout(x.contiguous(), 0.4)
    torch.manual_seed(0)
    assert torch.equal(relu_dropout(x, 0.4), expected)


def test_the_mask_follows_from_torchs_generator_alone():
    first = kept(5, 0.15)
    try:
        torch.set_num_threads(2)
        assert torch.equal(kept(5, 0.15), first)
    finally:
        torch.set_num_threads(1)
    assert not torch.equal(kept(6, 0.15), first)
    again = relu_dropout(torch.ones(SHAPE), 0.15)
    assert not torch.equal((again > 0).double(), first)


def test_a_rate_of_zero_is_the_relu_and_draws_nothing():
    x = torch.randn(SHAPE)
    state = torch.get_rng_state()
    assert torch.equal(relu_dropout(x, 0.0), F.relu(x))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_random_while_evaluating():
    config = TrainingConfig(width=8, embedding_dim=3, dropout=0.5)
    sizes = {"image_features": 6, "text_features": 7, "class_features": 5, "classes": 4}
    tower = Model(config, hb.load("loss", "huse")(), **sizes).image.eval()
    x = torch.randn(20, 6)
    state = torch.get_rng_state()
    expected = x
    for layer in tower.layers[:-1]:
        expected = F.relu(layer(expected))
    assert torch.equal(tower(x), F.normalize(tower.layers[-1](expected), dim=1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_not_finite_stay_visible(bad):
    assert not bool(relu_dropout(torch.full((100,), bad), 0.1).isfinite().all())


def test_low_precision_uses_torchs_own():
    x = torch.randn(100, 100, dtype=torch.bfloat16, requires_grad=True)
    torch.manual_seed(1)
    out = relu_dropout(x, 0.25)
    torch.manual_seed(1)
    assert torch.equal(out, F.dropout(F.relu(x), 0.25))
    out.sum().backward()
    assert x.grad.dtype == torch.bfloat16
