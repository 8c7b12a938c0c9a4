"""Jobs of a Slurm cluster, by submitit: one for each task."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huse_bench.errors import ConfigError, EngineError
from huse_bench.execution.engine import Engine, LostError, Task

__all__ = ["SlurmJobs"]

# Where nothing is said; those that wait in the queue are among them.
_JOBS = 16

# submitit's own default are five minutes, after which a job is killed.
_MINUTES = 240

_POLL_SECONDS = 0.5

# Between two questions to Slurm itself: a job that was killed leaves no file that says so.
_ASK_SECONDS = 15.0


class SlurmJobs(Engine):
    """Jobs of a Slurm cluster.

    Args:
        folder: for submitit's files, which every node must see; nobody else may be able to write to it, since submitit
            keeps functions and answers there as pickles.
        jobs: in the queue or at work at once.
        gpu: a job needs one GPU.
        options: of a job, as submitit takes them, such as ``slurm_partition``, ``timeout_min`` and ``cpus_per_task``.
        local: take processes of this machine instead, as submitit's own, to try it without Slurm.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int | None,
        *,
        gpu: bool = False,
        options: Mapping[str, Any] | None = None,
        local: bool = False,
    ) -> None:
        import submitit  # noqa: PLC0415  optional

        self._submitit = submitit
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._executor = submitit.AutoExecutor(folder, cluster="local" if local else "slurm")
        except RuntimeError as error:
            raise EngineError(
                f"there is no Slurm here ({error}). Call it on a login node, or try it with processes of this machine: "
                f"--engine slurm --address local"
            ) from error
        needs = {"timeout_min": _MINUTES, "cpus_per_task": 1, "name": "huse-bench", **(options or {})}
        if gpu:
            needs.setdefault("gpus_per_node", 1)
        try:
            self._executor.update_parameters(**needs)
        except (NameError, TypeError, ValueError) as error:
            raise ConfigError(f"submitit refuses the engine options {dict(options or {})} ({error})") from error
        self._asked = time.monotonic()
        super().__init__(
            jobs or _JOBS, int(needs["cpus_per_task"]), "submitit's local processes" if local else "jobs of Slurm"
        )

    def _start(self, task: Task) -> Any:
        try:
            return self._executor.submit(task.call, *task.arguments)
        except self._submitit.core.utils.FailedSubmissionError as error:
            raise EngineError(
                f"Slurm does not take the job: {error}. Say what it needs with --engine-option"
            ) from error

    def _wait(self, handles: Sequence[Any], timeout: float) -> Sequence[Any]:
        until = time.monotonic() + timeout
        while True:
            ask = time.monotonic() - self._asked > _ASK_SECONDS
            if ask:
                self._asked = time.monotonic()
            ended = [job for job in handles if job.done(force_check=ask)]
            left = until - time.monotonic()
            if ended or left <= 0:
                return ended
            time.sleep(min(_POLL_SECONDS, left))

    def _answer(self, handle: Any) -> str:
        failed = self._submitit.core.utils
        try:
            return str(handle.result())
        except failed.FailedJobError as error:
            # The task's own word: the last line of the traceback that it quotes between two lines.
            quoted = re.search(r"-{5,}\n(.*?)\s*\n-{5,}", str(error), re.DOTALL)
            raise RuntimeError(str(error) if quoted is None else quoted[1].splitlines()[-1]) from error
        except failed.UncompletedJobError as error:
            raise LostError(f"job {handle.job_id} ended as {handle.state}: {_last_line(handle)}") from error

    def _end(self, stopped: Sequence[Any]) -> None:
        for job in stopped:
            job.cancel()


def _last_line(job: Any) -> str:
    """What the job said last."""
    lines = [line.strip() for line in (job.stderr() or "").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
