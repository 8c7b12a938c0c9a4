"""Files by which processes tell each other what they are at; the operating system frees those of a killed one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from huse_bench.results.folder import unwritable

__all__ = ["claimed", "is_held"]

# A look by :func:`is_held` takes microseconds, and must not be taken for another process that is at the work.
_LOOK_SECONDS = 0.1


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Reserve something for this process, for as long as the context lasts.

    Args:
        path: the file that stands for it, gone afterwards.

    Yields:
        Whether it is this process's; False where another one has it.

    Raises:
        ResultsError: where the disk refuses.
    """
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=_LOOK_SECONDS, poll_interval=_LOOK_SECONDS / 20)
    except filelock.Timeout:
        yield False
        return
    except OSError as error:
        raise unwritable(path.parent, error.strerror or str(error)) from error
    try:
        yield True
    finally:
        lock.release()
        # Where it cannot be removed any more, it stays, and reserves nothing.
        with suppress(OSError):
            path.unlink(missing_ok=True)


def is_held(path: Path) -> bool:
    """Whether a living process has what a file stands for; nothing is written, and nobody who wants it waits longer.

    Args:
        path: as of :func:`claimed`; it need not be there.
    """
    try:
        import fcntl  # noqa: PLC0415  not on Windows
    except ImportError:
        if not path.exists():
            return False
        with claimed(path) as mine:
            return not mine
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    # It is gone, or not ours to look at.
    except OSError:
        return False
    return False
