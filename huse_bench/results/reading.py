"""A record and the files beside it, as they are read back: whole, and its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError

from huse_bench.errors import RecordError
from huse_bench.faults import first_fault
from huse_bench.results.arrays import (
    ENDINGS,
    ClassFacts,
    Neighbours,
    from_neighbours_table,
    from_per_query_table,
    from_predictions_table,
    from_safetensors,
)
from huse_bench.results.migration import migrated
from huse_bench.results.recomputed import contradiction
from huse_bench.results.schema import SCHEMA_VERSION, RunRecord
from huse_bench.results.vouched import Vouched
from huse_bench.text_files import read_json
from huse_bench.untrusted import MOST_VALUES

__all__ = ["read_classes", "read_neighbours", "read_per_query", "read_predictions", "read_record"]

# Classes and items of a dataset: for each of them a number is kept in memory, whether there is one in a file or not.
_MOST_CLASSES, _MOST_ITEMS = 2**20, MOST_VALUES

_CURE = "delete the run's .json file beside it and run it again"
_BESIDE = Vouched("its record", _CURE)


def read_record(path: Path) -> RunRecord:
    """One record, with files beside it that are its own.

    Args:
        path: its JSON file.

    Returns:
        The record.

    Raises:
        RecordError: naming the file, the fault and the cure.
    """
    cure = "delete the file and run it again"
    try:
        fields = read_json(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: no readable JSON ({error}); {cure}") from error
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RecordError(
            f"{path}: written by a newer huse-bench (schema {version}, this one reads {SCHEMA_VERSION}); "
            f"upgrade huse-bench"
        )
    try:
        record = RunRecord.model_validate(migrated(fields) if isinstance(fields, dict) else fields)
    except ValidationError as error:
        raise RecordError(f"{path}: no valid run record: {first_fault(error, 'the record')}; {cure}") from error
    if path.stem != record.stem:
        raise RecordError(f"{path}: holds the run {record.stem}; give the file that name, or delete it")
    classes, items = record.dataset.classes, max(record.dataset.items.model_dump().values())
    if classes > _MOST_CLASSES or items > _MOST_ITEMS:
        raise RecordError(
            f"{path}: says that there are {classes:,} classes and {items:,} items, and {_MOST_CLASSES:,} and "
            f"{_MOST_ITEMS:,} are the limit; {cure}"
        )
    for name, _ in _named(record):
        if name is not None and not _is_beside(path, name):
            raise RecordError(f"{path}: the file {name} beside it is missing; restore it, or {cure}")
    _check_files(record, path.parent)
    return record


def _is_beside(path: Path, name: str) -> bool:
    try:
        return path.with_name(name).is_file()
    except (OSError, ValueError):
        # No file can have such a name, so none has.
        return False


def _check_files(record: RunRecord, runs: Path) -> None:
    """Raise RecordError where the files beside a record are not its own, so that all that is made of it agrees."""
    named = _named(record)
    if any(name is not None and digest is None for name, digest in named):
        # A record of old does not say what was in its files, but what comes of it.
        wrong = contradiction(record, read_per_query(record, runs) or {}, read_predictions(record, runs) or {})
        if wrong:
            raise RecordError(
                f"{runs / record.stem}.json: the files beside it are of another run: {wrong}; restore them, or delete "
                f"the file and run it again"
            )
    else:
        for name, digest in named:
            if name is not None:
                _BESIDE.contents(runs / name, digest)


def _named(record: RunRecord) -> list[tuple[str | None, str | None]]:
    """Names and hashes of a record's files."""
    return [(getattr(record, part), getattr(record, f"{part}_sha256")) for part in ENDINGS]


def read_per_query(record: RunRecord, runs: Path) -> dict[str, dict[str, NDArray[np.integer]]] | None:
    """The per-query scores of a record, as :meth:`Store.per_query` gives them.

    Args:
        record: the record.
        runs: folder of its files.

    Returns:
        Integer arrays (queries,) by direction and name; None where there are none.

    Raises:
        RecordError: if the file cannot be read, or is not the one that was written.
    """
    if record.per_query is None:
        return None
    path = runs / record.per_query
    try:
        return from_per_query_table(_BESIDE.table(path, record.per_query_sha256))
    except ValueError as error:
        raise RecordError(f"{path} is no table of scores ({error}); {_CURE}") from error


def read_predictions(record: RunRecord, runs: Path) -> dict[str, NDArray[np.integer]] | None:
    """The per-item predictions of a record, as :meth:`Store.predictions` gives them.

    Args:
        record: the record.
        runs: folder of its files.

    Returns:
        Arrays (items,) by name; None where there are none.

    Raises:
        RecordError: if the file cannot be read, or is not the one that was written.
    """
    if record.predictions is None:
        return None
    path = runs / record.predictions
    try:
        return from_predictions_table(_BESIDE.table(path, record.predictions_sha256))
    except ValueError as error:
        raise RecordError(f"{path} is no table of predictions ({error}); {_CURE}") from error


def read_classes(record: RunRecord, runs: Path) -> ClassFacts | None:
    """Centroids and spread of the classes of a record, as :meth:`Store.classes` gives them.

    Args:
        record: the record.
        runs: folder of its files.

    Returns:
        The facts; None where there are none.

    Raises:
        RecordError: if the file cannot be read, is not the one that was written, or does not fit the record.
    """
    if record.classes is None:
        return None
    path = runs / record.classes
    try:
        facts = from_safetensors(_BESIDE.contents(path, record.classes_sha256))
    except (SafetensorError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}); restore it, or {_CURE}") from error
    if facts.classes != record.dataset.classes:
        raise RecordError(
            f"{path} is of {facts.classes} classes, and its record's dataset has {record.dataset.classes}; {_CURE}"
        )
    return facts


def read_neighbours(record: RunRecord, runs: Path) -> Neighbours | None:
    """The nearest neighbours of a record's queries, as :meth:`Store.neighbours` gives them.

    Args:
        record: the record.
        runs: folder of its files.

    Returns:
        The neighbours; None where there are none.

    Raises:
        RecordError: if the file cannot be read, is not the one that was written, or does not fit the record.
    """
    if record.neighbours is None:
        return None
    path = runs / record.neighbours
    try:
        neighbours = from_neighbours_table(_BESIDE.table(path, record.neighbours_sha256))
    except ValueError as error:
        raise RecordError(f"{path} is no table of neighbours ({error}); {_CURE}") from error
    items = record.dataset.items.test
    for numbers in (neighbours.queries, *neighbours.found.values()):
        for item in (numbers.max(), numbers.min()) if numbers.size else ():
            if not 0 <= item < items:
                raise RecordError(f"{path} names the item {item}, and its record has {items} test items; {_CURE}")
    return neighbours
