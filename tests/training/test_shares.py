"""Each term's share of the towers' gradient: right, without side effects, and said where a term does nothing."""

import sys

import pytest
import torch

import huse_bench as hb
from huse_bench import discovery
from huse_bench.config import TrainingConfig, resolve_config
from huse_bench.progress import Reporter
from huse_bench.report import render
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.methods import resolve_methods
from huse_bench.training import Model, inert_terms
from huse_bench.training.shares import GradientShares, steps_to_measure

LOSSES = [component.name for component in discovery.components("loss") if component.status == "available"]

LOPSIDED = '''

class Lopsided(Gap):
    """A gap, and a term of the same gradient times a weight."""
    title = "Lopsided"

    def __init__(self, weight: float = 0.001, floor: float = 5.0) -> None:
        super().__init__(weight)
        self.floor = floor

    def forward(self, batch):
        gap = (1 - (batch.image * batch.text).sum(1)).mean()
        return {"gap": gap, "whisper": self.weight * gap, "hinge": (gap - self.floor).relu()}
'''


@pytest.mark.parametrize(
    ("steps", "measured"), [(400, {1, 100, 200, 300, 400}), (10, {1, 2, 5, 7, 10}), (3, {1, 2, 3}), (1, {1})]
)
def test_a_handful_of_steps_is_measured(steps, measured):
    assert steps_to_measure(steps) == measured


def test_shares_are_those_worked_out_by_hand():
    image, text, head = (torch.zeros(2, requires_grad=True) for _ in range(3))
    terms = {
        "one": 3 * image[0] + 4 * text[1],
        "other": 5 * image[0] - 12 * image[1] + 100 * head[0],
        "head": head.sum(),
        "constant": torch.tensor(7.0),
    }
    shares = GradientShares()
    shares.measure(1, terms, [image, text])
    # Norms of 5 and 13, whatever the head has.
    assert shares.by_term == {
        "one": pytest.approx([5 / 18]),
        "other": pytest.approx([13 / 18]),
        "head": [0.0],
        "constant": [0.0],
    }
    shares.measure(4, {"one": image[0] * 1.0, "late": 3 * text[0]}, [image, text])
    assert shares.steps == [1, 4]
    assert shares.by_term["one"] == pytest.approx([5 / 18, 1 / 4])
    assert shares.by_term["other"] == pytest.approx([13 / 18, 0])
    assert shares.by_term["late"] == pytest.approx([0, 3 / 4])
    assert image.grad is None


def test_a_lone_term_has_it_all_and_terms_without_gradient_have_none():
    weight = torch.zeros(1, requires_grad=True)
    lone, nothing, diverging = GradientShares(), GradientShares(), GradientShares()
    lone.measure(1, {"loss": weight.sum()}, [weight])
    assert lone.by_term == {"loss": [1.0]}
    nothing.measure(1, {"a": 0 * weight.sum(), "b": 0 * weight.sum()}, [weight])
    assert nothing.by_term == {"a": [0.0], "b": [0.0]}
    diverging.measure(1, {"a": weight.sum() * float("nan"), "b": weight.sum()}, [weight])
    assert diverging == GradientShares()


@pytest.mark.parametrize("name", LOSSES)
def test_terms_can_be_gone_back_from_repeatedly(name):
    torch.manual_seed(0)
    loss = hb.load("loss", name)()
    sizes = {"image_features": 6, "text_features": 7, "class_features": 5, "classes": 4}
    model = Model(TrainingConfig(width=32, embedding_dim=3, dropout=0.0), loss, **sizes)
    image, text = model.image(torch.randn(24, 6)), model.text(torch.randn(24, 7))
    graph = hb.ClassGraph(torch.randn(4, 5))
    terms = loss(hb.Batch(image, text, torch.arange(24) % 4, *model.logits(image, text), graph))

    def gradient(value):
        found = torch.autograd.grad(value, model.tower_parameters(), retain_graph=True, allow_unused=True)
        return torch.cat([part.flatten() for part in found if part is not None] or [torch.zeros(1)])

    parts = [gradient(term) for term in terms.values()]
    again = [gradient(term) for term in terms.values()]
    assert all(torch.equal(one, other) for one, other in zip(parts, again, strict=True))
    norms = [float(part.double().norm()) for part in parts]
    shares = GradientShares()
    shares.measure(1, terms, model.tower_parameters())
    assert [share for (share,) in shares.by_term.values()] == pytest.approx([norm / sum(norms) for norm in norms])


@pytest.mark.parametrize("name", LOSSES)
def test_measuring_changes_no_bit_of_the_weights(name, toy, quick_training, monkeypatch):  # noqa: ARG001 - has the data
    config = resolve_config(None, {"dataset": "toy", "methods": [name], "training": {**quick_training, "steps": 12}})
    (method,) = resolve_methods(config)
    _, data = make_ready(load(config), config, Reporter(quiet=True))

    def trained(measured):
        monkeypatch.setattr("huse_bench.training.loop.steps_to_measure", lambda _: measured)
        outcome = run_experiment(method, data, config.training, 0)
        assert outcome.trained.shares.steps == sorted(measured)
        return outcome.model.state_dict()

    without, everywhere = trained(set()), trained(set(range(1, 13)))
    assert all(torch.equal(values, everywhere[key]) for key, values in without.items())


def test_inert_terms_are_those_below_the_threshold_at_every_step():
    shares = GradientShares([1, 5], {"strong": [0.9951, 0.9], "late": [0.0049, 0.1], "weak": [0.0, 0.0049]})
    (said,) = inert_terms(shares, {"weight": 0.0})
    share = "the term weak gave less than 0.5% of the towers' gradient at the 2 steps measured"
    assert said == f"{share}: its hyper-parameters hardly act"


def test_a_term_that_was_turned_off_is_no_surprise():
    shares = GradientShares([1], {"strong": [1.0], "off": [0.0]})
    assert inert_terms(shares, {"weight": 0.0}) == []
    assert inert_terms(shares, {"weight": 0}) == []
    (said,) = inert_terms(shares, {"weight": 0.1, "squared": False})
    assert said.startswith("the term off gave nothing of the towers' gradient")


@pytest.fixture
def lopsided(toy):
    site = toy.parent / "site"
    with (site / "toy_plugins.py").open("a") as file:
        file.write(LOPSIDED)
    with (site / "toy_plugins-1.0.dist-info/entry_points.txt").open("a") as file:
        file.write("lopsided = toy_plugins:Lopsided\n")
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()


def test_a_run_says_which_terms_are_inert(lopsided, quick_training, capsys):  # noqa: ARG001 - lopsided is on the path
    results = hb.run(["lopsided", "gap"], "toy", seeds=2, training=quick_training)
    err = capsys.readouterr().err
    assert err.count("  Lopsided: the term whisper gave less than 0.5% of the towers' gradient at the 5 steps") == 2
    assert "Lopsided: the term hinge gave nothing of the towers' gradient" in err
    assert "Gap only: the term" not in err
    for record in results.records:
        assert record.training.gradient_steps == (1, 10, 20, 30, 40)
    record = next(record for record in results.records if record.method.name == "lopsided")
    assert list(record.training.gradient_shares) == ["gap", "whisper", "hinge"]
    assert record.training.gradient_shares["whisper"] == pytest.approx([0.001 / 1.001] * 5)
    assert record.training.gradient_shares["hinge"] == (0,) * 5
    # Once for the row, whatever the number of its seeds.
    assert " ".join(render(results).split()).count("the term whisper gave less than 0.5%") == 1

    hb.run(["lopsided"], "toy", training=quick_training, parameters={"lopsided": {"weight": 0.0}})
    assert "the term" not in capsys.readouterr().err
