"""Who watches runs: the terminal, and the hooks of plugins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from huse_bench.discovery import notify
from huse_bench.errors import HuseBenchError
from huse_bench.progress import Reporter
from huse_bench.results import RunRecord
from huse_bench.runs.events import (
    Event,
    Listener,
    Measured,
    RunFailed,
    RunFinished,
    RunMeasured,
    RunNoticed,
    RunResumed,
    RunStarted,
    RunStopped,
    Stepped,
    points_of,
)
from huse_bench.runs.plan import RunSpec

__all__ = ["Hooks", "Shown", "reason", "steps_to"]

_ShowStep = Callable[[int, Mapping[str, float] | None], None]


def reason(error: Exception) -> str:
    """What to say of an error: its message, with the type where it is none of ours."""
    text = str(error) or repr(error)
    return text if isinstance(error, HuseBenchError) else f"{type(error).__name__}: {text}"


def steps_to(show: _ShowStep) -> Listener:
    """A listener of the steps alone.

    Args:
        show: called with the number of steps done, and now and then with the latest loss terms.
    """

    def listen(event: Event) -> None:
        if isinstance(event, Stepped):
            show(event.done, event.losses)

    return listen


class Shown:
    """Shows a bar for the training of each run, and says how the run ended.

    Args:
        reporter: shows it.
        bars: False where many are trained at once, and only their ends are told.
    """

    def __init__(self, reporter: Reporter, *, bars: bool = True) -> None:
        self._reporter = reporter
        self._bars = bars
        self._bar = ExitStack()
        self._step: _ShowStep | None = None
        self._label = ""

    def __call__(self, event: Event) -> None:
        """Show what happened."""
        match event:
            case RunStarted(spec):
                self._label = f"{spec.method.title} seed {spec.seed}"
                if self._bars:
                    self._step = self._bar.enter_context(self._reporter.run(self._label, spec.config.training.steps))
            case Stepped(done, losses) if self._step is not None:
                self._step(done, losses)
            case RunResumed(step):
                self._reporter.say(f"{self._label}: goes on from its checkpoint after step {step}")
            case RunNoticed(text):
                self._reporter.say(f"{self._label}: {text}")
            case RunStopped(step, kept):
                self._bar.close()
                left = f"goes on from step {kept}" if kept else "begins anew"
                self._reporter.say(f"{self._label}: stopped after step {step}; the next time it {left}")
            case RunFailed(spec, record, seconds, error):
                self._bar.close()
                label = f"{spec.method.title} seed {spec.seed}"
                self._reporter.say(f"{label}: {record.status} after {seconds:.0f} s: {reason(error)}")
            case RunFinished(record, seconds, notices, files):
                self._bar.close()
                speed = 0.0 if record.training is None else record.training.steps_per_second
                label = f"{record.method.title} seed {record.seed}"
                self._reporter.say(f"{label}: finished in {seconds:.0f} s (training {speed:.1f} steps/s)")
                self._detail(record, seconds)
                for notice in notices:
                    self._reporter.say(f"  {record.method.title}: {notice}")
                for path in files:
                    self._reporter.say(f"  saved {path}")

    def _detail(self, record: RunRecord, seconds: float) -> None:
        training, device = record.training, record.device
        if training is not None:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in training.losses.items())
            rest = max(0.0, seconds - training.seconds)
            self._reporter.detail(f"  training {training.seconds:.1f} s, all else {rest:.1f} s; last losses {losses}")
        if device is not None and device.peak_memory_bytes is not None:
            self._reporter.detail(f"  at most {device.peak_memory_bytes / 1e6:,.0f} MB of memory on {device.name}")
        self._reporter.detail(f"  record {record.stem}.json")


class Hooks:
    """Tells the hooks of plugins when a run starts, of its learning curve, and how it ended.

    Args:
        reporter: says which of them failed.
        notify: calls the implementations of a hook by its name, and gives a line for each that failed; by default
            those of all hook plugins.
    """

    def __init__(self, reporter: Reporter, notify: Callable[..., list[str]] = notify) -> None:
        self._reporter = reporter
        self._notify = notify
        # Of this process one, of workers several.
        self._begun: dict[str, RunSpec] = {}

    def __call__(self, event: Event) -> None:
        """Call the hooks of this event."""
        match event:
            case RunStarted(spec):
                self._begun[spec.fingerprint] = spec
                self._call("huse_bench_run_start", spec=spec)
            case RunResumed(_, earlier):
                for point in points_of(map(json.loads, earlier)):
                    self._measured(self._only, point)
            case Measured():
                self._measured(self._only, event)
            case RunMeasured(spec, point):
                self._measured(spec, point)
            case RunStopped():
                self.close()
            case RunFinished(record):
                self._begun.pop(record.fingerprint, None)
                self._call("huse_bench_run_finished", record=record)
            case RunFailed(spec, _, _, error):
                self._begun.pop(spec.fingerprint, None)
                self._call("huse_bench_run_failed", spec=spec, error=error)

    def close(self) -> None:
        """Say of the runs that have not ended that they are stopped."""
        while self._begun:
            _, spec = self._begun.popitem()
            self._call("huse_bench_run_stopped", spec=spec)

    @property
    def _only(self) -> RunSpec:
        (spec,) = self._begun.values()
        return spec

    def _measured(self, spec: RunSpec, point: Measured) -> None:
        self._call(
            "huse_bench_run_measured",
            spec=spec,
            step=point.step,
            losses=point.losses,
            validation=point.validation,
        )

    def _call(self, hook_name: str, **arguments: object) -> None:
        for problem in self._notify(hook_name, **arguments):
            self._reporter.say(problem)
