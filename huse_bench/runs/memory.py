"""Memory that runs out in a run: known by its errors, said in words, and asked for in smaller pieces."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from huse_bench.errors import OutOfMemoryError
from huse_bench.runs import embedded

__all__ = ["out_of_memory", "ran_out", "smaller_blocks"]

# What torch and the libraries of a GPU say where they raise a RuntimeError and no class of its own.
_WORDS = ("can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")

# How many times fewer items are embedded at once.
_FEWER = 16


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory.

    Args:
        error: whatever was raised.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def out_of_memory(error: BaseException, when: str) -> OutOfMemoryError:
    """What to raise in place of an error that says so.

    Args:
        error: of which :func:`ran_out` is true.
        when: what the run was at.
    """
    # Torch puts a stack behind it.
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return OutOfMemoryError(
        f"memory ran out {when} ({said}). Make room, as by fewer --jobs, and run it again with --overwrite failed, "
        f"which goes on from the last checkpoint; a smaller training.batch_size needs less, and is another training"
    )


@contextmanager
def smaller_blocks() -> Iterator[int]:
    """Embed fewer items at once for as long as the context lasts; yields how many."""
    # The evaluation's own size is part of what identifies runs, and no setting: it is for this case alone.
    before = embedded._ROWS  # noqa: SLF001
    embedded._ROWS = max(1, before // _FEWER)  # noqa: SLF001
    try:
        yield embedded._ROWS  # noqa: SLF001
    finally:
        embedded._ROWS = before  # noqa: SLF001
