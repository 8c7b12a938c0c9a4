"""A task in a process of its own, and processes that end with the one that started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module

from huse_bench.execution.engine import LostError

__all__ = ["begin_worker", "call_in_child", "end_with_parent", "ended_by", "serve"]

_POLL_SECONDS = 0.5


def call_in_child(target: str, threads: str, *arguments: str) -> str:
    """Call a function in a new process, which has the code as it lies on disk now and no more threads than it should.

    Args:
        target: ``package.module:function``.
        threads: CPU threads of the process.
        *arguments: of the function.

    Returns:
        Its answer.

    Raises:
        LostError: if the process ended without one.
        RuntimeError: if the function raised.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    done = subprocess.run(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", __name__],
        input=json.dumps({"target": target, "arguments": arguments, "parent": os.getpid()}),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | dict.fromkeys(names, threads),
        check=False,
    )
    if done.returncode:
        raise LostError(ended_by(done.returncode))
    reply = json.loads(done.stdout)
    if reply["error"]:
        raise RuntimeError(reply["error"])
    return str(reply["answer"])


def ended_by(code: int) -> str:
    """What to say of how a process ended.

    Args:
        code: its return code, as ``subprocess`` gives it.
    """
    if code >= 0:
        return f"its process ended with code {code}"
    name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    return f"its process was ended by {name}" + (", as when memory runs out" if name == "SIGKILL" else "")


def begin_worker(parent: int) -> None:
    """Begin a process that does its parent's tasks.

    Args:
        parent: process id of the parent.
    """
    # A terminal sends it to all, and it is for the parent to say what is to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What plugins print must not come between the parent's results.
    os.dup2(2, 1)
    end_with_parent(parent)


def end_with_parent(parent: int) -> None:
    """Watch, in a thread, whether the parent is alive, and end this process when it is not.

    Args:
        parent: process id of the parent.
    """
    # Windows tells nobody of a parent's end: there a task goes on to its end, and finds nobody to tell of it.
    if os.name != "posix":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve() -> None:
    """Be the process of one task: read it from standard input, write the answer to standard output."""
    # What a plugin prints must not get between.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    end_with_parent(task["parent"])
    module, _, function = task["target"].partition(":")
    reply: dict[str, str | None] = {"answer": None, "error": None}
    try:
        reply["answer"] = getattr(import_module(module), function)(*task["arguments"])
    except Exception as error:  # noqa: BLE001  whatever it is, who asked must hear of it
        reply["error"] = f"{type(error).__name__}: {error}"
    json.dump(reply, answers)
    answers.flush()


if __name__ == "__main__":
    serve()
