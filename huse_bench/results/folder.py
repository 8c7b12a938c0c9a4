"""What makes a folder a results folder: its marker, and that runs can be written to it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from huse_bench.errors import ResultsError
from huse_bench.files import TEMPORARY_PREFIX, is_incidental, remove_stale_temporaries, write_atomically
from huse_bench.text_files import read_text

__all__ = ["MARKER", "changing", "foreign", "prepare", "read_marker", "reserved", "unwritable"]

#: File that marks a results folder and names its dataset.
MARKER = "huse-bench.json"

# File that is locked while one process changes what all runs of the folder share.
_LOCK = ".huse-bench.lock"

# How long a process waits for another one's change.
_LOCK_SECONDS = 30

_FORMAT = 1


def foreign(folder: Path) -> ResultsError:
    """What to raise for a folder of something else."""
    if (folder / "bundle.json").is_file():
        return ResultsError(f"{folder} is a bundle; name one of the results folders in {folder / 'results'}")
    return ResultsError(f"{folder} is not a huse-bench results folder (it has no {MARKER}); choose another --results")


def unwritable(folder: Path, reason: str) -> ResultsError:
    """What to raise for a folder that cannot be written to."""
    return ResultsError(
        f"cannot write to the results folder {folder} ({reason}); make it writable or choose another --results"
    )


def prepare(folder: Path, dataset: str) -> None:
    """Make the folder where there is none, and see that runs can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _mark(folder, dataset)
        runs = folder / "runs"
        runs.mkdir(exist_ok=True)
        remove_stale_temporaries(folder)
        remove_stale_temporaries(runs)
        # A read-only or full disk must show before the training, not after it.
        with tempfile.NamedTemporaryFile(dir=runs, prefix=TEMPORARY_PREFIX) as probe:
            probe.write(b"writable")
    except OSError as error:
        raise unwritable(folder, error.strerror or str(error)) from error


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Lock what all runs share; raises ResultsError where the disk refuses, or another process does not end."""
    try:
        with filelock.FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
            yield
    except (OSError, filelock.Timeout) as error:
        reason = "another process is writing to it" if isinstance(error, filelock.Timeout) else error.strerror
        raise ResultsError(
            f"cannot write to the results folder {folder} ({reason or error}); make room or make the folder "
            f"writable, and run it again"
        ) from error


@contextmanager
def reserved(path: Path) -> Iterator[bool]:
    """Reserve what a file stands for, for as long as the context lasts; yields False where another process has it.

    The operating system frees what a killed process had reserved. Raises ResultsError where the disk refuses.
    """
    lock = filelock.FileLock(path, blocking=False)
    try:
        lock.acquire()
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


def _mark(folder: Path, dataset: str) -> None:
    """Make an empty folder a results folder; raises ResultsError where it holds other files."""
    # List before looking for the marker: another process may be creating the same folder.
    entries = [path for path in folder.iterdir() if not is_incidental(path)]
    marker = folder / MARKER
    if marker.is_file():
        return
    if entries:
        raise foreign(folder)
    with filelock.FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
        if not marker.is_file():
            text = json.dumps({"format": _FORMAT, "dataset": dataset}) + "\n"
            write_atomically(marker, text.encode())


def read_marker(path: Path) -> str:
    """The dataset that a marker names; raises ResultsError where it is not understood."""
    try:
        marker = json.loads(read_text(path))
        form, dataset = marker["format"], marker["dataset"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResultsError(
            f"{path} cannot be read, so the folder cannot be told from other folders; "
            f'restore it, for instance as {{"format": {_FORMAT}, "dataset": "NAME"}}, or choose another --results'
        ) from error
    if form != _FORMAT:
        raise ResultsError(
            f"{path} says format {form!r}, and this huse-bench reads format {_FORMAT}; "
            f"upgrade huse-bench or choose another --results"
        )
    return str(dataset)
