"""The file that a search keeps its trials in, which several processes may share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huse_bench.errors import ResultsError

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

__all__ = ["open_journal"]


@contextmanager
def open_journal(path: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[JournalStorage]:
    """Open the journal of a results folder, which several processes may share.

    Args:
        path: the file; made where there is none.
        say: told what had to be cut.

    Raises:
        ResultsError: if it cannot be read.
    """
    import optuna  # noqa: PLC0415  optional
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock  # noqa: PLC0415  optional

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Not the default lock, a symbolic link: Windows asks for a privilege to make one.
    lock = JournalFileOpenLock(str(path))
    try:
        backend = JournalFileBackend(str(path), lock)
        cut = _cut_damaged_end(path, lock)
        if cut:
            which = "line was damaged and is" if cut == 1 else f"{cut} lines were damaged and are"
            say(f"{path}: the last {which} cut; trials that are lost by it are run again")
        try:
            journal = optuna.storages.JournalStorage(backend)
        except (ValueError, KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        yield journal
    finally:
        optuna.logging.set_verbosity(verbosity)


def _cut_damaged_end(path: Path, lock: Any) -> int:
    """Cut what a killed process or a power failure left at the end; the next line would be glued to it.

    Returns:
        How many lines were cut.

    Raises:
        ResultsError: for a damaged line before a whole one, since what follows it may depend on it.
    """
    lock.acquire()
    try:
        with path.open("r+b") as file:
            lines = list(file)
            whole = [number for number, line in enumerate(lines) if _is_whole(line)]
            kept = whole[-1] + 1 if whole else 0
            damaged = next((number for number in range(kept) if number not in whole), None)
            # A first line that ended was not torn: this file is something else.
            if damaged is None and kept == 0 and lines and lines[0].endswith(b"\n"):
                damaged = 0
            if damaged is not None:
                raise _unreadable(path, f"line {damaged + 1} is damaged")
            file.truncate(sum(map(len, lines[:kept])))
            return len(lines) - kept
    finally:
        lock.release()


def _is_whole(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n") and isinstance(entry, dict) and "op_code" in entry


def _unreadable(path: Path, why: object) -> ResultsError:
    return ResultsError(
        f"{path} is no readable journal of trials ({why}); move the file away, and the trials are run again"
    )
