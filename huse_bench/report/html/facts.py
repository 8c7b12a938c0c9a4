"""How the numbers of a page were made: machine, versions, settings, budget, audit, commands; and what the data are."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from huse_bench.errors import RecordError
from huse_bench.report.html.methods import plain
from huse_bench.report.html.section import Section
from huse_bench.results.card import DataCard
from huse_bench.results.rows import Row
from huse_bench.results.schema import DatasetInfo, RunRecord
from huse_bench.results.store import Store
from huse_bench.results.tables import Results

__all__ = ["sections"]

# Names of more classes would be most of the page; the data card has them all.
_MOST_CLASSES = 1000

_COMMAND = "command"


def sections(results: Results) -> list[Section]:
    """Parts about the runs and about the data.

    Args:
        results: the runs.

    Returns:
        Two sections.
    """
    return [_runs(results), _data(results)]


def _runs(results: Results) -> Section:
    records = results.records
    trained = [record for record in records if record.kind != "control"]
    context = {
        "counts": [f"{count:,} {status}" for status, count in Counter(r.status for r in records).most_common()],
        "first": f"{min(record.created for record in records):%Y-%m-%d %H:%M %Z}",
        "last": f"{max(record.created for record in records):%Y-%m-%d %H:%M %Z}",
        "problems": results.problems,
        "devices": _devices(records),
        "provenance": [
            (name, _told(record.provenance[name] for record in records if name in record.provenance))
            for name in dict.fromkeys(name for record in records for name in record.provenance)
            if name != _COMMAND
        ],
        "commands": Counter(r.provenance[_COMMAND] for r in records if _COMMAND in r.provenance).most_common(),
        "presets": _told(record.preset for record in trained or records),
        "settings": [
            (name, _told(_setting(record, name) for record in records if name in record.config))
            for name in dict.fromkeys(name for record in records for name in record.config)
        ],
        "protocol": [(name, plain(value)) for name, value in records[0].protocol.items()],
        "budget": [_budget(row) for row in results.rows if not row.is_control],
        "audit": list(dict.fromkeys(text for record in records for text in _findings(record))),
        "audited": any(record.audit is not None for record in records),
    }
    return Section("runs", "How it was run", "runs.html", context)


def _told(values: Iterable[str]) -> list[str]:
    """Each different value, with the number of runs behind it where there are several."""
    counts = Counter(values)
    if len(counts) == 1:
        return list(counts)
    return [f"{value} ({count:,} run{'s' if count > 1 else ''})" for value, count in counts.most_common()]


def _setting(record: RunRecord, name: str) -> str:
    setting = record.config[name]
    return f"{plain(setting.value)} ({setting.origin})"


def _devices(records: Sequence[RunRecord]) -> list[dict[str, str]]:
    groups: dict[tuple[str, str, str], list[int]] = {}
    for record in records:
        if record.device is not None:
            key = (record.device.name, record.device.kind, record.device.precision)
            groups.setdefault(key, []).append(record.device.peak_memory_bytes or 0)
    return [
        {
            "name": name,
            "kind": kind,
            "precision": precision,
            "runs": f"{len(peaks):,}",
            "memory": f"{max(peaks) / 2**20:,.0f} MiB" if any(peaks) else "not known",
        }
        for (name, kind, precision), peaks in groups.items()
    ]


def _budget(row: Row) -> dict[str, str]:
    trainings = [record.training for record in row.finished if record.training is not None]
    spent = sum(tuning.trials * tuning.steps * tuning.batch_size for tuning in row.tunings)
    budget = {
        "label": row.label,
        "runs": f"{len(row.finished)} of {len(row.records)}",
        "tuning": f"{spent:,}" if row.tunings else "none",
    }
    if not trainings:
        return {**budget, "steps": "", "batch": "", "pairs": "", "seconds": "", "optimizer": ""}
    first = trainings[0]
    return {
        **budget,
        "steps": f"{first.steps:,}",
        "batch": f"{first.batch_size:,}",
        "optimizer": first.optimizer,
        "pairs": f"{first.items_seen:,}",
        "seconds": f"{statistics.fmean(training.seconds for training in trainings):.1f}",
    }


def _findings(record: RunRecord) -> list[str]:
    findings = (record.audit or {}).get("findings")
    return [plain(finding) for finding in findings] if isinstance(findings, list) else []


def _data(results: Results) -> Section:
    dataset = results.records[0].dataset
    card, trouble = None, ""
    if results.folder is not None:
        try:
            card = Store(results.folder).card()
        except RecordError as error:
            trouble = str(error)
    context = {
        "dataset": dataset,
        "facts": _identity(dataset),
        "trouble": trouble,
        "card": None if card is None else card.facts,
        "contents": {} if card is None else _contents(card),
        "classes": [] if card is None else _classes(card),
        "more": 0 if card is None else max(0, len(card.facts.class_names) - _MOST_CLASSES),
    }
    return Section("data", "Data", "data.html", context)


def _identity(dataset: DatasetInfo) -> dict[str, str]:
    items = dataset.items
    return {
        "Name": dataset.name,
        **({} if dataset.regime is None else {"Regime": ", ".join(dataset.regime.words)}),
        **({} if dataset.options is None else {"Options": plain(dict(dataset.options))}),
        "Items": f"{items.train:,} to train, {items.validation:,} to validate, {items.test:,} to test",
        "Classes": f"{dataset.classes:,}",
        "Image features": dataset.image_backbone,
        "Text features": dataset.text_backbone,
        "Class features": dataset.class_backbone or "none",
        "Hash of the contents": dataset.content_hash[:12],
        "Hash of the taxonomy": dataset.taxonomy_hash[:12],
    }


def _contents(card: DataCard) -> dict[str, str]:
    groups = len(np.unique(card.groups))
    return {
        "Groups of test items": f"{groups:,}" if groups < len(card.ids) else f"{groups:,}, each item its own",
        "Taxonomy": f"{len(card.facts.edges):,} edges",
        "Distances of classes": card.facts.distances_left_out or "kept with the card",
        "Texts": "kept with the card" if card.texts is not None else "none kept",
        "Pictures": "in the data" if card.pictures is not None else "none",
    }


def _classes(card: DataCard) -> list[tuple[str, int]]:
    """Names with their numbers of test items."""
    counts = np.bincount(card.labels, minlength=len(card.facts.class_names)).tolist()
    return list(zip(card.facts.class_names, counts, strict=False))[:_MOST_CLASSES]
