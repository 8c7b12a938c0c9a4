"""A kernel's work in parts that are done side by side, each by one thread.

A loss's parts depend on the size alone and are added up in their order, and each product is of one thread, so that no
bit depends on how many threads there are.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import Condition, Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

__all__ = ["Job", "Sum", "parts_of", "threads_for", "work_in_turn", "work_on"]

Part = TypeVar("Part")
Result = TypeVar("Result")

# Rows of a part at the least, for each part has a gradient of its own, which is added to the others'; and products of
# two numbers, so that a part takes longer than the start of a thread.
_ROWS, _PRODUCTS = 256, 1 << 26
# As many as keep most machines at work.
_MOST = 16


def parts_of(panels: NDArray[np.int64], rows: int, dim: int, *, ahead: bool = False) -> list[NDArray[np.int64]]:
    """Panels of rows dealt into parts of about equal work, panels that follow each other together.

    Args:
        panels: (P, ...) the kernel's, in order, of about equal height.
        rows: how many rows they have together.
        dim: of the rows.
        ahead: a panel is compared with itself and later ones alone, so that the first ones are more work.

    Returns:
        At least one, none empty.
    """
    count = max(min(rows // _ROWS, rows**2 * dim // _PRODUCTS, len(panels), _MOST), 1)
    shares = np.arange(count + 1) / count
    if ahead:
        shares = 1 - np.sqrt(1 - shares)
    bounds = np.unique((shares * len(panels)).round().astype(int))
    return np.split(panels, bounds[1:-1])


def work_on(parts: Sequence[Part], work: Callable[[Part], Result], take: Callable[[Result], None]) -> None:
    """Work on parts side by side, and take what comes out in the order of the parts.

    Args:
        parts: what there is to do.
        work: called for each by any thread; compiled for the most part, so that threads do not wait for each other.
            Torch's operations would use several threads, which then keep the cores busy for a while with waiting.
        take: called for each result, by one thread at a time.
    """
    ordered = _Ordered(take)

    def do(number: int, part: Part) -> None:
        ordered.put(number, work(part))

    jobs = (Job(partial(do, number, part)) for number, part in enumerate(parts))
    work_in_turn(jobs, min(torch.get_num_threads(), len(parts)))


class Job(NamedTuple):
    """What a thread does, as the ``work`` of :func:`work_on`, and what it needs to itself."""

    run: Callable[[], object]
    needs: tuple[Hashable, ...] = ()


def threads_for(products: int) -> int:
    """How many threads work of so many products of two numbers is worth, of those that torch has."""
    return max(min(torch.get_num_threads(), products // _PRODUCTS), 1)


def work_in_turn(jobs: Iterable[Job], threads: int) -> None:
    """Run jobs side by side, but those with a need in common one after the other, in their order.

    Args:
        jobs: what there is to do. A thread takes the next and waits for its turn, so jobs that can run side by side
            had better follow each other.
        threads: how many.
    """
    turns = _Turns(jobs)
    with _single_products():
        if threads == 1:
            turns.run()
            return
        # This thread works too, so that none has to wait for a core.
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(turns.run) for _ in range(threads - 1)]
            turns.run()
            for other in others:
                other.result()


class _Turns:
    def __init__(self, jobs: Iterable[Job]) -> None:
        self._left = enumerate(jobs)
        self._last: dict[Hashable, int] = {}
        self._begun: set[int] = set()
        self._change = Condition()

    def run(self) -> None:
        """Run what is left, until nothing is."""
        try:
            while turn := self._take():
                number, job = turn
                job.run()
                self._end(number)
        except BaseException:
            self._stop()
            raise

    def _take(self) -> tuple[int, Job] | None:
        """The next job, when all before it that it shares a need with are done."""
        with self._change:
            turn = next(self._left, None)
            if turn is not None:
                number, job = turn
                earlier = {self._last[need] for need in job.needs if need in self._last}
                self._last.update(dict.fromkeys(job.needs, number))
                self._begun.add(number)
                # Other threads have these, so that they are done some day.
                self._change.wait_for(lambda: self._begun.isdisjoint(earlier))
            return turn

    def _end(self, number: int) -> None:
        with self._change:
            self._begun.discard(number)
            self._change.notify_all()

    def _stop(self) -> None:
        """Leave what is not begun, and have nothing wait for what broke."""
        with self._change:
            self._left = enumerate(())
            self._begun.clear()
            self._change.notify_all()


class _Ordered(Generic[Result]):
    def __init__(self, take: Callable[[Result], None]) -> None:
        self._take = take
        self._results: dict[int, Result] = {}
        self._taken = 0
        self._lock = Lock()

    def put(self, number: int, result: Result) -> None:
        """Have what is next taken, as far as it is there."""
        with self._lock:
            self._results[number] = result
            while self._taken in self._results:
                self._take(self._results.pop(self._taken))
                self._taken += 1


class Sum:
    """The sums of what the parts of a loss come to: :meth:`add` is what takes their results.

    Attributes:
        value: of the loss.
        gradient: (N, D) of the rows.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self.gradient: NDArray[np.floating] = np.empty(0)

    def add(self, part: tuple[float, NDArray[np.floating]]) -> None:
        """Add a part's value, and its gradient of the last rows; the first part's is of all rows."""
        value, gradient = part
        if len(self.gradient):
            self.gradient[-len(gradient) :] += gradient
        else:
            self.gradient = gradient
        self.value += value


@contextmanager
def _single_products() -> Iterator[None]:
    """Products of compiled functions are of one thread each."""
    with _blas().limit(limits=1):
        yield


@cache
def _blas() -> ThreadpoolController:
    # The library that numba takes its products from; what is not loaded yet, the controller does not see.
    import scipy.linalg.cython_blas  # noqa: F401, PLC0415 - 50 ms that only a loss has to pay

    return ThreadpoolController().select(user_api="blas")
