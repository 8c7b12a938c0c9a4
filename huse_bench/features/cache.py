"""The cache of features: one file for each backbone and what it encoded."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import filelock

from huse_bench.errors import ConfigError, DataError
from huse_bench.features._entry import Entry, entry_header, read_entry, sha256_of
from huse_bench.features._partial import Partial, progress_of

__all__ = ["VARIABLE", "Cache", "Unfinished"]

#: Environment variable that names another folder for the cache.
VARIABLE = "HUSE_BENCH_CACHE"

_CHUNK = 1 << 20
# A backbone's name may hold the path of a model, and file systems take 255 bytes.
_LONGEST_SLUG = 120


@dataclass(frozen=True)
class Unfinished:
    """Features that were begun and not finished.

    Attributes:
        path: the file of rows.
        facts: what is being made: kind, backbone, dataset, total; empty where that cannot be read.
        rows: how many rows are done.
        used: when the last were added, in seconds since 1970.
    """

    path: Path
    facts: Mapping[str, Any]
    rows: int
    used: float

    @property
    def name(self) -> str:
        """What commands call it."""
        return self.path.stem


class Cache:
    """A folder of features that any number of processes may share.

    Args:
        root: the folder; by default the environment variable ``HUSE_BENCH_CACHE`` names it, and without that it is the
            user's cache folder of this system.

    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root

    @cached_property
    def root(self) -> Path:
        """The folder; raises ConfigError for a user who has none and named none."""
        # Looked for when it is needed: data with features of their own need no cache.
        return self._root if self._root is not None else _default_root()

    @property
    def folder(self) -> Path:
        """Where features are."""
        return self.root / "features"

    @property
    def hashes(self) -> Path:
        """Where hashes of picture files are."""
        return self.root / "hashes"

    def stem(self, kind: str, backbone: str, key: str) -> Path:
        """Path of an entry's files, without their endings."""
        slug = re.sub(r"[^a-z0-9]+", "-", backbone.lower()).strip("-")[:_LONGEST_SLUG]
        return self.folder / f"{kind}-{slug}-{key[:16]}"

    def find(self, stem: Path, key: str) -> Entry | None:
        """The entry of a key, marked as used now; None where there is none, or none that can be used."""
        try:
            entry = read_entry(stem.with_name(f"{stem.name}.safetensors"))
        except (FileNotFoundError, DataError):
            return None
        if entry.facts.get("key") != key or not entry.is_sound():
            return None
        # A cache that others share may be read-only.
        with suppress(OSError):
            os.utime(entry.path)
        return entry

    @contextmanager
    def locked(self, stem: Path, wait: Callable[[], None]) -> Iterator[None]:
        """Keep other processes from making or removing an entry.

        Args:
            stem: of :meth:`stem`.
            wait: called once where another process holds the entry, before this one waits for it.

        Raises:
            ConfigError: if the folder cannot be written to.
        """
        from huse_bench.files import remove_stale_temporaries  # noqa: PLC0415  loads pandas

        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_stale_temporaries(self.folder)
            lock = _lock(stem)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                wait()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a refusal of the disk into a ConfigError that says what to do."""
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"cannot write to the feature cache {self.folder} ({error.strerror or error}); make room or make it "
                f"writable, or name another folder in the environment variable {VARIABLE}"
            ) from error

    def finish(self, stem: Path, partial: Partial, facts: Mapping[str, str]) -> Entry:
        """Make an entry of rows that are all there, whole or not at all.

        Args:
            stem: of :meth:`stem`.
            partial: the rows; their files are removed.
            facts: what the entry says of itself; the checksum and the flaws are added.

        Returns:
            The entry.
        """
        from huse_bench.files import TEMPORARY_PREFIX  # noqa: PLC0415  loads pandas

        with self.writing():
            partial.close()
            with partial.path.open("rb") as rows:
                digest = sha256_of(rows)
                rows.seek(0)
                path = stem.with_name(f"{stem.name}.safetensors")
                temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
                try:
                    with temporary.open("xb") as file:
                        facts = {**facts, "sha256": digest, "flaws": json.dumps(partial.flaws)}
                        file.write(entry_header(facts, partial.rows, partial.dim))
                        shutil.copyfileobj(rows, file, _CHUNK)
                        file.flush()
                        os.fsync(file.fileno())
                    temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
            partial.remove()
        return read_entry(path)

    def entries(self) -> tuple[list[Entry], dict[Path, str]]:
        """All entries by name, and what is wrong with which file that is none."""
        entries: list[Entry] = []
        problems: dict[Path, str] = {}
        for path in sorted(self.folder.glob("[!.]*.safetensors")):
            try:
                entries.append(read_entry(path))
            except FileNotFoundError:
                continue
            except DataError as error:
                problems[path] = str(error)
        return entries, problems

    def unfinished(self) -> list[Unfinished]:
        """All that was begun and not finished, also by processes that run now."""
        found = []
        for path in sorted(self.folder.glob("[!.]*.partial")):
            # It may be finished meanwhile.
            with suppress(FileNotFoundError):
                found.append(Unfinished(path, *progress_of(path), path.stat().st_mtime))
        return found

    def remove(self, path: Path) -> bool:
        """Delete an entry or what was begun of one.

        Args:
            path: the file of an :class:`Entry` or :class:`Unfinished`, or a file that is no entry.

        Returns:
            False where a process is making it now, so that it was left alone.
        """
        lock = _lock(path.with_suffix(""))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        with self.writing():
            path.unlink(missing_ok=True)
            path.with_suffix(".journal").unlink(missing_ok=True)
        lock.release()
        return True

    def forget_hashes(self) -> None:
        """Delete what is remembered of picture files, which are hashed again then."""
        with self.writing():
            shutil.rmtree(self.hashes, ignore_errors=True)


def _default_root() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    import platformdirs  # noqa: PLC0415  only runs that make features need it

    try:
        folder = platformdirs.user_cache_path("huse-bench", appauthor=False)
    except RuntimeError:
        # Newer versions refuse to guess where there is no home.
        folder = Path("~")
    if not folder.is_absolute():
        raise ConfigError(
            f"this user has no home folder for the feature cache; name a folder in the environment variable {VARIABLE}"
        )
    return folder


def _lock(stem: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(stem.with_name(f"{stem.name}.lock"))
