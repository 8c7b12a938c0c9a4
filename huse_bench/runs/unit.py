"""One planned run as a unit of work: trained, evaluated, recorded and stored, for whoever watches."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from huse_bench.errors import PluginError, ResultsError
from huse_bench.features import Prepared
from huse_bench.features.prepared_files import load_prepared
from huse_bench.results import RunRecord, Store
from huse_bench.runs import saved
from huse_bench.runs.checkpoints import ENDING
from huse_bench.runs.controls import shuffled_data
from huse_bench.runs.device import forget_peak, settle_functions
from huse_bench.runs.events import Event, EventLog, Listener, RunFailed, RunFinished, RunStarted, RunStopped, Stepped
from huse_bench.runs.experiment import Outcome, run_experiment
from huse_bench.runs.limits import time_limit
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.records import record_failure, record_outcome
from huse_bench.runs.resuming import Resuming
from huse_bench.runs.stopping import Stopped, deferred
from huse_bench.training import inert_terms

__all__ = ["run_unit"]


@deferred()
def run_unit(spec: RunSpec, prepared: Prepared | Path, store: Store, listeners: Sequence[Listener] = ()) -> RunRecord:
    """Do a planned run; nothing in it is shown or asked, so that any process on any machine can do it.

    A method that fails is a record that says so. A run that another process left is taken up at its last checkpoint.

    Args:
        spec: the plan, which can be sent to another process.
        prepared: the dataset on the host, or the folder that :func:`huse_bench.features.prepared_files.save_prepared`
            wrote it to.
        store: the results folder.
        listeners: told of each event in turn, beside the log of events that is written beside the record.

    Returns:
        The record, as stored.

    Raises:
        ResultsError: if the record or a file beside it cannot be written; the checkpoints are left then.
        Stopped: if a signal asked for the end of the process, with a checkpoint, or when the record is written.
    """
    log = EventLog(store.folder / "runs" / f"{spec.stem}.events.jsonl")
    told: list[Listener] = [log, *listeners]
    process, done = os.getpid(), 0

    def tell(event: Event) -> None:
        nonlocal done
        _end_forked(process)
        if isinstance(event, Stepped):
            done = event.done
        for listener in told:
            listener(event)

    folder = store.folder / "runs" / f"{spec.stem}{ENDING}"
    keeper = Resuming(folder, spec.fingerprint, spec.config.checkpoint_every, tell, lambda: log.lines)
    tell(RunStarted(spec))
    started = time.perf_counter()
    if isinstance(prepared, Path):
        prepared = load_prepared(prepared)
    try:
        with time_limit(spec.config.timeout) as watch_clock:
            settle_functions()
            forget_peak(spec.device)
            placed = prepared.to(spec.device)
            if spec.method.is_control:
                placed = shuffled_data(placed, spec.seed)

            def watch(event: Event) -> None:
                tell(event)
                watch_clock()

            outcome = run_experiment(
                spec.method,
                placed,
                spec.config.training,
                spec.seed,
                spec.config.protocol,
                watch,
                neighbours=spec.neighbours,
                keeper=keeper,
            )
        recorded = record_outcome(spec, outcome, prepared)
        files = _save(spec, recorded.record, outcome, placed, store)
    except Stopped:
        tell(RunStopped(done, keeper.kept))
        raise
    # No room for what was asked for is no fault of the method.
    except ResultsError:
        raise
    # A failing method is a row that says so; the others go on.
    except (Exception, SystemExit) as problem:  # noqa: BLE001
        _end_forked(process)
        error = problem if isinstance(problem, Exception) else _exited(spec, problem)
        record = record_failure(spec, prepared, error).write(store)
        keeper.forget()
        tell(RunFailed(spec, record, time.perf_counter() - started, error))
        return record
    record = recorded.write(store)
    keeper.forget()
    inert = inert_terms(outcome.trained.shares, spec.method.parameters)
    tell(RunFinished(record, time.perf_counter() - started, tuple(inert), tuple(files)))
    return record


def _end_forked(process: int) -> None:
    """End a copy of this process that a plugin made and let go on: two must not write one run."""
    if os.getpid() != process:
        os._exit(1)


def _exited(spec: RunSpec, problem: SystemExit) -> PluginError:
    code = "" if problem.code is None else repr(problem.code)
    return PluginError(f"the code of {spec.method.name} called sys.exit({code}), and a loss must raise instead")


def _save(spec: RunSpec, record: RunRecord, outcome: Outcome, placed: Prepared, store: Store) -> list[Path]:
    """Write what the command asked for beside the record; raises ResultsError where the disk refuses."""
    files = []
    try:
        if spec.config.save_model:
            files.append(saved.save_model(store.folder, record, outcome.model, outcome.loss, placed))
        if spec.config.save_embeddings:
            files.append(saved.save_embeddings(store.folder, record, outcome.model, outcome.loss, placed))
    except OSError as error:
        raise ResultsError(
            f"cannot write the files of the run {record.stem} to {store.folder} ({error.strerror or error}); "
            f"make room or make the folder writable, and run it again"
        ) from error
    return files
