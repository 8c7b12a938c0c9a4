"""Time of a training step of HUSE with the paper's towers, against the loop that one would write by hand.

``pytest benchmarks/bench_training_step.py --benchmark-only -s`` prints, beside the table, the median ratio of
interleaved pairs. The loop by hand is eager PyTorch: a DataLoader, torch's dropout and the graph loss by autograd.
What the graph loss costs depends on the share of class pairs under the margin, so that is printed too. Threads are
torch's: set OMP_NUM_THREADS.
"""

import copy
import statistics
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import DataLoader, TensorDataset

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.features import SplitFeatures
from huse_bench.kernels import graph_loss
from huse_bench.training import Model, train

BATCH, CLASSES, IMAGE, TEXT = 1024, 101, 64, 768
SHARE = 0.15
STEPS, ROUNDS = 8, 7


def items(count):
    """Features around those of their class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    image, text = (
        torch.randn(CLASSES, dim, generator=generator)[labels] + torch.randn(count, dim, generator=generator)
        for dim in (IMAGE, TEXT)
    )
    return SplitFeatures(ids=[str(i) for i in range(count)], image=image, text=text, labels=labels)


def class_graph():
    """The classes, and the margin that the given share of their pairs is under."""
    classes = hb.ClassGraph(torch.randn(CLASSES, 32, generator=torch.Generator().manual_seed(1)))
    pairs = classes.distances[~torch.eye(CLASSES, dtype=torch.bool)]
    return classes, float(pairs.quantile(SHARE))


def build(config, margin):
    torch.manual_seed(2)
    loss = hb.load("loss", "huse")(margin=margin)
    sizes = {"image_features": IMAGE, "text_features": TEXT, "class_features": 32, "classes": CLASSES}
    return Model(config, loss, **sizes), loss


def by_hand(model, data, classes, margin, config):
    """The loop by hand from the model's weights; returns the loss of the last step."""
    image_tower, text_tower, head = copy.deepcopy((plain(model.image), plain(model.text), model.image_head))
    learned = nn.ModuleList([image_tower, text_tower, head]).train()
    optimizer = torch.optim.RMSprop(learned.parameters(), config.learning_rate, alpha=0.9, momentum=config.momentum)
    loader = DataLoader(
        TensorDataset(data.image, data.text, data.labels), batch_size=BATCH, shuffle=True, drop_last=True
    )
    step = 0
    while step < config.steps:
        for image_features, text_features, labels in loader:
            image = normalize(image_tower(image_features), dim=1)
            text = normalize(text_tower(text_features), dim=1)
            rows, row_labels = torch.cat([image, text]), torch.cat([labels, labels])
            loss = cross_entropy(head(rows), row_labels)
            loss = loss + graph_loss(rows, row_labels, classes.distances, margin, backend="reference")
            loss = loss + (1 - (image * text).sum(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == config.steps:
                break
    return float(loss.detach())


def plain(tower):
    *hidden, last = tower.layers
    return nn.Sequential(
        *(part for layer in hidden for part in (layer, nn.ReLU(), nn.Dropout(tower.dropout))),
        last,
    )


def ours(model, loss, data, classes, config):
    """The loop of huse-bench; returns the loss of the last step."""
    return sum(train(model, loss, data, classes, config, torch.Generator().manual_seed(3)).losses.values())


def seconds(loop, *args):
    # On one thread the processor's time is what counts, which other programs disturb least.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    loop(*args)
    return clock() - start


@pytest.mark.parametrize("dropout", [0.15, 0.0])
def test_training_step(benchmark, capsys, dropout):
    classes, margin = class_graph()
    # Where there is one batch of items, its loss does not depend on the order that they are drawn in.
    first = TrainingConfig(steps=1, batch_size=BATCH, optimizer="rmsprop", dropout=0.0)
    model, loss = build(first, margin)
    expected = by_hand(model, items(BATCH), classes, margin, first)
    assert ours(model, loss, items(BATCH), classes, first) == pytest.approx(expected, abs=1e-5)

    data = items(4 * BATCH)
    config = TrainingConfig(steps=STEPS, batch_size=BATCH, optimizer="rmsprop", dropout=dropout)
    model, loss = build(config, margin)
    seconds(ours, model, loss, data, classes, config)
    ratios = [
        seconds(by_hand, model, data, classes, margin, config) / seconds(ours, model, loss, data, classes, config)
        for _ in range(ROUNDS)
    ]
    note = f"dropout {dropout}, {SHARE:.0%} of class pairs under the margin, {torch.get_num_threads()} threads"
    benchmark.extra_info.update(ratio=statistics.median(ratios), note=note)
    with capsys.disabled():
        span = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"\ntraining step: {statistics.median(ratios):.2f}x ({span}) the loop by hand; {note}")  # noqa: T201 - the result
    benchmark.pedantic(ours, args=(model, loss, data, classes, config), rounds=3)
