"""The workers of a command: an engine opened, the data where every worker sees them, and both gone afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import filelock

from huse_bench.config import RunConfig
from huse_bench.execution import Engine, check_engine, open_engine
from huse_bench.features import Prepared
from huse_bench.features.prepared_files import save_prepared
from huse_bench.results import Store
from huse_bench.results.folder import unwritable

__all__ = ["ATTEMPTS", "check_workers", "workers"]

#: How often a task is given to a worker before it is taken for one that no worker survives.
ATTEMPTS = 3

# Folders in the results folder that hold what workers read; a folder is locked while its command lives.
_PREFIX = ".workers-"
_LOCK = "lock"

# Younger ones may not be locked yet.
_SETTLED_SECONDS = 60.0


def check_workers(config: RunConfig) -> None:
    """Refuse, before anything that takes long, a configuration whose engine cannot be opened.

    Args:
        config: of the command.

    Raises:
        UsageError: then.
    """
    if config.elsewhere:
        check_engine(config.engine or "loky", config.address, config.engine_options)


@contextmanager
def workers(config: RunConfig, device: str, prepared: Prepared, store: Store) -> Iterator[tuple[Engine, Path]]:
    """Open the engine of a configuration, for as long as the context lasts.

    What is under way when it ends by an exception is stopped, where the engine can.

    Args:
        config: of the command.
        device: torch device that trains.
        prepared: the data, on the host.
        store: the results folder, which every worker must see.

    Yields:
        The engine, and the folder that the data were written to.

    Raises:
        UsageError: if the engine cannot be used, or the data cannot be written.
    """
    with _shared_folder(store) as folder, ExitStack() as stack:
        engine = open_engine(
            config.engine or "loky",
            jobs=config.jobs,
            address=config.address,
            options=config.engine_options,
            gpu=device == "cuda",
            folder=folder / "engine",
        )
        stack.push(lambda kind, *_: engine.close(stop=kind is not None))
        with _writing(store):
            data = save_prepared(prepared, folder / "data")
        yield engine, data


@contextmanager
def _writing(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(store.folder, error.strerror or str(error)) from error


@contextmanager
def _shared_folder(store: Store) -> Iterator[Path]:
    """A folder that every worker sees, gone afterwards; those that killed commands left are removed too."""
    for old in store.folder.glob(f"{_PREFIX}*"):
        if time.time() - old.stat().st_mtime > _SETTLED_SECONDS:
            _remove_abandoned(old)
    with _writing(store):
        folder = Path(mkdtemp(prefix=_PREFIX, dir=store.folder))
    try:
        with filelock.FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    try:
        with filelock.FileLock(folder / _LOCK, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
    except (filelock.Timeout, OSError):
        # Its command lives, or another one removes it.
        return
