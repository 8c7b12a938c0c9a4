"""Stopping when the system or the user asks for it: at once, or where nothing is lost by it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stopped", "check", "deferred", "is_wanted", "stoppable"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# A terminal and whatever started this process may both send what is one key press.
_SAME_PRESS_SECONDS = 0.5


class Stopped(BaseException):
    """A signal asked for the end of the process; no failure, so that nothing takes it for one.

    Args:
        signum: the signal.
    """

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        super().__init__(signum)

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}"

    @property
    def exit_code(self) -> int:
        """What shells say of a process that a signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signal


class _Asked:
    """What this process was asked for; signals are of a whole process, so there is one."""

    signum: int | None = None
    at = 0.0
    deferrals = 0


@contextmanager
def stoppable(say: Callable[[str], None]) -> Iterator[None]:
    """Have SIGINT and SIGTERM raise :class:`Stopped`, at once or where :func:`deferred` says.

    The second signal ends the process. In another thread than the main one nothing changes, for Python tells no other
    of signals.

    Args:
        say: tells the user that a signal has to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, _frame: FrameType | None) -> None:
        if _Asked.signum is not None:
            if time.monotonic() - _Asked.at > _SAME_PRESS_SECONDS:
                signal.signal(signum, signal.SIG_DFL)
                os.kill(os.getpid(), signum)
            return
        _Asked.signum, _Asked.at = signum, time.monotonic()
        if not _Asked.deferrals:
            raise Stopped(signum)
        say(f"{signal.Signals(signum).name}: stops as soon as nothing is lost by it; once more to stop at once")

    # A process in the background of a script ignores Ctrl-C, and goes on doing so.
    heeded = [signum for signum in _SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]
    before = {signum: signal.signal(signum, stop) for signum in heeded}
    try:
        yield
    finally:
        for signum, handler in before.items():
            # None is one that was not set from Python.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        _Asked.signum, _Asked.deferrals = None, 0


@contextmanager
def deferred() -> Iterator[None]:
    """Let a signal wait until the context ends, or :func:`check` is called in it."""
    _Asked.deferrals += 1
    try:
        yield
    finally:
        _Asked.deferrals -= 1
    if not _Asked.deferrals:
        check()


def is_wanted() -> bool:
    """Whether a signal is waiting."""
    return _Asked.signum is not None


def check() -> None:
    """Stop here where a signal is waiting.

    Raises:
        Stopped: then.
    """
    if _Asked.signum is not None:
        raise Stopped(_Asked.signum)
