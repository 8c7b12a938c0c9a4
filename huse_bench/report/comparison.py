"""A comparison of two methods as text, and as values for other programs."""

from __future__ import annotations

import json
from dataclasses import asdict

import tabulate
from rich.cells import cell_len

from huse_bench.measures import DIRECTION_TITLES, TASKS
from huse_bench.report.notes import notes
from huse_bench.report.words import wrapped
from huse_bench.results.comparison import Comparison, Difference
from huse_bench.results.statistics import LEVEL, RESAMPLES
from huse_bench.results.tables import Results

__all__ = ["comparison_json", "comparison_text"]

_LABEL_WIDTH = 13
_TITLES: dict[str, str] = {**DIRECTION_TITLES, **{task: f"{task.capitalize()} class" for task in TASKS}}


def comparison_text(comparison: Comparison) -> str:
    """One table of all differences, with who wins how often above it and how to read it below.

    Args:
        comparison: of two methods.

    Returns:
        The text, without a newline at its end.
    """
    first, second = comparison.first.label, comparison.second.label
    dataset = comparison.first.records[0].dataset
    names = _columns(first, second)
    rows = [
        [
            _TITLES[d.task],
            d.metric,
            f"{d.first:.3f}",
            f"{d.second:.3f}",
            f"{d.difference:+.3f}{'' if d.winner == 'none' else '*'}",
            f"{d.low:+.3f} to {d.high:+.3f}",
            _p_text(d.adjusted),
            "-" if d.effect is None else f"{d.effect:+.2f}",
            f"{100 * d.won:.1f} %",
            f"{100 * d.lost:.1f} %",
        ]
        for d in comparison.differences
    ]
    headings = ["", "", *names, "difference", "95 % interval", "p", "d_z", "won", "lost"]
    table = tabulate.tabulate(
        rows, headings, tablefmt="simple", disable_numparse=True, colalign=("left", "left", *["right"] * 8)
    )
    seeds = ", ".join(str(seed) for seed in comparison.seeds)
    grouped = comparison.groups < dataset.items.test
    groups = f" in {comparison.groups:,} {dataset.drawn}" if grouped else ""
    title = f"{first} less {second} on {dataset.title}: {dataset.items.test:,} test items{groups}, seeds {seeds}."
    drawn = f"{dataset.drawn} of queries" if grouped else "queries"
    correction = f"Holm over {len(rows)} comparisons"
    reading = [
        f"* p below {LEVEL}: paired permutation test, {RESAMPLES - 1:,} sign flips of {drawn}, {correction}.",
        f"interval: hierarchical bootstrap over seeds and {drawn}, {RESAMPLES:,} resamples, widened for few seeds.",
        f"d_z: mean difference over its standard deviation across {drawn}.",
        f"won, lost: queries on which {first} is better, worse.",
        comparison.skipped,
        *_notes(comparison),
    ]
    blocks = [*wrapped(title), *wrapped(_summary(comparison)), "", table, ""]
    return "\n".join([*blocks, *(line for text in reading if text for line in wrapped(text))])


def comparison_json(comparison: Comparison) -> str:
    """A JSON object with what was compared, the differences at full precision, and the notes.

    Args:
        comparison: of two methods.

    Returns:
        The text, without a newline at its end.
    """
    record = comparison.first.records[0]
    document = {
        "dataset": record.dataset.model_dump(mode="json"),
        "protocol": record.protocol,
        "methods": [
            {
                "name": row.records[0].method.name,
                "title": row.label,
                "configuration": row.records[0].configuration,
            }
            for row in (comparison.first, comparison.second)
        ],
        "seeds": comparison.seeds,
        "groups": comparison.groups,
        "comparisons": len(comparison.differences),
        "resamples": RESAMPLES,
        "differences": [{**asdict(d), "winner": d.winner} for d in comparison.differences],
        "notes": [*([comparison.skipped] if comparison.skipped else []), *_notes(comparison)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def _summary(comparison: Comparison) -> str:
    labels = {"first": comparison.first.label, "second": comparison.second.label}
    parts = []
    for side, label in labels.items():
        won = [d for d in comparison.differences if d.winner == side]
        parts.append(f"{label} is better in {len(won)}{f' ({_places(won)})' if won else ''}")
    rest = sum(d.winner == "none" for d in comparison.differences)
    return f"Of {len(comparison.differences)} comparisons, {', '.join(parts)}; {rest} undecided."


def _places(differences: list[Difference]) -> str:
    by_task: dict[str, int] = {}
    for difference in differences:
        by_task[_TITLES[difference.task]] = by_task.get(_TITLES[difference.task], 0) + 1
    return ", ".join(f"{count} {task}" for task, count in by_task.items())


def _notes(comparison: Comparison) -> list[str]:
    return notes(Results([*comparison.first.records, *comparison.second.records]))


def _columns(first: str, second: str) -> tuple[str, str]:
    """Headings of the two methods, told apart where their labels do not fit a column."""
    # Tabulate counts signs, not places of a terminal, of which a Chinese sign takes two.
    if all(len(label) <= _LABEL_WIDTH and cell_len(label) == len(label) for label in (first, second)):
        return first, second
    return "first", "second"


def _p_text(p_value: float) -> str:
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}".removeprefix("0")
