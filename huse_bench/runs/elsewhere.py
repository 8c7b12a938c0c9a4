"""A run done in another process: its plan as a text there, and what became of it as a text back.

A plan names files and settings and no code. The process makes the plan anew from them, and does the run only where its
identity comes out the same: another version of huse-bench, of a plugin or of the data is seen before it makes a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huse_bench.config import RunConfig
from huse_bench.errors import EngineError
from huse_bench.features import Prepared
from huse_bench.results import RunRecord, Store
from huse_bench.results.schema import Tuning
from huse_bench.runs.controls import shuffled_method
from huse_bench.runs.events import Event, RunFailed, RunFinished, RunNoticed, RunResumed
from huse_bench.runs.listeners import reason
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import RunSpec, plan_run
from huse_bench.runs.surroundings import answered, read_fields, surroundings
from huse_bench.runs.unit import run_unit

__all__ = ["Answer", "do_run", "other_code", "plan_text", "read_answer"]


@dataclass(frozen=True)
class Answer:
    """What became of a run, whose record is in the results folder.

    Attributes:
        fingerprint: of the run; None where the worker was lost.
        seconds: wall time of all of it.
        notices: what the user should know of it, a line each.
        files: what was saved beside it on demand.
        error: why it failed; None where it did not.
        lost: what told the worker to end before the run had; None where nothing did.
    """

    fingerprint: str | None = None
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
    own = {
        "method": spec.method.name,
        "seed": spec.seed,
        "fingerprint": spec.fingerprint,
        "device": spec.device,
        "neighbours": spec.neighbours,
        "tuning": None if spec.tuning is None else spec.tuning.model_dump(mode="json"),
        "results": str(store.folder.resolve()),
        "dataset": store.dataset,
        "before": None if before is None else before.created.isoformat(),
    }
    return json.dumps(surroundings(spec.config, prepared, threads) | own)


def do_run(text: str) -> str:
    """Do a run by its plan, and write its record; called in a worker.

    A run that has its record already, since another worker that was thought lost did it, is not done again.

    Args:
        text: of :func:`plan_text`.

    Returns:
        What :func:`read_answer` reads.
    """
    plan = json.loads(text)
    return answered(plan, lambda config, prepared: _done(plan, config, prepared))


def read_answer(text: str) -> Answer:
    """Read what :func:`do_run` returned.

    Args:
        text: the answer.

    Raises:
        EngineError: if the worker refused to do the run.
    """
    fields = read_fields(text)
    return Answer(
        **{
            **fields,
            "notices": tuple(fields.get("notices", ())),
            "files": tuple(map(Path, fields.get("files", ()))),
        }
    )


def other_code(name: str) -> EngineError:
    """What to raise in a worker where a plan comes out otherwise.

    Args:
        name: of its method.
    """
    return EngineError(
        f"a worker has another {name!r} than this process: the code of huse-bench or of a plugin differs, or the data. "
        f"Install the same versions wherever there are workers, and start these again"
    )


def _done(plan: Mapping[str, Any], config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    store = Store(plan["results"], plan["dataset"])
    fields: dict[str, Any] = {"fingerprint": plan["fingerprint"]}
    known = store.find(plan["fingerprint"])
    if known is not None and known.created.isoformat() != plan["before"]:
        return fields
    said: list[str] = []

    def listen(event: Event) -> None:
        match event:
            case RunResumed(step):
                said.append(f"it went on from its checkpoint after step {step}")
            case RunNoticed(text):
                said.append(text)
            case RunFinished(_, seconds, notices, files):
                fields.update(seconds=seconds, notices=[*said, *notices], files=list(map(str, files)))
            case RunFailed(_, _, seconds, error):
                fields.update(seconds=seconds, error=reason(error))

    run_unit(_spec(plan, config, prepared), prepared, store, [listen])
    return fields


def _spec(plan: Mapping[str, Any], config: RunConfig, prepared: Prepared) -> RunSpec:
    """The plan made anew; raises EngineError where it comes out otherwise."""
    tuning = None if plan["tuning"] is None else Tuning.model_validate_json(json.dumps(plan["tuning"]))
    methods = resolve_methods(config)
    for method in [*methods, *map(shuffled_method, methods)]:
        if method.name != plan["method"]:
            continue
        spec = plan_run(config, method, plan["seed"], prepared, plan["device"])
        if spec.fingerprint == plan["fingerprint"]:
            return replace(spec, neighbours=plan["neighbours"], tuning=tuning)
    raise other_code(plan["method"])
