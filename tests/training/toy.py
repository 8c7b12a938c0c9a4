"""A training of made-up items, for whoever takes its steps: tests, and the processes that they start."""

import numpy as np
import torch

from huse_bench.components import ClassGraph
from huse_bench.features import SplitFeatures
from huse_bench.training import Model, Training

CLASSES, ITEMS = 4, 50


def toy_training(loss, config, *, device="cpu", record=None, seed=1):
    """A training from its start.

    Args:
        loss: makes the method's loss, once torch has a seed.
        config: how to train; batches that do not divide the 50 items show more.
        device: where.
        record: see Training.
        seed: of all that is random in it.
    """
    rng = torch.Generator().manual_seed(0)
    data = SplitFeatures(
        ids=[str(i) for i in range(ITEMS)],
        image=torch.randn(ITEMS, 7, generator=rng),
        text=torch.randn(ITEMS, 5, generator=rng),
        labels=(torch.arange(ITEMS) % CLASSES).numpy(),
        groups=np.arange(ITEMS),
    ).to(device)
    classes = ClassGraph(torch.randn(CLASSES, 6, generator=rng)).to(torch.device(device))
    torch.manual_seed(seed)
    made = loss()
    model = Model(config, made, image_features=7, text_features=5, class_features=6, classes=CLASSES)
    generator = torch.Generator().manual_seed(seed + 1)
    return Training(model.to(device), made.to(device), data, classes, config, generator, record)
