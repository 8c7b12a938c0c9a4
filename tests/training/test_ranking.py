"""Two losses as a third party may write them, which rank by something else than the cosine.

They are small versions of MERU (Desai et al. 2023) and PCME++ (Chun 2024), checked against the numbers that the
authors' code gives, so that what the contract offers is shown to be what such methods need.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.errors import PluginError
from huse_bench.kernels import top_k
from huse_bench.testing import parametrize_with_checks
from huse_bench.training import Model, ranking_rows
from huse_bench.training.optimizers import build_optimizer

ORACLES = json.loads((Path(__file__).parent / "similarity_oracles.json").read_text())
N = 12


class Hyperbolic(hb.Loss):
    """Embeddings on a hyperboloid, of which an image lies in the cone of its text (MERU)."""

    title = "Hyperbolic"
    unit_rows = False
    similarity = "lorentz/v1"

    def __init__(self, temperature: float = 0.07, curvature: float = 1.0, entailment_weight: float = 0.2) -> None:
        super().__init__()
        self.entailment_weight = entailment_weight
        self.log_scale = torch.nn.Parameter(torch.tensor(-math.log(temperature)))
        self.log_curvature = torch.nn.Parameter(torch.tensor(math.log(curvature)))
        # Beside 1 / sqrt(D), which a constructor does not know.
        self.log_alpha = torch.nn.ParameterDict({name: torch.zeros(()) for name in ("image", "text")})

    def forward(self, batch):
        self._project(batch.image.shape[1])
        curvature = self.log_curvature.exp()
        eps = max(1e-8, torch.finfo(batch.image.dtype).eps)
        image, image_time = self._lift("image", batch.image)
        text, text_time = self._lift("text", batch.text)
        inner = curvature * (image @ text.T - image_time * text_time.T)
        scores = -self.log_scale.exp() * torch.acosh((-inner).clamp_min(1 + eps)) / curvature.sqrt()
        items = torch.arange(len(image), device=image.device)
        contrastive = (cross_entropy(scores, items) + cross_entropy(scores.T, items)) / 2

        own, length = inner.diagonal()[:, None], text.norm(dim=1, keepdim=True)
        below = length * (own**2 - 1).clamp_min(1e-8).sqrt() + 1e-8
        angle = torch.acos(((image_time + own * text_time) / below).clamp(eps - 1, 1 - eps))
        aperture = torch.asin((0.2 / (curvature.sqrt() * length + 1e-8)).clamp_max(1 - eps))
        entailment = (angle - aperture).relu().mean()
        return {"contrastive": contrastive, "entailment": self.entailment_weight * entailment}

    def ranking_rows(self, view):
        # A product of near points is a small difference of what may be large numbers.
        space, time = self._lift(view.modality, view.rows.double())
        return torch.cat([space, -time], 1), torch.cat([space, time], 1)

    def _lift(self, modality, rows):
        """(n, D) components in space and (n, 1) in time."""
        curvature = self.log_curvature.exp()
        rows = (self.log_alpha[modality] - math.log(rows.shape[1]) / 2).exp() * rows
        length = (curvature.sqrt() * rows.norm(dim=1, keepdim=True)).clamp(1e-8, math.asinh(2**15))
        space = length.sinh() * rows / length
        return space, (1 / curvature + space.square().sum(1, keepdim=True)).sqrt()

    @torch.no_grad()
    def _project(self, dim):
        self.log_scale.clamp_(max=math.log(100))
        self.log_curvature.clamp_(math.log(0.1), math.log(10))
        for log_alpha in self.log_alpha.values():
            log_alpha.clamp_(max=math.log(dim) / 2)


class Probabilistic(hb.Loss):
    """Embeddings with variances, matched by the mean distance of their samples (PCME++)."""

    title = "Probabilistic"
    initial_variance = 0.1
    similarity = "csd/v1"

    def __init__(self, scale: float = 5.0, shift: float = 5.0, pseudo: float = 0.1, vib: float = 1e-4) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(float(scale)))
        self.shift = torch.nn.Parameter(torch.tensor(float(shift)))
        self.pseudo = pseudo
        self.vib = vib

    def forward(self, batch):
        spread = [rows.exp().sum(1) for rows in (batch.image_log_variance, batch.text_log_variance)]
        distances = torch.cdist(batch.image, batch.text, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        logits = self.shift - self.scale * (distances + spread[0][:, None] + spread[1])
        own = torch.eye(len(logits)).to(logits)
        with torch.no_grad():
            diagonal = logits.diagonal()
            pseudo = [(logits >= diagonal[:, None]).to(logits), (logits >= diagonal).to(logits)]
        return {
            "match": 2 * binary_cross_entropy_with_logits(logits, own),
            "pseudo": self.pseudo * sum(binary_cross_entropy_with_logits(logits, matches) for matches in pseudo),
            "vib": self.vib
            * sum(
                -(1 + log_variance - rows**2 - log_variance.exp()).mean() / 2
                for rows, log_variance in (
                    (batch.image, batch.image_log_variance),
                    (batch.text, batch.text_log_variance),
                )
            ),
        }

    def ranking_rows(self, view):
        spread = view.log_variance.exp().sum(1, keepdim=True)
        return torch.cat([view.rows, torch.ones_like(spread)], 1), torch.cat([view.rows, -spread / 2], 1)


@parametrize_with_checks([Hyperbolic, Probabilistic], strict=True)
def test_they_keep_the_contract(check):
    check()


def inputs(*names):
    return [torch.tensor(ORACLES["inputs"][name], dtype=torch.float64, requires_grad=True) for name in names]


@pytest.mark.parametrize("curvature", ["1", "2.5"])
def test_the_hyperbolic_loss_is_that_of_merus_code(curvature):
    expected = ORACLES["meru"][curvature]
    loss = Hyperbolic(curvature=float(curvature)).double()
    # A logarithm in float32 is not that of the oracle.
    loss.load_state_dict(
        loss.state_dict()
        | {
            "log_curvature": torch.tensor(math.log(float(curvature)), dtype=torch.float64),
            "log_scale": torch.tensor(math.log(1 / 0.07), dtype=torch.float64),
        }
    )
    image, text = inputs("img", "txt")
    terms = loss(hb.Batch(image, text, torch.arange(N)))
    assert terms["contrastive"].item() == pytest.approx(expected["contrastive"], rel=1e-9)
    assert terms["entailment"].item() == pytest.approx(0.2 * expected["entailment"], rel=1e-9)
    sum(terms.values()).backward()
    found = {
        "img": image,
        "txt": text,
        "curv": loss.log_curvature,
        "visual_alpha": loss.log_alpha["image"],
        "textual_alpha": loss.log_alpha["text"],
        "logit_scale": loss.log_scale,
    }
    for name, leaf in found.items():
        assert leaf.grad.numpy() == pytest.approx(np.array(expected["grad"][name]), rel=1e-7, abs=1e-9), name

    of_image, of_text = (ranking_rows(loss, hb.View(*view)) for view in (("image", image), ("text", text)))
    inner = np.array(expected["lorentz_inner"])
    assert (of_image[0] @ of_text[1].T).numpy() == pytest.approx(inner, rel=1e-9)
    assert (of_text[0] @ of_image[1].T).numpy() == pytest.approx(inner.T, rel=1e-9)
    assert orders(of_image[0], of_text[1]) == np.argsort(-inner, axis=1).tolist()
    assert orders(of_text[0], of_image[1]) == np.argsort(-inner.T, axis=1).tolist()


def test_the_probabilistic_loss_is_that_of_pcmepps_code():
    expected = ORACLES["pcmepp"]["all"]
    leaves = inputs("img", "txt", "logvar_img", "logvar_txt")
    image, text, image_log_variance, text_log_variance = leaves
    image, text = normalize(image, dim=1), normalize(text, dim=1)
    loss = Probabilistic().double()
    batch = hb.Batch(
        image, text, torch.arange(N), image_log_variance=image_log_variance, text_log_variance=text_log_variance
    )
    terms = loss(batch)
    assert terms["match"].item() == pytest.approx(expected["match"], rel=1e-9)
    assert terms["pseudo"].item() == pytest.approx(0.1 * expected["pp"], rel=1e-9)
    assert terms["vib"].item() == pytest.approx(1e-4 * expected["vib"], rel=1e-9)
    sum(terms.values()).backward()
    names = ("img", "txt", "logvar_img", "logvar_txt")
    for name, leaf in zip(names, leaves, strict=True):
        assert leaf.grad.numpy() == pytest.approx(np.array(expected["grad"][name]), rel=1e-7, abs=1e-9), name
    assert loss.shift.grad.item() == pytest.approx(expected["grad"]["shift"][0], rel=1e-9)
    assert abs(loss.scale.grad.item()) == pytest.approx(abs(expected["grad"]["negative_scale"][0]), rel=1e-9)

    csd = np.array(ORACLES["pcmepp"]["csd"])
    views = hb.View("image", image, image_log_variance), hb.View("text", text, text_log_variance)
    (image_queries, image_gallery), (text_queries, text_gallery) = (ranking_rows(loss, view) for view in views)
    assert orders(image_queries, text_gallery) == np.argsort(csd, axis=1).tolist()
    assert orders(text_queries, image_gallery) == np.argsort(csd.T, axis=1).tolist()


def orders(queries, gallery) -> list[list[int]]:
    return top_k(queries, gallery, len(gallery))[1].tolist()


ROWS = arrays(np.float64, (9, 4), elements=st.floats(-2, 2).map(lambda value: round(value, 3)))
PARAMETERS = st.floats(-1, 1)


def same_order(found: np.ndarray, direct: np.ndarray) -> None:
    """Check that what is ranked by is in the order of the direct similarities, but for those within rounding."""
    for row, similarities in zip(found, direct, strict=True):
        ordered = similarities[np.argsort(-row, kind="stable")]
        assert (np.diff(ordered) <= 1e-9 * np.abs(similarities).max()).all()


@given(ROWS, ROWS, PARAMETERS, PARAMETERS, PARAMETERS)
def test_the_order_is_that_of_the_lorentz_product_in_all_directions(image, text, curvature, image_alpha, text_alpha):
    loss = Hyperbolic().double()
    values = {"log_curvature": curvature, "log_alpha.image": image_alpha, "log_alpha.text": text_alpha}
    loss.load_state_dict(loss.state_dict() | {name: torch.tensor(value) for name, value in values.items()})
    c = math.exp(curvature)

    def lifted(rows, alpha):
        tangent = math.exp(alpha) / math.sqrt(4) * rows
        lengths = np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True) * math.sqrt(c), 1e-8)
        return np.sinh(lengths) * tangent / lengths

    sides = {"image": (image, image_alpha), "text": (text, text_alpha)}
    rows = {name: ranking_rows(loss, hb.View(name, torch.from_numpy(side[0]))) for name, side in sides.items()}
    for query, of_query in sides.items():
        for other, of_other in sides.items():
            a, b = lifted(*of_query), lifted(*of_other)
            times = [np.sqrt(1 / c + (side**2).sum(1)) for side in (a, b)]
            same_order((rows[query][0] @ rows[other][1].T).numpy(), a @ b.T - np.outer(*times))


@given(ROWS, ROWS, ROWS, ROWS)
def test_the_order_is_that_of_the_sampled_distance_in_all_directions(image, text, image_spread, text_spread):
    sides = {"image": (image, image_spread), "text": (text, text_spread)}
    # Away from zero, where no row is a unit one.
    away = {name: np.add(rows, [3, 0, 0, 0]) for name, (rows, _) in sides.items()}
    unit = {name: rows / np.linalg.norm(rows, axis=1)[:, None] for name, rows in away.items()}
    loss = Probabilistic()
    rows = {
        name: ranking_rows(loss, hb.View(name, torch.from_numpy(unit[name]), torch.from_numpy(spread)))
        for name, (_, spread) in sides.items()
    }
    for query in sides:
        for other in sides:
            direct = [
                [
                    -((mean - their_mean) ** 2).sum() - np.exp(spread).sum() - np.exp(their_spread).sum()
                    for their_mean, their_spread in zip(unit[other], sides[other][1], strict=True)
                ]
                for mean, spread in zip(unit[query], sides[query][1], strict=True)
            ]
            same_order((rows[query][0] @ rows[other][1].T).numpy(), np.array(direct))


def test_by_default_it_is_the_cosine_of_unit_rows():
    loss = hb.load("loss", "devise")(normalize=False)
    rows = 3 * torch.randn(5, 4)
    queries, gallery = ranking_rows(loss, hb.View("image", rows))
    assert gallery is None
    # The very rows that are ranked where no loss has a say.
    assert torch.equal(queries, normalize(rows, dim=1))


def test_rows_need_no_gradient():
    rows = torch.randn(5, 4, requires_grad=True)
    for given_rows in ranking_rows(Hyperbolic(), hb.View("image", rows)):
        assert not given_rows.requires_grad


class Wrong(Hyperbolic):
    """Gives what it is told to give."""

    def __init__(self, wrong=None) -> None:
        super().__init__()
        self.wrong = wrong

    def ranking_rows(self, view):
        return self.wrong(view.rows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda rows: rows, r"Wrong.ranking_rows must return a tuple of two tensors, query rows and gallery rows"),
        (lambda rows: (rows, rows[1:]), r"must give \(5, M\) gallery rows .* got \(4, 4\) torch.float32"),
        (lambda rows: (rows[0], rows), r"must give \(5, M\) query rows .* got \(4,\) torch.float32"),
        (lambda rows: (rows.half(), rows.half()), r"query rows in float32 or float64, .* torch.float16"),
        (lambda rows: (rows, rows.double()), r"alike, got \(5, 4\) torch.float32 and \(5, 4\) torch.float64"),
        (lambda rows: (rows, rows / 0), r"Wrong.ranking_rows gives the gallery row 0 a NaN or infinite value"),
    ],
)
def test_rows_that_cannot_be_ranked_are_refused(wrong, message):
    with pytest.raises(PluginError, match=message):
        ranking_rows(Wrong(wrong), hb.View("image", torch.ones(5, 4)))


def test_similarity_and_rows_go_together():
    class Unnamed(Hyperbolic):
        similarity = "cosine"

    class Rowless(hb.Loss):
        similarity = "lorentz/v1"

        def forward(self, batch):
            raise NotImplementedError

    view = hb.View("image", torch.ones(5, 4))
    with pytest.raises(PluginError, match="Unnamed has ranking_rows of its own, so the class must declare"):
        ranking_rows(Unnamed(), view)
    with pytest.raises(PluginError, match="Rowless declares similarity = 'lorentz/v1', so the class must define"):
        ranking_rows(Rowless(), view)


@pytest.mark.parametrize("cls", [Hyperbolic, Probabilistic])
def test_a_few_steps_of_training_learn_what_is_ranked_by(cls):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 4
    shared = torch.randn(64, 3, generator=generator)
    image, text = (
        torch.randn(4, 8, generator=generator)[labels] + shared @ torch.randn(3, 8, generator=generator) / 2
        for _ in range(2)
    )
    config = TrainingConfig(
        optimizer="adamw", learning_rate=3e-3, head_learning_rate=1e-2, weight_decay=0.01, width=32, embedding_dim=8,
        image_layers=2, text_layers=2, dropout=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    loss = cls()
    model = Model(config, loss, image_features=8, text_features=8, class_features=8, classes=4)
    before = {name: value.clone() for name, value in (model.state_dict() | loss.state_dict()).items()}
    optimizer = build_optimizer(model, loss, config)
    for _ in range(60):
        optimizer.zero_grad()
        sum(loss(model.batch(image, text, labels, None)).values()).backward()
        optimizer.step()
    for name, value in (model.state_dict() | loss.state_dict()).items():
        assert not torch.equal(value, before[name]), name
    with torch.no_grad():
        rows = [ranking_rows(loss, view) for view in model.eval().views(image, text)]
    own = torch.arange(64)
    for (queries, _), (_, gallery) in (rows, rows[::-1]):
        first = top_k(queries, gallery, 1)[1][:, 0]
        # By chance these are 1 of 64 and 1 of 4.
        assert (first == own).double().mean() > 0.2
        assert (labels[first] == labels).double().mean() > 0.9
