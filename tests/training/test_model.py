"""Towers and heads have the shape of the paper's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.errors import PluginError
from huse_bench.kernels.relu_dropout import drawn_keys, relu_dropout
from huse_bench.training import Model
from huse_bench.training.optimizers import build_optimizer

SIZES = {"image_features": 6, "text_features": 7, "class_features": 5, "classes": 4}


@pytest.fixture(autouse=True)
def seeded():
    # Some initial weights of so narrow towers leave no hidden unit alive, and then a row has no direction.
    torch.manual_seed(0)


def build(name: str, config: TrainingConfig | None = None, **parameters) -> Model:
    return Model(config or TrainingConfig(width=8, embedding_dim=3), hb.load("loss", name)(**parameters), **SIZES)


def test_the_papers_towers():
    model = build("huse", TrainingConfig())
    shapes = [[tuple(layer.weight.shape) for layer in tower.layers] for tower in (model.image, model.text)]
    assert shapes == [[(512, 6)] + [(512, 512)] * 4, [(512, 7), (512, 512)]]
    assert model.image_head.weight.shape == (4, 512)


def test_tower_is_the_numpy_loop_of_the_readme():
    model = build("huse").eval()
    features = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    x = features
    for i in range(5):
        x = x @ weights[f"image.layers.{i}.weight"].T + weights[f"image.layers.{i}.bias"]
        x = np.maximum(x, 0) if i < 4 else x / np.linalg.norm(x, axis=1, keepdims=True)
    assert model.image(torch.from_numpy(features)).detach().numpy() == pytest.approx(x, abs=1e-6)


def test_dropout_is_between_hidden_layers_where_it_is_given_keys():
    model = build("huse", TrainingConfig(width=8, embedding_dim=3, dropout=0.5))
    tower = model.image
    keys, x = drawn_keys(4), torch.randn(20, 6)
    expected = dropless = x
    for layer, key in zip(tower.layers[:-1], keys, strict=True):
        expected, dropless = relu_dropout(layer(expected), 0.5, key), F.relu(layer(dropless))
    assert torch.equal(tower.outputs(x, keys)[0], F.normalize(tower.layers[-1](expected), dim=1))
    assert torch.equal(tower(x), F.normalize(tower.layers[-1](dropless), dim=1))
    # The image tower's keys come first.
    assert model.hidden == 4 + 1
    text, labels = torch.randn(20, 7), torch.arange(20) % 4
    both = drawn_keys(5)
    batch = model.batch(x, text, labels, None, both)
    assert torch.equal(batch.image, tower.outputs(x, both[:4])[0])
    assert torch.equal(batch.text, model.text.outputs(text, both[4:])[0])


@pytest.mark.parametrize("name", ["devise", "hie", "huse-p"])
def test_projecting_methods_have_the_dimension_of_the_class_embeddings(name):
    assert build(name).image(torch.randn(2, 6)).shape == (2, 5)
    assert build("huse").image(torch.randn(2, 6)).shape == (2, 3)


def test_unit_rows_unless_the_loss_declares_otherwise():
    x = torch.randn(4, 6)
    assert build("devise").image(x).norm(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert build("devise", normalize=False).image(x).norm(dim=1).tolist() != pytest.approx([1.0] * 4, abs=1e-3)


def test_heads_are_shared_separate_or_none():
    shared, separate, none = build("huse"), build("cme"), build("triplet")
    assert shared.image_head is shared.text_head
    assert isinstance(separate.image_head, nn.Linear)
    assert separate.image_head is not separate.text_head
    assert none.image_head is none.text_head is None
    assert none.logits(torch.zeros(1, 3), torch.zeros(1, 3)) == (None, None)


def test_head_scale_is_the_length_of_the_class_weights():
    model = build("cme", TrainingConfig(width=8, embedding_dim=3, head_scale=4.0))
    for head in (model.image_head, model.text_head):
        assert head.weight.norm(dim=1).tolist() == pytest.approx([4.0] * 4)
        assert not head.bias.any()


def test_logits_are_those_of_equation_6():
    model = build("huse")
    image, text = torch.randn(2, 3), torch.randn(2, 3)
    image_logits, text_logits = model.logits(image, text)
    assert torch.equal(image_logits, image @ model.image_head.weight.T + model.image_head.bias)
    assert torch.equal(text_logits, text @ model.image_head.weight.T + model.image_head.bias)


def test_a_cosine_head_is_shared_and_gives_cosines():
    model = build("arc-face")
    rows = torch.randn(5, 3)
    weights = nn.functional.normalize(model.image_head.weight, dim=1)
    expected = nn.functional.normalize(rows, dim=1) @ weights.T
    for logits in model.logits(rows, rows):
        torch.testing.assert_close(logits, expected)
    assert model.image_head is model.text_head
    assert [tuple(weight.shape) for weight in model.head_parameters()] == [(4, 3)]


def test_a_loss_may_declare_the_scale_of_its_heads():
    config = TrainingConfig(width=8, embedding_dim=3, head_scale=16.0)
    assert build("dscmr", config).image_head.weight.norm(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert build("huse", config).image_head.weight.norm(dim=1).tolist() == pytest.approx([16.0] * 4)


class Varied(hb.Loss):
    """Wants a second output of each tower, and heads."""

    title = "Varied"
    heads = "shared"
    initial_variance = 0.2
    unit_rows = False

    def forward(self, batch):
        return {"variance": batch.image_log_variance.mean() + batch.text_log_variance.mean()}


def varied(**config) -> Model:
    return Model(TrainingConfig(width=8, embedding_dim=3, **config), Varied(), **SIZES)


def test_variances_are_one_more_layer_on_the_last_hidden_one():
    model = varied().eval()
    features = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    hidden = np.maximum(features @ weights["text.layers.0.weight"].T + weights["text.layers.0.bias"], 0)
    _, view = model.views(torch.zeros(9, 6), torch.from_numpy(features))
    assert view.modality == "text"
    for found, layer in ((view.rows, "text.layers.1"), (view.log_variance, "text.log_variance")):
        expected = hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        assert found.detach().numpy() == pytest.approx(expected, abs=1e-6)


def test_a_tower_of_one_layer_has_variances_of_the_features():
    model = varied(image_layers=1)
    assert model.image.log_variance.weight.shape == (3, 6)
    features = torch.randn(4, 6)
    expected = nn.functional.linear(features, *model.image.log_variance.parameters())
    torch.testing.assert_close(model.image.outputs(features)[1], expected)


def test_variances_start_at_the_sum_that_is_declared():
    model = varied()
    for tower in (model.image, model.text):
        assert tower.log_variance.bias.exp().sum().item() == pytest.approx(0.2)
        # Glorot's bound; alike rows would get alike gradients and never part.
        assert tower.log_variance.weight.abs().max() <= (6 / (8 + 3)) ** 0.5
        assert tower.log_variance.weight.unique(dim=0).shape == (3, 8)


def test_both_outputs_are_of_one_pass():
    tower = varied(dropout=0.5).image
    tower.log_variance.load_state_dict(tower.layers[-1].state_dict())
    embeddings, log_variances = tower.outputs(torch.randn(20, 6))
    assert torch.equal(embeddings, log_variances)


def test_a_batch_has_the_variances_of_its_model():
    model = varied()
    batch = model.batch(torch.randn(5, 6), torch.randn(5, 7), torch.arange(5) % 4, None)
    for name in ("image", "text", "image_log_variance", "text_log_variance"):
        assert getattr(batch, name).shape == (5, 3)
    sum(Varied()(batch).values()).backward()
    for tower in (model.image, model.text):
        assert tower.log_variance.weight.grad.any()
        assert tower.layers[0].weight.grad.any()
        assert tower.layers[-1].weight.grad is None


def test_undeclared_variances_are_refused():
    model = build("huse")
    assert model.image.log_variance is None
    batch = model.batch(torch.randn(5, 6), torch.randn(5, 7), torch.arange(5) % 4, None)
    view, _ = model.views(torch.randn(5, 6), torch.randn(5, 7))
    for owner, name in ((batch, "image_log_variance"), (batch, "text_log_variance"), (view, "log_variance")):
        with pytest.raises(PluginError, match=f"has no {name}: the loss class must declare initial_variance = 0.1"):
            getattr(owner, name)


def test_variances_are_trained_as_the_towers_are():
    model, config = varied(), TrainingConfig(optimizer="adamw", learning_rate=0.1, head_learning_rate=0.2)
    towers, heads = (group["params"] for group in build_optimizer(model, Varied(), config).param_groups)
    for tower in (model.image, model.text):
        assert any(parameter is tower.log_variance.weight for parameter in towers)
    assert len(heads) == 2


def test_initial_weights_are_drawn_as_ever():
    torch.manual_seed(0)
    model = build("cme")
    # After those of a loss without variances the generator stands where this leaves it.
    after = torch.rand(())
    torch.manual_seed(0)
    layers = []
    sizes = [(6, 8), (8, 8), (8, 8), (8, 8), (8, 3), (7, 8), (8, 3), (3, 4), (3, 4)]
    for inputs, outputs in sizes:
        layer = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(layer.weight)
        layers.append(layer)
    assert torch.rand(()) == after
    drawn = [*model.image.layers, *model.text.layers]
    for layer, expected in zip(drawn, layers, strict=False):
        assert torch.equal(layer.weight, expected.weight)


@pytest.mark.parametrize(("precision", "exact"), [("float32", True), ("bfloat16", False)])
def test_a_batch_is_embedded_in_the_precision_of_the_training(precision, exact):
    model = varied(precision=precision).eval()
    image, text = torch.randn(5, 6), torch.randn(5, 7)
    batch, (view, _) = model.batch(image, text, torch.arange(5) % 4, None), model.views(image, text)
    for found, precise in ((batch.image, view.rows), (batch.image_log_variance, view.log_variance)):
        assert found.dtype == torch.float32
        assert torch.equal(found, precise) == exact
        torch.testing.assert_close(found, precise, atol=0.1, rtol=0.1)
    assert batch.image_logits.dtype == torch.float32
