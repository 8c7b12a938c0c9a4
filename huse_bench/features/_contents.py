"""Hashes of what is encoded: picture files, whose hashes are remembered, and texts."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huse_bench.errors import DataError
from huse_bench.files import write_atomically
from huse_bench.untrusted import json_value

__all__ = ["hash_files", "hash_texts"]

# Reading waits for the disk and hashing lets other threads run, so a few of them help.
_THREADS = 4
_CHUNK = 1 << 20

# A file that was changed twice within its clock's tick keeps its times, so the hash of a new file is not remembered.
_SETTLED_NS = 2_000_000_000

_SHOWN = 20

#: What tells one state of a file from another. Size and time of writing are not enough: archives are unpacked with
#: times of their own, and thumbnails of one form are of one size. The time of change (POSIX: ctime, which no program
#: sets) shows any writing, and the number of the file (inode; Windows: file index, where ctime is the time of creation)
#: one that was put in the place of another. A copy is hashed again, which takes time and is never wrong.
_State = tuple[int, int, int, int]

#: State and hash.
_Known = tuple[_State, str]


def hash_texts(texts: Sequence[str]) -> list[str]:
    """SHA-256 of each text, in hexadecimal."""
    return [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]


def hash_files(paths: Sequence[Path], memory: Path, dataset: str, advance: Callable[[int], None]) -> list[str]:
    """SHA-256 of the contents of each file, in hexadecimal.

    A hash is remembered under the file's path, size, times of change and inode, so that the next call reads no file
    that did not change.

    Args:
        paths: the files.
        memory: folder to remember hashes in, one JSON file for each folder of ``paths``.
        dataset: its name, for messages.
        advance: told how many files are done.

    Raises:
        DataError: if files are missing or cannot be read; it names them.
    """
    folders: dict[Path, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, path in enumerate(paths):
        folders[path.absolute().parent][path.name].append(index)
    hashes = [""] * len(paths)
    problems: list[str] = []
    done = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for folder, names in folders.items():
            notes = memory / f"{hashlib.sha256(bytes(folder)).hexdigest()[:32]}.json"
            known = _recall(notes)
            found = pool.map(lambda name, folder=folder, known=known: _look(folder / name, known.get(name)), names)
            fresh = dict(known)
            for (name, indices), (entry, problem) in zip(names.items(), found, strict=True):
                if entry is None:
                    problems.append(f"{folder / name} ({problem})")
                    continue
                fresh[name] = entry
                for index in indices:
                    hashes[index] = entry[1]
            if fresh != known:
                _remember(notes, folder, fresh)
            done += sum(map(len, names.values()))
            advance(done)
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(
            f"{dataset}: {len(problems)} of {len(paths)} pictures cannot be read; put them back or take their rows out "
            f"of the data:\n  " + "\n  ".join(problems[:_SHOWN]) + more
        )
    return hashes


def _look(path: Path, known: _Known | None) -> tuple[_Known | None, str]:
    try:
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if known is not None and known[0] == state:
            return known, ""
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        return None, error.strerror or str(error)
    return (state, digest.hexdigest()), ""


def _recall(notes: Path) -> dict[str, _Known]:
    try:
        files = json_value(notes.read_bytes())["files"]
        return {str(name): (_state(*state), str(digest)) for name, (state, digest) in files.items()}
    # Notes that cannot be read are notes that were not taken: the files are hashed again.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return {}


def _state(size: int, written: int, changed: int, inode: int) -> _State:
    return int(size), int(written), int(changed), int(inode)


def _remember(notes: Path, folder: Path, files: dict[str, _Known]) -> None:
    settled = time.time_ns() - _SETTLED_NS
    old = {name: entry for name, entry in files.items() if max(entry[0][1:3]) < settled}
    notes.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(notes, json.dumps({"folder": str(folder), "files": old}).encode("ascii"))
