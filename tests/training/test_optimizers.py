"""Optimisers against the numbers that TensorFlow and PyTorch give, and the schedules against their formula."""

import json
import math
from pathlib import Path

import pytest
import torch

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.training import Model, RMSpropTF
from huse_bench.training.optimizers import Schedule, build_optimizer

ORACLES = json.loads((Path(__file__).parent / "rmsprop_oracles.json").read_text())


def trajectory(optimizer_class, dtype=torch.float64, **options) -> list[list[float]]:
    parameter = torch.nn.Parameter(torch.tensor(ORACLES["p0"], dtype=dtype))
    optimizer = optimizer_class([parameter], lr=ORACLES["lr"], **options)
    values = []
    for gradient in ORACLES["grads"]:
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        values.append(parameter.tolist())
    return values


def flat(values) -> list[float]:
    return [value for row in values for value in row]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rmsprop_tf_is_that_of_tensorflow_1(dtype):
    expected = ORACLES["tf_compat_v1_default(decay=.9,eps=1e-10,ms_init=1)"]
    assert flat(trajectory(RMSpropTF, dtype)) == pytest.approx(flat(expected), abs=2e-6)


def test_rmsprop_tf_formula():
    expected = ORACLES["numpy_TF1(rho.9,eps1e-10 inside,init1)"]
    assert flat(trajectory(RMSpropTF)) == pytest.approx(flat(expected), abs=1e-9)


def test_rmsprop_tf_is_not_pytorchs():
    wrong = ORACLES["torch(alpha=.9,eps=1e-10)"]
    assert flat(trajectory(RMSpropTF)) != pytest.approx(flat(wrong), abs=1e-3)


def test_pytorchs_rmsprop_is_built_with_tensorflows_decay():
    optimizer = build_optimizer(*tiny(), TrainingConfig(optimizer="rmsprop", learning_rate=0.01))
    group = optimizer.param_groups[0]
    options = {name: group[name] for name in ("alpha", "eps", "momentum")}
    expected = ORACLES["torch(alpha=.9,eps=1e-8)"]
    assert flat(trajectory(torch.optim.RMSprop, **options)) == pytest.approx(flat(expected), abs=1e-7)


def tiny():
    loss = hb.load("loss", "huse")()
    sizes = {"image_features": 3, "text_features": 4, "class_features": 5, "classes": 2}
    return Model(TrainingConfig(width=4, embedding_dim=4), loss, **sizes), loss


@pytest.mark.parametrize("name", ["rmsprop-tf", "rmsprop", "adamw"])
def test_heads_have_their_own_rate(name):
    config = TrainingConfig(optimizer=name, learning_rate=0.1, head_learning_rate=0.2)
    model, loss = tiny()
    towers, heads = build_optimizer(model, loss, config).param_groups
    assert (towers["lr"], heads["lr"]) == (0.1, 0.2)
    assert len(towers["params"]) == 14
    # The head is shared, so its weight and bias are there once.
    assert len(heads["params"]) == 2


class Learned(hb.Loss):
    """A head with a rate of its own and a temperature."""

    title = "Learned"
    heads = "separate"
    head_rate = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, batch):
        return {"scale": self.log_scale * batch.image_logits.mean()}


def test_a_loss_declares_a_factor_on_its_heads_rate_and_its_own_parameters_do_not_decay():
    config = TrainingConfig(optimizer="adamw", learning_rate=0.1, head_learning_rate=0.2, weight_decay=0.5)
    loss = Learned()
    model = Model(config, loss, image_features=3, text_features=4, class_features=5, classes=2)
    towers, heads, own = build_optimizer(model, loss, config).param_groups
    assert (towers["lr"], heads["lr"], own["lr"]) == (0.1, 2.0, 0.2)
    assert (towers["weight_decay"], heads["weight_decay"], own["weight_decay"]) == (0.5, 0.5, 0.0)
    assert len(heads["params"]) == 4
    assert own["params"] == [loss.log_scale]


@pytest.mark.parametrize("placed", [False, True])
def test_schedule(placed):
    config = TrainingConfig(
        optimizer="adamw", learning_rate=1.0, head_learning_rate=10.0, schedule="cosine", warmup_steps=3, steps=11
    )
    model, loss = tiny()
    optimizer = build_optimizer(model, loss, config)
    schedule = Schedule(optimizer, config, placed=placed)
    rates, tensors = [], [group["lr"] for group in optimizer.param_groups]
    for step in range(11):
        rates.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.set(step + 1)
    cosine = [0.5 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    towers, heads = zip(*rates, strict=True)
    assert towers == pytest.approx([0.25, 0.5, 0.75, *cosine])
    assert heads == pytest.approx([10 * rate for rate in towers])
    # What was recorded reads them from the same place.
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True)) == placed


@pytest.mark.parametrize("name", ["rmsprop-tf", "adamw"])
def test_a_rate_in_a_tensor_gives_the_same_bits(name):
    def trained(*, placed):
        torch.manual_seed(0)
        config = TrainingConfig(
            optimizer=name, learning_rate=0.0123, head_learning_rate=0.0321, warmup_steps=5, width=40, embedding_dim=30
        )
        loss = hb.load("loss", "huse")()
        model = Model(config, loss, image_features=30, text_features=40, class_features=5, classes=2)
        optimizer = build_optimizer(model, loss, config)
        schedule = Schedule(optimizer, config, placed=placed)
        for step in range(8):
            for weight in model.parameters():
                weight.grad = torch.randn_like(weight)
            optimizer.step()
            schedule.set(step + 1)
        return list(model.parameters())

    for one, other in zip(trained(placed=True), trained(placed=False), strict=True):
        assert torch.equal(one, other)
