"""What the pairwise losses say about wrong arguments."""

import math

import pytest
import torch

from huse_bench import kernels
from huse_bench.errors import ConfigError
from huse_bench.kernels import cosine_embedding, double_triplet, graph_loss, semihard_triplet

X = torch.eye(4)
Y = torch.tensor([0, 0, 1, 1])
A = 1 - torch.eye(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graph_loss(X[0], Y, A, 0.5), r"x must be a matrix of unit rows, .* got shape \(4,\)"),
        (lambda: graph_loss(X[:0], Y[:0], A, 0.5), r"x must be a matrix .* got shape \(0, 4\)"),
        (lambda: graph_loss(X.long(), Y, A, 0.5), r"x must be floating point, got torch.int64; .* x.float\(\)"),
        (lambda: graph_loss(X, Y[:3], A, 0.5), r"labels must be one a row, shape \(4,\), got shape \(3,\)"),
        (lambda: graph_loss(X, Y.float(), A, 0.5), r"labels must be int64, got torch.float32; .* labels.long\(\)"),
        (lambda: graph_loss(X, Y + 1, A, 0.5), r"labels must be in \[0, 2\).*labels\[2\] is 2"),
        (lambda: graph_loss(X, Y - 1, A, 0.5), r"labels must be in \[0, 2\).*labels\[0\] is -1"),
        (lambda: graph_loss(X, Y, A[:1], 0.5), r"distances must be square, .* got shape \(1, 2\)"),
        (lambda: graph_loss(X, Y, A.long(), 0.5), "distances must be floating point, got torch.int64"),
        (lambda: graph_loss(X, Y, A.triu(), 0.5), "distances must be symmetric .* 1.0 from class 0 to 1, 0.0 back"),
        (lambda: graph_loss(X, Y, A * math.nan, 0.5), "distances must be symmetric and finite"),
        (lambda: graph_loss(X, Y, A, math.nan), "margin must be a finite number, got nan"),
        (lambda: graph_loss(X, Y, A, 0.5, "xor"), "relaxation must be one of and, or, hinge, none, got 'xor'"),
        (lambda: semihard_triplet(X, Y[:, None], 0.5), r"labels must be one a row"),
        (lambda: semihard_triplet(X, Y, math.inf), "margin must be a finite number, got inf"),
        (lambda: double_triplet(X, X[:3], Y, 0.3, 0.1), r"shapes must be equal, got image \(4, 4\), text \(3, 4\)"),
        (lambda: double_triplet(X, X, Y, 0.3, 0.1, "last"), "semantic_pairs must be one of first, all, got 'last'"),
        (lambda: double_triplet(X, X, Y, 0.3, math.nan), "semantic_weight must be a finite number, got nan"),
        (lambda: cosine_embedding(X, X[:, :2], 0.1, 0.8), r"shapes must be equal"),
        (
            lambda: cosine_embedding(X, X, 0.1, 1.5),
            r"mismatch_probability must be a finite number in \[0, 1\], got 1.5",
        ),
    ],
)
def test_the_message_names_the_argument_and_what_it_should_be(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_tensors_on_another_device_cannot_use_the_cpu_backend():
    with pytest.raises(ConfigError, match="backend 'cpu' needs tensors on the CPU, got one on meta; leave backend out"):
        semihard_triplet(X.to("meta"), Y.to("meta"), 0.5, backend="cpu")


def test_unchecked_leaves_out_what_waits_for_the_values_and_nothing_else():
    rows, labels = torch.eye(3), torch.tensor([0, 1, 1])
    askew = torch.tensor([[0.0, 0.5], [0.1, 0.0]])

    def graph(labels=labels):
        return kernels.graph_loss(rows, labels, askew, margin=0.7, relaxation="none", backend="reference")

    def softmax():
        return kernels.pairwise_loss(lambda pairs: pairs.distance.softmax(1), rows, labels=labels)

    for loss, words in ((graph, "distances must be symmetric"), (softmax, "not elementwise")):
        with pytest.raises(ConfigError, match=words):
            loss()
        with kernels.unchecked():
            assert loss().isfinite()
        with pytest.raises(ConfigError, match=words):
            loss()
    with kernels.unchecked(), pytest.raises(ConfigError, match="labels must be int64"):
        graph(labels.float())
