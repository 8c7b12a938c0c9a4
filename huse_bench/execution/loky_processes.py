"""Processes of this machine, by loky: one for each slot, so that the end of one loses no other's task."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any

from huse_bench.execution.child import begin_worker
from huse_bench.execution.engine import Engine, LostError, Task
from huse_bench.execution.threads import environment, gpus, threads_each

__all__ = ["LokyProcesses"]

# What a process has to write down what it is at, when it is told to end.
_GRACE_SECONDS = 10.0


class LokyProcesses(Engine):
    """Processes of this machine.

    Args:
        jobs: how many.
        gpu: give each one GPU, in turn; otherwise each sees what this process sees.
    """

    def __init__(self, jobs: int, *, gpu: bool = False) -> None:
        threads = threads_each(jobs)
        share = f"{threads} {'thread' if threads == 1 else 'threads'}"
        super().__init__(jobs, threads, f"{jobs} {'process' if jobs == 1 else 'processes'} of {share}")
        own = gpus() if gpu else []
        self._free = [_Slot(threads, own[number % len(own)] if own else None) for number in range(jobs)]
        self._slots = list(self._free)
        self._busy: dict[Future[str], _Slot] = {}

    def _start(self, task: Task) -> Future[str]:
        slot = self._free.pop(0)
        future = slot.submit(task)
        self._busy[future] = slot
        return future

    def _wait(self, handles: Sequence[Any], timeout: float) -> Sequence[Any]:
        return list(wait(handles, timeout, FIRST_COMPLETED).done)

    def _answer(self, handle: Any) -> str:
        slot = self._busy.pop(handle)
        self._free.append(slot)
        try:
            return str(handle.result())
        except BrokenProcessPool as error:
            slot.close()
            raise LostError(_reason(str(error))) from error

    def _end(self, stopped: Sequence[Any]) -> None:
        # First they are told to, and then killed.
        wait([future for future in stopped if self._busy[future].tell_to_end()], _GRACE_SECONDS)
        for slot in self._slots:
            slot.close()


class _Slot:
    """One process, made when it is first needed, and anew when it was lost."""

    def __init__(self, threads: int, gpu: str | None) -> None:
        # Data that stay mapped for the next task are no leak to be mended by a new process, which is loky's way.
        self._environment = environment(threads, gpu) | {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}
        self._executor: Any = None
        self._pid: Future[int] | None = None

    def submit(self, task: Task) -> Future[str]:
        from loky import ProcessPoolExecutor  # noqa: PLC0415  who runs in one process needs none of it

        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1, env=self._environment, initializer=begin_worker, initargs=(os.getpid(),)
            )
            self._pid = self._executor.submit(os.getpid)
        future: Future[str] = self._executor.submit(task.call, *task.arguments)
        return future

    def tell_to_end(self) -> bool:
        """Send SIGTERM; False where there is no process."""
        if self._pid is None or not self._pid.done() or self._pid.exception() is not None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._pid.result(), signal.SIGTERM)
        return True

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = self._pid = None


def _reason(said: str) -> str:
    """How a process ended, of what loky says."""
    found = re.search(r"exit codes? of the workers? (?:are|is) \{(.*?)\}", said)
    if found is None:
        return "its process ended"
    code = found[1]
    return f"its process was ended by {code}" + (", as when memory runs out" if "SIGKILL" in code else "")
