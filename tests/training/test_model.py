"""Towers and heads have the shape of the paper's."""

import numpy as np
import pytest
import torch
from torch import nn

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.training import Model

SIZES = {"image_features": 6, "text_features": 7, "class_features": 5, "classes": 4}


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


def test_dropout_is_between_hidden_layers_only_while_training():
    tower = build("huse", TrainingConfig(width=8, embedding_dim=3, dropout=0.5)).image
    x = torch.randn(20, 6)
    assert not torch.equal(tower(x), tower(x))
    tower.eval()
    assert torch.equal(tower(x), tower(x))


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
