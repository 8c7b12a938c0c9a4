"""Time of the pairwise losses with their gradients: the CPU backend against plain autograd.

``pytest benchmarks/bench_pairwise.py --benchmark-only -s`` prints, beside the table, the median ratio of
interleaved pairs. A ratio of the graph loss means nothing without the share of class pairs under the margin,
so that is printed too. Threads are torch's: set OMP_NUM_THREADS.
"""

import statistics
import time

import pytest
import torch
from torch.nn.functional import normalize

from huse_bench.kernels import cosine_embedding, double_triplet, graph_loss, semihard_triplet

CLASSES = 101
SHARE = 0.15
ROUNDS = 5


def batch(rows, dim):
    """Rows around their class, at cosine distances on both sides of the margin."""
    generator = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(CLASSES, dim, generator=generator), dim=1)
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    noise = normalize(torch.randn(rows, dim, generator=generator), dim=1)
    return normalize(0.6 * centres[labels] + 0.8 * noise + 0.8 * centres[0], dim=1), labels


def class_graph():
    """Distances of the classes, and the margin that the given share of class pairs is under."""
    psi = normalize(torch.randn(CLASSES, 32, generator=torch.Generator().manual_seed(1)), dim=1)
    distances = (1 - psi @ psi.T).fill_diagonal_(0)
    pairs = distances[~torch.eye(CLASSES, dtype=torch.bool)]
    margin = float(pairs.quantile(SHARE))
    return distances, margin, float((pairs < margin).float().mean())


def loss_named(name, labels):
    """A function of rows and a backend, and what to print beside its ratio."""
    if name.startswith("graph_loss"):
        distances, margin, share = class_graph()
        relaxation = name.removeprefix("graph_loss_")
        note = f"{share:.0%} of class pairs under the margin"
        return lambda x, backend: graph_loss(x, labels, distances, margin, relaxation, backend=backend), note
    half = len(labels) // 2
    losses = {
        "semihard_triplet": lambda x, backend: semihard_triplet(x, labels, 0.2, backend=backend),
        "double_triplet": lambda x, backend: double_triplet(
            x[:half], x[half:], labels[:half], 0.3, 0.1, backend=backend
        ),
        "cosine_embedding": lambda x, backend: cosine_embedding(x[:half], x[half:], 0.1, 0.8, backend=backend),
    }
    return losses[name], f"{CLASSES} classes"


def step(loss, x, backend):
    """Value and gradient of one step."""
    leaf = x.clone().requires_grad_()
    value = loss(leaf, backend)
    value.backward()
    return value.detach(), leaf.grad


def seconds(loss, x, backend):
    start = time.perf_counter()
    step(loss, x, backend)
    return time.perf_counter() - start


@pytest.mark.parametrize(("rows", "dim"), [(2048, 512), (4096, 512), (4096, 64)])
@pytest.mark.parametrize(
    "name",
    ["graph_loss_and", "graph_loss_or", "graph_loss_none", "semihard_triplet", "double_triplet", "cosine_embedding"],
)
def test_pairwise(benchmark, capsys, name, rows, dim):
    x, labels = batch(rows, dim)
    loss, note = loss_named(name, labels)
    (value, gradient), (expected, expected_gradient) = (step(loss, x, backend) for backend in ("cpu", "reference"))
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)
    # In float32 a few pairs fall on the other side of an indicator.
    assert (gradient - expected_gradient).norm() <= 1e-2 * expected_gradient.norm()

    ratios = [seconds(loss, x, "reference") / seconds(loss, x, "cpu") for _ in range(ROUNDS)]
    benchmark.extra_info.update(ratio=statistics.median(ratios), threads=torch.get_num_threads(), note=note)
    with capsys.disabled():
        print(f"\n{name} {rows}x{dim}: {statistics.median(ratios):.1f}x plain autograd; {note}")  # noqa: T201 - the result
    benchmark.pedantic(step, args=(loss, x, "cpu"), rounds=ROUNDS, warmup_rounds=1)
