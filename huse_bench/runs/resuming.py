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
    """Remove the checkpoints of finished runs, which a process was killed before it could.

    A failed run has some where there was no memory or no worker for it, to go on from with ``--overwrite failed``.

    Args:
        specs: the runs.
        store: the results folder.
    """
    for spec in specs:
        folder = store.folder / "runs" / f"{spec.stem}{ENDING}"
        record = store.find(spec.fingerprint) if folder.is_dir() else None
        if record is not None and record.status == "finished":
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
        self._trained: tuple[Training, Sequence[Measured]] | None = None
        self.kept = 0

    @property
    def is_trained(self) -> bool:
        """Whether the last step was taken, and :meth:`restore` can bring another training there."""
        return self._trained is not None

    def restore(self, training: Training) -> Sequence[Measured]:
        """Bring a training to where the last checkpoint was taken; gives the points of its learning curve.

        Where the last step was taken in this very process, that is where it is brought, without a checkpoint.
        """
        self._last = time.monotonic()
        if self._trained is not None:
            before, learning = self._trained
            training.load_state_dict(before.state_dict())
            self._trained = training, learning
            return learning
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
        learning = [Measured(**point) for point in state["learning"]]
        self._note_end(training, learning)
        return learning

    def offer(self, training: Training, learning: Sequence[Measured]) -> None:
        """Write a checkpoint where it is time for one.

        Raises:
            Stopped: where a signal waits, once the checkpoint is written.
        """
        self._note_end(training, learning)
        wanted = stopping.is_wanted()
        if self._every and (wanted or time.monotonic() - self._last >= self._every):
            self._write(training, learning)
        if wanted:
            stopping.check()

    def keep_trained(self) -> None:
        """Write a checkpoint of a training that has taken its last step, where checkpoints are written."""
        if self._every and self._trained is not None and self.kept < self._trained[0].done:
            self._write(*self._trained)

    def forget(self) -> None:
        """Remove the checkpoints of a run that has its record."""
        self._checkpoints.remove()

    def _note_end(self, training: Training, learning: Sequence[Measured]) -> None:
        if training.done == training.steps and not self._lost(training):
            self._trained = training, list(learning)

    def _write(self, training: Training, learning: Sequence[Measured]) -> None:
        lost = self._lost(training)
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

    def _lost(self, training: Training) -> list[str]:
        """What the loss remembers and no checkpoint would hold."""
        return changed(self._memory, memory_of(training.loss))

    def _say(self, text: str) -> None:
        """Once, for it may be so every time."""
        if text not in self._said:
            self._said.add(text)
            self._tell(RunNoticed(text))
