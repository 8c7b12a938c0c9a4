"""What a reader must know beside the numbers: budget, protocol, configurations, runs without a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from huse_bench.report.tuning_budget import tuned_more, tuning_notes
from huse_bench.report.tuning_gain import gain_notes
from huse_bench.report.words import by_value, each_of, listed
from huse_bench.results.layout import TELLS_NOTHING, cannot_miss
from huse_bench.results.rows import Row
from huse_bench.results.schema import Json, RunRecord
from huse_bench.results.tables import Results

__all__ = ["BUDGET_MARK", "budget_marked", "hp_notes", "notes", "seeds_text"]

#: Behind the label of a row whose training or tuning saw more than another row's.
BUDGET_MARK = "‡"


def budget_marked(rows: Sequence[Row]) -> set[str]:
    """Labels of the rows whose training, or tuning, saw more image-text pairs than that of the most modest row.

    Args:
        rows: the rows of a table.

    Returns:
        Their labels; empty where all rows saw as many.
    """
    seen = {
        row.label: max(_items_seen(record) for record in row.finished)
        for row in rows
        if row.finished and not row.is_control
    }
    least = min(seen.values(), default=0)
    return {label for label, items in seen.items() if items > least} | tuned_more(rows)


def seeds_text(results: Results) -> str:
    """The seeds that the means are taken over, as ``"seed 0"`` or ``"mean of seeds 0, 1, 2"``."""
    # Controls alone are rows too, where nothing else was run.
    rows = [row for row in results.rows if not row.is_control] or results.rows
    by_seeds = by_value(rows, lambda row: ", ".join(str(record.seed) for record in row.records))
    if len(by_seeds) > 1:
        counts = [len(row.records) for row in rows]
        few, many = min(counts), max(counts)
        return f"means over {few} to {many} seeds" if few < many else f"means over {few} seeds"
    seeds = next(iter(by_seeds))
    return f"mean of seeds {seeds}" if "," in seeds else f"seed {seeds}"


def hp_notes(results: Results) -> list[str]:
    """How many queries cannot miss by the HP@K of Table 2, and which HP@K is left out because none can.

    Args:
        results: the runs of the tables.

    Returns:
        Sentences for below Table 2; empty where the records do not say, and for another hierarchical precision.
    """
    record = results.records[0]
    metrics = dict.fromkeys(column.metric for column in results.layout["table2"])
    shares = {metric: share for metric in metrics if (share := cannot_miss(record, metric)) is not None}
    some = [f"{metric} for {share:.1%}" for metric, share in shares.items() if 0 < share < 1]
    lines = (
        [f"Cannot miss, whatever is found, since every class is correct: {listed(some)} of queries."] if some else []
    )
    if shares and not any(shares.values()):
        lines.append("Every query can miss: no correct set has all classes.")
    none = [metric for metric, share in shares.items() if share == 1]
    if none:
        lines.append(
            f"{listed(none)}: - where {TELLS_NOTHING}. A taxonomy with more levels does, and so does BHP@K: "
            "huse-bench tables --hp barz."
        )
    return lines


def notes(results: Results) -> list[str]:
    """One sentence or two on each thing that the numbers depend on.

    Args:
        results: the runs of the tables.

    Returns:
        Lines for below the tables.
    """
    methods = [row for row in results.rows if not row.is_control]
    return [
        *_budget(methods),
        *tuning_notes(methods),
        *gain_notes(results),
        _features(results.rows),
        f"Protocol: {_plain(results.records[0].counting)}.",
        *_similarities(methods),
        *_seeds(methods),
        *_variants(methods),
        *_configurations(methods),
        *_unfinished(results.rows),
        *_warnings(results.rows),
    ]


def _budget(rows: Sequence[Row]) -> list[str]:
    def ledger(row: Row) -> str:
        record = row.finished[0]
        training = record.training
        assert training is not None
        work = f"{training.steps:,} steps of {training.batch_size:,} pairs"
        return f"{work} with {training.optimizer} (preset {record.preset})"

    finished = [row for row in rows if row.finished]
    return [f"Budget: {_each(finished, ledger)}."] if finished else []


def _similarities(rows: Sequence[Row]) -> list[str]:
    own = [row for row in rows if row.records[0].similarity != "cosine"]
    groups = by_value(own, lambda row: row.records[0].similarity)
    return [f"Ranked not by the cosine, but by {each_of(groups)}."] if own else []


def _features(rows: Sequence[Row]) -> str:
    def backbones(row: Row) -> str:
        dataset = row.records[0].dataset
        return (
            f"image {dataset.image_backbone}, text {dataset.text_backbone}, classes {dataset.class_backbone or 'none'}"
        )

    return f"Features: {_each(rows, backbones)}."


def _seeds(rows: Sequence[Row]) -> list[str]:
    by_seeds = by_value(rows, lambda row: ", ".join(str(record.seed) for record in row.records))
    return [f"Seeds: {each_of(by_seeds)}."] if len(by_seeds) > 1 else []


def _variants(rows: Sequence[Row]) -> list[str]:
    """Say what a row is whose name its author gave, against the loss's own row where there is one."""
    lines = []
    for row in rows:
        method = row.records[0].method
        if method.base is None:
            continue
        own = [other for other in rows if other.records[0].method.name == method.base]
        if len(own) == 1:
            theirs = own[0].records[0].method.parameters
            changes = [name for name, value in method.parameters.items() if theirs.get(name) != value]
            base, rest = own[0].label, ""
        else:
            changes, base, rest = list(method.changes), method.base, "its defaults"
        values = ", ".join(f"{name}={_plain(method.parameters[name])}" for name in changes)
        told = " and else ".join(part for part in (values, rest) if part) or "nothing changed"
        lines.append(f"{row.label} is {base} with {told}")
    return [f"Variants: {'; '.join(lines)}."] if lines else []


def _configurations(rows: Sequence[Row]) -> list[str]:
    """Say what sets two rows of one method apart, which the label's hash alone does not."""
    by_method = by_value(rows, lambda row: row.records[0].method.name)
    labels = {row.label: row for row in rows}
    lines = []
    for method, names in by_method.items():
        if len(names) < 2:
            continue
        identities = {name: _identity(labels[name].records[0]) for name in names}
        keys = sorted({key for identity in identities.values() for key in identity})
        differing = [key for key in keys if len({identity.get(key) for identity in identities.values()}) > 1]
        described = "; ".join(
            f"{name}: {', '.join(f'{key} {identity[key]}' for key in differing if key in identity)}"
            for name, identity in identities.items()
        )
        what = described if differing else "they differ in code, not in settings: " + ", ".join(names)
        lines.append(f"{method} was run in {len(names)} configurations, which are not averaged. {what}.")
    return lines


def _identity(record: RunRecord) -> dict[str, str]:
    method, dataset = record.method, record.dataset
    return {
        **{f"{name} =": _plain(value) for name, value in method.parameters.items()},
        **{f"{name} =": _plain(setting.value) for name, setting in record.config.items()},
        "distribution": f"{method.distribution} {method.version}",
        "source": method.source_hash[:12],
        "image features": dataset.image_backbone,
        "text features": dataset.text_backbone,
        "class features": str(dataset.class_backbone),
    }


def _unfinished(rows: Sequence[Row]) -> list[str]:
    lines = []
    for row in rows:
        for record in row.records:
            if record.status != "finished":
                reason = str(record.error).strip().splitlines()[-1]
                mean = "; the row is the mean of the others" if row.finished else ""
                lines.append(f"{row.label} seed {record.seed} {record.status}{mean}: {reason}")
    return lines


def _warnings(rows: Sequence[Row]) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for row in rows:
        for text in dict.fromkeys(text for record in row.records for text in record.warnings):
            by_text.setdefault(text, []).append(row.label)
    return [
        f"Note: {text}{'' if len(names) == len(rows) else f' ({listed(names)})'}." for text, names in by_text.items()
    ]


def _items_seen(record: RunRecord) -> int:
    return record.training.items_seen if record.training is not None else 0


def _each(rows: Sequence[Row], value: Callable[[Row], str]) -> str:
    groups = by_value(rows, value)
    return next(iter(groups)) if len(groups) == 1 else f"NOT EQUAL: {each_of(groups)}"


def _plain(value: Json) -> str:
    """A JSON value for people: short hashes, three digits, no braces at the top."""
    if isinstance(value, dict):
        return ", ".join(f"{f'@{key}' if key.isdigit() else key} {_braced(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_braced(item) for item in value)
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str) and len(value) == 64:
        # A SHA-256: twelve digits tell it from any other.
        return value[:12]
    return str(value)


def _braced(value: Json) -> str:
    return f"({_plain(value)})" if isinstance(value, dict | list) else _plain(value)
