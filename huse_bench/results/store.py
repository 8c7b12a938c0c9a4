"""The results folder: one JSON record per run, with its per-query scores beside it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray

from huse_bench.config import Overwrite
from huse_bench.errors import RecordError, ResultsError
from huse_bench.files import TEMPORARY_PREFIX, is_incidental, remove_stale_temporaries, write_atomically
from huse_bench.results.arrays import (
    PerQuery,
    Predictions,
    parquet_bytes,
    per_query_table,
    predictions_table,
)
from huse_bench.results.reading import read_per_query, read_predictions, read_record
from huse_bench.results.schema import RunRecord
from huse_bench.text_files import read_text

__all__ = ["Store"]

_MARKER = "huse-bench.json"
_LOCK = ".huse-bench.lock"
_FORMAT = 1
_LOCK_SECONDS = 30


class Store:
    """A results folder, opened for reading, or for writing where a dataset is given.

    ``huse-bench.json`` marks the folder and names its dataset. ``runs/`` holds, for each run,
    ``<method>-s<seed>-<first 12 digits of the fingerprint>.json``, the per-query scores with the ending
    ``.parquet`` and the per-item predictions with the ending ``.items.parquet``. Several processes may
    read and write the same folder.

    Args:
        folder: the results folder.
        dataset: name of the dataset whose runs are to be written; an empty or missing folder becomes its
            results folder. None opens an existing folder for reading.

    Raises:
        ResultsError: if the folder holds other files or another dataset's runs, cannot be written to, or
            (for reading) does not exist.
    """

    def __init__(self, folder: Path | str, dataset: str | None = None) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ResultsError(f"{self.folder} is a file, not a folder; choose another --results")
        if dataset is not None:
            _prepare(self.folder, dataset)
        elif not self.folder.exists():
            raise ResultsError(
                f"there is no results folder {self.folder}. Make one with: huse-bench run --results {self.folder}"
            )
        if not (self.folder / _MARKER).is_file():
            raise _foreign(self.folder)
        self.dataset = _read_marker(self.folder / _MARKER)
        if dataset is not None and dataset != self.dataset:
            raise _other_dataset(self, dataset)

    @classmethod
    def refuse_unusable(cls, folder: Path | str, dataset: str) -> None:
        """Refuse a results folder that runs could not be written to; a missing one is not made yet.

        Args:
            folder: the results folder.
            dataset: name of the dataset whose runs are to be written.

        Raises:
            ResultsError: as the constructor.
        """
        path = Path(folder)
        if path.exists():
            cls(path, dataset)
            return
        parent = next(above for above in path.absolute().parents if above.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise _unwritable(path, f"{parent} is {'read-only' if parent.is_dir() else 'a file'}")

    def write(
        self, record: RunRecord, per_query: PerQuery | None = None, predictions: Predictions | None = None
    ) -> RunRecord:
        """Store a run: its arrays first and its record last, so that a record's presence means a whole run.

        Args:
            record: the record; the names of its files are filled in here.
            per_query: integer arrays (queries,) by direction and name, the same names in each direction.
            predictions: integer arrays (items,) by name, and shares under names that end in ``_confidence``.

        Returns:
            The record as stored.

        Raises:
            ResultsError: if the run is on another dataset than the folder's, or the disk refuses.
            ValueError: if the directions have different names or an array is not one-dimensional integers.
        """
        if record.dataset.name != self.dataset:
            raise _other_dataset(self, record.dataset.name)
        parts = {
            "per_query": (".parquet", None if per_query is None else per_query_table(per_query)),
            "predictions": (".items.parquet", None if predictions is None else predictions_table(predictions)),
        }
        files: dict[str, bytes | None] = {}
        fields: dict[str, str | None] = {}
        for part, (ending, table) in parts.items():
            name, contents = f"{record.stem}{ending}", None if table is None else parquet_bytes(table)
            files[name] = contents
            fields[part] = None if contents is None else name
            fields[f"{part}_sha256"] = None if contents is None else hashlib.sha256(contents).hexdigest()
        record = record.model_copy(update=fields)
        text = record.model_dump_json(indent=2) + "\n"
        path = self.folder / "runs" / f"{record.stem}.json"
        try:
            # An old record must not vouch for the new arrays, should this process die between the two.
            path.unlink(missing_ok=True)
            for name, contents in files.items():
                if contents is None:
                    path.with_name(name).unlink(missing_ok=True)
                else:
                    write_atomically(path.with_name(name), contents)
            write_atomically(path, text.encode())
        except OSError as error:
            raise ResultsError(
                f"cannot write the run {record.stem} to {self.folder} ({error.strerror or error}); "
                f"make room or make the folder writable, and run it again"
            ) from error
        return record

    def read(self) -> tuple[list[RunRecord], list[str]]:
        """All records that can be used, and what is wrong with the others.

        Returns:
            The records in the order of their file names, and one line per record that cannot be read.
        """
        records, problems = [], []
        for path in sorted((self.folder / "runs").glob("*.json")):
            if is_incidental(path):
                continue
            try:
                records.append(read_record(path))
            except RecordError as error:
                problems.append(str(error))
        return records, problems

    def find(self, fingerprint: str) -> RunRecord | None:
        """The record of a run.

        Args:
            fingerprint: identity of the run.

        Returns:
            The record, or None where there is none that can be read.
        """
        for path in (self.folder / "runs").glob(f"*-{fingerprint[:12]}.json"):
            try:
                record = read_record(path)
            except RecordError:
                continue
            if record.fingerprint == fingerprint:
                return record
        return None

    def should_run(self, fingerprint: str, overwrite: Overwrite = "never") -> bool:
        """Whether a run is still to be done.

        Args:
            fingerprint: identity of the run.
            overwrite: ``"never"`` runs only what has no record, ``"failed"`` also what diverged or failed,
                ``"always"`` everything.

        Returns:
            True where the run is to be done.
        """
        record = self.find(fingerprint)
        if record is None or overwrite == "always":
            return True
        return overwrite == "failed" and record.status != "finished"

    @contextmanager
    def claim(self, fingerprint: str) -> Iterator[bool]:
        """Reserve a run for this process, for as long as the context lasts.

        The operating system frees what a killed process had reserved.

        Args:
            fingerprint: identity of the run.

        Yields:
            Whether it is this process's; False where another one is at it.
        """
        lock = filelock.FileLock(self.folder / "runs" / f".{fingerprint[:12]}.lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)

    def per_query(self, record: RunRecord) -> dict[str, dict[str, NDArray[np.integer]]] | None:
        """The per-query scores of a run, as they were given to :meth:`write`.

        Args:
            record: a record of this folder.

        Returns:
            Integer arrays (queries,) by direction and name; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, or is not the one that was written.
        """
        return read_per_query(record, self.folder / "runs")

    def predictions(self, record: RunRecord) -> dict[str, NDArray[np.integer]] | None:
        """The per-item predictions of a run, as they were given to :meth:`write`.

        Args:
            record: a record of this folder.

        Returns:
            Arrays (items,) by name: integers, and shares where it ends in ``_confidence``; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, or is not the one that was written.
        """
        return read_predictions(record, self.folder / "runs")


def _foreign(folder: Path) -> ResultsError:
    return ResultsError(f"{folder} is not a huse-bench results folder (it has no {_MARKER}); choose another --results")


def _other_dataset(store: Store, dataset: str) -> ResultsError:
    return ResultsError(
        f"the results folder {store.folder} holds runs on the dataset {store.dataset!r}, not on {dataset!r}; "
        f"choose another --results"
    )


def _unwritable(folder: Path, reason: str) -> ResultsError:
    return ResultsError(
        f"cannot write to the results folder {folder} ({reason}); make it writable or choose another --results"
    )


def _prepare(folder: Path, dataset: str) -> None:
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
        raise _unwritable(folder, error.strerror or str(error)) from error


def _mark(folder: Path, dataset: str) -> None:
    """Make an empty folder a results folder; raises ResultsError where it holds other files."""
    # List before looking for the marker: another process may be creating the same folder.
    entries = [path for path in folder.iterdir() if not is_incidental(path)]
    marker = folder / _MARKER
    if marker.is_file():
        return
    if entries:
        raise _foreign(folder)
    with filelock.FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
        if not marker.is_file():
            text = json.dumps({"format": _FORMAT, "dataset": dataset}) + "\n"
            write_atomically(marker, text.encode())


def _read_marker(path: Path) -> str:
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
