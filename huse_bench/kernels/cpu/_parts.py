"""A kernel's rows in parts that are worked on side by side, each by one thread.

The parts depend on the size alone and are added up in their order, and each product is of one thread, so that no bit
depends on how many threads there are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

__all__ = ["Sum", "parts_of", "work_on"]

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
    queue = _Queue(parts, work, take)
    threads = min(torch.get_num_threads(), len(parts))
    with _single_products():
        if threads == 1:
            queue.run()
            return
        # This thread works too, so that none has to wait for a core.
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(queue.run) for _ in range(threads - 1)]
            queue.run()
            for other in others:
                other.result()


class _Queue(Generic[Part, Result]):
    def __init__(self, parts: Sequence[Part], work: Callable[[Part], Result], take: Callable[[Result], None]) -> None:
        self._left = iter(enumerate(parts))
        self._work, self._take = work, take
        self._results: dict[int, Result] = {}
        self._taken = 0
        self._lock = Lock()

    def run(self) -> None:
        """Work on what is left, until nothing is."""
        for number, part in self._left:
            result = self._work(part)
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
