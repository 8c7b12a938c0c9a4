"""What the commands that are at a results folder have before them, as files that go when a command ends."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import filelock

from huse_bench.files import write_atomically
from huse_bench.results.locks import is_held

__all__ = ["Command", "announced", "commands_at"]

# Hidden, so that the folder holds nothing else for who looks; the lock is held while the command lives.
_PREFIX, _ENDING, _LOCK = ".command-", ".json", ".lock"


@dataclass(frozen=True)
class Command:
    """A command that is at a results folder.

    Attributes:
        host: name of the machine.
        process: its id there.
        began: when, in seconds since 1970.
        runs: names of the files, without their endings, of the runs that it was to do when it began.
        trials: how many a search is to have, by the name of its study in the journal.
    """

    host: str
    process: int
    began: float
    runs: tuple[str, ...] = ()
    trials: Mapping[str, int] | None = None


@contextmanager
def announced(folder: Path, runs: Sequence[str] = (), trials: Mapping[str, int] | None = None) -> Iterator[None]:
    """Leave word of what a command has before it, for as long as the context lasts.

    A folder that does not take it is no reason to do no work.

    Args:
        folder: the results folder.
        runs: as :attr:`Command.runs`.
        trials: as :attr:`Command.trials`.
    """
    _remove_abandoned(folder)
    path = folder / f"{_PREFIX}{uuid.uuid4().hex}{_ENDING}"
    lock = filelock.FileLock(path.with_suffix(_LOCK))
    command = Command(socket.gethostname(), os.getpid(), time.time(), tuple(runs), trials)
    with suppress(OSError):
        lock.acquire()
        write_atomically(path, json.dumps(asdict(command)).encode())
    try:
        yield
    finally:
        lock.release()
        _remove(path)


def commands_at(folder: Path) -> list[Command]:
    """The commands that are at a results folder; of what killed ones left nothing is said, and nothing is written.

    Args:
        folder: the results folder.
    """
    found = []
    for path in sorted(folder.glob(f"{_PREFIX}*{_ENDING}")):
        if is_held(path.with_suffix(_LOCK)):
            # It may end meanwhile, or be of another version.
            with suppress(OSError, ValueError, TypeError, KeyError):
                said = json.loads(path.read_bytes())
                known = {field.name: said[field.name] for field in fields(Command)}
                found.append(Command(**{**known, "runs": tuple(known["runs"])}))
    return found


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*{_ENDING}"):
        if not is_held(path.with_suffix(_LOCK)):
            _remove(path)


def _remove(path: Path) -> None:
    for each in (path, path.with_suffix(_LOCK)):
        with suppress(OSError):
            each.unlink(missing_ok=True)
