"""A process beside the benchmarks, for what must not be measured in theirs: memory, and another allocator.

It reads requests from standard input and writes answers to standard output, one JSON a line. Peak memory is what the
kernel counted since its counter was reset, above what the process held after a run of the same and a return of all
that was freed; so neither imports nor compilers count.
"""

import ctypes
import gc
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from benchmarks import losses, ranking
from benchmarks.measuring import OURS, Effort, measure, threads

ROOT = Path(__file__).parents[1]
#: Keeps glibc from giving freed matrices back and faulting every page of the next one in again.
TUNED_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "67108864",
}


class Worker:
    """The process, as the benchmarks see it; started with the first request.

    Args:
        variables: what its environment has besides.
    """

    def __init__(self, variables):
        self._variables = variables
        self._process = None

    def ask(self, task, **arguments):
        """The answer to one request, see the functions at the end of this module."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=os.environ | self._variables,
            )
        request = {"task": task, **arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the worker ended with {self._process.wait()} at {request}; its messages are above"
        return json.loads(answer)

    def stop(self):
        if self._process is not None:
            self._process.communicate()


def memory(**arguments):
    """Peak memory of one run above what the process held before, in MiB, by competitor; empty where it is unknown."""
    if not Path("/proc/self/clear_refs").exists():
        return {}
    with threads(1):
        return {competitor.name: _peak(competitor.run) for competitor in _case(**arguments).competitors}


def ratio(seconds, least, **arguments):
    """The time of the first competitor over ours, under this process's allocator."""
    with threads(1):
        case = _case(**arguments)
        first = case.competitors[0].name
        return measure(case.only(first, OURS), Effort(seconds, least)).entry(first).ratio.model_dump()


def _case(name, rows, dim, **arguments):
    if name == "ranking":
        return ranking.case(rows, dim, **arguments)
    return losses.case(name, rows, dim, **arguments)


def _peak(run):
    run(lambda _phase: None)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    held = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    run(lambda _phase: None)
    return round((_status("VmHWM") - held) / 1024, 1)


def _status(key):
    """A figure of this process that the kernel has, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


@contextmanager
def _answers():
    """A stream for answers alone: what libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as stream:
        os.dup2(2, 1)
        yield stream


if __name__ == "__main__":
    with _answers() as answers:
        for line in sys.stdin:
            request = json.loads(line)
            print(
                json.dumps({"memory": memory, "ratio": ratio}[request.pop("task")](**request)), file=answers, flush=True
            )
