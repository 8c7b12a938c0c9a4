# ruff: noqa: ARG001, ARG002, NPY002 - losses and recorders that leave out what others use, and old random numbers
"""Passes that are recorded and repeated: here without a CUDA graph, by the same code otherwise."""

import itertools
import random
import re
from collections import deque

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from toy import toy_training

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.training.host_waits import host_waits

STEPS = 12
SAID = "trained by launches one by one and not by a CUDA graph, slower, with the same numbers: "
# What these do on the CPU waits for nothing: they are of torch's operators, and none looks at the labels.
OF_TORCH = ("devise", "hie", "huse-p", "info-nce", "separate", "siglip", "sup-con", "uni-cl")


def again(work, parameters):
    """A recorder that records nothing."""
    return work


def trained(loss, record, stop=None, device="cpu"):
    config = TrainingConfig(steps=STEPS, batch_size=16, width=12, embedding_dim=8, dropout=0.3, warmup_steps=3)

    def started():
        random.seed(1)
        np.random.seed(1)
        return toy_training(loss, config, device=device, record=record)

    with torch.random.fork_rng():
        training = started()
        if stop is not None:
            for _ in range(stop):
                training.step()
            state, training = training.state_dict(), started()
            training.load_state_dict(state)
        done = training.run()
    weights = [*training.model.parameters(), *training.loss.parameters(), *training.loss.buffers()]
    return done.losses, [weight.detach().clone() for weight in weights], done.remarks


def assert_same(found, expected):
    assert found[0] == expected[0]
    assert all(torch.equal(one, other) for one, other in zip(found[1], expected[1], strict=True))


def of_name(name):
    return hb.load("loss", name)


@pytest.mark.parametrize("name", OF_TORCH)
def test_a_pass_that_is_repeated_gives_the_same_bits(name):
    calls = []

    def record(work, parameters):
        assert all(parameter.requires_grad for parameter in parameters)

        def counted():
            calls.append(name)
            return work()

        return counted

    found = trained(of_name(name), record)
    assert found[2] == ()
    assert_same(found, trained(of_name(name), None))
    # All but those whose shares are measured, which are the first, three quarters' ends and the last.
    assert len(calls) == STEPS - 5


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_training_taken_up_again_records_again(stop):
    assert_same(trained(of_name("info-nce"), again, stop), trained(of_name("info-nce"), None))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", [*OF_TORCH, "adamine", "arc-face", "cme", "dscmr", "huse", "triplet", "vse-pp"])
def test_on_a_gpu_what_a_cuda_graph_repeats_is_what_is_launched_anew(name):
    losses, weights, remarks = trained(of_name(name), None, device="cuda")
    expected, expected_weights, _ = trained(of_name(name), again, device="cuda")
    assert remarks == ()
    assert losses == pytest.approx(expected, rel=1e-4)
    for weight, other in zip(weights, expected_weights, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-3, atol=1e-5)


class Separate(hb.Loss):
    """Classification alone, and what a test adds to it."""

    heads = "separate"

    def forward(self, batch):
        image = F.cross_entropy(batch.image_logits, batch.labels)
        return {"both": self.factor(image) * (image + F.cross_entropy(batch.text_logits, batch.labels))}

    def factor(self, loss):
        return 1.0


class Looks(Separate):
    def factor(self, loss):
        return 2.0 if loss.item() > 1 else 1.0


class Picks(Separate):
    def factor(self, loss):
        rows = torch.arange(3.0)
        return rows[rows > 1].sum()


class Counts(Separate):
    steps = 0

    def factor(self, loss):
        self.steps += 1
        return 1.0 + self.steps / 10


class CountsWithin(Separate):
    def __init__(self):
        super().__init__()
        self.kept = {"steps": [0]}

    def factor(self, loss):
        self.kept["steps"][0] += 1
        return 1.0 + self.kept["steps"][0] / 10


class Draws(Separate):
    def factor(self, loss):
        return 1.0 + random.random()


class DrawsInNumpy(Separate):
    def factor(self, loss):
        return 1.0 + np.random.rand()


class Schedule:
    def __init__(self):
        self.steps, self.owner = 0, self

    def rise(self):
        self.steps += 1
        return 1.0 + self.steps / 10


class Keeps(Separate):
    """Keeps something, of which it makes a factor."""

    def __init__(self, kept, use):
        super().__init__()
        self.kept, self.use = kept, use

    def factor(self, loss):
        return self.use(self.kept)


def turned(numbers):
    numbers.rotate()
    return 1.0 + numbers[0]


def added(numbers):
    numbers += 1
    return float(numbers[0])


KEPT = {
    "an object": lambda: Keeps(Schedule(), Schedule.rise),
    "a generator": lambda: Keeps(random.Random(0), random.Random.random),
    "numpy's generator": lambda: Keeps(np.random.default_rng(0), np.random.Generator.random),
    "torch's generator": lambda: Keeps(torch.Generator().manual_seed(0), lambda kept: torch.rand((), generator=kept)),
    "an array": lambda: Keeps(np.ones(2), added),
    "a queue": lambda: Keeps(deque([0.0, 1.0, 2.0]), turned),
    "a counter": lambda: Keeps(itertools.count(1), lambda kept: float(next(kept))),
}


class Binds(Separate):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def factor(self, loss):
        self.mean = 0.9 * self.mean + 0.1 * loss.detach()
        return 1.0 + self.mean


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (Looks, r"test_capture.py:\d+ \(_local_scalar_dense\) waits for it"),
        (Picks, r"test_capture.py:\d+ \(index\) waits for it"),
        (Counts, "it keeps or draws something in Python from step to step"),
        (CountsWithin, "it keeps or draws something in Python from step to step"),
        (Draws, "it keeps or draws something in Python from step to step"),
        (DrawsInNumpy, "it keeps or draws something in Python from step to step"),
        (Binds, "it keeps or draws something in Python from step to step"),
        *((kept, "it keeps or draws something in Python from step to step") for kept in KEPT.values()),
        (of_name("huse"), r"_fused.py:\d+ \(_local_scalar_dense\) waits for it"),
    ],
)
def test_what_cannot_be_recorded_says_why_once_and_trains_as_before(loss, reason):
    def never(work, parameters):
        raise AssertionError("it must not be recorded")

    found = trained(loss, never)
    (remark,) = found[2]
    assert re.fullmatch(SAID + reason, remark)
    assert_same(found, trained(loss, None))


class Remembers(Separate):
    """What it keeps lies in a tensor that stays, as that of a recorded pass does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def factor(self, loss):
        self.mean.mul_(0.9).add_(loss.detach(), alpha=0.1)
        return 1.0 + self.mean


class NotesTheSame(Separate):
    def factor(self, loss):
        self.noted = {"items": [loss.numel() * 1000.0]}
        return 1.0


@pytest.mark.parametrize("loss", [Remembers, NotesTheSame])
def test_a_loss_may_keep_what_it_learns_in_its_buffers_and_what_never_changes(loss):
    found = trained(loss, again)
    assert found[2] == ()
    assert_same(found, trained(loss, None))


def refuses(work, parameters):
    raise RuntimeError("operation not permitted when stream is capturing\nand more")


def breaks_off(work, parameters):
    work()
    return refuses(work, parameters)


def gives_others(work, parameters):
    def other():
        terms = work()
        parameters[0].grad.mul_(1.1)
        return terms

    return other


def gives_none(work, parameters):
    def none():
        terms = work()
        parameters[0].grad = None
        return terms

    return none


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (refuses, "torch cannot record it: operation not permitted when stream is capturing"),
        (breaks_off, "torch cannot record it: operation not permitted when stream is capturing"),
        (gives_others, "what was recorded gave other gradients"),
        (gives_none, "what was recorded gave other gradients"),
    ],
)
@pytest.mark.parametrize("loss", [Remembers, of_name("siglip")])
def test_a_record_that_is_refused_or_wrong_is_not_used(record, reason, loss):
    found = trained(loss, record)
    (remark,) = found[2]
    assert re.fullmatch(SAID + reason, remark)
    assert_same(found, trained(loss, None))


@pytest.mark.parametrize(
    "work",
    [
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).any()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.masked_select(x > 0),
        torch.unique,
        torch.unique_consecutive,
        lambda x: torch.equal(x, x + 0),
        lambda x: torch.bincount(x.abs().long()),
        lambda x: x.to("meta"),
    ],
)
def test_waits_are_seen(work):
    x = torch.randn(5)
    with host_waits(torch.device("cpu")) as places:
        work(x)
    assert len(places) == 1
    assert places[0].startswith("test_capture.py:")


def test_what_needs_no_number_waits_for_nothing():
    x = torch.randn(5, requires_grad=True)
    with host_waits(torch.device("cpu")) as places:
        order = x.argsort(stable=True)
        y = torch.where(x[order] > 0, x, 0).index_select(0, order) / x.new_ones(5)
        (y.sum() + x.masked_fill(x > 1, 0).square().mean()).backward()
    assert not places
