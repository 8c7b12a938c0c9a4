"""A training is a state: stopped anywhere, saved, and taken up again, it gives the same bits."""

import io

import pytest
import torch
from toy import toy_training

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.training.batches import Batches

CLASSES = 4
ITEMS = 50


def started(name, optimizer, steps=12):
    """A training from its start, with dropout, a schedule, and batches that do not divide the items."""
    config = TrainingConfig(
        steps=steps, batch_size=16, width=12, embedding_dim=8, dropout=0.3, warmup_steps=3, optimizer=optimizer
    )
    return toy_training(hb.load("loss", name), config)


def through_a_file(state):
    """What is left of a state in a file that holds no code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def bits(training):
    weights = [*training.model.parameters(), *training.loss.parameters()]
    return [weight.detach().clone() for weight in weights]


# A loss with parameters of its own, one with heads, and one that draws random numbers.
@pytest.mark.parametrize("name", ["siglip", "huse", "cme"])
@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop-tf"])
@pytest.mark.parametrize("stop", [0, 1, 5, 11])
def test_a_training_that_is_stopped_saved_and_taken_up_gives_the_same_bits(name, optimizer, stop):
    with torch.random.fork_rng():
        whole = started(name, optimizer)
        expected = whole.run()

        first = started(name, optimizer)
        for _ in range(stop):
            first.step()
        state = through_a_file(first.state_dict())
        # What happens elsewhere meanwhile must not matter.
        torch.manual_seed(99)
        torch.rand(3)
        second = started(name, optimizer)
        second.load_state_dict(state)
        assert second.done == stop
        found = second.run()
    assert found.losses == expected.losses
    assert found.shares == expected.shares
    assert all(torch.equal(one, other) for one, other in zip(bits(whole), bits(second), strict=True))


def test_time_between_steps_is_none_of_the_trainings():
    with torch.random.fork_rng():
        training = started("huse", "adamw")
        training.step()
        training.clock.stop()
        seconds = training.state_dict()["seconds"]
        training.model.eval()
        assert training.state_dict()["seconds"] == seconds
        assert training.run().seconds > seconds
        assert training.model.training


def test_watching_sees_each_step_and_when_the_device_was_waited_for():
    seen = []
    with torch.random.fork_rng():
        started("huse", "adamw").run(lambda training: seen.append((training.done, training.checked)))
    assert seen == [(step, step in (1, 10, 12)) for step in range(1, 13)]


@pytest.mark.parametrize(("items", "size"), [(10, 3), (7, 7), (5, 1)])
def test_each_pass_has_each_item_once_but_for_the_rest(items, size):
    batches = Batches(items, size, torch.Generator().manual_seed(0))
    passes = [[next(batches) for _ in range(items // size)] for _ in range(3)]
    for batch in passes:
        rows = torch.cat(batch).tolist()
        assert len(set(rows)) == len(rows) == items // size * size
        assert set(rows) <= set(range(items))
    assert len({tuple(torch.cat(batch).tolist()) for batch in passes}) > 1
