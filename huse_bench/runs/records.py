"""The record of a run: what it was planned as, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from huse_bench.components._docstring import source_of, summary_of
from huse_bench.config import RunConfig
from huse_bench.evaluation import protocol
from huse_bench.features import Prepared
from huse_bench.features._near import classes_are_alike
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.results import RunRecord, Store
from huse_bench.results.arrays import ClassFacts, PerQuery, Predictions
from huse_bench.results.schema import CONTROL_SECTION, SCHEMA_VERSION, Kind, MethodInfo, Setting, Tuning
from huse_bench.runs.card import dataset_info
from huse_bench.runs.controls import CONTROLS, Control, Evaluated, controls_hash
from huse_bench.runs.device import device_info
from huse_bench.runs.experiment import Outcome
from huse_bench.runs.identity import control_fingerprint
from huse_bench.runs.measured import Ended, class_facts, evaluated_control, failed, measured
from huse_bench.runs.methods import Method
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.privacy import Privacy
from huse_bench.runs.provenance import provenance
from huse_bench.training import inert_terms
from huse_bench.version import installed_version

__all__ = [
    "Recorded",
    "record_control",
    "record_control_failure",
    "record_failure",
    "record_outcome",
    "training_remarks",
]


@dataclass(frozen=True)
class Recorded:
    """A record, and the arrays that stand beside it.

    Attributes:
        record: what the run says of itself.
        per_query: as :meth:`Store.write <huse_bench.results.Store.write>` takes them, and so on.
        predictions: per item.
        classes: where the classes lie.
        neighbours: what each query found first.
    """

    record: RunRecord
    per_query: PerQuery | None = None
    predictions: Predictions | None = None
    classes: ClassFacts | None = None
    neighbours: Mapping[str, NDArray[np.integer]] | None = None

    def write(self, store: Store) -> RunRecord:
        """Store the run, and give its record with the names of its files."""
        return store.write(
            self.record, self.per_query, self.predictions, classes=self.classes, neighbours=self.neighbours
        )


@dataclass(frozen=True)
class _Planned:
    """What a record says before anything is computed."""

    kind: Kind
    fingerprint: str
    configuration: str
    method: MethodInfo
    seed: int = 0
    settings: dict[str, Setting] = field(default_factory=dict)
    tuning: Tuning | None = None
    similarity: str = "cosine"


def record_control(control: Control, evaluated: Evaluated, config: RunConfig, prepared: Prepared) -> Recorded:
    """The record of a control that needs no training."""
    ended = evaluated_control(evaluated)
    record = _record(_planned_control(control, config, prepared), ended, config, prepared)
    return Recorded(record, evaluated.per_query, None if evaluated.per_query is None else _items(prepared))


def record_control_failure(control: Control, error: Exception, config: RunConfig, prepared: Prepared) -> Recorded:
    """The record of a control that cannot be computed on this data."""
    ended = failed(error)
    return Recorded(_record(_planned_control(control, config, prepared), ended, config, prepared))


def record_outcome(spec: RunSpec, outcome: Outcome, prepared: Prepared, warnings: Sequence[str] = ()) -> Recorded:
    """The record of a finished run, with the arrays beside it and what else its reader should know."""
    classification = outcome.classification
    ended = measured(outcome, spec.config.training, [*_warnings(spec, prepared, outcome), *warnings])
    predictions = _items(prepared)
    if classification is not None:
        predictions |= {f"{name}_prediction": values for name, values in classification.predictions.items()}
        predictions |= {f"{name}_confidence": values for name, values in classification.confidences.items()}
    return Recorded(
        _record(_planned_run(spec), ended, spec.config, prepared),
        outcome.retrieval.per_query,
        predictions,
        class_facts(outcome),
        outcome.retrieval.neighbours or None,
    )


def record_failure(spec: RunSpec, prepared: Prepared, error: Exception) -> Recorded:
    """The record of a run that has no numbers; an unexpected error keeps its traceback."""
    ended = failed(error)
    return Recorded(_record(_planned_run(spec), ended, spec.config, prepared))


def _items(prepared: Prepared) -> dict[str, NDArray[Any]]:
    """Labels and groups of the test items, as they are stored beside a record."""
    test = prepared.splits["test"]
    return {"label": test.labels, "group": test.groups}


def _planned_run(spec: RunSpec) -> _Planned:
    config = spec.config
    return _Planned(
        kind="trained control" if spec.method.is_control else "method",
        fingerprint=spec.fingerprint,
        configuration=spec.configuration,
        method=_method(spec.method),
        seed=spec.seed,
        settings={
            f"training.{name}": Setting(value=value, origin=config.origin(f"training.{name}"))
            for name, value in config.training.model_dump().items()
        },
        tuning=spec.tuning,
        similarity=spec.method.loss_class.similarity,
    )


def _planned_control(control: Control, config: RunConfig, prepared: Prepared) -> _Planned:
    identity = control_fingerprint(control, config, prepared)
    method = MethodInfo(
        name=control.name,
        title=control.title,
        summary=summary_of(control.evaluate),
        section=CONTROL_SECTION,
        order=CONTROLS.index(control),
        semantic=False,
        heads="none",
        parameters={},
        distribution="huse-bench",
        version=installed_version(),
        target=f"{control.evaluate.__module__}:{control.evaluate.__name__}",
        source_hash=controls_hash(),
    )
    return _Planned("control", identity, identity, method)


def _method(method: Method) -> MethodInfo:
    loss = method.loss_class
    return MethodInfo(
        name=method.name,
        title=method.title,
        summary=summary_of(loss),
        source=source_of(loss),
        base=method.base,
        changes=method.changes,
        section=CONTROL_SECTION if method.is_control else loss.section,
        # Behind the controls that need no training.
        order=loss.position + (len(CONTROLS) if method.is_control else 0),
        semantic=loss.semantic,
        class_graph=loss.class_graph,
        heads=loss.heads,
        head_scale=loss.head_scale,
        head_rate=loss.head_rate,
        parameters=dict(method.parameters),
        space=tuple(loss.space),
        distribution=method.component.distribution,
        version=method.component.version,
        target=method.component.target,
        source_hash=method.source_hash,
    )


def _record(planned: _Planned, ended: Ended, run: RunConfig, prepared: Prepared) -> RunRecord:
    facts, errors = provenance()
    test = prepared.splits["test"]
    device = ended.device
    record = RunRecord(
        schema_version=SCHEMA_VERSION,
        kind=planned.kind,
        fingerprint=planned.fingerprint,
        configuration=planned.configuration,
        method=planned.method,
        dataset=dataset_info(prepared, run),
        seed=planned.seed,
        preset=run.preset,
        config=planned.settings,
        status=ended.status,
        error=ended.error,
        retrieval=ended.retrieval,
        curves=ended.curves,
        classification=ended.classification,
        validation=ended.validation,
        protocol=protocol(
            prepared.taxonomy_of("test"), HP_KS, RECALL_KS, test.labels, test.groups, run.protocol, planned.similarity
        ),
        training=ended.training,
        learning=ended.learning,
        device=None if device is None else device_info(device, run.training.precision, facts["processor"]),
        tuning=planned.tuning,
        provenance=facts,
        warnings=[*prepared.notices, *ended.warnings, *errors],
        audit=None if prepared.audit is None else dict(prepared.audit),
        created=datetime.now(UTC),
    )
    return RunRecord.model_validate(Privacy(run.data, run.address).record(record.model_dump()))


def _warnings(spec: RunSpec, prepared: Prepared, outcome: Outcome) -> list[str]:
    warnings = []
    loss = spec.method.loss_class
    if loss.semantic and loss.class_graph == "names" and classes_are_alike(prepared.classes):
        warnings.append("the class embeddings are all alike, so nothing is learnt from the class names")
    unreachable = outcome.retrieval.unreachable_queries
    if unreachable:
        queries = len(prepared.splits["test"].labels)
        warnings.append(
            f"{unreachable} of {queries} test queries are misses in-modal, with no item of their class in the gallery"
        )
    return warnings + training_remarks(spec, outcome)


def training_remarks(spec: RunSpec, outcome: Outcome) -> list[str]:
    """What is to be known of how a run was trained, a sentence each.

    Args:
        spec: the plan.
        outcome: of the run.
    """
    return [*inert_terms(outcome.trained.shares, spec.method.parameters), *outcome.trained.remarks]
