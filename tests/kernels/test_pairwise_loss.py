"""The loss over all pairs from an elementwise function, against the matrix of pairs and plain autograd."""

import importlib
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize, softplus

from huse_bench import kernels
from huse_bench.errors import ConfigError

# The package's name of the module is that of its function.
_module = importlib.import_module("huse_bench.kernels.pairwise_loss")


def unit_rows(count, dim, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1).to(dtype)


def mixed(pairs, slope):
    """Uses everything that a function is given."""
    near = pairs.same_class & ~pairs.same_item
    gap = pairs.distance - pairs.class_distance
    return torch.where(near, softplus(slope * gap), gap**2) + pairs.same_item * pairs.distance**3


def materialised(function, x, y, labels, distances, *parameters):
    """The same over M x N matrices."""
    same_class = labels[:, None] == labels[None, :]
    same_item = torch.eye(len(x), dtype=torch.bool)
    class_distance = distances[labels][:, labels]
    return function(kernels.Pairs(1 - x @ y.T, class_distance, same_class, same_item), *parameters).mean()


# The largest has several tiles in both directions.
@settings(max_examples=30, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 7, 33, 300, 1500]),
    dim=st.integers(1, 70),
    classes=st.integers(1, 5),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_value_and_all_gradients_are_those_of_the_matrix_of_pairs(rows, dim, classes, seed, dtype):
    labels = torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed))
    table = torch.rand(classes, classes, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    table = (table + table.T).fill_diagonal_(0)
    inputs = [unit_rows(rows, dim, seed, dtype), unit_rows(rows, dim, seed + 1, dtype), torch.tensor(1.7, dtype=dtype)]
    ours = [tensor.clone().requires_grad_() for tensor in inputs]
    theirs = [tensor.clone().requires_grad_() for tensor in inputs]

    loss = kernels.pairwise_loss(mixed, *ours[:2], labels=labels, distances=table, parameters=ours[2:])
    expected = materialised(mixed, *theirs[:2], labels, table, *theirs[2:])

    # Gradients are sums of terms of up to 20 that may cancel.
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-10, "atol": 1e-12}
    torch.testing.assert_close(loss, expected, **tolerance)
    (3 * loss).backward()
    (3 * expected).backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, **tolerance)


def test_rows_against_themselves_get_both_gradients():
    labels = torch.tensor([0, 0, 1, 2, 1])
    x = unit_rows(5, 3, 0).requires_grad_()
    again = x.detach().clone().requires_grad_()
    table = torch.zeros(3, 3, dtype=torch.float64)

    kernels.pairwise_loss(lambda pairs: pairs.distance**2, x, labels=labels).backward()
    materialised(lambda pairs: pairs.distance**2, again, again, labels, table).backward()

    torch.testing.assert_close(x.grad, again.grad)


@pytest.mark.parametrize("size", [1 << 9, 1 << 26])
def test_tiles_of_any_size_give_the_same(size, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    rows = normalize(torch.randn(1500, 8, generator=generator), dim=1)
    labels = torch.randint(0, 5, (1500,), generator=generator)

    def value_and_gradient():
        x = rows.clone().requires_grad_()
        loss = kernels.pairwise_loss(lambda pairs: pairs.same_class * pairs.distance**2, x, labels=labels)
        loss.backward()
        return loss.detach(), x.grad

    expected = value_and_gradient()
    monkeypatch.setattr(_module, "tile_size", lambda *_: size)
    for found, before in zip(value_and_gradient(), expected, strict=True):
        torch.testing.assert_close(found, before, rtol=1e-5, atol=1e-8)


def test_a_function_that_no_distance_enters_has_zero_gradients():
    x = unit_rows(4, 2, 0).requires_grad_()
    loss = kernels.pairwise_loss(lambda pairs: pairs.same_class.double(), x, labels=torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss == 0.5
    assert not x.grad.any()


def test_rows_that_are_not_finite_give_nan_and_not_a_number_that_looks_right():
    x = unit_rows(4, 2, 0)
    x[2, 0] = torch.nan
    loss = kernels.pairwise_loss(lambda pairs: pairs.distance.relu() * 0, x, labels=torch.zeros(4, dtype=torch.int64))
    assert torch.isnan(loss)


def refused(function, message, *, x=None, **arguments):
    rows = unit_rows(6, 3, 0) if x is None else x
    with pytest.raises(ConfigError, match=re.escape(message)):
        kernels.pairwise_loss(function, rows, labels=torch.tensor([0, 0, 1, 1, 2, 2]), **arguments)


NOT_ELEMENTWISE = {
    "softmax": lambda pairs: pairs.distance.softmax(dim=1),
    "mean": lambda pairs: pairs.distance - pairs.distance.mean(),
    "column mean": lambda pairs: pairs.distance - pairs.distance.mean(0),
    "diagonal": lambda pairs: pairs.distance.diagonal()[:, None] + 0 * pairs.distance,
    "first row": lambda pairs: pairs.distance - pairs.distance[:1],
    "row number": lambda pairs: pairs.distance * torch.arange(len(pairs.distance))[:, None],
    "upper triangle": lambda pairs: pairs.distance.triu(),
    "another's place": lambda pairs: pairs.distance.roll(1, 0),
    "cumulated": lambda pairs: pairs.distance.cumsum(1),
    "nearest of a row": lambda pairs: (pairs.distance == pairs.distance.amin(1, keepdim=True)) * pairs.distance,
    "size": lambda pairs: pairs.distance / pairs.distance.shape[1],
    "whether any is an item with itself": lambda pairs: pairs.distance * (1 + pairs.same_item.any()),
    "share of a class": lambda pairs: pairs.same_class / pairs.same_class.sum() * pairs.distance,
    "slope alone": lambda pairs: pairs.distance + pairs.distance.mean() ** 2 - pairs.distance.mean().detach() ** 2,
}


# The largest has several tiles; in the smaller ones the first tile is the whole.
@pytest.mark.parametrize("rows", [2, 12, 600])
@pytest.mark.parametrize("name", NOT_ELEMENTWISE)
def test_a_function_that_is_not_elementwise_is_refused(name, rows):
    x, y = unit_rows(rows, 5, 0), unit_rows(rows, 5, 1)
    with pytest.raises(ConfigError, match="the function is not elementwise: it"):
        kernels.pairwise_loss(NOT_ELEMENTWISE[name], x, y, labels=torch.arange(rows) % 4)


def test_a_function_that_knows_the_size_of_the_batch_is_refused():
    weights = torch.rand(6, 6, dtype=torch.float64)
    refused(lambda pairs: weights * pairs.distance, "it fails on (6, 5) of its pairs and not of all (6, 6): ")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 2, 3, 50, 600])
def test_elementwise_functions_are_taken(rows, dtype):
    x, y = unit_rows(rows, 5, 0, dtype), unit_rows(rows, 5, 1, dtype)
    functions = (
        # Differences that cancel, values without a gradient, infinite ones, and whole numbers.
        lambda pairs: (pairs.distance * 30).exp() - (pairs.distance * 30 + 1e-6).exp(),
        lambda pairs: pairs.same_item.to(pairs.distance),
        lambda pairs: torch.where(pairs.same_class, pairs.distance, torch.inf),
        lambda pairs: pairs.same_class & ~pairs.same_item,
    )
    for function in functions:
        kernels.pairwise_loss(function, x, y, labels=torch.arange(rows) % 4)


def test_a_function_of_another_shape_is_refused():
    refused(lambda pairs: pairs.distance.mean(), "one value a pair, a tensor of shape (6, 6) as pairs.distance has")
    refused(lambda pairs: pairs.distance.sum(1), "got shape (6,)")
    refused(lambda _: 1.0, "got float")


def test_a_parameter_that_would_get_no_gradient_is_refused():
    temperature = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    refused(lambda pairs: temperature * pairs.distance, "give it in parameters")


def test_arguments_that_do_not_fit_are_refused():
    def f(pairs):
        return pairs.distance

    refused(f, "the shapes must be equal, got x (6, 3), y (5, 3)", y=unit_rows(5, 3, 1))
    refused(f, "labels must be in [0, 2)", distances=torch.zeros(2, 2))
    refused(f, "distances must be symmetric", distances=torch.tensor([[0.0, 1], [0.2, 0]]))
    refused(f, "x must be a matrix", x=torch.zeros(6))


MEMORY = """
import torch
from huse_bench import kernels
torch.set_num_threads(1)
def peak():
    # Of this program alone: getrusage also counts what the process was before it became this one.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
def loss(rows):
    x = torch.nn.functional.normalize(torch.randn(rows, 64), dim=1).requires_grad_()
    kernels.pairwise_loss(lambda p: p.same_class * p.distance.relu() ** 2, x, labels=torch.arange(rows) % 9).backward()
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
