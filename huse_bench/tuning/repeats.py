"""Trials of a search that gave the same to the bit, as where a hyper-parameter does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huse_bench.tuning.study import Trial

__all__ = ["distinct", "repeats"]


def distinct(trials: Sequence[Trial]) -> int:
    """How many different results there are, by all validation metrics; a failed trial has none.

    Args:
        trials: of one method.
    """
    return len(_by_metrics(trials))


def repeats(trials: Sequence[Trial]) -> list[str]:
    """What to say of trials that gave the same metrics to the bit with other hyper-parameters.

    Where they differ in one hyper-parameter alone, it is named as what changed nothing. Where they differ in several,
    it cannot be told which of them acted, and they are counted.

    Args:
        trials: of one method.

    Returns:
        Sentences without the method's name; none where all trials differ, or the same was tried twice.
    """
    said: list[str] = []
    several: set[str] = set()
    counted = 0
    for alike in _by_metrics(trials).values():
        tried = {
            name: {repr(trial.parameters[name]): trial.parameters[name] for trial in alike} for name in _names(alike)
        }
        differing = {name: list(values.values()) for name, values in tried.items() if len(values) > 1}
        if len(differing) == 1:
            ((name, values),) = differing.items()
            said.append(
                f"{len(alike)} of {len(trials)} trials gave the same metrics to the bit: {name} changed nothing "
                f"{_range(values)}"
            )
        elif differing:
            several |= differing.keys()
            counted += len(alike)
    if counted:
        names = ", ".join(name for name in _names(trials) if name in several)
        said.append(
            f"{counted} of {len(trials)} trials gave the same metrics to the bit as another, though {names} differ"
        )
    return said


def _by_metrics(trials: Sequence[Trial]) -> dict[tuple[tuple[str, float], ...], list[Trial]]:
    groups: dict[tuple[tuple[str, float], ...], list[Trial]] = {}
    for trial in trials:
        if trial.value is not None:
            groups.setdefault(tuple(sorted(trial.metrics.items())), []).append(trial)
    return groups


def _names(trials: Sequence[Trial]) -> list[str]:
    return list(trials[0].parameters)


def _range(values: Sequence[Any]) -> str:
    if all(type(value) in (int, float) for value in values):
        return f"between {min(values):.3g} and {max(values):.3g}"
    return f"among {', '.join(map(str, values))}"
