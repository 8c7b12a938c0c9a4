"""Results in the format of Every Eval Ever, a public store of evaluations: a document for each method.

The schema is ``eval.schema.json`` of https://github.com/evaleval/every_eval_ever, version 0.3.0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from huse_bench.measures import DIRECTION_TITLES
from huse_bench.report.identity import short_hash
from huse_bench.report.shown import ShownRow, ShownTable
from huse_bench.results.intervals import CellUncertainty
from huse_bench.results.layout import Column
from huse_bench.results.rows import Row
from huse_bench.results.schema import RunRecord
from huse_bench.results.statistics import LEVEL
from huse_bench.results.tables import Results

__all__ = ["SCHEMA_VERSION", "as_every_eval_ever"]

#: Of the schema that documents are written by.
SCHEMA_VERSION = "0.3.0"

# What a metric is, by its name before the @.
_METRICS = {
    "R": ("class_hit_rate", "Share of queries with an item of their class among the first K."),
    "HP": ("hierarchical_precision", "Mean hierarchical precision of the first K, after DeViSE."),
    "BHP": ("hierarchical_precision", "Mean hierarchical precision of the first K, after Barz and Denzler."),
    "accuracy": ("accuracy", "Share of items whose class is predicted."),
}


def as_every_eval_ever(results: Results, tables: Sequence[ShownTable]) -> str:
    """A line of JSON for each method with a finished run, as their store has a file for each model.

    Controls are no models and are left out, and so is what a plugin added.

    Args:
        results: the runs.
        tables: their tables.

    Returns:
        The text, without a newline at its end.
    """
    lines = []
    for row in results.rows:
        if row.finished and not row.is_control:
            document = _document(row, tables, short_hash(results))
            lines.append(json.dumps(document, ensure_ascii=False, allow_nan=False))
    return "\n".join(lines)


def _document(row: Row, tables: Sequence[ShownTable], identity: str) -> dict[str, Any]:
    record = row.finished[0]
    # The newest run's, and no clock's: the same records give the same document.
    ended = max(each.created for each in row.finished).astimezone(UTC)
    stamp = str(int(ended.timestamp()))
    model = f"{record.method.distribution}/{record.method.name}"
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{record.dataset.name}/{model}/{record.configuration[:12]}/{stamp}",
        "evaluation_timestamp": ended.isoformat(),
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "huse-bench",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": {"results": identity},
        },
        "eval_library": {"name": "huse-bench", "version": record.provenance.get("huse-bench", "unknown")},
        "model_info": {
            "name": row.label,
            "id": model,
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                **_model(record),
            },
        },
        "evaluation_results": [
            _result(table.name, column, float(value), known or CellUncertainty(), row)
            for table in tables
            for shown in table.rows
            if _is_of(shown, row)
            for column, value, known in zip(table.columns, shown.values, shown.known, strict=True)
            if column.task and isinstance(value, float) and not math.isnan(value)
        ],
    }


def _is_of(shown: ShownRow, row: Row) -> bool:
    return shown.row is not None and shown.row.label == row.label


def _model(record: RunRecord) -> dict[str, str]:
    """What was trained; their values are strings."""
    facts: dict[str, object] = {
        "configuration": record.configuration,
        "version": record.method.version,
        "parameters": json.dumps(record.method.parameters, ensure_ascii=False),
        "image_features": record.dataset.image_backbone,
        "text_features": record.dataset.text_backbone,
        "class_features": record.dataset.class_backbone or "none",
        "preset": record.preset,
    }
    if record.training is not None:
        facts |= {"steps": record.training.steps, "batch_size": record.training.batch_size}
    if record.tuning is not None:
        facts["tuning_trials"] = record.tuning.studies * record.tuning.trials
    return {name: str(value) for name, value in facts.items()}


def _result(table: str, column: Column, value: float, known: CellUncertainty, row: Row) -> dict[str, Any]:
    record = row.finished[0]
    data = record.dataset
    kind, _, k = column.metric.partition("@")
    family, description = _METRICS[kind]
    title = DIRECTION_TITLES.get(column.task, f"{column.task.capitalize()} classification")
    protocol = "classification" if table == "table3" else {"R": "recall"}.get(kind, kind.lower())
    metric: dict[str, Any] = {
        "evaluation_description": description.replace(" K", f" {k}") if k else description,
        "metric_id": f"huse_bench.{family}{f'_at_{k}' if k else ''}",
        "metric_name": column.metric,
        "metric_kind": family,
        "metric_unit": "proportion",
        "lower_is_better": False,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": 1.0,
        "additional_details": {"protocol": str(record.protocol.get(protocol, "unknown"))},
    }
    if k:
        metric["metric_parameters"] = {"k": int(k)}
    score: dict[str, Any] = {
        "score": value,
        "details": {"seeds": " ".join(str(each.seed) for each in row.finished)},
    }
    if known.low is not None and known.high is not None:
        score["uncertainty"] = {
            "confidence_interval": {
                "lower": known.low,
                "upper": known.high,
                "confidence_level": 1 - LEVEL,
                "method": "over seeds and groups of queries",
            },
            "num_samples": data.items.test,
        }
    return {
        "evaluation_result_id": f"{data.name}.{column.task}.{column.metric}",
        "evaluation_name": f"{data.name}: {title}",
        "source_data": {
            "dataset_name": data.title,
            "source_type": "other",
            "additional_details": {
                "name": data.name,
                "content_hash": data.content_hash,
                "split": "test",
                "items": str(data.items.test),
                "classes": str(data.classes),
            },
        },
        "metric_config": metric,
        "score_details": score,
    }
