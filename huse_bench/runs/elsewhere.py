"""A run done in another process: its plan as a text there, and what became of it as a text back.

A plan names files and settings and no code. The process makes the plan anew from them, and does the run only where its
identity comes out the same: another version of huse-bench, of a plugin or of the data is seen before it makes a number.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic_core import PydanticSerializationError

from huse_bench import dropin
from huse_bench.config import RunConfig
from huse_bench.discovery import refresh
from huse_bench.errors import ConfigError, EngineError, HuseBenchError
from huse_bench.execution.threads import limited
from huse_bench.features import Prepared
from huse_bench.features.prepared_files import load_prepared
from huse_bench.results import RunRecord, Store
from huse_bench.results.schema import Tuning
from huse_bench.runs.controls import shuffled_method
from huse_bench.runs.events import Event, RunFailed, RunFinished, RunNoticed, RunResumed
from huse_bench.runs.listeners import reason
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import RunSpec, plan_run
from huse_bench.runs.stopping import Stopped, stoppable
from huse_bench.runs.unit import run_unit

__all__ = ["Answer", "do_run", "plan_text", "read_answer"]

# Settings of the command that a process on another machine has not inherited.
_OURS = "HUSE_BENCH_"

# The random numbers of torch are those of the process.
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Answer:
    """What became of a run, whose record is in the results folder.

    Attributes:
        fingerprint: of the run.
        seconds: wall time of all of it.
        notices: what the user should know of it, a line each.
        files: what was saved beside it on demand.
        error: why it failed; None where it did not.
        lost: what told the worker to end before the run had; None where nothing did.
    """

    fingerprint: str
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    error: str | None = None
    lost: str | None = None


def plan_text(spec: RunSpec, prepared: Path, store: Store, threads: int, before: RunRecord | None) -> str:
    """A plan as JSON, for :func:`do_run`.

    Args:
        spec: the plan.
        prepared: folder of the data, see :func:`huse_bench.features.prepared_files.save_prepared`.
        store: the results folder.
        threads: of the CPU.
        before: the record that is to be made anew; None where there is none.

    Raises:
        ConfigError: if a setting is nothing that JSON has.
    """
    try:
        config = spec.config.model_dump(mode="json")
    except PydanticSerializationError as error:
        raise ConfigError(
            f"a setting of {spec.method.name} is no plain number, text or list ({error}), so that no other process can "
            f"be told of it; change it, or leave out --jobs and --engine"
        ) from error
    return json.dumps(
        {
            "config": config,
            "method": spec.method.name,
            "seed": spec.seed,
            "fingerprint": spec.fingerprint,
            "device": spec.device,
            "neighbours": spec.neighbours,
            "tuning": None if spec.tuning is None else spec.tuning.model_dump(mode="json"),
            "prepared": str(prepared.resolve()),
            "results": str(store.folder.resolve()),
            "dataset": store.dataset,
            "before": None if before is None else before.created.isoformat(),
            "threads": threads,
            "command": sys.argv,
            "environment": {name: value for name, value in os.environ.items() if name.startswith(_OURS)},
        }
    )


def do_run(text: str) -> str:
    """Do a run by its plan, and write its record; called in a worker.

    A run that has its record already, since another worker that was thought lost did it, is not done again.

    Args:
        text: of :func:`plan_text`.

    Returns:
        What :func:`read_answer` reads.
    """
    plan = json.loads(text)
    try:
        # A worker that is told to end writes down how far it is, for whoever takes the run up.
        with _one_at_a_time, stoppable(lambda _: None), limited(plan["threads"]):
            _take_over(plan["environment"], plan["command"])
            return json.dumps(_done(plan))
    except Stopped as stopped:
        return json.dumps(_fields(plan, None) | {"lost": str(stopped)})
    # A message crosses to the parent, and a traceback says nothing there.
    except HuseBenchError as error:
        return json.dumps({"refused": str(error)})


def read_answer(text: str) -> Answer:
    """Read what :func:`do_run` returned.

    Args:
        text: the answer.

    Raises:
        EngineError: if the worker refused to do the run.
    """
    fields = json.loads(text)
    if "refused" in fields:
        raise EngineError(fields["refused"])
    return Answer(
        fingerprint=fields["fingerprint"],
        seconds=fields["seconds"],
        notices=tuple(fields["notices"]),
        files=tuple(map(Path, fields["files"])),
        error=fields["error"],
        lost=fields["lost"],
    )


def _done(plan: Mapping[str, Any]) -> dict[str, Any]:
    store = Store(plan["results"], plan["dataset"])
    known = store.find(plan["fingerprint"])
    if known is not None and known.created.isoformat() != plan["before"]:
        return _fields(plan, None)
    prepared = _prepared(plan["prepared"])
    spec = _spec(plan, prepared)
    said: list[str] = []
    last: list[Event] = []

    def listen(event: Event) -> None:
        last[:] = [event]
        match event:
            case RunResumed(step):
                said.append(f"it went on from its checkpoint after step {step}")
            case RunNoticed(text):
                said.append(text)

    run_unit(spec, prepared, store, [listen])
    fields = _fields(plan, last[0])
    return fields | {"notices": [*said, *fields["notices"]]}


def _fields(plan: Mapping[str, Any], event: Event | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"fingerprint": plan["fingerprint"], "seconds": 0.0, "notices": [], "files": []}
    fields |= {"error": None, "lost": None}
    match event:
        case RunFinished(_, seconds, notices, files):
            fields |= {"seconds": seconds, "notices": list(notices), "files": list(map(str, files))}
        case RunFailed(_, _, seconds, error):
            fields |= {"seconds": seconds, "error": reason(error)}
    return fields


def _spec(plan: Mapping[str, Any], prepared: Prepared) -> RunSpec:
    """The plan made anew; raises EngineError where it comes out otherwise."""
    config = RunConfig.model_validate_json(json.dumps(plan["config"]))
    tuning = None if plan["tuning"] is None else Tuning.model_validate_json(json.dumps(plan["tuning"]))
    methods = resolve_methods(config)
    for method in [*methods, *map(shuffled_method, methods)]:
        if method.name != plan["method"]:
            continue
        spec = plan_run(config, method, plan["seed"], prepared, plan["device"])
        if spec.fingerprint == plan["fingerprint"]:
            return replace(spec, neighbours=plan["neighbours"], tuning=tuning)
    raise EngineError(
        f"a worker has another {plan['method']!r} than this process: the code of huse-bench or of a plugin differs, or "
        f"the data. Install the same versions wherever there are workers, and start these again"
    )


@lru_cache(maxsize=1)
def _prepared(folder: str) -> Prepared:
    """The data, kept for the next run."""
    return load_prepared(Path(folder))


def _take_over(environment: Mapping[str, str], command: list[str]) -> None:
    """See plugins as the command does, and be called what it is called in records."""
    sys.argv[:] = command
    own = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    if own == environment:
        return
    for name in own:
        del os.environ[name]
    os.environ.update(environment)
    folder = environment.get("HUSE_BENCH_PLUGINS_DIR")
    dropin.__path__[:] = [folder] if folder else []
    refresh()
