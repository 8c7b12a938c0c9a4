"""One seed is the same to all methods: the batches, the dropout and, where shapes allow, the first weights."""

import sys

import pytest
import torch

import huse_bench as hb
from huse_bench import discovery

LOSSES = '''
import torch

SEEN = {}


class Seen(Gap):
    """Keeps what it is given at each step."""
    title = "Seen"

    def forward(self, batch):
        rows = batch.image.detach().clone(), batch.text.detach().clone(), batch.labels.clone()
        SEEN.setdefault(type(self).__name__, []).append(rows)
        return super().forward(batch)


class Other(Seen):
    """Has parameters, which it draws, and a head."""
    title = "Other"
    heads = "shared"

    def __init__(self):
        super().__init__()
        self.own = torch.nn.Parameter(torch.randn(3))


class Narrow(Seen):
    """Has embeddings of another length."""
    title = "Narrow"
    embedding = "classes"
'''


@pytest.fixture
def seen(toy):
    """Runs methods with a seed; gives what each step of each was given."""
    site = toy.parent / "site"
    with (site / "toy_plugins.py").open("a") as file:
        file.write(LOSSES)
    with (site / "toy_plugins-1.0.dist-info/entry_points.txt").open("a") as file:
        file.writelines(f"{name.lower()} = toy_plugins:{name}\n" for name in ("Seen", "Other", "Narrow"))
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()

    def run(methods, seed, **training):
        training = {"steps": 3, "batch_size": 32, "width": 16, "embedding_dim": 12, "warmup_steps": 1, **training}
        kept = sys.modules["toy_plugins"].SEEN if "toy_plugins" in sys.modules else {}
        kept.clear()
        hb.run(methods, "toy", seeds=[seed], training=training, overwrite="always", quiet=True)
        return dict(sys.modules["toy_plugins"].SEEN)

    return run


def equal(one, other):
    return [torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True)]


def test_methods_meet_the_same_batches_and_start_from_the_same_weights_under_the_same_dropout(seen):
    given = seen(["seen", "other", "narrow"], 0, dropout=0.5)
    assert len(given["Seen"]) == 3
    # All but what the losses have done to the weights since.
    assert equal(given["Seen"][0], given["Other"][0]) == [True, True, True]
    for step in range(3):
        assert torch.equal(given["Seen"][step][2], given["Other"][step][2])
        assert torch.equal(given["Seen"][step][2], given["Narrow"][step][2])
    assert given["Seen"][0][0].shape != given["Narrow"][0][0].shape


def test_another_seed_shares_nothing(seen):
    first, second = seen(["seen"], 0)["Seen"], seen(["seen"], 1)["Seen"]
    assert equal(first[0], second[0]) == [False, False, False]


def test_a_method_alone_is_trained_as_in_company(seen):
    alone, together = seen(["other"], 0)["Other"], seen(["narrow", "other"], 0)["Other"]
    assert all(all(equal(one, other)) for one, other in zip(alone, together, strict=True))
