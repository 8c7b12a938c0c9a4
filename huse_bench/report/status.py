"""What goes on in results folders, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tabulate import tabulate

from huse_bench.results.status import FolderStatus, RunStatus, SearchStatus, State

__all__ = ["status_document", "status_text"]

_STATES: tuple[State, ...] = ("running", "waiting", "stopped", "failed", "diverged", "finished")


def status_document(found: Sequence[FolderStatus]) -> dict[str, Any]:
    """What goes on as JSON values.

    Args:
        found: a status for each folder.

    Returns:
        A list of folders, each with all that is known: see :class:`~huse_bench.results.status.FolderStatus`. Times are
        ISO 8601 in UTC, durations seconds.
    """
    return {"folders": [_plain(asdict(each)) for each in found]}


def status_text(found: Sequence[FolderStatus]) -> str:
    """What goes on as text: what runs, what was stopped, what failed, and how many of each.

    Args:
        found: a status for each folder.
    """
    return "\n\n".join("\n\n".join(_parts(each)) for each in found)


def _parts(status: FolderStatus) -> Iterator[str]:
    yield _summary(status)
    if running := status.of("running"):
        headings = ("Running", "Step", "Steps/s", "Left", "Last event", "Process")
        yield _table(headings, [_row(run, status.at) for run in running])
    if status.searches:
        yield _table(("Search", "Trials", "Failed", "Best"), list(map(_searched, status.searches)))
    if stopped := status.of("stopped"):
        yield "\n".join(_stopped(run, status.at) for run in stopped)
    if failed := status.of("failed", "diverged"):
        yield "\n".join(f"{_label(run)} {run.state}: {_last_line(run.error)}" for run in failed)
    if status.problems:
        yield "\n".join(f"left out: {problem}" for problem in status.problems)


def _summary(status: FolderStatus) -> str:
    counts = [(len(status.of(state)), state) for state in _STATES]
    said = ", ".join(f"{count} {state}" for count, state in counts if count) or "no run yet"
    left = "" if status.left is None else f"; about {_duration(status.left)} left"
    return f"{status.folder} ({status.dataset}): {said}{left}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # It would take a name for a number.
    return tabulate(rows, headings, tablefmt="simple", disable_numparse=True)


def _searched(search: SearchStatus) -> tuple[str, ...]:
    best = "-" if search.best is None else f"{search.best:.4f}"
    return search.study, f"{search.done} of {search.trials}", str(search.failed), best


def _row(run: RunStatus, at: datetime) -> tuple[str, ...]:
    return (
        _label(run),
        "begins" if run.step is None else f"{run.step} of {run.steps}",
        "" if run.speed is None else f"{run.speed:.3g}",
        "" if run.left is None else _duration(run.left) if run.left else "evaluates soon",
        _ago(run.updated, at),
        "" if run.process is None else f"{run.process} on {run.host}",
    )


def _stopped(run: RunStatus, at: datetime) -> str:
    where = "before its first step" if run.step is None else f"after step {run.step} of {run.steps}"
    then = f"goes on from step {run.kept}" if run.kept else "begins it anew"
    return f"{_label(run)} stopped {where}, {_ago(run.updated, at)}; the same command {then}"


def _label(run: RunStatus) -> str:
    return f"{run.method} seed {run.seed}"


def _last_line(error: str | None) -> str:
    """What an error says, without the traceback before it."""
    return (error or "").strip().rpartition("\n")[2]


def _ago(time: datetime | None, at: datetime) -> str:
    return "" if time is None else f"{_duration(max(0.0, (at - time).total_seconds()))} ago"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 100 * 60:
        return f"{round(whole / 60)} min"
    return f"{whole / 3600:.1f} h" if whole < 48 * 3600 else f"{whole / 86400:.1f} days"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
