"""One training, as a state that is stepped, saved and taken up again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from huse_bench.components import Batch, ClassGraph, Loss
from huse_bench.config import TrainingConfig
from huse_bench.errors import ConfigError, DivergedError, PluginError
from huse_bench.features import SplitFeatures
from huse_bench.kernels.relu_dropout import drawn_keys
from huse_bench.training.batches import Batches
from huse_bench.training.capture import Recorder, RepeatedStep, cuda_graph
from huse_bench.training.model import Model
from huse_bench.training.optimizers import Schedule, build_optimizer
from huse_bench.training.parallel import part_of, processes, summed
from huse_bench.training.random_state import RandomState
from huse_bench.training.shares import GradientShares, steps_to_measure

__all__ = ["Trained", "Training"]

# Reading a loss waits for the device, so it is checked only every so many steps.
_CHECK_EVERY = 10


@dataclass(frozen=True)
class Trained:
    """What a training did.

    Attributes:
        seconds: wall time of the steps.
        losses: the loss terms of the last step.
        shares: what each term gave of the towers' gradient at a few steps.
        remarks: what else to know of how it was trained, a sentence each.
    """

    seconds: float
    losses: dict[str, float]
    shares: GradientShares
    remarks: tuple[str, ...] = ()


class Training:
    """A model trained in place on random batches, step by step.

    Its random numbers go on from where torch's global generators are when it is made. Each step leaves those as they
    were found.

    Args:
        model: towers and heads, on the device of the data.
        loss: the method's loss; parameters of its own are trained with the heads' rate.
        data: the train split.
        classes: the class graph.
        config: steps, batch size, optimiser and schedule.
        generator: CPU generator of the batches' order.
        record: how a step is recorded, to be repeated without Python; by default in a CUDA graph, where it is trained
            on CUDA and no other process shares the batches.

    Attributes:
        model: the one that is trained.
        loss: what it is trained by.
        steps: how many steps are to be taken.
        done: how many are.

    Raises:
        ConfigError: if the batch is larger than the split, or smaller than the number of processes that share it.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        data: SplitFeatures,
        classes: ClassGraph,
        config: TrainingConfig,
        generator: torch.Generator,
        record: Recorder | None = None,
    ) -> None:
        if config.batch_size > len(data.labels):
            raise ConfigError(
                f"training.batch_size = {config.batch_size} is larger than the train split, "
                f"which has {len(data.labels)} items"
            )
        self.model = model
        self.steps = config.steps
        self.done = 0
        self.loss = loss
        self._data = data
        self._device = data.image.device
        self._graph = classes if loss.semantic or loss.embedding == "classes" else None
        self._batches = Batches(len(data.labels), config.batch_size, generator, self._device)
        self._part = part_of(config.batch_size)
        if record is None and self._device.type == "cuda" and self._part is None:
            record = cuda_graph
        self._optimizer = build_optimizer(model, loss, config)
        self._schedule = Schedule(self._optimizer, config, placed=record is not None)
        self._random = RandomState(self._device)
        # What is recorded reads each batch's row numbers, and the keys of its dropout, from the same places.
        self._index = torch.empty(config.batch_size, dtype=torch.int64, device=self._device)
        self._keys = torch.empty(model.hidden, 2, dtype=torch.int64, device=self._device) if config.dropout else None
        self._repeated = (
            self._update
            if record is None
            else RepeatedStep(self._update, loss, self._parameters(), self._device, record, self._kept)
        )
        self._terms: Mapping[str, Tensor] = {}
        self._shares, self._measured = GradientShares(), steps_to_measure(config.steps)
        self._seconds, self._since = 0.0, None

    _since: float | None

    def step(self) -> None:
        """Take the next step.

        Raises:
            DivergedError: if the loss stopped being finite, which is seen at some steps.
            PluginError: if the loss returns something else than named scalars.
        """
        if self._since is None:
            self._since = time.perf_counter()
            # Between two steps it may have been evaluated.
            self.model.train()
            self.loss.train()
        step = self.done + 1
        with self._random:
            self._index.copy_(next(self._batches))
            if self._keys is not None:
                # The host need not wait for the device to take what a few numbers are.
                self._keys.copy_(drawn_keys(len(self._keys)), non_blocking=True)
            # Shares need more passes than a step has.
            self._terms = self._update(step) if step in self._measured else self._repeated()
        self._schedule.set(step)
        self.done = step
        if self.checked:
            self._check_loss()

    def run(self, watch: Callable[[Training], None] | None = None) -> Trained:
        """Take the steps that are left.

        Args:
            watch: called after each, with this training.

        Returns:
            What :meth:`trained` gives.

        Raises:
            DivergedError, PluginError: as :meth:`step` and :meth:`trained`.
        """
        while self.done < self.steps:
            self.step()
            if watch is not None:
                watch(self)
        return self.trained()

    @property
    def checked(self) -> bool:
        """Whether the last step is one at which the device is waited for, to see whether the loss is finite."""
        return self.done % _CHECK_EVERY == 0 or self.done in (1, self.steps)

    def losses(self) -> dict[str, float]:
        """The loss terms of the last step; waits for the device."""
        return {name: float(value) for name, value in self._terms.items()}

    def pause(self) -> None:
        """Stop the clock until the next step, once the device has done all it was given."""
        if self._since is not None:
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            self._seconds += time.perf_counter() - self._since
            self._since = None

    def check(self) -> None:
        """Stop the clock, and see that what was trained so far can be evaluated.

        Raises:
            DivergedError: if the last loss or a weight is not finite.
        """
        self.pause()
        self._check_loss()
        for name, parameter in self.model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise DivergedError(f"the weights {name} were not finite after step {self.done}")

    def trained(self) -> Trained:
        """What the training did, with its clock stopped.

        Raises:
            DivergedError: as :meth:`check`.
        """
        self.check()
        obstacle = self._repeated.obstacle if isinstance(self._repeated, RepeatedStep) else None
        remarks = () if obstacle is None else (obstacle,)
        return Trained(seconds=self._seconds, losses=self.losses(), shares=self._shares, remarks=remarks)

    def state_dict(self) -> dict[str, Any]:
        """All that the steps to come depend on: tensors, numbers and strings in dicts and lists."""
        self.pause()
        return {
            "done": self.done,
            "seconds": self._seconds,
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "batches": self._batches.state_dict(),
            "terms": dict(self._terms),
            "shares": asdict(self._shares),
            "random": self._random.host,
            "random_device": self._random.placed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, of a training of the same method, data and settings.

        Args:
            state: of that training; its tensors are copied.
        """
        self.pause()
        self.done, self._seconds = state["done"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.set(self.done)
        self._batches.load_state_dict(state["batches"])
        self._terms = {name: value.to(self._device) for name, value in state["terms"].items()}
        self._shares = GradientShares(
            list(state["shares"]["steps"]), {name: list(of) for name, of in state["shares"]["by_term"].items()}
        )
        self._random.host, self._random.placed = state["random"], state["random_device"]

    def _update(self, measured: int | None = None) -> Mapping[str, Tensor]:
        """Bring the parameters one step further, by the batch; gives its terms.

        Args:
            measured: the number of the step, where the terms' shares are to be measured.
        """
        self._optimizer.zero_grad()
        terms = self.loss(self._batch())
        if measured == 1:
            _check_terms(terms, self.loss)
        total = torch.stack(list(terms.values())).sum()
        if measured is not None:
            self._shares.measure(measured, terms, self.model.tower_parameters())
        torch.autograd.backward(total)
        if self._part is not None:
            self._share_gradients()
        self._optimizer.step()
        return {name: value.detach() for name, value in terms.items()}

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.loss.parameters()]

    def _kept(self) -> list[Tensor]:
        """The tensors that a step changes, besides gradients."""
        of_optimizer = [value for of in self._optimizer.state.values() for value in of.values()]
        return [*self._parameters(), *self.loss.buffers(), *of_optimizer]

    def _batch(self) -> Batch:
        """What the loss is given of the rows of a batch."""
        data, part, index = self._data, self._part, self._index
        own = index if part is None else index[part.start : part.stop]
        image, text = data.image.index_select(0, own), data.text.index_select(0, own)
        return self.model.batch(image, text, data.targets[index], self._graph, self._keys, part)

    def _share_gradients(self) -> None:
        """Give all processes the gradients of the whole batch."""
        model = [weight.grad for weight in self.model.parameters() if weight.grad is not None]
        # These are of the whole batch already; their mean keeps processes from drifting apart by roundings.
        own = [weight.grad for weight in self.loss.parameters() if weight.grad is not None]
        size = processes()
        sums = summed([*model, *(gradient / size for gradient in own)])
        for gradient, total in zip([*model, *own], sums, strict=True):
            gradient.copy_(total)

    def _check_loss(self) -> None:
        losses = self.losses()
        if not math.isfinite(sum(losses.values())):
            shown = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
            raise DivergedError(f"the loss was {shown} at step {self.done} of {self.steps}")


def _check_terms(terms: object, loss: Loss) -> None:
    name = type(loss).__name__
    if not isinstance(terms, Mapping) or not terms:
        raise PluginError(f"{name}.forward must return a dict of named scalar tensors, got {type(terms).__name__}")
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.ndim != 0:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(
                f"{name}.forward must return scalar tensors, but the term {term!r} has {got}; take its mean"
            )
