"""One training, as a state that is stepped, saved and taken up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from huse_bench.components import Batch, ClassGraph, Loss
from huse_bench.config import TrainingConfig
from huse_bench.errors import ConfigError, DivergedError
from huse_bench.features import SplitFeatures
from huse_bench.kernels.relu_dropout import drawn_keys
from huse_bench.training.batches import Batches
from huse_bench.training.capture import Recorder, RepeatedStep, cuda_graph
from huse_bench.training.model import Model
from huse_bench.training.optimizers import Schedule, build_optimizer
from huse_bench.training.parallel import part_of, share_gradients
from huse_bench.training.random_state import RandomState
from huse_bench.training.shares import GradientShares, steps_to_measure
from huse_bench.training.stopwatch import Stopwatch
from huse_bench.training.terms import Trained, check_terms, total_of

__all__ = ["Training"]

# Reading a loss waits for the device, so it is checked only every so many steps.
_CHECK_EVERY = 10


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
        data: the train split.
        graph: the class graph, where the loss uses it.
        steps: how many steps are to be taken.
        done: how many are.
        index: (batch,) int64 row numbers of the batch that was drawn.
        keys: (hidden layers, 2) int64 keys of its dropout; None without dropout.
        random: its random numbers.
        optimizer: of all its parameters.
        clock: measures its time.
        remarks: what else to know of how it is trained, a sentence each.

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
        self.loss = loss
        self.data = data
        self.graph = classes if loss.semantic or loss.embedding == "classes" else None
        self.steps = config.steps
        self.done = 0
        self.remarks: list[str] = []
        self._batches = Batches(len(data.labels), config.batch_size, generator, self.device)
        self._part = part_of(config.batch_size)
        if record is None and self.device.type == "cuda" and self._part is None:
            record = cuda_graph
        self.optimizer = build_optimizer(model, loss, config)
        self._schedule = Schedule(self.optimizer, config, placed=record is not None)
        self.random = RandomState(self.device)
        # What is recorded reads them from the same places at each step.
        self.index = torch.empty(config.batch_size, dtype=torch.int64, device=self.device)
        self.keys = torch.empty(model.hidden, 2, dtype=torch.int64, device=self.device) if config.dropout else None
        self._repeated = None if record is None else RepeatedStep(self._recorded, [self], record)
        self._terms: Mapping[str, Tensor] = {}
        self._shares, self._measured = GradientShares(), steps_to_measure(config.steps)
        self.clock, self._earlier = Stopwatch(self.device), 0.0

    @property
    def device(self) -> torch.device:
        """Where it is trained."""
        return self.data.image.device

    @property
    def is_measured(self) -> bool:
        """Whether shares are measured at the next step."""
        return self.done + 1 in self._measured

    def step(self) -> None:
        """Take the next step.

        Raises:
            DivergedError: if the loss stopped being finite, which is seen at some steps.
            PluginError: if the loss returns something else than named scalars.
        """
        self.draw()
        self.advance()

    def draw(self) -> None:
        """Draw the batch of the next step, and its dropout."""
        self.clock.start()
        if not (self.model.training and self.loss.training):
            # Between two steps it may have been evaluated.
            self.model.train()
            self.loss.train()
        with self.random:
            self.index.copy_(next(self._batches))
            if self.keys is not None:
                # The host need not wait for the device to take what a few numbers are.
                self.keys.copy_(drawn_keys(len(self.keys)), non_blocking=True)

    def advance(self, *, recorded: bool = True) -> None:
        """Take the step that was drawn.

        Args:
            recorded: it may be recorded, and repeated from the record.

        Raises:
            DivergedError, PluginError: as :meth:`step`.
        """
        with self.random:
            # Shares need more passes than a step has.
            if self.is_measured:
                terms = self._update(self.done + 1)
            else:
                terms = self._update() if self._repeated is None or not recorded else self._repeated()[0]
        self.take(terms)

    def take(self, terms: Mapping[str, Tensor]) -> None:
        """Note that the step that was drawn was taken.

        Args:
            terms: of the loss, detached.

        Raises:
            DivergedError: as :meth:`step`.
        """
        self._terms = terms
        self.done += 1
        self._schedule.set(self.done)
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

    @property
    def seconds(self) -> float:
        """Wall time of its steps, or its share of those that are taken at once with others, until the clock stopped."""
        return self._earlier + self.clock.seconds

    def time_by(self, clock: Stopwatch) -> None:
        """Go on by another clock, with the time that it has."""
        self._earlier, self.clock = self.seconds - clock.seconds, clock

    def check(self) -> None:
        """Stop the clock, and see that what was trained so far can be evaluated.

        Raises:
            DivergedError: if the last loss or a weight is not finite.
        """
        self.clock.stop()
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
        return Trained(self.seconds, self.losses(), self._shares, tuple(self.remarks))

    def state_dict(self) -> dict[str, Any]:
        """All that the steps to come depend on: tensors, numbers and strings in dicts and lists."""
        self.clock.stop()
        return {
            "done": self.done,
            "seconds": self.seconds,
            "remarks": list(self.remarks),
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self._batches.state_dict(),
            "terms": dict(self._terms),
            "shares": asdict(self._shares),
            "random": self.random.host,
            "random_device": self.random.placed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, of a training of the same method, data and settings.

        Args:
            state: of that training; its tensors are copied.
        """
        self.clock.stop()
        self.done, self._earlier = state["done"], state["seconds"] - self.clock.seconds
        self.remarks = list(state["remarks"])
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._schedule.set(self.done)
        self._batches.load_state_dict(state["batches"])
        self._terms = {name: value.to(self.device) for name, value in state["terms"].items()}
        self._shares = GradientShares(
            list(state["shares"]["steps"]), {name: list(of) for name, of in state["shares"]["by_term"].items()}
        )
        self.random.host, self.random.placed = state["random"], state["random_device"]

    def parameters(self) -> list[nn.Parameter]:
        """Those of the model and of the loss."""
        return [*self.model.parameters(), *self.loss.parameters()]

    def changing(self) -> list[Tensor]:
        """The tensors that a step changes, besides gradients."""
        of_optimizer = [value for of in self.optimizer.state.values() for value in of.values()]
        return [*self.parameters(), *self.loss.buffers(), *of_optimizer]

    def _update(self, measured: int | None = None) -> Mapping[str, Tensor]:
        """Bring the parameters one step further, by the batch; gives its terms.

        Args:
            measured: the number of the step, where the terms' shares are to be measured.
        """
        self.optimizer.zero_grad()
        terms = self.loss(self._batch())
        if measured == 1:
            check_terms(terms, self.loss)
        if measured is not None:
            self._shares.measure(measured, terms, self.model.tower_parameters())
        torch.autograd.backward(total_of(terms))
        if self._part is not None:
            share_gradients(self.model.parameters(), self.loss.parameters())
        self.optimizer.step()
        return {name: value.detach() for name, value in terms.items()}

    def _recorded(self) -> list[Mapping[str, Tensor]]:
        return [self._update()]

    def _batch(self) -> Batch:
        """What the loss is given of the rows of a batch."""
        data, part, index = self.data, self._part, self.index
        own = index if part is None else index[part.start : part.stop]
        image, text = data.image.index_select(0, own), data.text.index_select(0, own)
        return self.model.batch(image, text, data.targets[index], self.graph, self.keys, part)

    def _check_loss(self) -> None:
        losses = self.losses()
        if not math.isfinite(sum(losses.values())):
            shown = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
            raise DivergedError(f"the loss was {shown} at step {self.done} of {self.steps}")
