"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from huse_bench.components import Loss
from huse_bench.config import TrainingConfig
from huse_bench.training.model import Model

__all__ = ["RMSpropTF", "build_optimizer", "build_schedule"]


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
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.learning_rate, alpha=0.9, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def build_schedule(optimizer: Optimizer, config: TrainingConfig) -> LambdaLR:
    """A linear warm-up, then the configured course of the learning rates."""

    def factor(step: int) -> float:
        if step < config.warmup_steps:
            return (step + 1) / (config.warmup_steps + 1)
        if config.schedule == "constant":
            return 1.0
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)
