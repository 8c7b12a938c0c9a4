"""What was spent on hyper-parameters after their runs were written, kept beside the records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from huse_bench.errors import RecordError
from huse_bench.faults import first_fault
from huse_bench.files import write_atomically
from huse_bench.results.json_text import json_text
from huse_bench.results.schema import Part, RunRecord, Sha256, Tuning
from huse_bench.text_files import read_text

__all__ = ["noted", "read_notes", "write_notes"]

_FILE = "tuning.json"


class _Notes(Part):
    format: Literal[1] = 1
    configurations: dict[Sha256, Tuning]


def read_notes(folder: Path) -> Mapping[str, Tuning]:
    """The notes of a results folder.

    Args:
        folder: the results folder.

    Returns:
        What was spent, by the configuration of the runs.

    Raises:
        RecordError: if the file cannot be read.
    """
    path = folder / _FILE
    try:
        return _Notes.model_validate_json(read_text(path)).configurations
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = first_fault(error, "the file") if isinstance(error, ValidationError) else str(error)
        raise RecordError(
            f"{path}: no readable notes of what tuning has cost ({reason}); delete the file and run again with the "
            f"parameter files that huse-bench tune wrote"
        ) from error


def write_notes(folder: Path, notes: Mapping[str, Tuning]) -> None:
    """Write the notes of a results folder in place of those that are there.

    Args:
        folder: the results folder, locked by the caller.
        notes: what was spent, by the configuration of the runs.

    Raises:
        OSError: if the file cannot be written.
    """
    fields = _Notes(configurations=dict(sorted(notes.items()))).model_dump(mode="json")
    write_atomically(folder / _FILE, f"{json_text(fields)}\n".encode())


def noted(record: RunRecord, notes: Mapping[str, Tuning]) -> RunRecord:
    """A record with the note on its configuration, where there is one."""
    tuning = notes.get(record.configuration)
    return record if tuning is None else record.model_copy(update={"tuning": tuning})
