"""Workers of a Ray cluster, each task in a process of its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from huse_bench.errors import ConfigError, EngineError
from huse_bench.execution.engine import Engine, LostError, Task

__all__ = ["RayCluster"]


class RayCluster(Engine):
    """A Ray cluster.

    Args:
        address: of it; None is the one that this machine belongs to.
        jobs: tasks at work at once; None is as many as the cluster has room for.
        gpu: a task needs one GPU.
        options: of a task, as ``ray.remote`` takes them, such as ``num_cpus``, 1 unless given.
    """

    def __init__(
        self, address: str | None, jobs: int | None, *, gpu: bool = False, options: Mapping[str, Any] | None = None
    ) -> None:
        import ray  # noqa: PLC0415  optional

        # Some of its functions have types and some have not.
        self._ray: Any = ray
        needs = {"num_cpus": 1, "num_gpus": int(gpu), "scheduling_strategy": "SPREAD", **(options or {})}
        try:
            # A process for each task gives its memory back. Whoever gave a task gives it again, if it must be.
            self._needs = self._ray.remote(max_calls=1, max_retries=0, **needs)
            self._needs(_nothing)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Ray refuses the engine options {dict(options or {})} ({error})") from error
        # A notebook may be in a cluster already, and stays there.
        self._leaves = not self._ray.is_initialized()
        if self._leaves:
            self._join(address)
        kind, each = ("GPU", needs["num_gpus"]) if gpu else ("CPU", needs["num_cpus"])
        room = max(1, int(self._ray.cluster_resources().get(kind, 0) / (each or 1)))
        nodes = sum(node["Alive"] for node in self._ray.nodes())
        super().__init__(
            jobs or room, max(1, int(needs["num_cpus"])), f"Ray on {nodes} {'node' if nodes == 1 else 'nodes'}"
        )

    def _join(self, address: str | None) -> None:
        # Ray has a SIGTERM end the process in its own way.
        before = signal.getsignal(signal.SIGTERM)
        try:
            self._ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise EngineError(
                f"there is no Ray cluster at {address or 'this machine'} ({str(error).splitlines()[0]}). Start one "
                f"with: ray start --head, and name it with --address HOST:6379"
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)

    def _start(self, task: Task) -> Any:
        return self._needs(task.call).options(name=f"huse-bench-{task.key}").remote(*task.arguments)

    def _wait(self, handles: Sequence[Any], timeout: float) -> Sequence[Any]:
        ended: list[Any] = self._ray.wait(list(handles), num_returns=1, timeout=timeout)[0]
        return ended

    def _answer(self, handle: Any) -> str:
        try:
            return str(self._ray.get(handle))
        except self._ray.exceptions.RayTaskError:
            # The task's own word.
            raise
        except self._ray.exceptions.RayError as error:
            raise LostError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error

    def _end(self, stopped: Sequence[Any]) -> None:
        for handle in stopped:
            self._ray.cancel(handle, force=True)
        if self._leaves:
            self._ray.shutdown()


def _nothing() -> None:
    """What the options of a task are tried on."""
