"""The steps of a training recorded once, in a CUDA graph, and repeated without Python between their kernels."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from huse_bench import kernels
from huse_bench.components import Loss
from huse_bench.training.host_waits import host_waits
from huse_bench.training.random_state import RandomState

__all__ = ["Recorder", "RepeatedStep", "cuda_graph"]

#: The terms of each of the trainings, detached.
Terms = Sequence[Mapping[str, Tensor]]
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


class Recordable(Protocol):
    """A training, as far as its steps may be recorded."""

    loss: Loss
    random: RandomState
    remarks: list[str]

    @property
    def device(self) -> torch.device:
        """Where it is trained."""

    def parameters(self) -> list[nn.Parameter]:
        """Those that a step gives gradients."""

    def changing(self) -> list[Tensor]:
        """The tensors that a step changes, besides gradients."""


class RepeatedStep:
    """A step of one training, or of several at once, recorded at its first call and repeated after, where that is safe.

    The first call executes the step and watches it. A step that waits for the device, or that keeps or draws something
    in Python, cannot be recorded; one that was is executed once more from the same state, and must give the same
    gradients. Otherwise it is executed as it is at each call, and says why.

    Args:
        work: takes a step of each training, from tensors that stay where they are; gives their terms.
        trainings: whose step it is. They are told why it is not repeated, where it is not.
        record: how it is recorded.
    """

    def __init__(self, work: Work, trainings: Sequence[Recordable], record: Recorder) -> None:
        self._work = work
        self._trainings = trainings
        self._record = record
        self._repeat: Work | None = None

    def __call__(self) -> Terms:
        """Take a step; gives its terms."""
        with kernels.unchecked():
            return self._first() if self._repeat is None else self._repeat()

    def _first(self) -> Terms:
        device = self._trainings[0].device
        parameters = [parameter for training in self._trainings for parameter in training.parameters()]
        before, python = _State(self._trainings), _python_state(self._trainings)
        with host_waits(device) as places:
            terms = self._work()
        self._repeat = self._work
        if places:
            return self._say(f"{places[0]} waits for it", terms)
        if _python_state(self._trainings) != python:
            return self._say("it keeps or draws something in Python from step to step", terms)
        after, gradients = _State(self._trainings), [parameter.grad for parameter in parameters]
        before.restore()
        try:
            repeat = self._record(self._work, parameters)
            repeated = repeat()
        except RuntimeError as error:
            reason = f"torch cannot record it: {str(error).splitlines()[0]}"
        else:
            found = [*_values(repeated), *(parameter.grad for parameter in parameters)]
            if _alike(found, [*_values(terms), *gradients]):
                self._repeat = repeat
                return repeated
            reason = "what was recorded gave other gradients"
        after.restore()
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        return self._say(reason, terms)

    def _say(self, reason: str, terms: Terms) -> Terms:
        remark = f"trained by launches one by one and not by a CUDA graph, slower, with the same numbers: {reason}"
        for training in self._trainings:
            if remark not in training.remarks:
                training.remarks.append(remark)
        return terms


def _values(terms: Terms) -> list[Tensor]:
    return [value for of in terms for value in of.values()]


class _State:
    """What a step changes besides gradients: tensors and random numbers."""

    def __init__(self, trainings: Sequence[Recordable]) -> None:
        self._tensors = [tensor for training in trainings for tensor in training.changing()]
        self._values = [tensor.detach().clone() for tensor in self._tensors]
        self._now = RandomState(trainings[0].device)
        self._own = [(training.random, training.random.host, training.random.placed) for training in trainings]

    def restore(self) -> None:
        with torch.no_grad():
            for tensor, value in zip(self._tensors, self._values, strict=True):
                tensor.copy_(value)
        self._now.apply()
        for random_state, host, placed in self._own:
            random_state.host, random_state.placed = host, placed


def _python_state(trainings: Sequence[Recordable]) -> list[Any]:
    """What a recorded step would not change, in a form that can be compared."""
    drawn = [random.getstate(), str(np.random.get_state(legacy=False))]  # noqa: NPY002 - the one that plugins draw from
    if trainings[0].device.type != "cpu":
        drawn += [
            state.tolist() for state in (torch.get_rng_state(), *(training.random.host for training in trainings))
        ]
    modules = [module for training in trainings for module in training.loss.modules()]
    return [*drawn, *(_plain(vars(module), frozenset()) for module in modules)]


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
