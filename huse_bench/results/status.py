"""What goes on in a results folder, by logs, claims and names alone: nothing is written, and few records are read.

Logs may be written to meanwhile: a last line that is not whole is none yet.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from huse_bench.errors import RecordError
from huse_bench.files import is_incidental
from huse_bench.results.commands import Command, commands_at
from huse_bench.results.event_logs import LOG, events_of, last_event, time_of
from huse_bench.results.folder import claim_of
from huse_bench.results.journal import read_journal
from huse_bench.results.locks import is_held
from huse_bench.results.store import Store

__all__ = ["FolderStatus", "RunStatus", "SearchStatus", "State", "folder_status"]

#: ``"running"`` and ``"waiting"`` are before a living command; ``"stopped"`` is what no process is at any more.
State = Literal["running", "waiting", "stopped", "finished", "diverged", "failed"]

_RECORD, _CHECKPOINT = ".json", ".checkpoint"
_STEM = re.compile(r"(?P<method>.+)-s(?P<seed>\d+)-(?P<digits>[0-9a-f]{12})")
_STEP = re.compile(r"step-(\d+)-")
_ENDS = ("run_finished", "run_failed")


@dataclass(frozen=True)
class RunStatus:
    """One run.

    Attributes:
        name: of its files, without their endings.
        method: what the user asked for; as file names have it where no log says it.
        seed: the seed.
        state: how it stands.
        step: of the last point of its learning curve; None where there is none yet, or the run has ended.
        steps: how many there are.
        speed: steps a second since this process began; None where one cannot tell yet.
        left: seconds until the last step, at this speed; the evaluation comes on top.
        updated: when its log was last written to.
        host: name of the machine that was at it last.
        process: its id there.
        seconds: that a finished run took.
        error: why a run has no numbers.
        kept: step of the checkpoint that a stopped run goes on from; 0 where it begins anew.
    """

    name: str
    method: str
    seed: int
    state: State
    step: int | None = None
    steps: int | None = None
    speed: float | None = None
    left: float | None = None
    updated: datetime | None = None
    host: str | None = None
    process: int | None = None
    seconds: float | None = None
    error: str | None = None
    kept: int | None = None


@dataclass(frozen=True)
class SearchStatus:
    """One study of a method's hyper-parameters, of a command that is at it.

    Attributes:
        study: its name in the journal.
        done: trials that ended.
        failed: how many of them failed.
        trials: how many there are to be.
        best: the best value of the objective so far.
    """

    study: str
    done: int
    failed: int
    trials: int
    best: float | None


@dataclass(frozen=True)
class FolderStatus:
    """A results folder at one moment.

    Attributes:
        folder: which.
        dataset: whose runs it has.
        at: the moment.
        commands: that are at it and say what they have before them.
        runs: all runs, in the order of :data:`State` and of their names.
        searches: of living commands.
        left: seconds until the commands have done their runs, as long as those of the same method took; None where
            nothing tells.
        problems: what could not be read.
    """

    folder: Path
    dataset: str
    at: datetime
    commands: tuple[Command, ...]
    runs: tuple[RunStatus, ...]
    searches: tuple[SearchStatus, ...]
    left: float | None
    problems: tuple[str, ...]

    def of(self, *states: State) -> list[RunStatus]:
        """The runs of these states."""
        return [run for run in self.runs if run.state in states]


def folder_status(folder: Path) -> FolderStatus:
    """Look at a results folder, without disturbing who is at it.

    Args:
        folder: the results folder.

    Returns:
        How it stands.

    Raises:
        ResultsError: if there is no such folder, or it holds something else.
    """
    store, at = Store(folder), datetime.now(UTC)
    commands = commands_at(folder)
    runs = tuple(_runs(folder / "runs", commands, at))
    trials: Mapping[str, Sequence[Any]] = {}
    problems = []
    try:
        trials = read_journal(folder) if any(command.trials for command in commands) else {}
    except RecordError as error:
        problems.append(str(error))
    searches = tuple(_searches(commands, trials))
    return FolderStatus(folder, store.dataset, at, tuple(commands), runs, searches, _left(runs), tuple(problems))


def _runs(folder: Path, commands: Iterable[Command], at: datetime) -> Iterator[RunStatus]:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    asked = {name: command.began for command in commands for name in command.runs}
    known = asked.keys() | {name.removesuffix(end) for name in names for end in (LOG, _RECORD) if name.endswith(end)}
    found = [
        run
        for stem in sorted(known)
        if not is_incidental(Path(stem)) and (match := _STEM.fullmatch(stem))
        if (run := _run(folder, match, names, at, asked.get(stem))) is not None
    ]
    order: tuple[State, ...] = ("running", "waiting", "stopped", "failed", "diverged", "finished")
    yield from sorted(found, key=lambda run: order.index(run.state))


def _run(
    folder: Path, match: re.Match[str], names: Container[str], at: datetime, asked: float | None
) -> RunStatus | None:
    """How a run stands that a command asked for at a time; None for one without a record that nobody asked for."""
    stem, method, seed = match[0], match["method"], int(match["seed"])
    claim = claim_of(folder.parent, match["digits"])
    held = claim.name in names and is_held(claim)
    path, record = folder / f"{stem}{LOG}", folder / f"{stem}{_RECORD}"
    # After the look at the claim, and the record after it: what ends meanwhile has both.
    last = last_event(path) if path.name in names or held else {}
    ended = last.get("event") in _ENDS
    if (ended or not held) and (written := _written(record)) is not None:
        if asked is not None and written < asked:
            return RunStatus(stem, method, seed, "running" if held else "waiting")
        return RunStatus(stem, method, seed, **_end(last if ended else _of_record(record)))
    if held:
        # A log that ended is of an earlier run, which is done again.
        return _running(stem, method, seed, () if ended else events_of(path), at)
    state: State = "stopped" if asked is None else "waiting"
    if last and not ended:
        run = _running(stem, method, seed, events_of(path), at)
        return replace(run, state=state, speed=None, left=None, kept=_kept(folder / f"{stem}{_CHECKPOINT}"))
    return None if asked is None else RunStatus(stem, method, seed, state)


def _written(record: Path) -> float | None:
    """When a record was written; None where there is none."""
    with suppress(OSError):
        return record.stat().st_mtime
    return None


def _of_record(path: Path) -> Mapping[str, Any]:
    """What a record says of the end of its run, where no log does."""
    with suppress(OSError, ValueError):
        fields = json.loads(path.read_bytes())
        if isinstance(fields, dict):
            return {"status": fields.get("status"), "error": fields.get("error"), "time": fields.get("created")}
    return {"status": "failed", "error": f"its record {path.name} cannot be read; huse-bench tables says why"}


def _end(event: Mapping[str, Any]) -> dict[str, Any]:
    status = event.get("status", "finished" if event.get("event") == "run_finished" else "failed")
    return {
        "state": status if status in ("finished", "diverged") else "failed",
        "updated": time_of(event),
        "seconds": event.get("seconds"),
        "error": event.get("error"),
    }


def _running(stem: str, method: str, seed: int, events: Sequence[Mapping[str, Any]], at: datetime) -> RunStatus:
    began = next((event for event in events if event.get("event") == "run_started"), {})
    steps = began.get("steps")
    # Checkpoints keep the events of an earlier process.
    place = max((index for index, event in enumerate(events) if event.get("event") == "run_resumed"), default=0)
    since = events[place:]
    who = since[0] if since else {}
    points = [(event["step"], time) for event in since if event.get("event") == "measured" and (time := time_of(event))]
    step = next((event["step"] for event in reversed(events) if "step" in event), None)
    speed = left = None
    if len(points) > 1 and (seconds := (points[-1][1] - points[0][1]).total_seconds()) > 0:
        speed = (points[-1][0] - points[0][0]) / seconds
        left = max(0.0, (steps - points[-1][0]) / speed - (at - points[-1][1]).total_seconds()) if steps else None
    return RunStatus(
        stem,
        str(began.get("method", method)),
        seed,
        "running",
        step,
        steps,
        speed,
        left,
        time_of(events[-1]) if events else None,
        who.get("host"),
        who.get("process"),
    )


def _kept(folder: Path) -> int:
    steps = [int(match[1]) for path in folder.glob("*.safetensors") if (match := _STEP.match(path.name))]
    return max(steps, default=0)


def _searches(commands: Iterable[Command], trials: Mapping[str, Sequence[Any]]) -> Iterator[SearchStatus]:
    asked: dict[str, int] = {}
    for command in commands:
        for study, count in (command.trials or {}).items():
            asked[study] = max(count, asked.get(study, 0))
    for study, count in sorted(asked.items()):
        ended = [trial for trial in trials.get(study, ()) if trial.number <= count]
        values = [trial.value for trial in ended if trial.value is not None]
        yield SearchStatus(study, len(ended), len(ended) - len(values), count, max(values, default=None))


def _left(runs: Sequence[RunStatus]) -> float | None:
    """Seconds until what is running and waiting is done, by what other runs took and as many at once as now."""
    before = [run for run in runs if run.state in ("running", "waiting")]
    took: dict[str, list[float]] = {}
    for run in runs:
        if run.state == "finished" and run.seconds:
            took.setdefault(_method(run), []).append(run.seconds)
    every = [seconds for each in took.values() for seconds in each]
    every += [run.steps / run.speed for run in before if run.speed and run.steps]
    each = [
        run.left if run.left is not None else statistics.median(took.get(_method(run)) or every)
        for run in before
        if run.left is not None or every
    ]
    at_once = sum(run.state == "running" for run in before) or 1
    return max(sum(each) / at_once, max((run.left or 0 for run in before), default=0)) if each else None


def _method(run: RunStatus) -> str:
    """As file names have it, which all states know."""
    return run.name.rpartition("-s")[0]
