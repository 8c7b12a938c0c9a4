"""One planned run as a unit of work: trained, evaluated, recorded and stored, for whoever watches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from huse_bench.errors import LostProcessError, PluginError, ResultsError
from huse_bench.features import Prepared
from huse_bench.features.prepared_files import load_prepared
from huse_bench.results import RunRecord, Store
from huse_bench.runs import saved
from huse_bench.runs.checkpoints import ENDING
from huse_bench.runs.controls import shuffled_data
from huse_bench.runs.device import forget_peak, settle_functions
from huse_bench.runs.events import (
    Event,
    EventLog,
    Listener,
    RunFailed,
    RunFinished,
    RunNoticed,
    RunStarted,
    RunStopped,
    Stepped,
)
from huse_bench.runs.experiment import Outcome, experiment, follow_experiment
from huse_bench.runs.limits import time_limit
from huse_bench.runs.memory import out_of_memory, ran_out, smaller_blocks
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.records import record_failure, record_outcome, training_remarks
from huse_bench.runs.resuming import Resuming
from huse_bench.runs.steps import Steps, stepped
from huse_bench.runs.stopping import Stopped, deferred

__all__ = ["follow_unit", "placed_for", "run_unit", "unit"]


@deferred()
def run_unit(spec: RunSpec, prepared: Prepared | Path, store: Store, listeners: Sequence[Listener] = ()) -> RunRecord:
    """Do a planned run; nothing in it is shown or asked, so that any process on any machine can do it.

    A method that fails is a record that says so. A run that another process left is taken up at its last checkpoint.
    Where memory runs out in its evaluation, that is done once more in smaller blocks; where it runs out then too, or in
    the training, the record says so and the checkpoints are left.

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
        LostProcessError: if a process that shares the batches has ended; the checkpoints are left then.
        Stopped: if a signal asked for the end of the process, with a checkpoint, or when the record is written.
    """
    return stepped(unit(spec, prepared, store, listeners))


def unit(
    spec: RunSpec,
    prepared: Prepared | Path,
    store: Store,
    listeners: Sequence[Listener] = (),
    placed: Prepared | None = None,
) -> Steps[RunRecord]:
    """What :func:`run_unit` does, whose steps somebody else takes, with signals deferred.

    Args:
        spec: as there, and so the other arguments.
        prepared: likewise.
        store: likewise.
        listeners: likewise.
        placed: the dataset on the device that trains, where it is there already.

    Yields:
        The training, each time that its next step is to be taken.

    Returns:
        The record, as stored.
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

    keeper = Resuming(
        _checkpoints(store.folder, spec), spec.fingerprint, spec.config.checkpoint_every, tell, lambda: log.lines
    )
    tell(RunStarted(spec))
    started = time.perf_counter()
    if isinstance(prepared, Path):
        prepared = load_prepared(prepared)
    try:
        with time_limit(spec.config.timeout) as watch_clock:
            there = placed_for(spec, prepared) if placed is None else placed

            def watch(event: Event) -> None:
                tell(event)
                watch_clock()

            def attempt() -> Steps[Outcome]:
                return experiment(
                    spec.method,
                    there,
                    spec.config.training,
                    spec.seed,
                    spec.config.protocol,
                    watch,
                    neighbours=spec.neighbours,
                    keeper=keeper,
                )

            outcome, warnings = yield from _with_less_memory(attempt, keeper, tell)
        recorded = record_outcome(spec, outcome, prepared, warnings)
        files = _save(spec, recorded.record, outcome, there, store)
    except Stopped:
        tell(RunStopped(done, keeper.kept))
        raise
    # No room for what was asked for is no fault of the method, nor is the end of another process.
    except (ResultsError, LostProcessError):
        raise
    # A failing method is a row that says so; the others go on.
    except (Exception, SystemExit) as problem:  # noqa: BLE001
        _end_forked(process)
        error = problem if isinstance(problem, Exception) else _exited(spec, problem)
        short = ran_out(error)
        if short:
            when = "in the evaluation" if keeper.is_trained else f"after step {max(done, keeper.kept)} of the training"
            error = out_of_memory(error, when)
        record = record_failure(spec, prepared, error).write(store)
        if not short:
            keeper.forget()
        tell(RunFailed(spec, record, time.perf_counter() - started, error))
        return record
    record = recorded.write(store)
    keeper.forget()
    remarks = tuple(training_remarks(spec, outcome))
    tell(RunFinished(record, time.perf_counter() - started, remarks, tuple(files)))
    return record


def follow_unit(spec: RunSpec, prepared: Prepared, store_folder: Path) -> None:
    """Train a run with the process that does it, whose batches this one shares; what comes of it is that one's to tell.

    Args:
        spec: the plan.
        prepared: the dataset on the host.
        store_folder: the results folder, where the run may have checkpoints.

    Raises:
        LostProcessError: if that process, or another that follows it, has ended.
    """
    keeper = Resuming(_checkpoints(store_folder, spec), spec.fingerprint, spec.config.checkpoint_every, _ignore, list)
    try:
        placed = placed_for(spec, prepared)
        follow_experiment(spec.method, placed, spec.config.training, spec.seed, spec.config.protocol, keeper)
    except LostProcessError:
        raise
    # What ends it here ends it there as well, where it becomes a record.
    except (Exception, SystemExit):  # noqa: BLE001
        return


def _with_less_memory(
    attempt: Callable[[], Steps[Outcome]], keeper: Resuming, tell: Callable[[Event], None]
) -> Steps[tuple[Outcome, list[str]]]:
    """What an experiment comes to, evaluated in smaller blocks where it must be, and what to say of that."""
    try:
        return (yield from attempt()), []
    except Exception as error:
        if not (ran_out(error) and keeper.is_trained):
            raise
    # Outside, where nothing holds what the first one took any more.
    keeper.keep_trained()
    with smaller_blocks() as rows:
        notice = f"memory ran out in its evaluation, which was made again in blocks of {rows} items"
        tell(RunNoticed(notice))
        return (yield from attempt()), [f"{notice}: the last bits may differ"]


def placed_for(spec: RunSpec, prepared: Prepared) -> Prepared:
    """The dataset on the device that trains a run, which is made ready.

    Args:
        spec: the plan.
        prepared: the dataset on the host.
    """
    settle_functions()
    forget_peak(spec.device)
    placed = prepared.to(spec.device)
    return shuffled_data(placed, spec.seed) if spec.method.is_control else placed


def _checkpoints(folder: Path, spec: RunSpec) -> Path:
    return folder / "runs" / f"{spec.stem}{ENDING}"


def _ignore(_event: Event) -> None:
    pass


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
