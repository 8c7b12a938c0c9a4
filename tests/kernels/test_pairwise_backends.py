"""The backends of the pairwise losses: equal to each other and to loops over triplets, smooth, deterministic."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from huse_bench.errors import ConfigError
from huse_bench.kernels import (
    cosine_embedding,
    double_triplet,
    double_triplet_terms,
    graph_loss,
    semihard_triplet,
)

RELAXATIONS = ("and", "or", "hinge", "none")
BACKENDS = ("cpu", "reference")
# Compiling the numba passes is slow, once.
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tiny products gain nothing from threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def unit_rows(seed, count, dim, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1).to(dtype)


def some_labels(seed, count, classes):
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed + 1))


def class_distances(seed, classes):
    psi = unit_rows(seed + 2, classes, 5)
    return (1 - psi @ psi.T).clamp_min(0).fill_diagonal_(0)


def exact_rows(seed, count, dim):
    """Rows no longer than 1 in single precision, many of them alike, whose products are not rounded."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(-1, 2, (count, dim), generator=generator)
    return signs.float() / 2 ** math.ceil(math.log2(dim) / 2)


def laid_out(rows, layout):
    """The same rows, in memory as the layout says."""
    if layout == "transposed":
        return rows.T.contiguous().T
    if layout == "strided":
        return rows.repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)[::2, ::2]
    return rows


def value_and_gradients(loss, *tensors):
    # detach, unlike clone, keeps the layout of strided rows.
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    value = loss(*leaves)
    value.backward()
    return value.detach(), [leaf.grad for leaf in leaves]


def assert_backends_agree(loss, *tensors, rtol=1e-9, atol=1e-12):
    value, gradients = value_and_gradients(lambda *rows: loss(*rows, backend="cpu"), *tensors)
    expected, expected_gradients = value_and_gradients(lambda *rows: loss(*rows, backend="reference"), *tensors)
    assert value.dtype == expected.dtype
    torch.testing.assert_close(value, expected, rtol=rtol, atol=atol)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        scale = float(wanted.abs().max()) or 1.0
        torch.testing.assert_close(gradient, wanted, rtol=0, atol=rtol * scale + atol)


batches = {
    "seed": st.integers(0, 10**6),
    "count": st.one_of(st.integers(1, 40), st.integers(250, 600)),
    "dim": st.one_of(st.integers(1, 64), st.integers(65, 1024)),
    "layout": st.sampled_from(["contiguous", "strided", "transposed"]),
    "classes": st.one_of(st.integers(1, 5), st.integers(1, 200)),
    # Not so small that it is lost beside a similarity of 1, in one order of summing but not in another.
    "margin": st.one_of(st.just(0.0), st.floats(0.001, 2)),
}


@quick
@given(**batches, relaxation=st.sampled_from(RELAXATIONS))
@example(seed=0, layout="strided", count=1, dim=1, classes=1, margin=0.5, relaxation="and")
@example(seed=0, layout="strided", count=600, dim=7, classes=1, margin=0.9, relaxation="and")
@example(seed=0, layout="strided", count=600, dim=7, classes=2, margin=0.2, relaxation="and")
@example(seed=0, layout="strided", count=600, dim=7, classes=90, margin=0.3, relaxation="and")
@example(seed=0, layout="strided", count=600, dim=7, classes=90, margin=1.0, relaxation="and")
@example(seed=0, layout="strided", count=600, dim=7, classes=600, margin=0.5, relaxation="or")
def test_graph_loss_agrees(seed, count, dim, layout, classes, margin, relaxation):
    labels, distances = some_labels(seed, count, classes), class_distances(seed, classes)
    assert_backends_agree(
        lambda x, backend: graph_loss(x, labels, distances, margin, relaxation, backend=backend),
        laid_out(unit_rows(seed, count, dim), layout),
    )


@quick
# In one dimension all distances are equal, and either of two equally distant negatives may be taken.
@given(**{**batches, "dim": st.integers(2, 1024)})
@example(seed=0, layout="strided", count=600, dim=3, classes=2, margin=0.2)
@example(seed=0, layout="strided", count=300, dim=3, classes=1, margin=0.2)
@example(seed=0, layout="strided", count=1, dim=3, classes=1, margin=0.2)
def test_semihard_triplet_agrees(seed, count, dim, layout, classes, margin):
    labels = some_labels(seed, count, classes) - 1
    assert_backends_agree(
        lambda x, backend: semihard_triplet(x, labels, margin, backend=backend),
        laid_out(unit_rows(seed, count, dim), layout),
    )


@quick
@given(
    **{**batches, "count": st.integers(1, 60)},
    pairs=st.sampled_from(["first", "all"]),
)
@example(seed=0, layout="strided", count=1, dim=3, classes=1, margin=0.2, pairs="first")
@example(seed=0, layout="strided", count=270, dim=3, classes=60, margin=0.2, pairs="all")
@example(seed=0, layout="strided", count=30, dim=3, classes=200, margin=0.2, pairs="first")
def test_double_triplet_agrees(seed, count, dim, layout, classes, margin, pairs):
    labels = some_labels(seed, count, max(classes, count // 20)) - 1
    assert_backends_agree(
        lambda u, v, backend: double_triplet(u, v, labels, margin, 0.7, pairs, backend=backend),
        laid_out(unit_rows(seed, count, dim), layout),
        laid_out(unit_rows(seed + 9, count, dim), layout),
    )


@quick
@given(**{name: batches[name] for name in ("seed", "count", "dim", "layout")}, margin=st.floats(-1, 1))
@example(seed=0, layout="strided", count=1, dim=1, margin=0.1)
def test_cosine_embedding_agrees(seed, count, dim, layout, margin):
    assert_backends_agree(
        lambda u, v, backend: cosine_embedding(u, v, margin, 0.8, backend=backend),
        laid_out(unit_rows(seed, count, dim), layout),
        laid_out(unit_rows(seed + 9, count, dim), layout),
    )


def every_loss(labels, distances):
    """Name to a function of two modalities and a backend."""
    both = labels.repeat(2)
    losses = {
        "semihard": lambda u, v, backend=None: semihard_triplet(torch.cat([u, v]), both, 0.3, backend=backend),
        "first": lambda u, v, backend=None: double_triplet(u, v, labels, 0.3, 0.5, backend=backend),
        "all": lambda u, v, backend=None: double_triplet(u, v, labels, 0.3, 0.5, "all", backend=backend),
        "cosine": lambda u, v, backend=None: cosine_embedding(u, v, 0.1, 0.8, backend=backend),
    }
    for relaxation in RELAXATIONS:
        losses[relaxation] = lambda u, v, relaxation=relaxation, backend=None: graph_loss(
            torch.cat([u, v]), both, distances, 0.8, relaxation, backend=backend
        )
    return losses


NAMES = list(every_loss(some_labels(0, 2, 1), class_distances(0, 1)))


def loss_named(name, count, classes=4, seed=3):
    return every_loss(some_labels(seed, count, classes), class_distances(seed, classes))[name]


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_agrees(name):
    loss = loss_named(name, 300, classes=40)
    u, v = unit_rows(1, 300, 64, torch.float32), unit_rows(2, 300, 64, torch.float32)
    assert_backends_agree(loss, u, v, rtol=1e-5, atol=1e-6)
    assert loss(u, v).dtype == torch.float32


@quick
@given(
    name=st.sampled_from(NAMES),
    **{key: batches[key] for key in ("seed", "dim", "layout")},
    count=st.integers(1, 200),
    classes=st.integers(1, 50),
)
@example(name="semihard", seed=0, count=1, dim=1, layout="strided", classes=1)
@example(name="all", seed=0, count=60, dim=1, layout="transposed", classes=1)
@example(name="and", seed=0, count=200, dim=1024, layout="strided", classes=50)
def test_single_precision_agrees_closely_where_products_are_exact(name, seed, dim, layout, count, classes):
    loss = loss_named(name, count, classes, seed)
    u, v = (laid_out(exact_rows(seed + k, count, dim), layout) for k in (1, 2))
    if name == "semihard":
        # Among equally distant negatives either may be taken: the value is the same, the gradient is not.
        assert float(loss(u, v)) == pytest.approx(float(loss(u, v, backend="reference")), rel=1e-5, abs=1e-6)
    else:
        assert_backends_agree(loss, u, v, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name, backend):
    loss = loss_named(name, 6, classes=2)
    u, v = (unit_rows(seed, 6, 3).requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradcheck(lambda u, v: loss(u, v, backend=backend), (u, v))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_exact_duplicates_agree_across_backends(name, backend):
    # Entries of +-1/2 make every similarity exact, so ties are ties in whatever order they are summed.
    signs = torch.tensor([[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1], [-1, -1, -1, -1]], dtype=torch.float64) / 2
    labels, distances = some_labels(5, 24, 3), class_distances(5, 3)
    u, v = signs[some_labels(6, 24, 4)], signs[some_labels(7, 24, 4)]
    value = every_loss(labels, distances)[name](u, v, backend=backend)
    assert float(value) == pytest.approx(
        float(every_loss(labels, distances)[name](u, v, backend="reference")), abs=1e-12
    )
    assert bool(value.isfinite())


@pytest.mark.parametrize("name", NAMES)
def test_strided_rows_and_upstream_gradients(name):
    wide = unit_rows(4, 30, 20)
    u, v = wide[::2, ::2], wide.T.contiguous().T[1::2, ::2]
    assert not u.is_contiguous()
    loss = loss_named(name, 15)
    _, gradients = value_and_gradients(lambda u, v: -3 * loss(u, v), u, v)
    _, expected = value_and_gradients(lambda u, v: loss(u, v, backend="reference"), u.contiguous(), v.contiguous())
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, -3 * wanted)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_is_not_finite_shows_in_value_and_gradient(name, backend):
    u, v = unit_rows(1, 300, 4), unit_rows(2, 300, 4)
    u[7, 2] = torch.nan
    value, gradients = value_and_gradients(lambda u, v: loss_named(name, 300)(u, v, backend=backend), u, v)
    assert any(bool(gradient.isnan().any()) for gradient in gradients)
    assert bool(value.isnan()) or backend == "reference"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bits_each_time(name):
    u, v = unit_rows(1, 700, 33, torch.float32), unit_rows(2, 700, 33, torch.float32)
    loss = loss_named(name, 700, classes=30)
    value, gradients = value_and_gradients(loss, u, v)
    for _ in range(3):
        again, gradients_again = value_and_gradients(loss, u, v)
        assert torch.equal(value, again)
        assert all(map(torch.equal, gradients, gradients_again))


@pytest.mark.parametrize("name", NAMES)
def test_low_precision_is_computed_in_single(name):
    u, v = unit_rows(1, 20, 8, torch.bfloat16), unit_rows(2, 20, 8, torch.bfloat16)
    loss = loss_named(name, 20)
    expected = loss(u.float(), v.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradients = value_and_gradients(loss, u, v)
    assert torch.equal(value, expected)
    assert {gradient.dtype for gradient in gradients} == {torch.bfloat16}


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_second_derivative(name):
    u, v = (unit_rows(seed, 6, 3).requires_grad_() for seed in (1, 2))
    (gradient,) = torch.autograd.grad(loss_named(name, 6, classes=2)(u, v).square(), u, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_similarities_too_many_to_keep_are_formed_again(monkeypatch):
    loss = loss_named("first", 300, classes=20)
    u, v = unit_rows(1, 300, 5), unit_rows(2, 300, 5)
    value, gradients = value_and_gradients(loss, u, v)
    monkeypatch.setattr("huse_bench.kernels.cpu.double_triplet._KEEP", 0)
    again, gradients_again = value_and_gradients(loss, u, v)
    torch.testing.assert_close(value, again)
    for gradient, wanted in zip(gradients_again, gradients, strict=True):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 14), classes=st.integers(1, 5), margin=st.floats(0, 1))
@quick
def test_semihard_triplet_is_what_loops_give(backend, seed, count, classes, margin):
    x, labels = unit_rows(seed, count, 3), some_labels(seed, count, classes)
    distance, y = 1 - (x @ x.T).numpy(), labels.numpy()
    costs = []
    for a in range(count):
        negatives = [distance[a, n] for n in range(count) if y[n] != y[a]]
        for p in range(count):
            if p != a and y[p] == y[a] and negatives:
                farther = [d for d in negatives if d > distance[a, p]]
                costs.append(max(0, margin + distance[a, p] - (min(farther) if farther else max(negatives))))
    expected = np.mean(costs) if costs else 0
    assert float(semihard_triplet(x, labels, margin, backend=backend)) == pytest.approx(expected, abs=1e-12)


def looped_term(distance, y, margin, level, pairs):
    """One term of the double triplet loss, row i of distances being query i."""
    count = len(y)
    costs = []
    fewest = min((sum(y[j] >= 0 and y[j] != y[i] for j in range(count)) for i in range(count) if y[i] >= 0), default=0)
    for i in range(count):
        if level == "instance":
            positives, negatives = [i], [j for j in range(count) if j != i]
        elif y[i] < 0:
            continue
        else:
            positives = [j for j in range(count) if j != i and y[j] == y[i]]
            negatives = [j for j in range(count) if y[j] >= 0 and y[j] != y[i]]
            if pairs == "first":
                positives, negatives = positives[:1], negatives[:fewest]
        costs += [margin + distance[i, p] - distance[i, n] for p in positives for n in negatives]
    informative = [cost for cost in costs if cost > 0]
    return np.mean(informative) if informative else 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pairs", ["first", "all"])
@given(seed=st.integers(0, 10**6), count=st.integers(1, 14), classes=st.integers(1, 6), margin=st.floats(0.01, 1))
@quick
def test_double_triplet_is_what_loops_give(backend, pairs, seed, count, classes, margin):
    u, v, labels = unit_rows(seed, count, 3), unit_rows(seed + 9, count, 3), some_labels(seed, count, classes) - 1
    distance, y = 1 - (u @ v.T).numpy(), labels.numpy()
    terms = double_triplet_terms(u, v, labels, margin, pairs, backend=backend)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(
        {
            "instance_image": looped_term(distance, y, margin, "instance", pairs),
            "instance_text": looped_term(distance.T, y, margin, "instance", pairs),
            "semantic_image": looped_term(distance, y, margin, "semantic", pairs),
            "semantic_text": looped_term(distance.T, y, margin, "semantic", pairs),
        },
        abs=1e-12,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_compare_gives_zero_and_no_gradient(backend):
    x, classes = unit_rows(0, 6, 3), torch.arange(6)
    cases = [
        lambda x: semihard_triplet(x, classes, 0.5, backend=backend),
        lambda x: semihard_triplet(x, classes * 0, 0.5, backend=backend),
        lambda x: graph_loss(x, classes, 1 - torch.eye(6), 0.0, "and", backend=backend),
        lambda x: graph_loss(x[:1], classes[:1], torch.zeros(1, 1), 0.5, "none", backend=backend),
        lambda x: cosine_embedding(x[:1], x[:1].detach(), 0.1, 1.0, backend=backend),
        lambda x: double_triplet(x[:1], x[:1].detach(), classes[:1], 0.5, 1.0, backend=backend),
    ]
    for case in cases:
        value, (gradient,) = value_and_gradients(case, x)
        assert float(value) == 0
        assert not bool(gradient.any())


def test_the_cpu_backend_is_the_default():
    assert semihard_triplet(unit_rows(0, 4, 3).requires_grad_(), torch.tensor([0, 0, 1, 1]), 0.2).grad_fn.name() == (
        "_FusedBackward"
    )
    with pytest.raises(ConfigError, match="backend must be one of cpu, cuda, reference, got 'gpu'"):
        semihard_triplet(unit_rows(0, 4, 3), torch.tensor([0, 0, 1, 1]), 0.2, backend="gpu")
