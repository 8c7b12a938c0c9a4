"""The trials of a search, read from the journal that ``huse-bench tune`` leaves in the results folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huse_bench.errors import RecordError
from huse_bench.untrusted import json_value

__all__ = ["JOURNAL", "TrialValue", "read_journal"]

#: Where the journal is in a results folder.
JOURNAL = Path("tuning") / "journal.log"

# What lines of Optuna's journal do; the others change nothing that a search of ours has.
_NEW_STUDY, _NEW_TRIAL = 0, 4


@dataclass(frozen=True)
class TrialValue:
    """One trial that ended.

    Attributes:
        number: from 1, which has the defaults.
        value: the objective; None where the trial failed.
    """

    number: int
    value: float | None


def read_journal(folder: Path) -> Mapping[str, tuple[TrialValue, ...]]:
    """The trials of all searches of a results folder.

    Args:
        folder: the results folder.

    Returns:
        By study, whose name is the method's, a hyphen and the first twelve digits of the search's identity; trials by
        ascending number. Empty where nothing was searched. A torn last line, of a search that is still at it, is no
        trial yet.

    Raises:
        RecordError: if the file is no such journal.
    """
    path = folder / JOURNAL
    if not path.is_file():
        return {}
    names: list[str] = []
    trials: dict[str, dict[int, TrialValue]] = {}
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        for line in lines:
            if line is lines[-1] and not line.endswith(b"\n"):
                break
            entry = json_value(line)
            if entry["op_code"] == _NEW_STUDY and entry["study_name"] not in trials:
                # Each process of a search makes the study, and the first counts.
                names.append(str(entry["study_name"]))
                trials[names[-1]] = {}
            elif entry["op_code"] == _NEW_TRIAL:
                trial = _trial(entry)
                trials[names[entry["study_id"]]][trial.number] = trial
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise RecordError(
            f"{path} is no readable journal of trials ({type(error).__name__}: {error}); restore it, or move it away "
            f"to have figures without it"
        ) from error
    return {name: tuple(of[number] for number in sorted(of)) for name, of in trials.items()}


def _trial(entry: Mapping[str, Any]) -> TrialValue:
    number, value = entry["user_attrs"]["number"], entry.get("value")
    if type(number) is not int or number < 1:
        raise ValueError(f"a trial has the number {number!r}")
    if value is not None and (isinstance(value, bool) or not math.isfinite(value)):
        raise ValueError(f"trial {number} has the value {value!r}")
    return TrialValue(number, None if value is None else float(value))
