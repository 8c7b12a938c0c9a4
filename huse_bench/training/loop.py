"""The training loop: one method, one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from huse_bench.components import ClassGraph, Loss
from huse_bench.config import TrainingConfig
from huse_bench.errors import ConfigError, DivergedError, PluginError
from huse_bench.features import SplitFeatures
from huse_bench.training.model import Model
from huse_bench.training.optimizers import build_optimizer, build_schedule
from huse_bench.training.shares import GradientShares, steps_to_measure

__all__ = ["Progress", "Trained", "train"]

#: Called after a step with the number of steps done and, now and then, the latest loss terms.
Progress = Callable[[int, Mapping[str, float] | None], None]

#: Reading a loss waits for the device, so it is read and checked only every so many steps.
CHECK_EVERY = 10


@dataclass(frozen=True)
class Trained:
    """What a training did.

    Attributes:
        seconds: wall time of the steps.
        losses: the loss terms of the last step.
        shares: what each term gave of the towers' gradient at a few steps.
    """

    seconds: float
    losses: dict[str, float]
    shares: GradientShares


def train(
    model: Model,
    loss: Loss,
    data: SplitFeatures,
    classes: ClassGraph,
    config: TrainingConfig,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> Trained:
    """Train a model in place on random batches.

    Args:
        model: towers and heads, on the device of the data.
        loss: the method's loss; parameters of its own are trained with the heads' rate.
        data: the train split.
        classes: the class graph.
        config: steps, batch size, optimiser and schedule.
        generator: CPU generator of the batches' order.
        progress: told about each step.

    Raises:
        ConfigError: if the batch is larger than the split.
        DivergedError: if a loss or a weight stops being finite.
        PluginError: if the loss returns something else than named scalars.
    """
    if config.batch_size > len(data.labels):
        raise ConfigError(
            f"training.batch_size = {config.batch_size} is larger than the train split, "
            f"which has {len(data.labels)} items"
        )
    device = data.labels.device
    optimizer = build_optimizer(model, loss, config)
    schedule = build_schedule(optimizer, config)
    graph = classes if loss.semantic or loss.embedding == "classes" else None
    model.train()
    loss.train()
    started = time.perf_counter()
    losses: dict[str, float] = {}
    shares, measured = GradientShares(), steps_to_measure(config.steps)
    batches = _batches(len(data.labels), config.batch_size, generator)
    for step in range(1, config.steps + 1):
        index = next(batches).to(device)
        image, text = data.image.index_select(0, index), data.text.index_select(0, index)
        terms = loss(model.batch(image, text, data.labels[index], graph))
        total = _total(terms, loss, step)
        optimizer.zero_grad()
        if step in measured:
            shares.measure(step, terms, model.tower_parameters())
        torch.autograd.backward(total)
        optimizer.step()
        schedule.step()
        read = step % CHECK_EVERY == 0 or step in (1, config.steps)
        if read:
            losses = {name: float(value.detach()) for name, value in terms.items()}
            if not torch.isfinite(total):
                raise DivergedError(f"the loss was {_shown(losses)} at step {step} of {config.steps}")
        if progress is not None:
            progress(step, losses if read else None)
    seconds = time.perf_counter() - started
    _check_weights(model, config)
    return Trained(seconds=seconds, losses=losses, shares=shares)


def _batches(items: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of row numbers: each pass over the data in a new order, its incomplete rest left out."""
    while True:
        order = torch.randperm(items, generator=generator)
        for start in range(0, items - size + 1, size):
            yield order[start : start + size]


def _total(terms: Mapping[str, Tensor], loss: Loss, step: int) -> Tensor:
    if step == 1:
        name = type(loss).__name__
        if not isinstance(terms, Mapping) or not terms:
            raise PluginError(f"{name}.forward must return a dict of named scalar tensors, got {type(terms).__name__}")
        for term, value in terms.items():
            if not isinstance(value, Tensor) or value.ndim != 0:
                got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise PluginError(
                    f"{name}.forward must return scalar tensors, but the term {term!r} has {got}; take its mean"
                )
    return torch.stack(list(terms.values())).sum()


def _shown(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in losses.items())


def _check_weights(model: Model, config: TrainingConfig) -> None:
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise DivergedError(f"the weights {name} were not finite after step {config.steps}")
