"""Workers of a Dask cluster, each task in a process of its own.

A worker may have been started before huse-bench was last changed, and does several tasks at once as threads; the random
numbers of torch are those of a process, and so is the code that it has imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from huse_bench.errors import EngineError
from huse_bench.execution.child import call_in_child
from huse_bench.execution.engine import Engine, LostError, Task

__all__ = ["DaskCluster"]

_CONNECT_SECONDS = 30


class DaskCluster(Engine):
    """A Dask cluster.

    Args:
        address: of its scheduler.
        jobs: tasks at work at once; None is one for each worker that there is.
    """

    def __init__(self, address: str, jobs: int | None = None) -> None:
        import distributed  # noqa: PLC0415  optional

        # Some of its functions have types and some have not.
        self._dask: Any = distributed
        try:
            self._client = self._dask.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"there is no Dask scheduler at {address} ({error}). Start one with: dask scheduler, and workers with: "
                f"dask worker {address}"
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise EngineError(
                f"the Dask scheduler at {address} has no worker. Start some with: dask worker {address}"
            ) from error
        workers = self._workers()
        slots = jobs or len(workers)
        super().__init__(slots, min(workers.values()), f"{len(workers)} Dask workers at {address}")
        self._given: dict[Any, str] = {}

    def _workers(self) -> dict[str, int]:
        """Threads of each worker, by its address."""
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address: int(facts["nthreads"]) for address, facts in known.items()}

    def _start(self, task: Task) -> Any:
        busy = Counter(self._given.values())
        try:
            # None of them may be there in the middle of a change; Dask then waits for the next.
            chosen = min(self._workers(), key=lambda address: busy[address], default=None)
            future = self._client.submit(
                call_in_child,
                f"{task.call.__module__}:{task.call.__qualname__}",
                str(self.threads),
                *task.arguments,
                key=f"huse-bench-{task.key}",
                pure=False,
                workers=None if chosen is None else [chosen],
                allow_other_workers=chosen is not None,
            )
        # Its own classes for a lost connection derive from several.
        except Exception as error:
            raise EngineError(
                f"the Dask scheduler is gone ({error}). Start it and its workers again, and call the same command: it "
                f"goes on from what is finished"
            ) from error
        self._given[future] = chosen or ""
        return future

    def _wait(self, handles: Sequence[Any], timeout: float) -> Sequence[Any]:
        try:
            with self._client.as_current():
                return list(self._dask.wait(handles, timeout, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def _answer(self, handle: Any) -> str:
        self._given.pop(handle, None)
        try:
            return str(handle.result())
        except self._dask.KilledWorker as error:
            raise LostError("every worker that was given it was lost") from error
        except self._dask.CancelledError as error:
            raise LostError("the scheduler forgot it") from error
        finally:
            # The scheduler is to forget the task, so that its name can be used again.
            handle.release()

    def _end(self, stopped: Sequence[Any]) -> None:
        # What is at work is done to its end, for Dask cannot stop it.
        self._client.cancel(list(stopped), force=True)
        self._client.close()
