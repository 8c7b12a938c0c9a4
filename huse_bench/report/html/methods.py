"""What each method of a page is: parameters and where they came from, losses, what was spent, what to know."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from huse_bench.report.html.section import Section
from huse_bench.results.rows import Row
from huse_bench.results.schema import Json, MethodInfo, RunRecord, Tuning
from huse_bench.results.tables import Results

__all__ = ["plain", "sections"]


def sections(results: Results) -> list[Section]:
    """A part with an entry for each row of the tables.

    Args:
        results: the runs.

    Returns:
        One section.
    """
    entries = [(place, row.is_control, _entry(row)) for place, row in enumerate(results.rows)]
    context = {
        "methods": [(place, entry) for place, is_control, entry in entries if not is_control],
        "controls": [(place, entry) for place, is_control, entry in entries if is_control],
    }
    return [Section("methods", "Methods", "methods.html", context)]


def plain(value: Json) -> str:
    """A JSON value for people: six digits, no quotation marks, no braces at the top.

    Args:
        value: such as that of a setting.

    Returns:
        A text.
    """
    if isinstance(value, dict):
        return (
            ", ".join(f"{f'@{key}' if key.isdigit() else key} {_nested(item)}" for key, item in value.items()) or "none"
        )
    if isinstance(value, list):
        return ", ".join(_nested(item) for item in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _nested(value: Json) -> str:
    return f"({plain(value)})" if isinstance(value, dict | list) else plain(value)


def _entry(row: Row) -> dict[str, object]:
    first = row.records[0]
    return {
        "label": row.label,
        "summary": _summary(row),
        "facts": _facts(first),
        "parameters": [(name, _values(row, name), _origin(first, name)) for name in first.method.parameters],
        "terms": _terms(row),
        "steps": _gradient_steps(row),
        "tuning": _tuning(row.tunings),
        "warnings": list(dict.fromkeys(text for record in row.records for text in record.warnings)),
        "runs": [_run(record) for record in row.records],
    }


def _values(row: Row, name: str) -> str:
    """The value of a hyper-parameter, or those of the studies' winners that differ in it."""
    by_study = {record.tuning.number if record.tuning else 1: record.method.parameters[name] for record in row.records}
    values = {number: plain(by_study[number]) for number in sorted(by_study)}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} (study {number})" for number, value in values.items())


def _summary(row: Row) -> str:
    done, all_ = len(row.finished), len(row.records)
    runs = f"{all_} run{'s' if all_ > 1 else ''}" if done == all_ else f"{done} of {all_} runs finished"
    return runs if row.finished else f"no run finished: {row.status}"


def _facts(record: RunRecord) -> dict[str, str]:
    method = record.method
    facts = {
        "Name": method.name,
        "Kind": record.kind,
        "Variant of": method.base or "",
        "Semantic information": _semantic(method),
        "Heads": method.heads,
        "Ranked by": record.similarity,
        "Code": method.target,
        "From": f"{method.distribution} {method.version}",
        "Hash of the code": method.source_hash[:12],
        "Configuration": record.configuration[:12],
    }
    return {name: text for name, text in facts.items() if text}


def _semantic(method: MethodInfo) -> str:
    if not method.semantic:
        return "none"
    source = "names of the classes" if method.class_graph == "names" else "taxonomy that HP@K is measured against"
    return f"a class graph of the {source}"


def _origin(record: RunRecord, name: str) -> str:
    """Where a hyper-parameter's value came from, as far as the record says."""
    method = record.method
    if name in method.changes:
        return "config file of the variant"
    if record.tuning is not None and (method.space is None or name in method.space):
        return f"search of {record.tuning.trials:,} trials"
    return "default, or set by the user"


def _terms(row: Row) -> list[dict[str, object]]:
    """Each term's last value, a mean over the seeds, and its shares of the towers' gradient."""
    trainings = [record.training for record in row.finished if record.training is not None]
    names = dict.fromkeys(name for training in trainings for name in training.losses)
    shares = [training.gradient_shares for training in trainings if training.gradient_shares is not None]
    return [
        {
            "name": name,
            "value": f"{statistics.fmean(t.losses[name] for t in trainings if name in t.losses):.4g}",
            "shares": _mean_shares([share[name] for share in shares if name in share]),
        }
        for name in names
    ]


def _mean_shares(shares: list[tuple[float, ...]]) -> list[str]:
    return [f"{statistics.fmean(at_step):.1%}" for at_step in zip(*shares, strict=False)]


def _gradient_steps(row: Row) -> list[int]:
    found = [r.training.gradient_steps for r in row.finished if r.training and r.training.gradient_steps]
    return list(found[0]) if found else []


def _tuning(tunings: Sequence[Tuning]) -> Mapping[str, str]:
    if not tunings:
        return {}
    first = tunings[0]
    facts = {
        "Each trial": f"{first.steps:,} steps of {first.batch_size:,} pairs",
        "For the mean of": ", ".join(first.objective),
        "On": f"the validation split, protocol {first.protocol}, seed {first.seed}",
    }
    if first.studies == 1:
        return facts | _study(first)
    facts["Studies"] = f"{first.studies:,}, among whose winners the seeds are split"
    return facts | {
        f"{name} (study {tuning.number})": text for tuning in tunings for name, text in _study(tuning).items()
    }


def _study(tuning: Tuning) -> dict[str, str]:
    trials = f"{tuning.trials:,}, {tuning.failed:,} of them failed"
    if tuning.distinct is not None:
        trials += f", {tuning.distinct:,} different results"
    facts = {
        "Trials": trials,
        "Value of the choice": f"{tuning.value:.4f}",
        "Value of the defaults": "failed" if tuning.default_value is None else f"{tuning.default_value:.4f}",
    }
    if tuning.gain_interval is not None:
        low, high = tuning.gain_interval
        facts["Gain"] = f"{low:+.4f} to {high:+.4f}, over groups of validation queries"
    if tuning.remarks:
        facts["Doubts"] = "; ".join(tuning.remarks)
    return facts | {"Study": tuning.study[:12]}


def _run(record: RunRecord) -> dict[str, object]:
    training, memory = record.training, record.device and record.device.peak_memory_bytes
    return {
        "seed": record.seed,
        "status": record.status,
        "seconds": "" if training is None else f"{training.seconds:.1f}",
        "speed": "" if training is None else f"{training.steps_per_second:.1f}",
        "memory": "" if not memory else f"{memory / 2**20:,.0f}",
        "ended": f"{record.created:%Y-%m-%d %H:%M} {record.created.tzname()}",
        "error": _lines(record.error),
    }


def _lines(text: str | None) -> Iterable[str]:
    return (text or "").strip().splitlines()
