"""Time of a training step of HUSE with the paper's towers, beside the loop that one would write by hand.

The loop by hand is eager PyTorch: a DataLoader, torch's dropout and the graph loss by autograd. What the graph loss
costs depends on the share of class pairs under the margin. Times are of all the steps of a short training.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import DataLoader, TensorDataset

import huse_bench as hb
from benchmarks.measuring import OURS, Case, Competitor, thread_counts
from huse_bench.config import TrainingConfig
from huse_bench.features import SplitFeatures
from huse_bench.kernels import reference
from huse_bench.training import Model, Training

CLASSES, IMAGE, TEXT = 101, 64, 768
SHARE = 0.15
# Batch and steps.
FULL, QUICK = (1024, 8), (256, 3)


def pytest_generate_tests(metafunc):
    quick = metafunc.config.getoption("quick")
    batch, steps = QUICK if quick else FULL
    cases = [(batch, steps, dropout, count) for dropout in (0.15, 0.0) for count in thread_counts()]
    metafunc.parametrize(("batch", "steps", "dropout", "thread_count"), cases[:1] if quick else cases)


def test_training_step(record, batch, steps, dropout, thread_count):
    record(lambda: _case(batch, steps, dropout), thread_count)


def _case(batch, steps, dropout):
    classes, margin = class_graph()
    # With one batch of items and no dropout, the loss of the first step does not depend on chance.
    once, one_batch = TrainingConfig(steps=1, batch_size=batch, optimizer="rmsprop", dropout=0.0), items(batch)
    config = TrainingConfig(steps=steps, batch_size=batch, optimizer="rmsprop", dropout=dropout)
    data = items(4 * batch)

    def competitor(name, loop, note):
        model, loss = _model(config, margin)

        def run(lap):
            loop(model, loss, data, classes, config)
            lap("all")

        return Competitor(name, run, note, probe=lambda: loop(*_model(once, margin), one_batch, classes, once))

    return Case(
        "training step",
        batch,
        config.embedding_dim,
        [
            competitor("loop by hand", _by_hand, "eager PyTorch with a DataLoader, graph loss by autograd"),
            competitor(OURS, _ours, "as in huse-bench run"),
        ],
        lambda found, expected: abs(found - expected) / abs(expected),
        tolerance=1e-5,
        facts={"class_pairs_under_margin": SHARE, "dropout": dropout, "steps": float(steps)},
    )


def items(count):
    """Features around those of their class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    image, text = (
        torch.randn(CLASSES, dim, generator=generator)[labels] + torch.randn(count, dim, generator=generator)
        for dim in (IMAGE, TEXT)
    )
    return SplitFeatures(
        ids=[str(i) for i in range(count)], image=image, text=text, labels=labels.numpy(), groups=np.arange(count)
    )


def class_graph():
    """The classes, and the margin that the given share of their pairs is under."""
    classes = hb.ClassGraph(torch.randn(CLASSES, 32, generator=torch.Generator().manual_seed(1)))
    pairs = classes.distances[~torch.eye(CLASSES, dtype=torch.bool)]
    return classes, float(pairs.quantile(SHARE))


def _model(config, margin):
    torch.manual_seed(2)
    loss = hb.load("loss", "huse")(margin=margin)
    sizes = {"image_features": IMAGE, "text_features": TEXT, "class_features": 32, "classes": CLASSES}
    return Model(config, loss, **sizes), loss


def _ours(model, loss, data, classes, config):
    """The loop of huse-bench; returns the loss of the last step."""
    return sum(Training(model, loss, data, classes, config, torch.Generator().manual_seed(3)).run().losses.values())


def _by_hand(model, loss, data, classes, config):
    """The loop by hand from the model's weights; returns the loss of the last step."""
    margin = loss.margin
    image_tower, text_tower, head = copy.deepcopy((_plain(model.image), _plain(model.text), model.image_head))
    learned = nn.ModuleList([image_tower, text_tower, head]).train()
    optimizer = torch.optim.RMSprop(learned.parameters(), config.learning_rate, alpha=0.9, momentum=config.momentum)
    loader = DataLoader(
        TensorDataset(data.image, data.text, data.targets), batch_size=config.batch_size, shuffle=True, drop_last=True
    )
    step = 0
    while step < config.steps:
        for image_features, text_features, labels in loader:
            image = normalize(image_tower(image_features), dim=1)
            text = normalize(text_tower(text_features), dim=1)
            rows, row_labels = torch.cat([image, text]), torch.cat([labels, labels])
            total = cross_entropy(head(rows), row_labels)
            total = total + reference.graph_loss(rows, row_labels, classes.distances, margin, "and")
            total = total + (1 - (image * text).sum(dim=1)).mean()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            step += 1
            if step == config.steps:
                break
    return float(total.detach())


def _plain(tower):
    *hidden, last = tower.layers
    return nn.Sequential(
        *(part for layer in hidden for part in (layer, nn.ReLU(), nn.Dropout(tower.dropout))),
        last,
    )
