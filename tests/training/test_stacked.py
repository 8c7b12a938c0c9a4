"""Trainings taken a step at once have the numbers that each has by itself."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F
from toy import toy_training

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.discovery import components
from huse_bench.errors import DivergedError
from huse_bench.training import Stack

METHODS = sorted(component.name for component in components("loss") if component.distribution == "huse-bench")
SEEDS = (3, 8, 21)
STEPS = 12


def configured(**changes):
    settings = {"batch_size": 16, "width": 12, "embedding_dim": 8, "dropout": 0.3, "warmup_steps": 3}
    return TrainingConfig(**(settings | {"steps": STEPS, "learning_rate": 0.003} | changes))


def made(loss, config, seeds=SEEDS, record=None, device="cpu"):
    return [toy_training(loss, config, record=record, seed=seed, device=device) for seed in seeds]


def weights(training):
    return [weight.detach().clone() for weight in (*training.model.parameters(), *training.loss.parameters())]


def ended(training):
    done = training.trained()
    return done.losses, done.shares, weights(training)


def taken(stack):
    """All steps; gives what failed."""
    failed = {}
    while stack.trainings:
        failed |= stack.step()
    return failed


def assert_alike(found, expected, rtol=1e-4):
    """To the rounding of products of other shapes, over some steps."""
    assert found[0] == pytest.approx(expected[0], rel=rtol, abs=1e-6)
    assert found[1].steps == expected[1].steps
    for name, of_term in expected[1].by_term.items():
        assert found[1].by_term[name] == pytest.approx(of_term, rel=rtol, abs=1e-6)
    for one, other in zip(found[2], expected[2], strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=2e-6)


def by_themselves(loss, config, seeds=SEEDS, device="cpu"):
    trainings = made(loss, config, seeds, device=device)
    for training in trainings:
        training.run()
    return [ended(training) for training in trainings]


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop-tf"])
@pytest.mark.parametrize("name", METHODS)
def test_each_seed_has_the_numbers_of_its_own_run(name, optimizer):
    # A second moment that begins at zero makes a whole step of a gradient that is a rounding.
    config = configured(optimizer=optimizer, steps=STEPS if optimizer == "rmsprop-tf" else 4)
    loss = hb.load("loss", name)
    trainings = made(loss, config)
    state = torch.get_rng_state()
    assert taken(Stack(trainings)) == {}
    assert torch.equal(torch.get_rng_state(), state)
    expected = by_themselves(loss, config)
    for training, alone in zip(trainings, expected, strict=True):
        assert_alike(ended(training), alone)
    # Seeds differ by far more than that.
    assert not torch.allclose(expected[0][2][0], expected[1][2][0], atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", METHODS)
def test_on_a_gpu_too_and_from_a_graph(name):
    config = configured(optimizer="rmsprop-tf")
    loss = hb.load("loss", name)
    trainings = made(loss, config, device="cuda")
    assert taken(Stack(trainings)) == {}
    for training, alone in zip(trainings, by_themselves(loss, config, device="cuda"), strict=True):
        assert training.remarks == []
        assert_alike(ended(training), alone, rtol=1e-3)


@pytest.mark.parametrize(
    "changes", [{"dropout": 0.0}, {"precision": "bfloat16"}, {"image_layers": 1, "text_layers": 3}]
)
def test_other_towers(changes):
    config = configured(optimizer="rmsprop-tf", **changes)
    loss = hb.load("loss", "huse")
    trainings = made(loss, config)
    assert taken(Stack(trainings)) == {}
    rtol = 0.05 if "precision" in changes else 1e-4
    for training, alone in zip(trainings, by_themselves(loss, config), strict=True):
        losses, _, after = ended(training)
        assert losses == pytest.approx(alone[0], rel=rtol)
        for one, other in zip(after, alone[2], strict=True):
            torch.testing.assert_close(one, other, rtol=rtol, atol=2e-3 if "precision" in changes else 2e-6)


def test_steps_at_once_are_recorded_and_repeated():
    config, loss, calls = configured(optimizer="rmsprop-tf"), hb.load("loss", "info-nce"), []

    def record(work, parameters):
        assert len(parameters) == sum(len(weights(training)) for training in trainings)

        def counted():
            calls.append(len(parameters))
            return work()

        return counted

    trainings = made(loss, config, record=record)
    taken(Stack(trainings, record))
    assert [training.remarks for training in trainings] == [[], [], []]
    # All but those whose shares are measured: the first, three quarters' ends and the last.
    assert len(calls) == STEPS - 5
    for training, alone in zip(trainings, by_themselves(loss, config), strict=True):
        assert_alike(ended(training), alone)


class Draws(hb.Loss):
    """Multiplies by what it draws from torch's generator."""

    title = "Draws"
    heads = "separate"

    def forward(self, batch):
        image = F.cross_entropy(batch.image_logits, batch.labels) + F.cross_entropy(batch.text_logits, batch.labels)
        return {"both": (1 + torch.rand(())) * image}


class Rises(Draws):
    """Fails, or is not finite, once the seeds that it is told of have taken some steps."""

    title = "Rises"

    def __init__(self, how="diverges"):
        super().__init__()
        self.how, self.steps, self.bad = how, 0, bool(torch.initial_seed() == 8)

    def forward(self, batch):
        self.steps += 1
        if not self.bad or self.steps <= 6:
            return super().forward(batch)
        if self.how == "raises":
            raise ValueError("no more")
        if self.how == "exits":
            raise SystemExit(3)
        return {"both": super().forward(batch)["both"] * math.nan}


def test_random_numbers_of_a_loss_are_those_of_its_seed():
    config = configured(optimizer="rmsprop-tf")
    trainings = made(Draws, config)
    taken(Stack(trainings))
    for training, alone in zip(trainings, by_themselves(Draws, config), strict=True):
        assert_alike(ended(training), alone)


@pytest.mark.parametrize(
    ("how", "error", "step"), [("diverges", DivergedError, 10), ("raises", ValueError, 6), ("exits", SystemExit, 6)]
)
def test_one_that_fails_costs_the_others_nothing(how, error, step):
    config = configured(optimizer="rmsprop-tf")
    trainings = made(lambda: Rises(how), config)
    failed = taken(Stack(trainings))
    assert list(failed) == [trainings[1]]
    assert isinstance(failed[trainings[1]], error)
    assert trainings[1].done == step
    expected = by_themselves(lambda: Rises(how), config, (3, 21))
    for training, alone in zip((trainings[0], trainings[2]), expected, strict=True):
        assert_alike(ended(training), alone)
        if how != "diverges":
            (remark,) = training.remarks
            reason = "no more" if how == "raises" else "3"
            assert remark == f"trained by itself after step 6, since a step at once with others failed: {reason}"


@pytest.mark.parametrize(("operation", "step"), [("stack", 0), ("baddbmm", 1)])
def test_where_memory_suffices_for_one_alone_they_are_trained_one_by_one(monkeypatch, operation, step):
    config, loss = configured(optimizer="rmsprop-tf"), hb.load("loss", "huse")

    def refuse(*_arguments, **_options):
        raise torch.OutOfMemoryError("out of memory: tried to allocate 2 GiB\nand more")

    trainings = made(loss, config)
    with monkeypatch.context() as patched:
        # As they are called of several: a layer of all, and its product.
        patched.setattr(f"torch.{operation}", refuse)
        stack = Stack(trainings)
        if operation == "stack":
            patched.undo()
        failed = stack.step() | stack.step()
    assert failed | taken(stack) == {}
    for training, alone in zip(trainings, by_themselves(loss, config), strict=True):
        (remark,) = training.remarks
        assert remark.startswith(
            f"trained by itself after step {step}, since a step at once with others failed: out of"
        )
        assert remark.endswith("2 GiB")
        assert_alike(ended(training), alone)


def test_the_last_one_is_recorded_by_itself():
    config, loss, calls = configured(optimizer="rmsprop-tf"), hb.load("loss", "info-nce"), []

    def record(work, parameters):
        calls.append(len(parameters))
        return work

    trainings = made(loss, config, record=record)
    for _ in range(5):
        trainings[0].step()
        trainings[1].step()
    calls.clear()
    taken(Stack(trainings, record))
    of_one = len(trainings[0].parameters())
    assert calls == [3 * of_one, of_one]
    for training, alone in zip(trainings, by_themselves(loss, config), strict=True):
        assert_alike(ended(training), alone)


def test_those_that_are_ahead_end_before_the_others():
    config, loss = configured(optimizer="rmsprop-tf"), hb.load("loss", "siglip")
    trainings = made(loss, config)
    for training, steps in zip(trainings, (2, 5, 7), strict=True):
        for _ in range(steps):
            training.step()
    stack, left = Stack(trainings), []
    while stack.trainings:
        left.append(len(stack.trainings))
        stack.step()
    assert left == [3] * 5 + [2] * 2 + [1] * 3
    for training, alone in zip(trainings, by_themselves(loss, config), strict=True):
        assert_alike(ended(training), alone)


def test_a_stack_is_evaluated_saved_and_taken_up_between_its_steps():
    config, loss = configured(optimizer="rmsprop-tf"), hb.load("loss", "huse")
    trainings = made(loss, config)
    stack = Stack(trainings)
    for _ in range(7):
        stack.step()
    trainings[1].check()
    trainings[1].model.eval()
    state = copy.deepcopy(trainings[1].state_dict())
    assert taken(stack) == {}
    (again,) = made(loss, config, SEEDS[1:2])
    again.load_state_dict(state)
    again.run()
    assert_alike(ended(again), ended(trainings[1]))


def test_time_is_shared_and_none_of_an_evaluations():
    config = configured(steps=40)
    trainings = made(hb.load("loss", "huse"), config)
    stack = Stack(trainings)
    for _ in range(20):
        stack.step()
    trainings[0].check()
    before = [training.seconds for training in trainings]
    assert 0 < before[0] == before[1] == before[2]
    # The clock is stopped until the next step.
    trainings[1].check()
    assert [training.seconds for training in trainings] == before
    taken(stack)
    after = [training.seconds for training in trainings]
    assert before[0] < after[0] == after[1] == after[2]


def test_memory_is_each_ones_own_afterwards():
    trainings = made(hb.load("loss", "huse"), configured(steps=6))
    taken(Stack(trainings))
    places = {weight.untyped_storage().data_ptr() for training in trainings for weight in training.parameters()}
    assert len(places) == sum(len(training.parameters()) for training in trainings)
