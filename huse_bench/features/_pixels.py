"""Network inputs of pictures, in order, made by worker processes while the network runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from huse_bench.errors import DataError, PluginError
from huse_bench.features._worker import BATCH, SLOTS, Flaw, Reply, preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huse_bench.components import ImageBackbone

__all__ = ["Pixels", "default_workers", "stream_pixels"]

# More than this many only help where a GPU encodes; --workers gives it more.
_MOST = 8

# Up to this many pictures, starting processes, which import torch, takes longer than they save.
_FEW = 512

# Not `-m`: the module's package imports its siblings, and Python warns of that.
_PROGRAM = "from huse_bench.features._worker import serve; serve()"


class Pixels(NamedTuple):
    """A batch of pictures ready for the network.

    Attributes:
        size: pictures of the batch.
        values: (k, 3, H, W) float32 of those that could be decoded; valid until the next batch is asked for.
        rows: their k positions in the batch.
        flaws: what is wrong with which position.
    """

    size: int
    values: NDArray[np.float32]
    rows: list[int]
    flaws: dict[int, Flaw]


def default_workers(pictures: int) -> int:
    """How many worker processes to start for so many pictures; 0 for few, which are read in this process."""
    if pictures <= _FEW:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST)


def stream_pixels(backbone: ImageBackbone, paths: Sequence[str], workers: int, max_pixels: int) -> Iterator[Pixels]:
    """Decode and preprocess pictures, batch by batch, in order.

    Args:
        backbone: whose weights are not read yet, so that it can be sent to other processes.
        paths: the pictures.
        workers: processes to use besides this one; each is at most two batches ahead. 0: none.
        max_pixels: width times height of the largest picture that is read.

    Raises:
        PluginError: if the backbone cannot be sent to processes or fails on a picture.
        DataError: if a worker process dies.
    """
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    if workers == 0:
        for batch in batches:
            pixels, rows, flaws = preprocess(backbone, batch, max_pixels)
            values = np.stack(pixels) if pixels else np.empty((0,), np.float32)
            yield Pixels(len(batch), values, rows, flaws)
        return
    message = pickle.dumps((sys.path, max_pixels, _pickled(backbone)))
    with ExitStack() as stack:
        pool = [stack.enter_context(closing(_Worker(message))) for _ in range(min(workers, len(batches)))]
        ahead = SLOTS * len(pool)

        def send(index: int) -> None:
            if index < len(batches):
                pool[index % len(pool)].send(index // len(pool) % SLOTS, batches[index])

        for index in range(ahead):
            send(index)
        for index, batch in enumerate(batches):
            yield pool[index % len(pool)].receive(index // len(pool) % SLOTS, batch)
            # Its pixels were used, so their place in the worker's memory is free again.
            send(index + ahead)


def _pickled(backbone: ImageBackbone) -> bytes:
    try:
        return pickle.dumps(backbone)
    except Exception as error:
        raise PluginError(
            f"the image backbone {type(backbone).__name__} cannot be sent to worker processes ({error}): it must make "
            f"what cannot be pickled at its first use. With --workers 0 pictures are read in this process"
        ) from error


class _Worker:
    """A process that decodes and preprocesses, and the memory that it shares with this one."""

    def __init__(self, message: bytes) -> None:
        # Not multiprocessing: its processes run a script without a main guard again, and outlive a killed parent.
        self._process = subprocess.Popen(  # noqa: S603  a constant
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            # Ctrl-C is for the parent alone, which ends its workers.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._memory: NDArray[np.float32] | None = None
        self._file: Path | None = None
        self._write(message)

    def send(self, slot: int, paths: Sequence[str]) -> None:
        self._write(pickle.dumps((slot, list(paths))))

    def receive(self, slot: int, batch: Sequence[str]) -> Pixels:
        try:
            reply: Reply = pickle.load(self._answers)  # noqa: S301  from our child
        except (EOFError, pickle.UnpicklingError) as error:
            raise DataError(
                f"a worker process died (exit code {self._process.wait()}) at one of the {len(batch)} pictures from "
                f"{batch[0]} to {batch[-1]}; it may have run out of memory, or of room in the temporary folder. Free "
                f"some or use fewer --workers; what was made so far is kept"
            ) from error
        if reply.error is not None:
            raise PluginError(reply.error)
        if reply.file is not None:
            self._file = Path(reply.file)
            self._memory = np.asarray(np.memmap(self._file, np.float32, "r+"))
            self._unlink()
        size = int(np.prod(reply.shape))
        if self._memory is None or not reply.rows:
            return Pixels(len(batch), np.empty((0,), np.float32), [], reply.flaws)
        start = slot * (len(self._memory) // SLOTS)
        return Pixels(len(batch), self._memory[start : start + size].reshape(reply.shape), reply.rows, reply.flaws)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()
        self._memory = None
        self._unlink()

    def _write(self, message: bytes) -> None:
        # Where the process is gone, the next receive says so.
        with suppress(BrokenPipeError):
            self._requests.write(message)
            self._requests.flush()

    def _unlink(self) -> None:
        # At once, so that a killed build leaves nothing behind; Windows must wait until the worker is gone.
        if self._file is not None:
            with suppress(PermissionError):
                self._file.unlink(missing_ok=True)
