"""The record of a run: what it was planned as, and what was measured."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from typing import Any

import numpy as np

import huse_bench
from huse_bench.config import RunConfig
from huse_bench.errors import DivergedError, HuseBenchError
from huse_bench.evaluation import protocol
from huse_bench.features import Prepared
from huse_bench.features._near import classes_are_alike
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.results import RunRecord
from huse_bench.results.arrays import PerQuery, Predictions
from huse_bench.results.schema import CONTROL_SECTION
from huse_bench.runs.controls import CONTROLS, Control, Evaluated, controls_hash
from huse_bench.runs.experiment import Outcome
from huse_bench.runs.identity import control_fingerprint
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.privacy import Privacy
from huse_bench.runs.provenance import provenance
from huse_bench.training import inert_terms

__all__ = [
    "items_of",
    "record_control",
    "record_control_failure",
    "record_failure",
    "record_outcome",
]


def record_control(
    control: Control, evaluated: Evaluated, config: RunConfig, data: Prepared, dataset_title: str
) -> RunRecord:
    """The record of a control that needs no training, as if it were a run of no steps."""
    return _control(
        control,
        config,
        data,
        dataset_title,
        status="finished",
        retrieval=evaluated.retrieval,
        classification=evaluated.classification,
        training={
            "steps": 0,
            "batch_size": 0,
            "optimizer": "none",
            "items_seen": 0,
            "seconds": 0.0,
            "steps_per_second": 0.0,
            "losses": {},
        },
    )


def record_control_failure(
    control: Control, error: Exception, config: RunConfig, data: Prepared, dataset_title: str
) -> RunRecord:
    """The record of a control that cannot be computed on this data."""
    return _control(control, config, data, dataset_title, status="failed", error=_text(error))


def _control(control: Control, config: RunConfig, data: Prepared, dataset_title: str, **fields: Any) -> RunRecord:
    identity = control_fingerprint(control, config, data)
    return _validated(
        config,
        data,
        dataset_title,
        fingerprint=identity,
        configuration=identity,
        method={
            "name": control.name,
            "title": control.title,
            "section": CONTROL_SECTION,
            "order": CONTROLS.index(control),
            "semantic": False,
            "heads": "none",
            "parameters": {},
            "distribution": "huse-bench",
            "version": huse_bench.__version__,
            "target": f"{control.evaluate.__module__}:{control.evaluate.__name__}",
            "source_hash": controls_hash(),
        },
        seed=0,
        config={},
        **fields,
    )


def record_outcome(spec: RunSpec, outcome: Outcome, data: Prepared) -> tuple[RunRecord, PerQuery, Predictions]:
    """The record of a finished run, with its per-query scores, and its predictions and confidences."""
    classification = outcome.classification
    training = spec.config.training
    record = _record(
        spec,
        data,
        status="finished",
        retrieval=outcome.retrieval.scores,
        classification=None
        if classification is None
        else {
            "image": classification.image,
            "text": classification.text,
            "fusion": classification.fusion,
            "fusion_weight": classification.fitted.weight,
            "fusion_equal": classification.fusion_equal,
            "image_temperature": classification.fitted.image_temperature,
            "text_temperature": classification.fitted.text_temperature,
        },
        validation=outcome.validation,
        training={
            "steps": training.steps,
            "batch_size": training.batch_size,
            "optimizer": training.optimizer,
            "items_seen": training.steps * training.batch_size,
            "seconds": outcome.trained.seconds,
            "steps_per_second": training.steps / outcome.trained.seconds,
            "losses": outcome.trained.losses,
            "gradient_steps": outcome.trained.shares.steps,
            "gradient_shares": outcome.trained.shares.by_term,
        },
        warnings=_warnings(spec, data, outcome),
    )
    predictions = items_of(data)
    if classification is not None:
        predictions |= {f"{name}_prediction": values for name, values in classification.predictions.items()}
        predictions |= {f"{name}_confidence": values for name, values in classification.confidences.items()}
    return record, outcome.retrieval.per_query, predictions


def items_of(data: Prepared) -> dict[str, Any]:
    """Labels and groups of the test items, as they are stored beside a record."""
    test = data.splits["test"]
    return {"label": np.asarray(test.labels.cpu()), "group": test.groups}


def record_failure(spec: RunSpec, data: Prepared, error: Exception) -> RunRecord:
    """The record of a run that has no numbers; an unexpected error keeps its traceback."""
    status = "diverged" if isinstance(error, DivergedError) else "failed"
    return _record(spec, data, status=status, error=_text(error))


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, HuseBenchError) else "".join(traceback.format_exception(error))


def _record(spec: RunSpec, data: Prepared, **fields: Any) -> RunRecord:
    method, config = spec.method, spec.config
    return _validated(
        config,
        data,
        spec.dataset_title,
        fingerprint=spec.fingerprint,
        configuration=spec.configuration,
        method={
            "name": method.name,
            "title": method.title,
            "base": method.base,
            "changes": method.changes,
            "section": CONTROL_SECTION if method.is_control else method.loss_class.section,
            # Behind the controls that need no training.
            "order": method.loss_class.position + (len(CONTROLS) if method.is_control else 0),
            "semantic": method.loss_class.semantic,
            "class_graph": method.loss_class.class_graph,
            "heads": method.loss_class.heads,
            "head_scale": method.loss_class.head_scale,
            "head_rate": method.loss_class.head_rate,
            "parameters": dict(method.parameters),
            "space": list(method.loss_class.space),
            "distribution": method.component.distribution,
            "version": method.component.version,
            "target": method.component.target,
            "source_hash": method.source_hash,
        },
        seed=spec.seed,
        config={
            f"training.{name}": {"value": value, "origin": config.origin(f"training.{name}")}
            for name, value in config.training.model_dump().items()
        },
        tuning=spec.tuning,
        **fields,
    )


def _validated(run: RunConfig, data: Prepared, dataset_title: str, **fields: Any) -> RunRecord:
    """A record of these fields and of what all records of a command say alike."""
    facts, errors = provenance()
    fields["warnings"] = [*data.notices, *fields.get("warnings", []), *errors]
    record = {
        "schema_version": 1,
        "dataset": {
            "name": run.dataset,
            "title": dataset_title,
            "content_hash": data.content_hash,
            "items": {name: len(split.labels) for name, split in data.splits.items()},
            "classes": len(data.class_names),
            "image_backbone": data.backbones["image"],
            "text_backbone": data.backbones["text"],
            "class_backbone": data.backbones["class"],
            "taxonomy_hash": data.taxonomy.hash,
            "parts": dict(data.parts),
        },
        "preset": run.preset,
        "protocol": _protocol(run, data),
        "provenance": facts,
        "audit": data.audit,
        "created": datetime.now(UTC),
        **fields,
    }
    return RunRecord.model_validate(Privacy(run.data).record(record))


def _protocol(config: RunConfig, data: Prepared) -> dict[str, Any]:
    test = data.splits["test"]
    return protocol(data.taxonomy, HP_KS, RECALL_KS, test.labels.cpu(), test.groups, config.protocol)


def _warnings(spec: RunSpec, data: Prepared, outcome: Outcome) -> list[str]:
    warnings = []
    loss = spec.method.loss_class
    if loss.semantic and loss.class_graph == "names" and classes_are_alike(data.classes):
        warnings.append("the class embeddings are all alike, so nothing is learnt from the class names")
    unreachable = outcome.retrieval.unreachable_queries
    if unreachable:
        queries = len(data.splits["test"].labels)
        warnings.append(
            f"{unreachable} of {queries} test queries are misses in-modal, with no item of their class in the gallery"
        )
    return warnings + inert_terms(outcome.trained.shares, spec.method.parameters)
