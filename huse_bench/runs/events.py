"""What happens in a run, as a small typed stream for whoever watches it, and as lines of JSON beside the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from huse_bench.results import RunRecord
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.steps import Measured, Stepped

__all__ = ["Event", "EventLog", "Listener", "Measured", "RunFailed", "RunFinished", "RunStarted", "Stepped"]


@dataclass(frozen=True)
class RunStarted:
    """A run begins.

    Attributes:
        spec: its plan.
    """

    spec: RunSpec


@dataclass(frozen=True)
class RunFinished:
    """A run has its numbers, and its record is stored.

    Attributes:
        record: as stored.
        seconds: wall time of all of it.
        notices: what the user should know of it, a line each.
        files: what was saved beside it on demand.
    """

    record: RunRecord
    seconds: float
    notices: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class RunFailed:
    """A run has no numbers, and its record says so.

    Attributes:
        spec: its plan.
        record: as stored.
        seconds: wall time until then.
        error: what stopped it.
    """

    spec: RunSpec
    record: RunRecord
    seconds: float
    error: Exception


Event = RunStarted | Stepped | Measured | RunFinished | RunFailed

#: Is told of each event in turn.
Listener = Callable[[Event], None]


class EventLog:
    """Writes events to a file, a line of JSON each; steps are left out, for there may be many.

    Each line has ``event``, ``time`` (UTC) and what happened. A file that cannot be written is given up: it is worth
    less than the run.

    Args:
        path: the file, which is made anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __call__(self, event: Event) -> None:
        """Add a line."""
        if isinstance(event, Stepped):
            return
        try:
            if isinstance(event, RunStarted):
                self._file = self._path.open("w", encoding="utf-8")
            if self._file is not None:
                self._file.write(json.dumps(_fields(event)) + "\n")
                self._file.flush()
        except OSError:
            self.close()
        if isinstance(event, RunFinished | RunFailed):
            self.close()

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError:
                # What was not written is lost, which is said above.
                return


def _short(values: Mapping[str, float]) -> dict[str, float]:
    """Values with six significant digits, as records keep those of learning curves."""
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def _fields(event: RunStarted | Measured | RunFinished | RunFailed) -> dict[str, Any]:
    fields: dict[str, Any]
    match event:
        case RunStarted(spec):
            fields = {
                "event": "run_started",
                "method": spec.method.name,
                "seed": spec.seed,
                "fingerprint": spec.fingerprint,
                "device": spec.device,
                "steps": spec.config.training.steps,
            }
        case Measured(step, losses, validation):
            fields = {"event": "measured", "step": step, "losses": _short(losses), "validation": _short(validation)}
        case RunFinished(record, seconds):
            fields = {"event": "run_finished", "seconds": seconds, "notices": list(event.notices)}
        case RunFailed(_, record, seconds):
            fields = {"event": "run_failed", "status": record.status, "seconds": seconds, "error": record.error}
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
