"""One run kept while it goes on, and taken up where another process left it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from huse_bench.errors import ResultsError
from huse_bench.results import Store
from huse_bench.runs import stopping
from huse_bench.runs.checkpoints import ENDING, Checkpoints
from huse_bench.runs.events import Event, RunNoticed, RunResumed
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.steps import Measured
from huse_bench.runs.unkept import Memory, changed, memory_of
from huse_bench.training import Training

__all__ = ["Resuming", "remove_left"]


def remove_left(specs: Iterable[RunSpec], store: Store) -> None:
    """Remove the checkpoints of runs that have their records, which a process was killed before it could.

    Args:
        specs: the runs.
        store: the results folder.
    """
    for spec in specs:
        folder = store.folder / "runs" / f"{spec.stem}{ENDING}"
        if folder.is_dir():
            with store.claim(spec.fingerprint) as mine:
                if mine:
                    Checkpoints(folder, spec.fingerprint).remove()


class Resuming:
    """Writes checkpoints of a run now and then and where the process is to end, and goes on from them.

    A checkpoint that cannot be written is said, and costs no run.

    Args:
        folder: of the run's checkpoints.
        fingerprint: of the run.
        every: seconds from one to the next; 0 for none.
        tell: is told what happens.
        lines: gives the lines of the log of events so far.

    Attributes:
        kept: the step of the last checkpoint; 0 where there is none.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        every: float,
        tell: Callable[[Event], None],
        lines: Callable[[], list[str]],
    ) -> None:
        self._checkpoints = Checkpoints(folder, fingerprint)
        self._every = every
        self._tell = tell
        self._lines = lines
        self._last = time.monotonic()
        self._memory: Memory = {}
        self._said: set[str] = set()
        self.kept = 0

    def restore(self, training: Training) -> Sequence[Measured]:
        """Bring a training to where the last checkpoint was taken; gives the points of its learning curve."""
        self._last = time.monotonic()
        self._memory = memory_of(training.loss)
        if not self._every:
            return []
        state, problems = self._checkpoints.newest()
        for problem in problems:
            self._tell(RunNoticed(problem))
        if state is None:
            if problems:
                self._tell(RunNoticed("no checkpoint can be used, so it begins anew"))
            return []
        training.load_state_dict(state["training"])
        self.kept = training.done
        self._tell(RunResumed(training.done, tuple(state["events"])))
        return [Measured(**point) for point in state["learning"]]

    def offer(self, training: Training, learning: Sequence[Measured]) -> None:
        """Write a checkpoint where it is time for one.

        Raises:
            Stopped: where a signal waits, once the checkpoint is written.
        """
        wanted = stopping.is_wanted()
        if self._every and (wanted or time.monotonic() - self._last >= self._every):
            self._write(training, learning)
        if wanted:
            stopping.check()

    def forget(self) -> None:
        """Remove the checkpoints of a run that has its record."""
        self._checkpoints.remove()

    def _write(self, training: Training, learning: Sequence[Measured]) -> None:
        lost = changed(self._memory, memory_of(training.loss))
        if lost:
            # Going on without it could give other numbers in silence.
            self._say(
                f"no checkpoint is written, for {type(training.loss).__name__} remembers what none would hold "
                f"({', '.join(lost)}); keep it in buffers, by register_buffer"
            )
        else:
            state = {
                "training": training.state_dict(),
                "learning": [asdict(point) for point in learning],
                "events": self._lines(),
            }
            try:
                self._checkpoints.write(training.done, state)
                self.kept = training.done
            except ResultsError as error:
                self._say(f"a checkpoint could not be written: {error}; the training goes on without it")
        self._last = time.monotonic()

    def _say(self, text: str) -> None:
        """Once, for it may be so every time."""
        if text not in self._said:
            self._said.add(text)
            self._tell(RunNoticed(text))
