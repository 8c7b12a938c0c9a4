"""What a user sees of a run while it goes on; all of it on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

__all__ = ["Reporter"]


class _Speed(ProgressColumn):
    """How many a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {self._unit}/s" if task.speed else "", style="progress.data.speed")


class Reporter:
    """Notices, and progress bars where standard error is a terminal.

    Args:
        quiet: print nothing.
        verbose: print details too.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.verbose = verbose
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """One line."""
        self.console.print(message, markup=False)

    def detail(self, message: str) -> None:
        """One line for who asked for details."""
        if self.verbose:
            self.say(message)

    @contextmanager
    def run(self, label: str, steps: int) -> Iterator[Callable[[int, Mapping[str, float] | None], None]]:
        """A bar for one training; yields what to call after a step, with the number done and at times the losses."""
        bar = self._bar("steps", TextColumn("{task.fields[losses]}", style="dim"))
        with bar:
            task = bar.add_task(label, total=steps, losses="")

            def step(done: int, losses: Mapping[str, float] | None) -> None:
                if losses is None:
                    bar.update(task, completed=done)
                else:
                    bar.update(task, completed=done, losses=" ".join(f"{k} {v:.4f}" for k, v in losses.items()))

            yield step

    @contextmanager
    def items(self, label: str, total: int, done: int = 0, unit: str = "items") -> Iterator[Callable[[int], None]]:
        """A bar for work on many items; yields what to call with the number of items that are done."""
        bar = self._bar(unit)
        with bar:
            task = bar.add_task(label, total=total, completed=done)
            yield lambda done: bar.update(task, completed=done)

    def _bar(self, unit: str, *more: ProgressColumn) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Speed(unit),
            TimeRemainingColumn(compact=True),
            *more,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
