"""Pictures to network inputs: decoding and preprocessing, here or in a worker process."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from huse_bench.errors import HuseBenchError, PluginError
from huse_bench.features._decode import UndecodableError, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huse_bench.components import ImageBackbone

__all__ = ["BATCH", "SLOTS", "Flaw", "Reply", "preprocess", "serve"]

#: Pictures of one batch: what a worker does at once, and what is lost when a build is killed.
BATCH = 32

#: Batches that a worker may be ahead.
SLOTS = 2

#: What is wrong with a picture: ``"left out"`` or ``"truncated"``, and the reason.
Flaw = tuple[str, str]


@dataclass
class Reply:
    """What a worker says of a batch whose pixels it wrote to shared memory.

    Attributes:
        rows: positions in the batch of the k pictures that could be decoded.
        shape: (k, 3, H, W) of their pixels.
        flaws: by position, of the others and of those that are truncated.
        file: name of the shared file, once, with the first pixels.
        error: why the batch failed; None where it did not.
    """

    rows: list[int] = field(default_factory=list)
    shape: tuple[int, ...] = (0,)
    flaws: dict[int, Flaw] = field(default_factory=dict)
    file: str | None = None
    error: str | None = None


def preprocess(
    backbone: ImageBackbone, paths: Sequence[str], max_pixels: int
) -> tuple[list[NDArray[np.float32]], list[int], dict[int, Flaw]]:
    """Decode and preprocess a batch of pictures.

    Args:
        backbone: of the pictures.
        paths: the pictures.
        max_pixels: of :func:`huse_bench.features._decode.decode`.

    Returns:
        The network inputs of those that could be decoded, each (3, H, W), their positions in ``paths``, and what is
        wrong with which position.

    Raises:
        PluginError: if the backbone fails on a picture that could be decoded.
    """
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
    return pixels, rows, flaws


class _Shared:
    """A file that this process writes pixels to and its parent reads them from, without a copy between."""

    def __init__(self, picture: NDArray[np.float32]) -> None:
        descriptor, self.name = tempfile.mkstemp(prefix="huse-bench-pixels-")
        self.slot_bytes = BATCH * picture.nbytes
        os.ftruncate(descriptor, SLOTS * self.slot_bytes)
        self.memory = mmap.mmap(descriptor, SLOTS * self.slot_bytes)
        os.close(descriptor)

    def write(self, slot: int, pixels: list[NDArray[np.float32]]) -> None:
        if len(pixels) * pixels[0].nbytes > self.slot_bytes:
            raise PluginError(
                f"the image backbone gave pixels of shape {pixels[0].shape}, larger than for earlier pictures: its "
                f"preprocess must give one shape for all pictures"
            )
        target = np.frombuffer(self.memory, np.float32, len(pixels) * pixels[0].size, slot * self.slot_bytes)
        np.stack(pixels, out=target.reshape(len(pixels), *pixels[0].shape))


def serve() -> None:
    """Be a worker process: take batches from standard input until it closes, answer on standard output.

    First come the parent's ``sys.path``, the most pixels of a picture and the pickled backbone, then ``(slot, paths)``
    for each batch; the answers are of type :class:`Reply`, in the same order.
    """
    # An interrupt is the parent's to handle, who closes our input then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a plugin prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    sys.path[:], max_pixels, pickled = pickle.load(requests)  # noqa: S301  from our parent
    shared: _Shared | None = None
    try:
        backbone = pickle.loads(pickled)  # noqa: S301  from our parent
    except Exception as error:  # noqa: BLE001  whatever it is, the parent must say it
        _answer(answers, Reply(error=f"a worker process cannot load the image backbone: {error!r}"))
        return
    while (request := _receive(requests)) is not None:
        slot, paths = request
        try:
            pixels, rows, flaws = preprocess(backbone, paths, max_pixels)
            reply = Reply(rows, (len(rows), *(pixels[0].shape if pixels else ())), flaws)
            if pixels:
                if shared is None:
                    shared = _Shared(pixels[0])
                    reply.file = shared.name
                shared.write(slot, pixels)
        except HuseBenchError as error:
            reply = Reply(error=str(error))
        _answer(answers, reply)


def _receive(stream: BinaryIO) -> Any:
    try:
        return pickle.load(stream)  # noqa: S301  from our parent
    except EOFError:
        return None


def _answer(stream: BinaryIO, reply: Reply) -> None:
    try:
        pickle.dump(reply, stream)
        stream.flush()
    except BrokenPipeError:
        # The parent is gone, so nobody waits for the rest.
        os._exit(1)
