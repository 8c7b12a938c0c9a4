"""Network inputs of pictures, in order, made by worker processes while the network runs."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from huse_bench.errors import DataError, HuseBenchError, PluginError
from huse_bench.features._decode import UndecodableError, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huse_bench.components import ImageBackbone

__all__ = ["BATCH", "Flaw", "Pixels", "default_workers", "stream_pixels"]

#: Pictures of one batch: what a worker does at once, and what is lost when a build is killed.
BATCH = 32

# Batches that a worker may be ahead.
_AHEAD = 2

# Decoding takes a tenth of the time of a small network and less of a large one, so one core in four does it; more than
# eight only help where a GPU encodes, and --workers gives it more.
_CORES_EACH, _MOST = 4, 8

# Up to this many pictures, starting processes, which import torch where they cannot be forked, hardly saves time.
_FEW = 512

# Shared memory that batches on their way may need: of pictures of 384 pixels, as large as most networks take.
_ROOM_EACH = (_AHEAD + 2) * BATCH * 3 * 384 * 384 * 4
_SHARED = "/dev/shm"  # noqa: S108  where Linux has it

# A socket's address has 107 bytes, of which names within the temporary folder need 32.
_LONGEST = 107 - len("/pymp-12345678/listener-12345678")

# Forked processes have all that is imported. Elsewhere libraries do not bear it.
_START = "fork" if sys.platform == "linux" else "spawn"

#: What is wrong with a picture: ``"left out"`` or ``"truncated"``, and the reason.
Flaw = tuple[str, str]


class Pixels(NamedTuple):
    """A batch of pictures ready for the network.

    Attributes:
        size: pictures of the batch.
        values: (k, 3, H, W) float32 of those that could be decoded.
        rows: their k positions in the batch.
        flaws: what is wrong with which position.
    """

    size: int
    values: NDArray[np.float32]
    rows: list[int]
    flaws: dict[int, Flaw]


# Pixels in shared memory, rows and flaws; or why the batch failed.
_Answer = tuple[Tensor, list[int], dict[int, Flaw]] | str


def default_workers(pictures: int) -> int:
    """How many worker processes to start for so many pictures; with 0 they are read in this process.

    None are started for few pictures, on one core, and where shared memory is short, as in containers.
    """
    cores = _cores()
    if pictures <= _FEW or cores == 1:
        return 0
    return min(-(-cores // _CORES_EACH), _MOST, _shared_room() // _ROOM_EACH)


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
            yield _preprocess(backbone, batch, max_pixels)
        return
    with _starting():
        loader = DataLoader(
            _Pictures(_pickled(backbone), batches, max_pixels),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=min(workers, len(batches)),
            prefetch_factor=_AHEAD,
            worker_init_fn=_begin,
            multiprocessing_context=_START,
        )
        answers: Iterator[_Answer] = iter(loader)
    with _fewer_threads(loader.num_workers):
        for index, batch in enumerate(batches):
            try:
                answer = next(answers)
            except (RuntimeError, MemoryError) as error:
                raise _died(error, batches[index : index + _AHEAD * loader.num_workers]) from error
            if isinstance(answer, str):
                raise PluginError(answer)
            values, rows, flaws = answer
            yield Pixels(len(batch), values.numpy(), rows, flaws)


class _Pictures(Dataset[_Answer]):
    """The batches, as worker processes make them."""

    def __init__(self, backbone: bytes, batches: Sequence[Sequence[str]], max_pixels: int) -> None:
        self._pickle = backbone
        self._batches = batches
        self._max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> _Answer:
        # Torch would wrap an error in a traceback.
        try:
            _, values, rows, flaws = _preprocess(self._backbone, self._batches[index], self._max_pixels)
        except HuseBenchError as error:
            return str(error)
        # Here and not when it is sent, for there nobody would hear of a lack of room.
        pixels: Tensor = torch.from_numpy(values).share_memory_()  # type: ignore[no-untyped-call]
        return pixels, rows, flaws

    @cached_property
    def _backbone(self) -> ImageBackbone:
        try:
            backbone: ImageBackbone = pickle.loads(self._pickle)  # noqa: S301  from our parent
        except Exception as error:
            raise PluginError(f"a worker process cannot load the image backbone: {error!r}") from error
        return backbone


def _preprocess(backbone: ImageBackbone, paths: Sequence[str], max_pixels: int) -> Pixels:
    pixels: list[NDArray[np.float32]] = []
    rows: list[int] = []
    flaws: dict[int, Flaw] = {}
    for row, path in enumerate(paths):
        try:
            image, truncated = decode(path, max_pixels)
        except UndecodableError as error:
            flaws[row] = ("left out", str(error))
            continue
        if truncated:
            flaws[row] = ("truncated", "the file ends too early")
        try:
            # In one memory order, for sums of floats depend on it.
            values = np.ascontiguousarray(backbone.preprocess(image), dtype=np.float32)
        except HuseBenchError:
            raise
        except Exception as error:
            raise PluginError(
                f"the image backbone {type(backbone).__name__} failed to preprocess {path} ({image.width} x "
                f"{image.height} pixels): {type(error).__name__}: {error}. Report it to the backbone's author"
            ) from error
        if values.ndim != 3 or (pixels and values.shape != pixels[0].shape):
            expected = pixels[0].shape if pixels else "(3, H, W)"
            raise PluginError(
                f"the image backbone {type(backbone).__name__} gave pixels of shape {values.shape} for {path}, and "
                f"{expected} was expected: its preprocess must give one shape for all pictures"
            )
        pixels.append(values)
        rows.append(row)
    return Pixels(len(paths), np.stack(pixels) if pixels else np.empty((0,), np.float32), rows, flaws)


def _pickled(backbone: ImageBackbone) -> bytes:
    try:
        return pickle.dumps(backbone)
    except Exception as error:
        raise PluginError(
            f"the image backbone {type(backbone).__name__} cannot be sent to worker processes ({error}): it must make "
            f"what cannot be pickled at its first use. With --workers 0 pictures are read in this process"
        ) from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shared_room() -> int:
    if sys.platform != "linux":
        return sys.maxsize
    try:
        room = os.statvfs(_SHARED)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


@contextmanager
def _fewer_threads(workers: int) -> Iterator[None]:
    """Leave cores to the workers, as long as half of them and two are left to the network."""
    before, cores = torch.get_num_threads(), _cores()
    # Threads of one tensor wait for each other. Of two cores the network makes more of both than of one of its own.
    torch.set_num_threads(min(before, max(2, cores // 2, cores - workers)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _as_it_is(answer: Any) -> Any:
    return answer


def _begin(_worker: int) -> None:
    # Ctrl-C is for the parent alone, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a plugin prints must not get into the parent's tables.
    os.dup2(2, 1)
    # Pixels are handed over by a socket in a folder of this one, and nobody would hear that its address is too long.
    if sys.platform == "linux" and len(os.fsencode(tempfile.gettempdir())) > _LONGEST:
        tempfile.tempdir = "/tmp"  # noqa: S108  which is there


@contextmanager
def _starting() -> Iterator[None]:
    """For as long as processes are started."""
    main = sys.modules["__main__"]
    # Those that are not forked would run a script again that has no main guard.
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        with warnings.catch_warnings():
            # Torch warns of more processes than cores, which are as many as were asked for, and Python of forks beside
            # threads, whose locks stay shut; ours only read pictures.
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.modules["__main__"] = main


def _died(error: Exception, batches: Sequence[Sequence[str]]) -> DataError:
    """What to say where batches came to no end."""
    said = f"{error} {error.__cause__}"
    how = re.search(r"exit code \d+|signal: [\w ]+\w", said)
    count = sum(map(len, batches))
    return DataError(
        f"a worker process died{f' ({how[0]})' if how else ''} at one of the {count} pictures from {batches[0][0]} to "
        f"{batches[-1][-1]}; it may have run out of memory, or of room in {_SHARED}. Free some or use fewer --workers; "
        f"what was made so far is kept"
    )
