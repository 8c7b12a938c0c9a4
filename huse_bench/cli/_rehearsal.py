"""The plan of ``huse-bench run --dry-run``, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huse_bench.runs.rehearsal import ForeseenRun, Rehearsal

__all__ = ["as_text", "document"]


def document(plans: Sequence[Rehearsal]) -> dict[str, Any]:
    """What a command would do as JSON values.

    Args:
        plans: one for each data set.

    Returns:
        The plan; of several data sets a list of them, and what they come to.
    """
    documents = [_document(plan) for plan in plans]
    if len(documents) == 1:
        return documents[0]
    memory = [plan.peak_memory_bytes for plan in plans if plan.peak_memory_bytes is not None]
    return {
        "datasets": documents,
        "waiting": sum(len(plan.waiting) for plan in plans),
        "seconds": sum(plan.seconds for plan in plans),
        "peak_memory_bytes": max(memory, default=None),
    }


def _document(rehearsal: Rehearsal) -> dict[str, Any]:
    config = rehearsal.config
    return {
        "dataset": config.dataset,
        "results": str(config.results_folder),
        "device": rehearsal.device,
        "at_once": rehearsal.at_once,
        "threads": rehearsal.threads,
        "preset": config.preset,
        "steps": config.training.steps,
        "runs": [asdict(run) for run in rehearsal.runs],
        "waiting": len(rehearsal.waiting),
        "seconds": rehearsal.seconds,
        "peak_memory_bytes": rehearsal.peak_memory_bytes,
    }


def as_text(plans: Sequence[Rehearsal]) -> str:
    """What a command would do as tables, a line for each method, and what it comes to.

    Args:
        plans: one for each data set.
    """
    parts = [_text(plan) for plan in plans]
    if len(plans) > 1:
        parts = [f"Data set {plan.config.dataset}\n\n{part}" for plan, part in zip(plans, parts, strict=True)]
        seconds, waiting = sum(plan.seconds for plan in plans), sum(len(plan.waiting) for plan in plans)
        about = f": about {_duration(seconds)}" if waiting else ""
        parts.append(f"Of {len(plans)} data sets {waiting} runs are waiting{about}.")
    return "\n".join(
        ["\n\n".join(parts), "Nothing was trained to the end, and nothing written into the results folder."]
    )


def _text(rehearsal: Rehearsal) -> str:
    groups: dict[str, list[ForeseenRun]] = {}
    for run in rehearsal.runs:
        groups.setdefault(run.title, []).append(run)
    headings = ("Method", "Have a record", "Waiting", "Seeds waiting", "A step", "A run", "All of them")
    rows = [_row(title, runs) for title, runs in groups.items()]
    aligned = ("left", "right", "right", "left", "right", "right", "right")
    lines = [tabulate(rows, headings, tablefmt="simple", disable_numparse=True, colalign=aligned), ""]
    waiting, config = rehearsal.waiting, rehearsal.config
    lines.append(f"{len(waiting)} of {len(rehearsal.runs)} runs are waiting; results folder {config.results_folder}.")
    if any(run.cost for run in waiting):
        memory = rehearsal.peak_memory_bytes
        about = f"About {_duration(rehearsal.seconds)} on {rehearsal.device}, {_shared_out(rehearsal)}"
        each = " for each" if (config.jobs or 1) > 1 else ""
        lines.append(f"{about}, and {memory / 1e9:.1f} GB of memory{each}." if memory else f"{about}.")
    for title, runs in groups.items():
        error = next((run.cost.error for run in runs if run.cost and run.cost.error), None)
        if error:
            lines.append(f"{title} would fail: {error}")
    return "\n".join(lines)


def _shared_out(rehearsal: Rehearsal) -> str:
    """How many runs go on at once, and what keeps them from being more."""
    config, threads = rehearsal.config, rehearsal.threads
    jobs = config.jobs or 1
    if config.engine not in {None, "loky"}:
        at_once = f"{jobs} at once" if config.jobs else "one run after another, or as many at once as there is room for"
        return f"{at_once}, on machines such as this one"
    if jobs == 1:
        return "one run after another"
    share = f"{jobs} jobs of {threads} {'thread' if threads == 1 else 'threads'}"
    if rehearsal.at_once == jobs:
        return share
    kind = "cores" if rehearsal.device == "cpu" else "GPUs"
    return f"{share}, which share {rehearsal.at_once} {kind if rehearsal.at_once > 1 else kind[:-1]}"


def _row(title: str, runs: Sequence[ForeseenRun]) -> tuple[str, ...]:
    waiting = [run for run in runs if run.waiting]
    costs = [run.cost for run in waiting if run.cost]
    step, seconds = (costs[0].step_seconds, costs[0].seconds) if costs else (None, None)
    return (
        title,
        str(sum(run.record is not None for run in runs)),
        str(len(waiting)),
        ", ".join(str(run.seed) for run in waiting if run.cost),
        "" if step is None else f"{1000 * step:.1f} ms",
        "" if seconds is None else _duration(seconds),
        "" if seconds is None else _duration(seconds * len(costs)),
    )


def _duration(seconds: float) -> str:
    """As people say it, with two digits or so."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
