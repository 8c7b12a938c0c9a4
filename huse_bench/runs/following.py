"""The learning curve of a run that a worker is at, read from the log that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from huse_bench.results.event_logs import LOG, events_of
from huse_bench.runs.events import Measured, points_of
from huse_bench.runs.plan import RunSpec

__all__ = ["Following"]


class Following:
    """Gives the points of a learning curve as they come, each once, also where another worker takes the run up.

    Args:
        spec: the run; its log, where there is one, is of an earlier command until it changes.
        runs: folder of the logs.
    """

    def __init__(self, spec: RunSpec, runs: Path) -> None:
        self._path = runs / f"{spec.stem}{LOG}"
        self._seen = self._state()
        self._step = 0

    def points(self) -> Iterator[Measured]:
        """The points that came since the last call."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        for point in points_of(events_of(self._path)):
            if point.step > self._step:
                self._step = point.step
                yield point

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
