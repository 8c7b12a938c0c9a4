"""One planned run as a unit of work: trained, evaluated, recorded and stored, for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from huse_bench.features import Prepared
from huse_bench.features.prepared_files import load_prepared
from huse_bench.results import RunRecord, Store
from huse_bench.runs import saved
from huse_bench.runs.controls import shuffled_data
from huse_bench.runs.device import forget_peak, settle_functions
from huse_bench.runs.events import Event, EventLog, Listener, RunFailed, RunFinished, RunStarted
from huse_bench.runs.experiment import Outcome, follow_experiment, run_experiment
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.records import record_failure, record_outcome
from huse_bench.training import inert_terms

__all__ = ["follow_unit", "run_unit"]


def run_unit(spec: RunSpec, prepared: Prepared | Path, store: Store, listeners: Sequence[Listener] = ()) -> RunRecord:
    """Do a planned run; nothing in it is shown or asked, so that any process on any machine can do it.

    A method that fails is a record that says so.

    Args:
        spec: the plan, which can be sent to another process.
        prepared: the dataset on the host, or the folder that :func:`huse_bench.features.prepared_files.save_prepared`
            wrote it to.
        store: the results folder.
        listeners: told of each event in turn, beside the log of events that is written beside the record.

    Returns:
        The record, as stored.

    Raises:
        ResultsError: if the record cannot be written.
    """
    told: list[Listener] = [EventLog(store.folder / "runs" / f"{spec.stem}.events.jsonl"), *listeners]

    def tell(event: Event) -> None:
        for listener in told:
            listener(event)

    tell(RunStarted(spec))
    started = time.perf_counter()
    if isinstance(prepared, Path):
        prepared = load_prepared(prepared)
    try:
        placed = _placed(spec, prepared)
        outcome = run_experiment(
            spec.method, placed, spec.config.training, spec.seed, spec.config.protocol, tell, neighbours=spec.neighbours
        )
        recorded = record_outcome(spec, outcome, prepared)
        files = _save(spec, recorded.record, outcome, placed, store)
    # A failing method is a row that says so; the others go on.
    except Exception as error:  # noqa: BLE001
        record = record_failure(spec, prepared, error).write(store)
        tell(RunFailed(spec, record, time.perf_counter() - started, error))
        return record
    record = recorded.write(store)
    inert = inert_terms(outcome.trained.shares, spec.method.parameters)
    tell(RunFinished(record, time.perf_counter() - started, tuple(inert), tuple(files)))
    return record


def follow_unit(spec: RunSpec, prepared: Prepared) -> None:
    """Train a run with the process that does it, whose batches this one shares; what comes of it is that one's to tell.

    Args:
        spec: the plan.
        prepared: the dataset on the host.
    """
    # What ends it here ends it there as well, where it becomes a record.
    with suppress(Exception):
        placed = _placed(spec, prepared)
        follow_experiment(spec.method, placed, spec.config.training, spec.seed, spec.config.protocol)


def _placed(spec: RunSpec, prepared: Prepared) -> Prepared:
    """The data on the device that trains, which is made ready."""
    settle_functions()
    forget_peak(spec.device)
    placed = prepared.to(spec.device)
    return shuffled_data(placed, spec.seed) if spec.method.is_control else placed


def _save(spec: RunSpec, record: RunRecord, outcome: Outcome, placed: Prepared, store: Store) -> list[Path]:
    """Write what the command asked for beside the record."""
    files = []
    if spec.config.save_model:
        files.append(saved.save_model(store.folder, record, outcome.model, outcome.loss, placed))
    if spec.config.save_embeddings:
        files.append(saved.save_embeddings(store.folder, record, outcome.model, outcome.loss, placed))
    return files
