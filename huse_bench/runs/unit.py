"""Planned runs, one after another: trained, evaluated and recorded, and shared with other processes on the folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from huse_bench.config import RunConfig
from huse_bench.discovery import notify
from huse_bench.errors import HuseBenchError
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs import saved as saving
from huse_bench.runs.controls import shuffled_data
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.records import record_failure, record_outcome
from huse_bench.training import inert_terms

__all__ = ["reason", "run_all"]

# Between two looks at runs that other processes are at.
_POLL_SECONDS = 1.0


def run_all(specs: Sequence[RunSpec], data: Prepared, config: RunConfig, store: Store, reporter: Reporter) -> None:
    """Train and record runs, less those that other processes on the folder train meanwhile.

    A run that another process is at is waited for, and taken up where that process ended without finishing it.

    Args:
        specs: the runs.
        data: the dataset, on the device to train on.
        config: of the command.
        store: the results folder.
        reporter: shows progress.
    """
    began = datetime.now(UTC)
    left, said = list(specs), False
    while left:
        busy = []
        for spec in left:
            with store.claim(spec.fingerprint) as mine:
                if not mine:
                    busy.append(spec)
                elif not _ended(spec, began, config, store):
                    trained_on = shuffled_data(data, spec.seed) if spec.method.is_control else data
                    _run_one(spec, trained_on, config, store, reporter)
        left = busy
        if left and not said:
            said = True
            reporter.say(f"waiting for {len(left)} {'run' if len(left) == 1 else 'runs'} that other processes are at")
        if left:
            time.sleep(_POLL_SECONDS)


def _ended(spec: RunSpec, began: datetime, config: RunConfig, store: Store) -> bool:
    """Whether a run needs no training any more; also one that is to be run anew, where another process just did."""
    record = store.find(spec.fingerprint)
    return record is not None and (record.created >= began or not store.should_run(spec.fingerprint, config.overwrite))


def _run_one(spec: RunSpec, data: Prepared, config: RunConfig, store: Store, reporter: Reporter) -> None:
    label = f"{spec.method.title} seed {spec.seed}"
    for error in notify("huse_bench_run_start", spec=spec):
        reporter.say(error)
    started = time.perf_counter()
    try:
        with reporter.run(label, config.training.steps) as step:
            outcome = run_experiment(
                spec.method, data, config.dataset, config.training, spec.seed, step, config.protocol
            )
        recorded = record_outcome(spec, outcome, data)
        saved = []
        if config.save_model:
            saved.append(saving.save_model(store.folder, recorded.record, outcome.model, data))
        if config.save_embeddings:
            saved.append(saving.save_embeddings(store.folder, recorded.record, outcome.embedded, data))
    # A failing method is a row that says so; the others go on.
    except Exception as error:  # noqa: BLE001
        failure = record_failure(spec, data, error).write(store)
        reporter.say(f"{label}: {failure.status} after {time.perf_counter() - started:.0f} s: {reason(error)}")
        for problem in notify("huse_bench_run_failed", spec=spec, error=error):
            reporter.say(problem)
        return
    record = recorded.write(store)
    speed = config.training.steps / outcome.trained.seconds
    reporter.say(f"{label}: finished in {time.perf_counter() - started:.0f} s (training {speed:.1f} steps/s)")
    for inert in inert_terms(outcome.trained.shares, spec.method.parameters):
        reporter.say(f"  {spec.method.title}: {inert}")
    for path in saved:
        reporter.say(f"  saved {path}")
    for problem in notify("huse_bench_run_finished", record=record):
        reporter.say(problem)


def reason(error: Exception) -> str:
    """What to say of an error: its message, with the type where it is none of ours."""
    text = str(error) or repr(error)
    return text if isinstance(error, HuseBenchError) else f"{type(error).__name__}: {text}"
