"""Every loss against the numbers that its original authors' code, or the paper's formula, gives."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

import huse_bench as hb

ORACLES = json.loads((Path(__file__).parent / "oracles.json").read_text())
INPUTS = {name: torch.tensor(values) for name, values in ORACLES["inputs"].items() if name.startswith("y")}
INPUTS |= {
    name: torch.tensor(values, dtype=torch.float64)
    for name, values in ORACLES["inputs"].items()
    if name in ("img", "txt", "psi", "W", "b")
}
LABELS = INPUTS["y"]
EXACT = {"abs": 1e-9, "rel": 0}
TENSORFLOW = {"abs": 2e-6, "rel": 0}


def make_batch(
    image: Tensor | None = None, text: Tensor | None = None, *, psi: Tensor | None = None, unit=True
) -> hb.Batch:
    image = INPUTS["img"] if image is None else image
    text = INPUTS["txt"] if text is None else text
    if unit:
        image, text = normalize(image, dim=1), normalize(text, dim=1)
    graph = hb.ClassGraph(INPUTS["psi"] if psi is None else psi)
    head = lambda e: e @ INPUTS["W"] + INPUTS["b"]  # noqa: E731 - a head in one line
    return hb.Batch(image, text, LABELS, head(image), head(text), graph)


def total(name: str, batch: hb.Batch, **parameters) -> float:
    return float(sum(hb.load("loss", name)(**parameters)(batch).values()))


def psi_graph() -> Tensor:
    return torch.tensor(ORACLES["huse"]["psi_graph(raw)"], dtype=torch.float64)


class TestHuse:
    oracle = ORACLES["huse"]

    def test_class_distances(self):
        distances = hb.ClassGraph(psi_graph()).distances
        assert distances.numpy() == pytest.approx(torch.tensor(self.oracle["A_class"]).numpy(), abs=1e-7)

    @pytest.mark.parametrize("margin", [0.5, 0.8, 1.0])
    @pytest.mark.parametrize("relaxation", ["and", "or", "hinge"])
    def test_graph_term(self, relaxation, margin):
        terms = hb.load("loss", "huse")(margin=margin, relaxation=relaxation)(make_batch(psi=psi_graph()))
        expected = self.oracle[f"L_graph {relaxation}|zeta={margin}"]["universal_2Nx2N"][0]
        assert float(terms["graph"]) == pytest.approx(expected, **EXACT)

    def test_graph_term_without_relaxation(self):
        terms = hb.load("loss", "huse")(relaxation="none")(make_batch(psi=psi_graph()))
        assert float(terms["graph"]) == pytest.approx(self.oracle["L_graph none(eq9)"]["universal_2Nx2N"][0], **EXACT)

    def test_other_terms(self):
        terms = hb.load("loss", "huse")()(make_batch(psi=psi_graph()))
        assert float(terms["classification"]) == pytest.approx(self.oracle["L_cls(mean over 2N)"], **EXACT)
        assert float(terms["gap"]) == pytest.approx(self.oracle["L_gap"], **EXACT)

    def test_total_and_its_gradient(self):
        image = INPUTS["img"].clone().requires_grad_()
        text = INPUTS["txt"].clone().requires_grad_()
        loss = hb.load("loss", "huse")(alpha=1.0, beta=1.0, gamma=1.0, margin=0.8, relaxation="and")
        value = sum(loss(make_batch(image, text, psi=psi_graph())).values())
        value.backward()
        expected = self.oracle["grad_of_total"]
        assert value.item() == pytest.approx(expected["loss"], **EXACT)
        assert image.grad[0].tolist() == pytest.approx(expected["grad_img_row0"], **EXACT)
        assert text.grad[0].tolist() == pytest.approx(expected["grad_txt_row0"], **EXACT)
        assert float(image.grad.norm()) == pytest.approx(expected["||grad_img||"], **EXACT)
        assert float(text.grad.norm()) == pytest.approx(expected["||grad_txt||"], **EXACT)

    def test_weights_scale_their_terms(self):
        batch = make_batch(psi=psi_graph())
        plain = hb.load("loss", "huse")()(batch)
        weighted = hb.load("loss", "huse")(alpha=2.0, beta=3.0, gamma=5.0)(batch)
        for name, factor in (("classification", 2), ("graph", 3), ("gap", 5)):
            assert float(weighted[name]) == pytest.approx(factor * float(plain[name]))

    @pytest.mark.parametrize(
        ("margin", "wrong"),
        [
            (0.8, "arpytanshu SemanticSimilarityLoss(margin=.8, UE=img, A=cos-sim)"),
            (0.7, "amanjain graph_loss_fn(UE=img, margin .7)"),
        ],
    )
    def test_graph_term_is_not_a_known_mistake(self, margin, wrong):
        """The values of two public reimplementations, which compare similarities with distances."""
        x = normalize(INPUTS["img"], dim=1)
        for distances in (hb.ClassGraph(psi_graph()).distances, hb.ClassGraph(INPUTS["psi"]).distances):
            value = hb.kernels.graph_loss(x, LABELS, distances, margin)
            assert abs(float(value) - self.oracle["known_wrong"][wrong]) > 1e-4

    def test_gap_term_is_not_the_similarity(self):
        """A public reimplementation minimises the similarity of pairs, which pushes them apart."""
        terms = hb.load("loss", "huse")()(make_batch(psi=psi_graph()))
        wrong = self.oracle["known_wrong"]["arpytanshu CrossModalLoss (mean cos SIMILARITY)"]
        assert abs(float(terms["gap"]) - wrong) > 1
        assert float(terms["gap"]) == pytest.approx(1 - wrong, **EXACT)


class TestHuseP:
    @pytest.mark.parametrize("which", ["inputs.psi", "psi_graph"])
    def test_terms(self, which):
        psi = INPUTS["psi"] if which == "inputs.psi" else psi_graph()
        key = "L_proj(eq13, img+txt summed; inputs.psi)" if which == "inputs.psi" else "L_proj(eq13; psi_graph)"
        terms = hb.load("loss", "huse-p")()(make_batch(psi=psi))
        assert float(terms["projection"]) == pytest.approx(ORACLES["huse"][key], **EXACT)
        assert float(terms["classification"]) == pytest.approx(ORACLES["huse"]["L_cls(mean over 2N)"], **EXACT)
        assert float(terms["gap"]) == pytest.approx(ORACLES["huse"]["L_gap"], **EXACT)


class TestTriplet:
    oracle = ORACLES["tfa_triplet_semihard"]

    @pytest.mark.parametrize("margin", [0.1, 0.2, 0.3, 1.0])
    def test_cosine_distance(self, margin):
        value = total("triplet", make_batch(), margin=margin)
        assert value == pytest.approx(self.oracle[f"univ16|angular|margin={margin}"], **TENSORFLOW)

    @pytest.mark.parametrize("margin", [0.1, 0.2, 0.3, 1.0])
    def test_squared_euclidean_margin_is_twice_the_cosine_margin(self, margin):
        value = 2 * total("triplet", make_batch(), margin=margin / 2)
        assert value == pytest.approx(self.oracle[f"univ16|squared-L2|margin={margin}"], **TENSORFLOW)


class TestCME:
    oracle = ORACLES["cme"]

    def test_classification_of_each_modality(self):
        batch = make_batch()
        assert batch.image_logits.numpy() == pytest.approx(torch.tensor(self.oracle["logits_img"]).numpy(), abs=1e-6)
        terms = hb.load("loss", "cme")(class_weight=0.5)(batch)
        expected = 0.5 * (self.oracle["ce_img"] + self.oracle["ce_txt"])
        assert float(terms["classification"]) == pytest.approx(expected, **EXACT)

    def test_expectation_of_the_mismatches(self):
        terms = hb.load("loss", "cme")(cosine_weight=1.0)(make_batch())
        assert float(terms["cosine"]) == pytest.approx(self.oracle["allpairs"]["0.2*pos+0.8*neg"], **EXACT)
        only = {p: hb.load("loss", "cme")(cosine_weight=1.0, mismatch_probability=p)(make_batch()) for p in (0.0, 1.0)}
        assert float(only[0.0]["cosine"]) == pytest.approx(self.oracle["allpairs"]["pos_mean"], **EXACT)
        assert float(only[1.0]["cosine"]) == pytest.approx(self.oracle["allpairs"]["neg_mean"], **EXACT)

    def test_drawn_mismatches_of_the_original(self):
        """A batch of two copies of a pair has that pair's cost as a match, and as a mismatch."""
        batch = make_batch()
        costs = []
        for row, match in enumerate(ORACLES["inputs"]["match"]):
            image, text = batch.image[[row, row]], batch.text[[row, row]]
            loss = hb.load("loss", "cme")(cosine_weight=1.0, class_weight=0.0, mismatch_probability=float(match < 0))
            twins = hb.Batch(
                image, text, LABELS[[row, row]], batch.image_logits[[row, row]], batch.text_logits[[row, row]]
            )
            costs.append(float(sum(loss(twins).values())))
        cosine = sum(costs) / len(costs)
        assert cosine == pytest.approx(self.oracle["cos_loss(match)"], **EXACT)
        classification = float(hb.load("loss", "cme")()(batch)["classification"])
        expected = self.oracle["total(.98,.01,.01; no background class)"]
        assert 0.98 * cosine + classification == pytest.approx(expected, **EXACT)

    def test_class_zero_is_a_class(self):
        """The original ignores class 0, its background; here every class counts."""
        wrong = 0.01 * (self.oracle["ce_img_class0_ignored"] + self.oracle["ce_txt_class0_ignored"])
        assert abs(float(hb.load("loss", "cme")()(make_batch())["classification"]) - wrong) > 1e-3


class TestAdaMine:
    oracle = ORACLES["adamine"]

    def test_all_labelled(self):
        expected = self.oracle["full_labels_y+1|valid|margin.3|w1,1,.1,.1"]["loss"]
        assert total("adamine", make_batch()) == pytest.approx(expected, **EXACT)
        assert total("adamine", make_batch()) == pytest.approx(
            self.oracle["numpy_rederivation_full"]["loss(mean of 4)"], **EXACT
        )

    def test_items_without_a_class(self):
        """The original marks them as class 0, here as -1."""
        plain = make_batch()
        batch = hb.Batch(plain.image, plain.text, INPUTS["y_bg"] - 1)
        expected = self.oracle["with_background_y_bg|valid|margin.3|w1,1,.1,.1"]["loss"]
        assert total("adamine", batch) == pytest.approx(expected, **EXACT)

    def test_instance_level_alone(self):
        # Four terms are averaged here, two in the original's run without semantic terms.
        expected = self.oracle["full_labels_y+1|valid|instance_only"]["loss"] / 2
        assert total("adamine", make_batch(), semantic_weight=0.0) == pytest.approx(expected, **EXACT)

    def test_all_semantic_pairs(self):
        variant = self.oracle["variant_all_positives_all_negatives_semantic(margin.3)"]
        instance = total("adamine", make_batch(), semantic_weight=0.0)
        semantic = total("adamine", make_batch(), semantic_weight=1.0, semantic_pairs="all") - instance
        assert 4 * semantic == pytest.approx(variant["i2t"]["loss"] + variant["t2i"]["loss"], **EXACT)

    def test_gradient(self):
        image = INPUTS["img"].clone().requires_grad_()
        text = INPUTS["txt"].clone().requires_grad_()
        sum(hb.load("loss", "adamine")()(make_batch(image, text)).values()).backward()
        expected = self.oracle["grad_full_labels"]
        assert image.grad[0].tolist() == pytest.approx(expected["grad_img_row0"], **EXACT)
        assert text.grad[0].tolist() == pytest.approx(expected["grad_txt_row0"], **EXACT)
        assert float(image.grad.norm()) == pytest.approx(expected["||grad_img||"], **EXACT)
        assert float(text.grad.norm()) == pytest.approx(expected["||grad_txt||"], **EXACT)


class TestDeViSE:
    oracle = ORACLES["devise"]

    def test_unit_embeddings(self):
        terms = hb.load("loss", "devise")()(make_batch())
        assert float(terms["image"]) == pytest.approx(self.oracle["img_l2_mean"], **EXACT)
        assert float(terms["text"]) == pytest.approx(self.oracle["txt_l2_mean"], **EXACT)
        assert total("devise", make_batch()) == pytest.approx(self.oracle["DeViSE*_total(img+txt,l2)"], **EXACT)

    def test_free_embeddings(self):
        loss = hb.load("loss", "devise")(normalize=False)
        assert not loss.unit_rows
        terms = loss(make_batch(unit=False))
        assert float(terms["image"]) == pytest.approx(self.oracle["img_raw_mean"], **EXACT)
        assert float(terms["text"]) == pytest.approx(self.oracle["txt_raw_mean"], **EXACT)

    @pytest.mark.parametrize(("unit", "kind"), [(True, "l2norm"), (False, "raw")])
    def test_keras_code_of_barz_and_denzler(self, unit, kind):
        terms = hb.load("loss", "devise")(normalize=unit)(make_batch(unit=unit))
        for modality, prefix in (("image", "img"), ("text", "txt")):
            expected = ORACLES["hie_devise_keras"][f"{prefix}_{kind}"]["devise_margin=0.1_mean"]
            assert float(terms[modality]) == pytest.approx(expected, **TENSORFLOW)


class TestHIE:
    oracle = ORACLES["hie_loss"]

    def test_terms(self):
        terms = hb.load("loss", "hie")()(make_batch())
        (img_distance, img_ce), (txt_distance, txt_ce) = (
            self.oracle["img(inv_corr,ce)"],
            self.oracle["txt(inv_corr,ce)"],
        )
        assert float(terms["projection"]) == pytest.approx(img_distance + txt_distance, **EXACT)
        assert float(terms["classification"]) == pytest.approx(0.1 * (img_ce + txt_ce), **EXACT)
        assert total("hie", make_batch()) == pytest.approx(self.oracle["total(lambda=.1, img+txt)"], **EXACT)

    def test_keras_code_of_barz_and_denzler(self):
        keras = ORACLES["hie_devise_keras"]
        expected = keras["img_l2norm"]["inv_corr_mean"] + keras["txt_l2norm"]["inv_corr_mean"]
        assert float(hb.load("loss", "hie")()(make_batch())["projection"]) == pytest.approx(expected, **TENSORFLOW)


class TestSeparate:
    def test_terms(self):
        terms = hb.load("loss", "separate")()(make_batch())
        assert float(terms["image"]) == pytest.approx(ORACLES["cme"]["ce_img"], **EXACT)
        assert float(terms["text"]) == pytest.approx(ORACLES["cme"]["ce_txt"], **EXACT)
