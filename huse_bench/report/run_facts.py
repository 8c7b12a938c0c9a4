"""The facts of one run, for people."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS, TABLE_METRICS, TASKS
from huse_bench.report.words import WIDTH, wrapped
from huse_bench.results.schema import RunRecord, Setting, one_line

__all__ = ["run_text"]

# Of the names of facts, and of those of settings, which are longer.
_NAMES, _SETTINGS = 16, 32


def run_text(record: RunRecord, folder: Path | None = None) -> str:
    """What a run is, what came of it and what it took.

    Args:
        record: of the run.
        folder: where its files are.

    Returns:
        The text, without a newline at its end.
    """
    method, data = record.method, record.dataset
    where = f"seed {record.seed}, on {_safe(data.title)}"
    lines = [f"{_safe(method.title)} ({_safe(method.name)}), {where}: {record.status}"]
    if record.error:
        lines += [f"  {_safe(line)}" for line in record.error.splitlines()]
    parts = [
        ("scores", _scores(record)),
        ("method", _facts(_method(record))),
        ("data", _facts(_data(record))),
        ("training", _facts(_training(record))),
        ("settings", _facts({name: _setting(setting) for name, setting in record.config.items()}, _SETTINGS)),
        ("tuning", _facts(_tuning(record))),
        ("protocol", _facts({name: _value(value) for name, value in record.protocol.items()})),
        ("made with", _facts({**record.provenance, "ended": f"{record.created:%Y-%m-%d %H:%M:%S %Z}"})),
        ("to know", [line for warning in record.warnings for line in wrapped(_safe(warning), "  ")]),
        ("files" if folder is None else f"files in {folder}", _files(record)),
    ]
    for title, part in parts:
        if part:
            lines += ["", title, *part]
    return "\n".join(lines)


def _scores(record: RunRecord) -> list[str]:
    lines = []
    if record.retrieval:
        metrics = [m for m in TABLE_METRICS if any(m in scores for scores in record.retrieval.values())]
        rows = [
            [
                DIRECTION_TITLES[direction],
                *(f"{scores[m]:.4f}" if (m in scores) else "-" for m in metrics),
            ]
            for direction in DIRECTIONS
            if (scores := record.retrieval.get(direction)) is not None
        ]
        lines += tabulate(rows, ["", *metrics], tablefmt="plain", disable_numparse=True).splitlines()
    if record.classification:
        shown = ", ".join(f"{task} {100 * getattr(record.classification, task):.2f} %" for task in TASKS)
        weight = record.classification.fusion_weight
        lines.append(f"accuracy of {shown} (weight of the image {weight:.2f})")
    return [f"  {line}" for line in lines]


def _method(record: RunRecord) -> dict[str, str]:
    method = record.method
    parameters = ", ".join(f"{name} = {_value(value)}" for name, value in method.parameters.items())
    return {
        "from": f"{method.target} of {method.distribution} {method.version}",
        "made of": f"{method.base}, with other {', '.join(method.changes)}" if method.base else "",
        "parameters": parameters or "none",
        "heads": method.heads,
        "class graph": method.class_graph if method.semantic else "not used",
        "similarity": record.similarity,
    }


def _data(record: RunRecord) -> dict[str, str]:
    data = record.dataset
    sizes = " / ".join(f"{count:,} {split}" for split, count in data.items)
    return {
        "items": f"{sizes}, of {data.classes:,} classes",
        "regime": "" if data.regime is None else ", ".join(data.regime.words),
        "options": "" if data.options is None else _value(dict(data.options)),
        "images by": data.image_backbone,
        "texts by": data.text_backbone,
        "classes by": data.class_backbone or "",
        "contents": data.content_hash[:12],
    }


def _training(record: RunRecord) -> dict[str, str]:
    training, device = record.training, record.device
    facts = {"preset": record.preset}
    if training is not None:
        facts |= {
            "steps": f"{training.steps:,} of {training.batch_size:,} pairs by {training.optimizer}",
            "took": f"{training.seconds:.1f} s, {training.steps_per_second:.1f} steps/s",
            "last losses": ", ".join(f"{name} {value:.4g}" for name, value in training.losses.items()),
        }
    if device is not None:
        memory = f", at most {device.peak_memory_bytes / 1e6:,.0f} MB" if device.peak_memory_bytes else ""
        facts["device"] = f"{device.name} ({device.kind}, {device.precision}{memory})"
    return facts


def _tuning(record: RunRecord) -> dict[str, str]:
    return {} if record.tuning is None else {name: _value(value) for name, value in record.tuning if value is not None}


def _setting(setting: Setting) -> str:
    return f"{_value(setting.value)} ({setting.origin})"


def _value(value: object) -> str:
    """A value without the signs of a programming language."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(of_name)}" for name, of_name in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)


def _files(record: RunRecord) -> list[str]:
    beside = (record.per_query, record.predictions, record.classes, record.neighbours)
    return [f"  {name}" for name in (f"{record.stem}.json", *beside) if name]


def _facts(facts: Mapping[str, str], width: int = _NAMES) -> list[str]:
    return [line for name, value in facts.items() if value for line in _fact(_safe(name), _safe(value), width)]


def _fact(name: str, value: str, width: int) -> Sequence[str]:
    room = WIDTH - width - 2
    first, *rest = textwrap.wrap(value, room, break_on_hyphens=False) or [""]
    return [f"  {name:<{width - 1}} {first}", *(f"  {'':<{width}}{line}" for line in rest)]


def _safe(text: str) -> str:
    """A text that neither steers a terminal nor turns what follows it."""
    return "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) == "Cf" else sign for sign in one_line(text))
