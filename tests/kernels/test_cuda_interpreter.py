"""The CUDA kernels without a GPU: Triton's interpreter runs them on CPU tensors, and the reference is the judge.

In float32 alone: the interpreter multiplies bfloat16 wrongly, and tf32 as float32. What those compile to is
tested in test_cuda_compile.py.
"""

import importlib.util
import os
import pickle
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import normalize

from huse_bench.kernels import reference

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

RELAXATIONS = ("and", "or", "hinge", "none")

# Triton decides at its import whether it interprets, so a process of its own does.
WORKER = """
import pickle, sys, traceback
import torch
from huse_bench.kernels import cuda

torch.set_num_threads(1)
while True:
    name, rows, arguments, upstream = pickle.load(sys.stdin.buffer)
    try:
        leaves = [row.requires_grad_() for row in rows]
        value = getattr(cuda, name)(*leaves, *arguments)
        (upstream * value).sum().backward()
        answer = value.detach(), [leaf.grad for leaf in leaves]
    except Exception:
        answer = traceback.format_exc()
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def interpreted():
    """Calls a loss of the CUDA backend; gives its value and its gradients."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TRITON_INTERPRET": "1"},
    )

    def call(name, rows, *arguments, upstream=1.0):
        pickle.dump((name, rows, arguments, upstream), worker.stdin)
        worker.stdin.flush()
        answer = pickle.load(worker.stdout)
        assert not isinstance(answer, str), answer
        return answer

    yield call
    worker.kill()
    worker.communicate()


def unit_rows(seed, count, dim):
    return normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def some_labels(seed, count, classes):
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def class_distances(classes):
    psi = unit_rows(7, classes, 4)
    return (1 - psi @ psi.T).clamp_min(0).fill_diagonal_(0)


def to_double(argument):
    floating = isinstance(argument, torch.Tensor) and argument.is_floating_point()
    return argument.double() if floating else argument


def judged(loss, rows, *arguments):
    """Value and gradients of the reference in float64."""
    leaves = [row.double().requires_grad_() for row in rows]
    value = loss(*leaves, *arguments)
    value.sum().backward()
    return value.detach(), [leaf.grad for leaf in leaves]


def assert_close(answer, expected):
    (value, gradients), (wanted_value, wanted) = answer, expected
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), wanted_value, rtol=1e-5, atol=1e-7)
    for gradient, of_reference in zip(gradients, wanted, strict=True):
        assert gradient.dtype == torch.float32
        scale = float(of_reference.abs().max())
        torch.testing.assert_close(gradient.double(), of_reference, rtol=0, atol=2e-6 * scale + 1e-9)


# The dimensions: of one, of less than a tile, whole steps and chunks and one more than whole, and several chunks.
# The counts: likewise of the 32 columns and 64 rows that a tile has.
SHAPES = [(1, 1, 1), (5, 2, 3), (31, 15, 4), (32, 16, 4), (33, 17, 2), (130, 33, 60), (64, 128, 1), (65, 300, 9)]


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize(("count", "dim", "classes"), SHAPES)
def test_graph_loss_is_that_of_the_reference(interpreted, count, dim, classes, relaxation):
    rows = unit_rows(count, count, dim)
    labels, distances = some_labels(dim, count, classes), class_distances(classes)
    assert_close(
        interpreted("graph_loss", [rows], labels, distances, 0.8, relaxation, "fp32"),
        judged(reference.graph_loss, [rows], labels, distances.double(), 0.8, relaxation),
    )


@pytest.mark.parametrize("name", ["graph_loss", "mismatch_hinge"])
def test_the_tiles_of_tf32_cover_all_pairs_too(interpreted, name):
    matrices, (*arguments, _) = losses(65)[name]
    rows = [unit_rows(seed, 65, 300) for seed in range(matrices)]
    expected = judged(getattr(reference, name), rows, *(to_double(argument) for argument in arguments))
    assert_close(interpreted(name, rows, *arguments, "tf32"), expected)


@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0, 2.5])
def test_graph_loss_skips_no_block_that_counts(interpreted, margin):
    # Rows near their class, many blocks, few of them within reach of each other.
    centers = unit_rows(1, 24, 8)
    labels = some_labels(2, 200, 24) * 5  # Classes without a row in between.
    rows = normalize(centers[labels // 5] + 0.2 * unit_rows(3, 200, 8), dim=1)
    distances = (1 - centers @ centers.T).clamp_min(0).fill_diagonal_(0)
    distances = distances.repeat_interleave(5, 0).repeat_interleave(5, 1)
    assert_close(
        interpreted("graph_loss", [rows], labels, distances, margin, "and", "fp32"),
        judged(reference.graph_loss, [rows], labels, distances.double(), margin, "and"),
    )


@pytest.mark.parametrize(("count", "dim", "classes"), SHAPES)
def test_mismatch_hinge_is_that_of_the_reference(interpreted, count, dim, classes):
    del classes
    rows = [unit_rows(count, count, dim), unit_rows(count + 1, count, dim)]
    assert_close(
        interpreted("mismatch_hinge", rows, 0.05, "fp32"),
        judged(reference.mismatch_hinge, rows, 0.05),
    )


def losses(count):
    """Name to the number of its row matrices and its other arguments."""
    labels = some_labels(3, count, 4)
    return {
        "graph_loss": (1, (labels, class_distances(4), 0.8, "or", "fp32")),
        "mismatch_hinge": (2, (0.05, "fp32")),
    }


NAMES = list(losses(1))


@pytest.mark.parametrize("name", NAMES)
def test_strided_rows_and_upstream_gradients(interpreted, name):
    wide = unit_rows(4, 80, 40)
    matrices, arguments = losses(40)[name]
    rows = [wide[::2, ::2], wide[1::2, ::2]][:matrices]
    value, gradients = interpreted(name, rows, *arguments, upstream=-3.0)
    wanted_value, wanted = interpreted(name, [row.contiguous() for row in rows], *arguments)
    assert torch.equal(value, wanted_value)
    assert all(torch.equal(ours, -3 * theirs) for ours, theirs in zip(gradients, wanted, strict=True))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_is_not_finite_shows_in_value_and_gradient(interpreted, name, bad):
    matrices, arguments = losses(40)[name]
    rows = [unit_rows(seed, 40, 6) for seed in range(matrices)]
    rows[-1][7, 2] = bad
    value, gradients = interpreted(name, rows, *arguments)
    assert bool(value.isnan().all())
    assert all(bool(gradient.isnan().all()) for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_compare_gives_zero_and_no_gradient(interpreted, name):
    matrices, arguments = losses(1)[name]
    value, gradients = interpreted(name, [unit_rows(0, 1, 3)] * matrices, *arguments)
    assert not bool(value.any())
    assert not any(bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bits_each_time(interpreted, name):
    matrices, arguments = losses(90)[name]
    rows = [unit_rows(seed, 90, 20) for seed in range(matrices)]
    value, gradients = interpreted(name, rows, *arguments)
    again, gradients_again = interpreted(name, rows, *arguments)
    assert torch.equal(value, again)
    assert all(map(torch.equal, gradients, gradients_again))


def test_blocks_are_compared_with_those_within_reach_and_no_others():
    from huse_bench.kernels.cuda.graph_loss import _schedule

    classes = some_labels(0, 50, 12).sort().values
    reach = class_distances(12) < 0.4
    others, counts = _schedule(classes, reach, 8, 4)
    assert others.shape == (7, 13)
    # A block's classes are those between its first and its last.
    spans = [[range(int(part[0]), int(part[-1]) + 1) for part in classes.split(size)] for size in (8, 4)]
    for block, rows in enumerate(spans[0]):
        expected = [j for j, span in enumerate(spans[1]) if any(bool(reach[a, b]) for a in rows for b in span)]
        assert others[block, : counts[block]].tolist() == expected
    assert int(counts.sum()) < 7 * 13
