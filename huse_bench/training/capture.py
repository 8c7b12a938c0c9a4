"""The steps of a training recorded once, in a CUDA graph, and repeated without Python between their kernels."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from huse_bench import kernels
from huse_bench.components import Loss
from huse_bench.training.host_waits import host_waits

__all__ = ["Recorder", "RepeatedStep", "cuda_graph"]

Terms = Mapping[str, Tensor]
Work = Callable[[], Terms]
#: Takes what a step does and the parameters that it gives gradients, gives what does it again.
Recorder = Callable[[Work, Sequence[nn.Parameter]], Work]

# By how much of its largest value a gradient may differ: far above the order of sums, far below a wrong one.
_TOLERANCE = 1e-3


def cuda_graph(work: Work, parameters: Sequence[nn.Parameter]) -> Work:
    """Record a step in a CUDA graph, on the device of the parameters.

    Args:
        work: called once, to record what it launches; nothing of it is executed.
        parameters: those that it gives gradients, at least one.

    Returns:
        What executes it, in the same tensors each time.
    """
    graph, device = torch.cuda.CUDAGraph(), parameters[0].device
    # torch's own stream for it is of the device that was the current one when it was first asked for.
    with torch.cuda.device(device), torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        terms = work()
    gradients = [parameter.grad for parameter in parameters]

    def replay() -> Terms:
        # A step in between that was not recorded has left its own.
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        graph.replay()
        return terms

    return replay


class RepeatedStep:
    """A training step that is recorded at its first call and repeated from then on, where that is safe.

    The first call executes the step and watches it. A step that waits for the device, or that keeps or draws something
    in Python, cannot be recorded; one that was is executed once more from the same state, and must give the same
    gradients. Otherwise it is executed as it is at each call, and says why.

    Args:
        work: gives the terms, detached, and the parameters their gradients and next values, from tensors that stay
            where they are.
        loss: what it is trained by.
        parameters: of the model and of the loss.
        device: where it is trained.
        record: how it is recorded.
        kept: gives the tensors that a step changes, besides gradients.

    Attributes:
        obstacle: why it is not repeated from a record, as a sentence; None where it is, or was not called yet.
    """

    def __init__(
        self,
        work: Work,
        loss: Loss,
        parameters: Sequence[nn.Parameter],
        device: torch.device,
        record: Recorder,
        kept: Callable[[], Sequence[Tensor]],
    ) -> None:
        self._work = work
        self._loss = loss
        self._parameters = parameters
        self._device = device
        self._record = record
        self._kept = kept
        self._repeat: Work | None = None
        self.obstacle: str | None = None

    def __call__(self) -> Terms:
        """Take a step; gives its terms."""
        with kernels.unchecked():
            return self._first() if self._repeat is None else self._repeat()

    def _first(self) -> Terms:
        before, python = _State(self._kept(), self._device), _python_state(self._loss, self._device)
        with host_waits(self._device) as places:
            terms = self._work()
        self._repeat = self._work
        if places:
            return self._say(f"{places[0]} waits for it", terms)
        if _python_state(self._loss, self._device) != python:
            return self._say("it keeps or draws something in Python from step to step", terms)
        after, gradients = _State(self._kept(), self._device), [parameter.grad for parameter in self._parameters]
        before.restore()
        try:
            repeat = self._record(self._work, self._parameters)
            repeated = repeat()
        except RuntimeError as error:
            reason = f"torch cannot record it: {str(error).splitlines()[0]}"
        else:
            found = [*repeated.values(), *(parameter.grad for parameter in self._parameters)]
            if _alike(found, [*terms.values(), *gradients]):
                self._repeat = repeat
                return repeated
            reason = "what was recorded gave other gradients"
        after.restore()
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return self._say(reason, terms)

    def _say(self, reason: str, terms: Terms) -> Terms:
        self.obstacle = (
            f"trained by launches one by one and not by a CUDA graph, slower, with the same numbers: {reason}"
        )
        return terms


class _State:
    """What a step changes besides gradients: tensors, and the device's random numbers."""

    def __init__(self, tensors: Sequence[Tensor], device: torch.device) -> None:
        self._device = device
        self._tensors = tensors
        self._values = [tensor.detach().clone() for tensor in self._tensors]
        cuda = device.type == "cuda"
        self._random = torch.cuda.get_rng_state(device) if cuda else torch.get_rng_state()

    def restore(self) -> None:
        with torch.no_grad():
            for tensor, value in zip(self._tensors, self._values, strict=True):
                tensor.copy_(value)
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._random, self._device)
        else:
            torch.set_rng_state(self._random)


def _python_state(loss: Loss, device: torch.device) -> list[Any]:
    """What a recorded step would not change, in a form that can be compared."""
    drawn = [random.getstate(), str(np.random.get_state(legacy=False))]  # noqa: NPY002 - the one that plugins draw from
    if device.type != "cpu":
        drawn.append(torch.get_rng_state().tolist())
    return [*drawn, *(_plain(vars(module), frozenset()) for module in loss.modules())]


_STATES: dict[type, Callable[[Any], object]] = {
    random.Random: lambda value: value.getstate(),
    np.random.Generator: lambda value: str(value.bit_generator.state),
    torch.Generator: lambda value: value.get_state().tolist(),
    np.ndarray: lambda value: value.tolist(),
}


def _plain(value: object, above: frozenset[int]) -> object:
    """A value in numbers, strings and containers; tensors, modules and functions by which ones they are."""
    if isinstance(value, (int, float, str, bytes, type(None))):
        return value
    if isinstance(value, (Tensor, nn.Module, type)) or callable(value) or id(value) in above:
        return id(value)
    above |= {id(value)}
    for kind, state in _STATES.items():
        if isinstance(value, kind):
            return state(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one, above) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return [_plain(one, above) for one in value]
    return [id(value), _plain(vars(value), above)] if hasattr(value, "__dict__") else repr(value)


def _alike(found: Sequence[Tensor | None], expected: Sequence[Tensor | None]) -> bool:
    if [one is None for one in found] != [one is None for one in expected]:
        return False
    pairs = [(one, other) for one, other in zip(found, expected, strict=True) if one is not None and other is not None]
    return all(bool((one - other).abs().max() <= _TOLERANCE * other.abs().max()) for one, other in pairs)
