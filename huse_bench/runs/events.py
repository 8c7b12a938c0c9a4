"""What happens in a run, as a small typed stream for whoever watches it, and as lines of JSON beside the record."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from huse_bench.results import RunRecord
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.steps import Measured, Stepped

__all__ = [
    "Event",
    "EventLog",
    "Listener",
    "Measured",
    "RunFailed",
    "RunFinished",
    "RunMeasured",
    "RunNoticed",
    "RunResumed",
    "RunStarted",
    "RunStopped",
    "Stepped",
    "points_of",
]


@dataclass(frozen=True)
class RunStarted:
    """A run begins.

    Attributes:
        spec: its plan.
    """

    spec: RunSpec


@dataclass(frozen=True)
class RunResumed:
    """A run goes on from a checkpoint.

    Attributes:
        step: after which it was taken.
        earlier: the lines of the log of events until then.
    """

    step: int
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunNoticed:
    """Something that the user should know while the run goes on.

    Attributes:
        text: a line.
    """

    text: str


@dataclass(frozen=True)
class RunMeasured:
    """A point of the learning curve of a run that a worker is at, of which several may be.

    Attributes:
        spec: its plan.
        point: as the worker measured it.
    """

    spec: RunSpec
    point: Measured


@dataclass(frozen=True)
class RunStopped:
    """The process was asked to end before the run did.

    Attributes:
        step: after which.
        kept: the step that it will go on from; 0 where it begins anew.
    """

    step: int
    kept: int


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


Event = RunStarted | RunResumed | Stepped | Measured | RunMeasured | RunNoticed | RunStopped | RunFinished | RunFailed

#: Is told of each event in turn.
Listener = Callable[[Event], None]


class EventLog:
    """Writes events to a file, a line of JSON each; steps are left out, for there may be many.

    Each line has ``event``, ``time`` (UTC) and what happened. A file that cannot be written is given up: it is worth
    less than the run. A run that goes on from a checkpoint has the lines until then, and not those of steps that are
    taken again.

    Args:
        path: the file, which is made anew.

    Attributes:
        lines: those so far.
    """

    def __init__(self, path: Path) -> None:
        self.lines: list[str] = []
        self._path = path
        self._file: TextIO | None = None

    def __call__(self, event: Event) -> None:
        """Add a line."""
        if isinstance(event, Stepped | RunMeasured):
            return
        earlier = event.earlier if isinstance(event, RunResumed) else self.lines
        self.lines = [*earlier, json.dumps(_fields(event))]
        try:
            if isinstance(event, RunStarted):
                self._file = self._path.open("w", encoding="utf-8")
            if self._file is not None:
                if isinstance(event, RunResumed):
                    self._file.seek(0)
                    self._file.truncate()
                    self._file.writelines(f"{line}\n" for line in self.lines[:-1])
                self._file.write(f"{self.lines[-1]}\n")
                self._file.flush()
        except OSError:
            self.close()
        if isinstance(event, RunFinished | RunFailed | RunStopped):
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


def points_of(events: Iterable[Mapping[str, Any]]) -> list[Measured]:
    """The points of the learning curve that events of a log are."""
    return [
        Measured(event["step"], event["losses"], event["validation"])
        for event in events
        if event.get("event") == "measured"
    ]


def _here() -> dict[str, Any]:
    """Which process is at the run; bundles leave it out."""
    return {"host": socket.gethostname(), "process": os.getpid()}


def _fields(
    event: RunStarted | RunResumed | Measured | RunNoticed | RunStopped | RunFinished | RunFailed,
) -> dict[str, Any]:
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
                **_here(),
            }
        case RunResumed(step):
            fields = {"event": "run_resumed", "step": step, **_here()}
        case RunNoticed(text):
            fields = {"event": "noticed", "text": text}
        case RunStopped(step, kept):
            fields = {"event": "run_stopped", "step": step, "kept": kept}
        case Measured(step, losses, validation):
            fields = {"event": "measured", "step": step, "losses": _short(losses), "validation": _short(validation)}
        case RunFinished(record, seconds):
            fields = {"event": "run_finished", "seconds": seconds, "notices": list(event.notices)}
        case RunFailed(_, record, seconds):
            fields = {"event": "run_failed", "status": record.status, "seconds": seconds, "error": record.error}
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
