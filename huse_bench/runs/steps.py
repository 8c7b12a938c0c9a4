"""What is seen of a training while it goes on: its steps, and the points of its learning curve."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from huse_bench.training import Training

__all__ = ["Measured", "Stepped", "Steps", "Watch", "curve_steps", "stepped"]

_Result = TypeVar("_Result")

#: Work on a training that yields it each time that its next step is to be taken.
Steps = Generator[Training, None, _Result]

# Of a learning curve.
_CURVE_POINTS = 50


@dataclass(frozen=True)
class Stepped:
    """An optimiser step was taken; it is shown, and not kept.

    Attributes:
        done: how many were.
        losses: the latest loss terms, now and then; None where they were not read.
    """

    done: int
    losses: Mapping[str, float] | None


@dataclass(frozen=True)
class Measured:
    """A point of the learning curve.

    Attributes:
        step: after which it was measured.
        losses: the loss terms of that step.
        validation: metrics on the validation split by name.
    """

    step: int
    losses: Mapping[str, float]
    validation: Mapping[str, float]


#: Is told of each step and each point of the learning curve.
Watch = Callable[[Stepped | Measured], None]


def curve_steps(steps: int) -> set[int]:
    """The steps of a learning curve: the first, and some fifty that end equal parts of the training.

    Args:
        steps: of the whole training.
    """
    return {1, *(max(1, steps * part // _CURVE_POINTS) for part in range(1, _CURVE_POINTS + 1))}


def stepped(work: Steps[_Result]) -> _Result:
    """Do such work, taking each step when it is asked for.

    Args:
        work: not begun. What goes wrong in a step is raised in it.

    Returns:
        What it returns.
    """
    try:
        training = next(work)
        while True:
            try:
                training.step()
            except BaseException as error:  # noqa: BLE001 - the work says what becomes of it
                training = work.throw(error)
            else:
                training = next(work)
    except StopIteration as end:
        result: _Result = end.value
        return result
