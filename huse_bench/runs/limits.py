"""A run that may take only so long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from huse_bench.errors import TimeLimitError

__all__ = ["time_limit"]

# Between two alarms, the first of which may have been caught by what hangs.
_AGAIN_SECONDS = 1.0


class _TimeIsUpError(BaseException):
    """Not an Exception, which what hangs could catch in its own loop."""


@contextmanager
def time_limit(seconds: float) -> Iterator[Callable[[], None]]:
    """End what takes too long.

    Python code that hangs is ended by an alarm, in the main thread of a system that has alarms; compiled code that does
    not return cannot be. Elsewhere what is called in between ends it.

    Args:
        seconds: how long it may take; 0 for any time.

    Yields:
        What to call now and then.

    Raises:
        TimeLimitError: when the time is over.
    """
    if not seconds:
        yield lambda: None
        return
    end = time.monotonic() + seconds

    def look() -> None:
        if time.monotonic() >= end:
            raise _TimeIsUpError

    try:
        with _alarm(seconds):
            yield look
    except _TimeIsUpError as error:
        raise TimeLimitError(f"it took longer than the {seconds:g} seconds of --timeout") from error


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise _TimeIsUpError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
