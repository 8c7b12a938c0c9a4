"""What an engine is: it is given tasks, and says which of them ended and how.

A task is a function that workers can import and its arguments, which are texts; so is its answer. Nothing else crosses
between processes: data are named by the paths of files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from huse_bench.errors import EngineError, HuseBenchError

__all__ = ["Ended", "Engine", "LostError", "Task"]


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        key: its name, of letters, digits and hyphens; of two tasks at work at once no two have the same.
        call: a function at the top of a module that workers can import.
        arguments: of the function.
    """

    key: str
    call: Callable[..., str]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """What became of a task.

    Attributes:
        key: of the task.
        answer: what the function returned; None where its worker was lost.
        lost: why the worker was lost; None where there is an answer.
    """

    key: str
    answer: str | None = None
    lost: str | None = None


class LostError(HuseBenchError):
    """A worker ended in the middle of a task, through no word of the task's own."""


class Engine(ABC):
    """Gives tasks to workers; of one that was lost it says so, and whoever gave the task may give it again.

    Args:
        slots: tasks to be at work at once.
        threads: of the CPU, for each task.
        place: what to call the workers.
    """

    def __init__(self, slots: int, threads: int, place: str) -> None:
        self.slots = slots
        self.threads = threads
        self.place = place
        self._at_work: dict[Any, str] = {}
        self._closed = False

    def submit(self, task: Task) -> None:
        """Have a task done.

        Args:
            task: the task.

        Raises:
            EngineError: if no worker can be given it.
        """
        self._at_work[self._start(task)] = task.key

    def ended(self, timeout: float) -> list[Ended]:
        """The tasks that ended since the last call; waits for the first of them.

        Args:
            timeout: seconds to wait at most.

        Raises:
            EngineError: if a worker cannot do a task at all, as where huse-bench is not installed.
        """
        found = []
        for handle in self._wait(list(self._at_work), timeout):
            key = self._at_work.pop(handle)
            try:
                found.append(Ended(key, answer=self._answer(handle)))
            except LostError as error:
                found.append(Ended(key, lost=str(error)))
            except EngineError:
                raise
            except Exception as error:
                # Some of the libraries put the worker's traceback before it.
                what = (str(error).strip() or repr(error)).splitlines()[-1]
                raise EngineError(
                    f"a worker cannot do what it was given ({what}). Install the same huse-bench and the same plugins "
                    f"wherever there are workers, with the same Python"
                ) from error
        return found

    def close(self, *, stop: bool = False) -> None:
        """End the workers, or leave the cluster; nothing where that was done.

        Args:
            stop: stop the tasks that are at work, too, where the cluster can.
        """
        if not self._closed:
            self._closed = True
            self._end(list(self._at_work) if stop else [])

    @abstractmethod
    def _end(self, stopped: Sequence[Any]) -> None:
        """Stop these, and end the workers or leave the cluster."""

    @abstractmethod
    def _start(self, task: Task) -> Any:
        """Give a task to a worker; what it is known by from then on can be hashed."""

    @abstractmethod
    def _wait(self, handles: Sequence[Any], timeout: float) -> Sequence[Any]:
        """Those that ended, once one has or the time is over."""

    @abstractmethod
    def _answer(self, handle: Any) -> str:
        """The answer of one that ended; raises LostError where its worker was lost."""
