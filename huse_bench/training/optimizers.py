"""Optimisers by name, and the course of their learning rates."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from huse_bench.components import Loss
from huse_bench.config import TrainingConfig
from huse_bench.training.model import Model

__all__ = ["RMSpropTF", "Schedule", "build_optimizer"]


class RMSpropTF(Optimizer):
    """RMSProp as TensorFlow 1 has it, which is what a 2019 paper's learning rate was tuned for.

    Differs from PyTorch's in three ways: epsilon is inside the square root, the mean square starts at one
    (a warm-up of some 1/(1 - decay) steps), and the momentum buffer holds steps already scaled by the
    learning rate (tf.compat.v1.train.RMSPropOptimizer).

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        momentum: of the step buffer.
        decay: of the running mean square.
        eps: added to the mean square.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, object]],
        lr: float,
        momentum: float = 0.9,
        decay: float = 0.9,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if not self.state[p]:
                    self.state[p] = {"mean_square": torch.ones_like(p), "buffer": torch.zeros_like(p)}
            grads = [p.grad for p in params]
            squares = [self.state[p]["mean_square"] for p in params]
            buffers = [self.state[p]["buffer"] for p in params]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["eps"])  # noqa: SLF001 - as in PyTorch's own optimisers
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(buffers, group["momentum"])
            if isinstance(group["lr"], Tensor):
                # The same roundings; a fused product takes no rate that lies on the device.
                steps = torch._foreach_mul(grads, group["lr"])  # noqa: SLF001
                torch._foreach_div_(steps, roots)
                torch._foreach_add_(buffers, steps)
            else:
                torch._foreach_addcdiv_(buffers, grads, roots, group["lr"])
            torch._foreach_sub_(params, buffers)


def build_optimizer(model: Model, loss: Loss, config: TrainingConfig) -> Optimizer:
    """The configured optimiser over a model's towers and heads, each with its learning rate.

    The loss may declare a factor on the heads' rate. Parameters of its own, such as a temperature, get the heads' rate
    without it and no weight decay, which would pull a temperature towards 1 (CLIP leaves its out of the decay too).
    """
    groups: list[dict[str, object]] = [{"params": model.tower_parameters(), "lr": config.learning_rate}]
    heads, own = model.head_parameters(), list(loss.parameters())
    if heads:
        groups.append({"params": heads, "lr": loss.head_rate * config.head_learning_rate})
    if own:
        groups.append({"params": own, "lr": config.head_learning_rate, "weight_decay": 0.0})
    if config.optimizer == "rmsprop-tf":
        return RMSpropTF(groups, lr=config.learning_rate, momentum=config.momentum)
    # What torch asks of a step that is recorded.
    capturable = model.tower_parameters()[0].is_cuda
    optimizer: Optimizer
    if config.optimizer == "rmsprop":
        optimizer = torch.optim.RMSprop(
            groups, lr=config.learning_rate, alpha=0.9, momentum=config.momentum, capturable=capturable
        )
    else:
        optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True, capturable=capturable
        )
    # It would tell the user of slow steps where one is not recorded, and a few of each training are not.
    optimizer._warned_capturable_if_run_uncaptured = True  # noqa: SLF001
    return optimizer


class Schedule:
    """A linear warm-up, then the configured course of the learning rates.

    Args:
        optimizer: whose rates are set, each a multiple of what it is now.
        config: warm-up, course and number of steps.
        placed: give the optimiser its rates in tensors that stay where they are, on the device of the parameters, for a
            step that is recorded and repeated.
    """

    def __init__(self, optimizer: Optimizer, config: TrainingConfig, *, placed: bool = False) -> None:
        self._optimizer = optimizer
        self._config = config
        groups = optimizer.param_groups
        self._bases = [float(group["lr"]) for group in groups]
        self._placed = [_place_for(group["params"][0]) for group in groups] if placed else None
        self._factor = math.nan
        self.set(0)

    def set(self, done: int) -> None:
        """Set the rates of the next step.

        Args:
            done: how many steps were taken.
        """
        factor = self._factor_of(done)
        changed, self._factor = factor != self._factor, factor
        for number, (group, base) in enumerate(zip(self._optimizer.param_groups, self._bases, strict=True)):
            if self._placed is None:
                group["lr"] = factor * base
                continue
            # An optimiser that was taken up has other tensors.
            group["lr"] = self._placed[number]
            if changed:
                self._placed[number].fill_(factor * base)

    def _factor_of(self, step: int) -> float:
        config = self._config
        if step < config.warmup_steps:
            return (step + 1) / (config.warmup_steps + 1)
        if config.schedule == "constant":
            return 1.0
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * done))


def _place_for(parameter: Tensor) -> Tensor:
    # Kernels read a rate on their own device in float32; on the CPU torch makes the number of it that it would be.
    return torch.zeros((), dtype=torch.float32 if parameter.is_cuda else torch.float64, device=parameter.device)
