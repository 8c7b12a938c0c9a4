"""The pairwise losses against numbers that the original authors' code gave (oracles.json)."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from huse_bench.kernels import (
    cosine_embedding,
    double_triplet,
    double_triplet_terms,
    graph_loss,
    semihard_triplet,
)

ORACLES = json.loads(Path(__file__).with_name("oracles.json").read_text(encoding="utf-8"))
INPUTS = ORACLES["inputs"]
LABELS = torch.tensor(INPUTS["y"])
# The original gives its background the class 0.
LABELS_WITH_BACKGROUND = torch.tensor(INPUTS["y_bg"]) - 1
TORCH = {"rel": 0, "abs": 1e-9}
TENSORFLOW = {"rel": 0, "abs": 2e-6}

pytestmark = pytest.mark.parametrize("backend", ["cpu", "reference"])


def raw(name):
    return torch.tensor(INPUTS[name], dtype=torch.float64)


def rows(name):
    if name == "universal":
        return torch.cat([rows("img"), rows("txt")])
    return normalize(raw(name), dim=1)


def class_distances():
    classes = normalize(torch.tensor(ORACLES["class_embeddings"], dtype=torch.float64), dim=1)
    return 1 - classes @ classes.T


def graph(name, margin, relaxation, backend):
    x = rows(name)
    return float(graph_loss(x, LABELS.repeat(len(x) // 8), class_distances(), margin, relaxation, backend=backend))


@pytest.mark.parametrize("case", ORACLES["graph_loss"])
def test_graph_loss(case, backend):
    reading, _, zeta = case.partition("|zeta=")
    relaxation = reading.removesuffix("(eq9)")
    margin = float(zeta or 0.5)
    expected = {name: value for name, (value, _) in ORACLES["graph_loss"][case].items()}
    universal = graph("universal", margin, relaxation, backend)
    images = graph("img", margin, relaxation, backend)
    texts = graph("txt", margin, relaxation, backend)
    assert universal == pytest.approx(expected["universal_2Nx2N"], **TORCH)
    assert universal * 16 / 15 == pytest.approx(expected["universal_2Nx2N_selfpairs_removed"], **TORCH)
    assert images == pytest.approx(expected["img_x_img_NxN"], **TORCH)
    assert texts == pytest.approx(expected["txt_x_txt_NxN"], **TORCH)
    # The universal pairs are the in-modal ones and twice the cross-modal ones.
    crossing = (4 * universal - images - texts) / 2
    assert crossing == pytest.approx(expected["img_x_txt_NxN"], **TORCH)


def test_graph_loss_gradient_within_the_whole_huse_loss(backend):
    expected = ORACLES["huse_total"]
    image, text = raw("img").requires_grad_(), raw("txt").requires_grad_()
    u, v = normalize(image, dim=1), normalize(text, dim=1)
    x, labels = torch.cat([u, v]), LABELS.repeat(2)
    weight, bias = (torch.tensor(expected[name], dtype=torch.float64) for name in ("W", "b"))
    graph_term = graph_loss(x, labels, class_distances(), 0.8, "and", backend=backend)
    total = cross_entropy(x @ weight + bias, labels) + graph_term + (1 - (u * v).sum(1)).mean()
    total.backward()
    assert total.item() == pytest.approx(expected["loss"], **TORCH)
    assert image.grad[0].tolist() == pytest.approx(expected["grad_img_row0"], **TORCH)
    assert text.grad[0].tolist() == pytest.approx(expected["grad_txt_row0"], **TORCH)
    assert float(image.grad.norm()) == pytest.approx(expected["||grad_img||"], **TORCH)
    assert float(text.grad.norm()) == pytest.approx(expected["||grad_txt||"], **TORCH)


@pytest.mark.parametrize("mistake", ORACLES["graph_loss_known_wrong"])
@pytest.mark.parametrize("relaxation", ["and", "or", "hinge", "none"])
@pytest.mark.parametrize("margin", [0.7, 0.8])
def test_graph_loss_makes_no_known_mistake(mistake, relaxation, margin, backend):
    wrong = ORACLES["graph_loss_known_wrong"][mistake]
    for name in ("img", "universal"):
        assert graph(name, margin, relaxation, backend) != pytest.approx(wrong, rel=0, abs=1e-6)


@pytest.mark.parametrize("case", ORACLES["semihard_triplet"])
def test_semihard_triplet(case, backend):
    name, _, margin = case.partition("|margin=")
    x = rows({"img8": "img", "txt8": "txt", "univ16": "universal"}[name])
    loss = semihard_triplet(x, LABELS.repeat(len(x) // 8), float(margin), backend=backend)
    assert float(loss) == pytest.approx(ORACLES["semihard_triplet"][case], **TENSORFLOW)


@pytest.mark.parametrize("case", ORACLES["semihard_triplet_squared_euclidean"])
def test_semihard_triplet_on_squared_euclidean_distances_is_twice_that_of_half_the_margin(case, backend):
    name, _, margin = case.partition("|margin=")
    x = rows({"img8": "img", "txt8": "txt", "univ16": "universal"}[name])
    loss = 2 * semihard_triplet(x, LABELS.repeat(len(x) // 8), float(margin) / 2, backend=backend)
    assert float(loss) == pytest.approx(ORACLES["semihard_triplet_squared_euclidean"][case], **TENSORFLOW)


@pytest.mark.parametrize(("case", "labels"), [("all_labelled", LABELS), ("with_background", LABELS_WITH_BACKGROUND)])
def test_double_triplet(case, labels, backend):
    image, text = rows("img"), rows("txt")
    expected = ORACLES["double_triplet"][case]
    terms = double_triplet_terms(image, text, labels, 0.3, backend=backend)
    assert float(terms["instance_image"]) == pytest.approx(expected["loss_IRR"], **TORCH)
    assert float(terms["instance_text"]) == pytest.approx(expected["loss_RII"], **TORCH)
    assert 0.1 * float(terms["semantic_image"]) == pytest.approx(expected["loss_SIRR"], **TORCH)
    assert 0.1 * float(terms["semantic_text"]) == pytest.approx(expected["loss_SRII"], **TORCH)
    loss = double_triplet(image, text, labels, 0.3, 0.1, backend=backend)
    assert float(loss) == pytest.approx(expected["loss"], **TORCH)


def test_double_triplet_of_all_pairs(backend):
    terms = double_triplet_terms(rows("img"), rows("txt"), LABELS, 0.3, "all", backend=backend)
    expected = ORACLES["double_triplet"]["all_pairs"]
    assert float(terms["semantic_image"]) == pytest.approx(expected["i2t"]["loss"], **TORCH)
    assert float(terms["semantic_text"]) == pytest.approx(expected["t2i"]["loss"], **TORCH)


@pytest.mark.parametrize(
    ("labels", "pairs", "counts"),
    [
        (LABELS, "first", ORACLES["double_triplet"]["informative"]),
        (LABELS_WITH_BACKGROUND, "first", ORACLES["double_triplet"]["informative_with_background"]),
        (LABELS, "all", {name: ORACLES["double_triplet"]["all_pairs"][name]["informative"] for name in ("i2t", "t2i")}),
    ],
)
def test_double_triplet_counts_as_many_informative_triplets(labels, pairs, counts, backend):
    # The gradient by the similarities is what images give whose product with the texts they are.
    similarities = (rows("img") @ rows("txt").T).requires_grad_()
    terms = double_triplet_terms(similarities, torch.eye(8, dtype=torch.float64), labels, 0.3, pairs, backend=backend)
    for term, count in zip(reversed(terms.values()), reversed(counts.values()), strict=False):
        (slopes,) = torch.autograd.grad(term, similarities, retain_graph=True)
        # Each informative triplet adds 1 / count at its negative; some negative is in one alone.
        assert 1 / float(slopes[slopes > 0].min()) == pytest.approx(count)


def test_double_triplet_gradient(backend):
    image, text = raw("img").requires_grad_(), raw("txt").requires_grad_()
    double_triplet(normalize(image, dim=1), normalize(text, dim=1), LABELS, 0.3, 0.1, backend=backend).backward()
    expected = ORACLES["double_triplet"]["gradient"]
    assert image.grad[0].tolist() == pytest.approx(expected["grad_img_row0"], **TORCH)
    assert text.grad[0].tolist() == pytest.approx(expected["grad_txt_row0"], **TORCH)
    assert float(image.grad.norm()) == pytest.approx(expected["||grad_img||"], **TORCH)
    assert float(text.grad.norm()) == pytest.approx(expected["||grad_txt||"], **TORCH)


def test_cosine_embedding(backend):
    expected = ORACLES["cosine_embedding"]
    image, text = rows("img"), rows("txt")
    for probability, value in ((0.0, expected["pos_mean"]), (1.0, expected["neg_mean"])):
        loss = cosine_embedding(image, text, 0.1, probability, backend=backend)
        assert float(loss) == pytest.approx(value, **TORCH)
    loss = cosine_embedding(image, text, 0.1, 0.8, backend=backend)
    assert float(loss) == pytest.approx(expected["0.2*pos+0.8*neg"], **TORCH)
    # Over all N^2 pairs instead: the matches weigh 1/8, the mismatches 7/8.
    loss = cosine_embedding(image, text, 0.1, 7 / 8, backend=backend)
    assert float(loss) == pytest.approx(expected["mean_over_N^2"], **TORCH)
