"""Cores and GPUs of a machine, divided among tasks that share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch
from threadpoolctl import threadpool_limits

__all__ = ["cores", "environment", "gpus", "limited", "threads_each"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_each(tasks: int) -> int:
    """CPU threads for each of some tasks of this machine: an equal part of its cores, and no more than one process has.

    Args:
        tasks: at work at once.
    """
    return max(1, min(torch.get_num_threads(), cores() // tasks))


def gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get(_VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def environment(threads: int, gpu: str | None = None) -> dict[str, str]:
    """Environment variables for a new process: libraries read them once, when they are imported.

    Args:
        threads: CPU threads.
        gpu: the only GPU that the process sees; None leaves them as they are.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    found = dict.fromkeys(names, str(threads))
    return found if gpu is None else {**found, _VISIBLE: gpu}


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Hold torch, numba and the libraries below numpy to so many CPU threads for as long as the context lasts.

    Args:
        threads: of each.
    """
    before = torch.get_num_threads(), numba.get_num_threads()
    try:
        # Numba's threads, when they start, change the number that torch has; so it comes first.
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        with threadpool_limits(threads):
            torch.set_num_threads(threads)
            yield
    finally:
        numba.set_num_threads(before[1])
        torch.set_num_threads(before[0])
