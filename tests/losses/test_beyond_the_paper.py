"""The losses since the paper, against their formulas written out in plain Python, a pair at a time."""

import math

import numpy as np
import pytest
import torch

import huse_bench as hb
from huse_bench.training import taxonomy_graph

N, D, K = 7, 5, 3
RNG = np.random.default_rng(0)
X, Y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in RNG.normal(size=(2, N, D)))
LABELS = [0, 1, 1, 2, 0, 1, 2]
LOGITS = RNG.normal(size=(2, N, K))
COSINES = X @ Y.T
CLASSES = hb.ClassGraph(torch.from_numpy(RNG.normal(size=(K, D))))


def total(name, *, logits=LOGITS, **parameters):
    loss = hb.load("loss", name)(**parameters).double()
    image_logits, text_logits = (torch.from_numpy(rows) for rows in logits)
    batch = hb.Batch(torch.from_numpy(X), torch.from_numpy(Y), torch.tensor(LABELS), image_logits, text_logits, CLASSES)
    return sum(loss(batch).values()).item()


def cross_entropy(scores, target):
    return math.log(sum(math.exp(score) for score in scores)) - scores[target]


def both_directions(item_loss):
    return sum(item_loss(COSINES, i) + item_loss(COSINES.T, i) for i in range(N)) / N


def test_info_nce():
    expected = both_directions(lambda cosines, i: cross_entropy(cosines[i] / 0.2, i)) / 2
    assert total("info-nce", temperature=0.2) == pytest.approx(expected, rel=1e-6)


def test_info_nce_keeps_its_scale_at_most_at_100():
    loss = hb.load("loss", "info-nce")(temperature=0.001).double()
    batch = hb.Batch(torch.from_numpy(X), torch.from_numpy(Y), torch.tensor(LABELS))
    at_limit = both_directions(lambda cosines, i: cross_entropy(cosines[i] * 100, i)) / 2
    assert loss(batch)["contrastive"].item() == pytest.approx(at_limit, rel=1e-6)


def test_info_nce_can_leave_the_limit_of_its_scale():
    loss = hb.load("loss", "info-nce")(temperature=0.001).double()
    # No text is its image's: the less sure, the better.
    batch = hb.Batch(torch.from_numpy(X), torch.from_numpy(Y), torch.tensor(LABELS))
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss(batch)["contrastive"].backward()
        assert loss.log_scale.grad > 0
        optimizer.step()
    assert loss.log_scale.exp() < 100


def test_uni_cl():
    def item_loss(cosines, i):
        partners = [j for j in range(N) if LABELS[j] == LABELS[i]]
        return sum(cross_entropy(cosines[i] / 0.3, j) for j in partners) / len(partners)

    assert total("uni-cl", temperature=0.3) == pytest.approx(both_directions(item_loss) / 2, rel=1e-6)


def test_sup_con():
    rows, labels = np.concatenate([X, Y]), LABELS * 2
    expected = 0.0
    for i in range(2 * N):
        others = [j for j in range(2 * N) if j != i]
        denominator = sum(math.exp(rows[i] @ rows[j] / 0.3) for j in others)
        partners = [j for j in others if labels[j] == labels[i]]
        for j in partners:
            expected -= math.log(math.exp(rows[i] @ rows[j] / 0.3) / denominator) / len(partners) / (2 * N)
    assert total("sup-con", temperature=0.3) == pytest.approx(expected, rel=1e-9)


def test_siglip():
    expected = 0.0
    for i in range(N):
        for j in range(N):
            sign = 1 if i == j else -1
            expected -= math.log(1 / (1 + math.exp(-sign * (4.0 * COSINES[i, j] - 2.5)))) / N
    assert total("siglip", scale=4.0, bias=-2.5) == pytest.approx(expected, rel=1e-6)


def test_vse_pp():
    def item_loss(cosines, i):
        return max(0.0, 0.2 + max(cosines[i, j] for j in range(N) if j != i) - cosines[i, i])

    assert total("vse-pp", margin=0.2) == pytest.approx(both_directions(item_loss), rel=1e-9)


def test_vse_pp_of_a_single_item_is_zero_and_has_a_gradient():
    rows = torch.tensor([[0.6, 0.8]], requires_grad=True)
    value = sum(hb.load("loss", "vse-pp")()(hb.Batch(rows, rows, torch.tensor([0]))).values())
    value.backward()
    assert value == 0
    assert not rows.grad.any()


def test_dscmr():
    expected = 0.0
    for rows in LOGITS:
        for i in range(N):
            target = np.eye(K)[LABELS[i]]
            expected += math.sqrt(((rows[i] - target) ** 2).sum()) / N
    for a, b in ((X, Y), (X, X), (Y, Y)):
        for i in range(N):
            for j in range(N):
                half = a[i] @ b[j] / 2
                expected += 0.3 * (math.log(1 + math.exp(half)) - (LABELS[i] == LABELS[j]) * half) / N**2
    expected += 0.7 * sum(math.dist(X[i], Y[i]) for i in range(N)) / N
    assert total("dscmr", discrimination_weight=0.3, gap_weight=0.7) == pytest.approx(expected, rel=1e-9)


def test_arc_face():
    logits = np.clip(LOGITS / 4, -0.95, 0.95)
    expected = 0.0
    for rows in logits:
        for i in range(N):
            scores = [
                8 * (math.cos(math.acos(cosine) + 0.4) if k == LABELS[i] else cosine)
                for k, cosine in enumerate(rows[i])
            ]
            expected += cross_entropy(scores, LABELS[i]) / N
    assert total("arc-face", logits=logits, scale=8.0, margin=0.4) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5, 1.0, 1.57])
def test_arc_face_never_pushes_an_embedding_away_from_its_class(margin):
    own = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:-1].requires_grad_()
    # Another class's cosine of 0, so that the loss falls as the own class's logit rises.
    cosines = torch.stack([own, torch.zeros_like(own)], dim=1)
    losses = []
    for row in cosines.split(1):
        label, rows = torch.tensor([0]), torch.zeros(1, 2)
        losses.append(hb.load("loss", "arc-face")(2.0, margin)(hb.Batch(rows, rows, label, row, row))["image"])
    losses = torch.stack(losses)
    (slopes,) = torch.autograd.grad(losses.sum(), own)
    assert (slopes < 0).all()
    # So the loss falls all along, also over the step where the rule changes.
    assert (losses.diff() < 0).all()


def test_arc_face_lowers_the_cosine_where_the_angle_cannot_be_widened():
    # The angle of a cosine of -0.95 is above pi - 0.5.
    logits = torch.tensor([[-0.95, 0.3]], dtype=torch.float64)
    batch = hb.Batch(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]), logits, logits)
    expected = cross_entropy([8 * (-0.95 - 0.5 * math.sin(0.5)), 8 * 0.3], 0)
    assert hb.load("loss", "arc-face")(8.0, 0.5)(batch)["image"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_arc_face_has_a_finite_gradient_where_an_embedding_lies_on_its_class(cosine):
    logits = torch.full((1, 2), cosine, requires_grad=True)
    rows = torch.tensor([[1.0, 0.0]])
    sum(hb.load("loss", "arc-face")()(hb.Batch(rows, rows, torch.tensor([0]), logits, logits)).values()).backward()
    assert torch.isfinite(logits.grad).all()


# The tree of the example that Barz and Denzler's own code was run on, with the similarities it gave.
EDGES = [
    ("root", "dessert"), ("root", "savoury"), ("dessert", "cake"), ("dessert", "frozen"), ("dessert", "pie"),
    ("cake", "a"), ("cake", "b"), ("cake", "c"), ("frozen", "d"), ("frozen", "e"), ("savoury", "soup"),
    ("savoury", "stew"), ("soup", "f"), ("soup", "g"),
]  # fmt: skip


def test_the_graph_of_a_taxonomy_has_the_similarities_of_the_tree():
    classes = ["a", "b", "c", "d", "e", "pie", "f", "g", "stew"]
    graph = taxonomy_graph(hb.Taxonomy.from_edges(EDGES, classes))
    similar = (graph.embeddings @ graph.embeddings.T).numpy()
    third = 1 / 3
    assert similar[0] == pytest.approx([1, 2 * third, 2 * third, third, third, third, 0, 0, 0], abs=1e-6)
    assert similar[3] == pytest.approx([third, third, third, 1, 2 * third, third, 0, 0, 0], abs=1e-6)
    assert similar[8] == pytest.approx([0, 0, 0, 0, 0, 0, third, third, 1], abs=1e-6)
    # Their placement: one new coordinate a class, none of them negative at its first use.
    assert graph.embeddings.triu(1).abs().max() == 0
    assert graph.embeddings[1, :2].tolist() == pytest.approx([2 * third, math.sqrt(5) / 3], abs=1e-6)
    assert graph.distances.diagonal().abs().max() == 0


def test_a_taxonomy_that_is_no_tree_is_refused():
    taxonomy = hb.Taxonomy.from_edges([("r", "p"), ("r", "q"), ("p", "x"), ("q", "x"), ("q", "y")], ["x", "y"])
    with pytest.raises(hb.errors.DataError, match="needs a tree"):
        taxonomy_graph(taxonomy)


def test_hie_tree_is_hie_on_the_graph_of_the_taxonomy():
    assert hb.load("loss", "hie-tree").class_graph == "taxonomy"
    assert hb.load("loss", "hie").class_graph == "names"
    assert total("hie-tree", class_weight=0.2) == total("hie", class_weight=0.2)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("info-nce", {"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ("sup-con", {"temperature": -1.0}, "temperature must be above 0, got -1.0"),
        ("uni-cl", {"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ("siglip", {"scale": float("nan")}, "scale must be above 0, got nan"),
        ("vse-pp", {"margin": -0.1}, "margin must be at least 0, got -0.1"),
        ("dscmr", {"gap_weight": -0.1}, "gap_weight must be at least 0, got -0.1"),
        ("arc-face", {"scale": 0.0}, "scale must be above 0, got 0.0"),
        ("arc-face", {"margin": -0.1}, "margin must be at least 0, got -0.1"),
        ("arc-face", {"margin": 28.6}, "margin must be at most pi / 2 = 1.571 radians, got 28.6"),
    ],
)
def test_refused_hyper_parameters(name, parameters, message):
    with pytest.raises(hb.errors.ConfigError, match=message):
        hb.load("loss", name)(**parameters)
