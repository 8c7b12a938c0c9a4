"""The softmax cross-entropy over all pairs, against log-softmax of the whole matrix and against CLIP's own loss."""

import importlib
import subprocess
import sys

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from huse_bench import kernels
from huse_bench.errors import ConfigError
from huse_bench.kernels._fused import tile_size

# The package's name of the module is that of its function.
_module = importlib.import_module("huse_bench.kernels.contrastive")


def unit_rows(count, dim, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1).to(dtype)


def brute_force(image, text, scale, labels):
    logits = scale * image @ text.T
    positives = (labels[:, None] == labels[None, :]).to(logits)
    losses = [-(scores.log_softmax(1) * positives).sum(1) / positives.sum(1) for scores in (logits, logits.T)]
    return torch.stack(losses).mean()


# The example's gradients cancel to zero.
@settings(max_examples=30, deadline=None)
@example(rows=2, dim=1, classes=None, scale=28.0, seed=187, dtype=torch.float32)
@given(
    rows=st.sampled_from([1, 2, 9, 40, 900]),
    dim=st.integers(1, 60),
    classes=st.sampled_from([None, 1, 3, 50]),
    scale=st.floats(0.1, 60),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_value_and_all_gradients_are_those_of_the_matrix_of_pairs(rows, dim, classes, scale, seed, dtype):
    labels = None
    if classes is not None:
        labels = torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed))
    inputs = [
        unit_rows(rows, dim, seed, dtype),
        unit_rows(rows, dim, seed + 1, dtype),
        torch.tensor(scale, dtype=dtype),
    ]
    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    theirs = [tensor.clone().requires_grad_() for tensor in inputs]

    loss = kernels.contrastive(*ours, labels=labels)
    expected = brute_force(*theirs, torch.arange(rows) if labels is None else labels)

    # Logits are rounded in proportion to the scale, and the gradients multiply what that changes by it once more.
    tolerance = {
        "rtol": 2e-4 if dtype == torch.float32 else 1e-9,
        "atol": 8 * torch.finfo(dtype).eps * (1 + scale) ** 2,
    }
    torch.testing.assert_close(loss, expected, **tolerance)
    (3 * loss).backward()
    (3 * expected).backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, **tolerance)


def supervised(rows, scale, labels):
    """Khosla et al.'s equation 2 over a matrix of the pairs, as a mean over the rows."""
    own = torch.eye(len(rows), dtype=torch.bool)
    logits = (scale * rows @ rows.T).masked_fill(own, -torch.inf)
    partners = (labels[:, None] == labels[None, :]) & ~own
    log_shares = logits.log_softmax(1).masked_fill(~partners, 0)
    return -(log_shares.sum(1) / partners.sum(1).clamp_min(1)).mean()


@settings(max_examples=30, deadline=None)
@given(
    rows=st.sampled_from([2, 3, 9, 40, 900]),
    dim=st.integers(2, 40),
    classes=st.sampled_from([1, 3, 50, 2000]),
    scale=st.floats(0.1, 60),
    seed=st.integers(0, 2**31),
)
def test_within_one_set_of_rows_it_is_the_supervised_contrastive_loss(rows, dim, classes, scale, seed):
    # Of many classes, most have one row, which has no partner.
    labels = torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed))
    inputs = [unit_rows(rows, dim, seed), torch.tensor(scale, dtype=torch.float64)]
    (ours, our_scale), (theirs, their_scale) = ([tensor.clone().requires_grad_() for tensor in inputs] for _ in "ab")

    loss = kernels.contrastive(ours, ours, our_scale, labels=labels, exclude_self=True)
    expected = supervised(theirs, their_scale, labels)
    tolerance = {"rtol": 1e-9, "atol": 8 * torch.finfo(torch.float64).eps * (1 + scale) ** 2}
    torch.testing.assert_close(loss, expected, **tolerance)
    if loss.requires_grad and expected.requires_grad:
        (3 * loss).backward()
        (3 * expected).backward()
        torch.testing.assert_close(ours.grad, theirs.grad, **tolerance)
        torch.testing.assert_close(our_scale.grad, their_scale.grad, **tolerance)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_the_gradients_are_those_of_finite_differences(exclude_self):
    labels = torch.tensor([0, 1, 1, 2, 0, 1])
    inputs = (unit_rows(6, 4, 0), unit_rows(6, 4, 1), torch.tensor(3.0, dtype=torch.float64))
    assert torch.autograd.gradcheck(
        lambda image, text, scale: kernels.contrastive(image, text, scale, labels, exclude_self=exclude_self),
        [tensor.requires_grad_() for tensor in inputs],
    )


@pytest.mark.parametrize("size", [1 << 10, 1 << 26])
@pytest.mark.parametrize("exclude_self", [False, True])
def test_as_on_a_gpu_it_is_the_same_loss(size, exclude_self, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    image, text = (normalize(torch.randn(300, 16, generator=generator), dim=1) for _ in range(2))
    labels = torch.randint(0, 40, (300,), generator=generator)

    def value_and_gradients():
        rows = [side.clone().requires_grad_() for side in (image, text)]
        loss = kernels.contrastive(*rows, 20.0, labels, exclude_self=exclude_self)
        loss.backward()
        return loss.detach(), *(side.grad for side in rows)

    expected = value_and_gradients()
    monkeypatch.setattr(_module, "tile_size", lambda *_: size)
    monkeypatch.setattr(_module, "_class_sums", _module._sums_by_sorting)
    for found, before in zip(value_and_gradients(), expected, strict=True):
        torch.testing.assert_close(found, before, rtol=1e-5, atol=1e-7)


def test_tiles_are_larger_where_a_gpu_computes_them():
    assert tile_size(torch.empty(2, 2), 1 << 18) == 1 << 18
    assert tile_size(torch.empty(2, 2, device="meta"), 1 << 18) == 1 << 26


def test_a_single_row_costs_nothing():
    row = unit_rows(1, 3, 0).requires_grad_()
    loss = kernels.contrastive(row, row, 5.0, labels=torch.tensor([0]), exclude_self=True)
    loss.backward()
    assert loss == 0
    assert not row.grad.any()


def test_without_labels_it_is_the_loss_of_clip():
    image, text = unit_rows(12, 5, 0), unit_rows(12, 5, 1)
    logits = 14.3 * image @ text.T
    target = torch.arange(12)
    clip = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(kernels.contrastive(image, text, 14.3), clip)


def test_rows_that_are_not_finite_give_nan():
    image = unit_rows(4, 3, 0)
    image[1, 1] = torch.inf
    assert torch.isnan(kernels.contrastive(image, unit_rows(4, 3, 1), 5.0))


def test_arguments_that_do_not_fit_are_refused():
    rows = unit_rows(4, 3, 0)
    with pytest.raises(ConfigError, match="the shapes must be equal, got image"):
        kernels.contrastive(rows, rows[:3], 1.0)
    with pytest.raises(ConfigError, match="scale must be a single number, got shape"):
        kernels.contrastive(rows, rows, torch.ones(4))
    with pytest.raises(ConfigError, match="labels must be one a row"):
        kernels.contrastive(rows, rows, 1.0, labels=torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ConfigError, match="exclude_self leaves no partners without labels: give labels"):
        kernels.contrastive(rows, rows, 1.0, exclude_self=True)


MEMORY = """
import torch
from huse_bench import kernels
torch.set_num_threads(1)
def peak():
    # Of this program alone: getrusage also counts what the process was before it became this one.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
def loss(rows):
    x = torch.nn.functional.normalize(torch.randn(rows, 64), dim=1).requires_grad_()
    kernels.contrastive(x, x.roll(1, 0), 20.0, labels=torch.arange(rows) % 9).backward()
    kernels.contrastive(x, x, 20.0, labels=torch.arange(rows) % 9, exclude_self=True).backward()
loss(600)
before = peak()
loss(8192)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak of memory from Linux's /proc")
def test_memory_stays_far_below_the_matrix_of_pairs():
    out = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    # One 8192 x 8192 float32 matrix is 256 MiB, and autograd keeps several.
    assert float(out.stdout) < 64
