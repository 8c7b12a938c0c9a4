"""What a search maximises: a mean of validation metrics."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import ConfigError
from huse_bench.features import Prepared
from huse_bench.hints import did_you_mean
from huse_bench.measures import DIRECTIONS, TABLE_METRICS
from huse_bench.results.layout import TELLS_NOTHING
from huse_bench.results.scores import item_scores, query_scores
from huse_bench.runs.embedded import Validated
from huse_bench.runs.methods import Method

__all__ = ["METRICS", "OBJECTIVES", "Objective", "heads_of", "settled"]

_MEANS = {f"mean {metric}": tuple(f"{direction} {metric}" for direction in DIRECTIONS) for metric in TABLE_METRICS}
_ACCURACIES = ("image accuracy", "text accuracy", "fusion accuracy")

#: Validation metrics that an objective may be made of; ``mean R@1`` is that of the four directions.
METRICS = (*_MEANS, *(f"{direction} {metric}" for direction in DIRECTIONS for metric in TABLE_METRICS), *_ACCURACIES)

#: The objectives that have a name.
OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "balanced": ("mean R@1", "mean HP@5", "fusion accuracy"),
    "retrieval": ("mean R@1",),
    "hierarchy": ("mean HP@5",),
}

_CHOICE = f"It is {', '.join(OBJECTIVES)}, or a list of {', '.join(METRICS)}"


@dataclass(frozen=True)
class Objective:
    """The mean of some metrics on the validation split, of those that the method has.

    A method without a classifier has no accuracies, and its objective is the mean of the others. Values of methods
    with and without a classifier are then not comparable; a search compares each method with itself alone.

    Args:
        metrics: names among :data:`METRICS`.

    Raises:
        ConfigError: for no metric, an unknown one, or one named twice.
    """

    metrics: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ConfigError(f"the objective names no metric. {_CHOICE}")
        for metric in self.metrics:
            if metric not in METRICS:
                known = (*OBJECTIVES, *METRICS) if len(self.metrics) == 1 else METRICS
                raise ConfigError(
                    f"unknown validation metric {metric!r} in the objective.{did_you_mean(metric, known)} {_CHOICE}"
                )
            if self.metrics.count(metric) > 1:
                raise ConfigError(f"the objective names {metric!r} twice; name it once")

    def of(self, name: str, heads: str) -> Sequence[str]:
        """The metrics of this objective that a method has.

        Args:
            name: of the method, for messages.
            heads: the classification heads that its loss declares.

        Raises:
            ConfigError: if it has none of them.
        """
        has = [metric for metric in self.metrics if heads != "none" or metric not in _ACCURACIES]
        if not has:
            raise ConfigError(
                f"the method {name!r} has no classifier, so it has none of the objective's metrics "
                f"({', '.join(self.metrics)}); leave it out of --methods, or add a retrieval metric to --objective"
            )
        return has

    def value(self, metrics: Mapping[str, float]) -> float:
        """The objective of one trial.

        Args:
            metrics: its metrics on the validation split, as shares from 0 to 1.

        Returns:
            The mean of this objective's metrics that are among them.
        """
        parts = [of for of in map(_parts, self.metrics) if of[0] in metrics]
        return statistics.fmean(statistics.fmean(metrics[name] for name in of) for of in parts)

    def item_values(self, validated: Validated, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each item of the validation split contributes to the objective, which is their mean.

        Args:
            validated: how well a trial did.
            labels: (n,) classes of the items.

        Returns:
            (n,) shares from 0 to 1.
        """
        predictions = {f"{task}_prediction": found for task, found in validated.predictions.items()}

        def of_items(name: str) -> NDArray[np.float64]:
            task, metric = name.split(" ")
            if metric == "accuracy":
                return item_scores({**predictions, "label": labels}, task)
            return query_scores(validated.per_query[task], metric)

        parts = [of for of in map(_parts, self.metrics) if of[0] in validated.metrics]
        means = [np.mean([of_items(name) for name in of], axis=0) for of in parts]
        return np.asarray(np.mean(means, axis=0))


def settled(asked: Sequence[str], methods: Sequence[Method], prepared: Prepared) -> tuple[Objective, list[str]]:
    """The objective of a search, where a named one adapts itself to methods and data.

    Args:
        asked: one of :data:`OBJECTIVES`, or metrics.
        methods: those of the search.
        prepared: the data.

    Returns:
        The objective, and what the balanced one leaves out and why, a sentence each.

    Raises:
        ConfigError: for unknown metrics, a method that has none of them, and HP@K that nothing can miss.
    """
    named = len(asked) == 1 and asked[0] in OBJECTIVES
    metrics = OBJECTIVES[asked[0]] if named else tuple(asked)
    said = []
    if named and len(metrics) > 1:
        without = [method.title for method in methods if heads_of(method, prepared) == "none"]
        if without:
            metrics = tuple(metric for metric in metrics if metric not in _ACCURACIES)
            why = f"for {', '.join(without)} {_have(without)} no classifier"
            if prepared.regime.held_out:
                why = "for no classifier knows held-out classes"
            said.append(f"no accuracy is in the objective, {why}")
        untold = [metric for metric in metrics if _tells_nothing(metric, prepared)]
        metrics = tuple(metric for metric in metrics if metric not in untold)
        said += [f"{metric} is not in the objective: {TELLS_NOTHING}" for metric in untold]
    objective = Objective(metrics)
    for metric in metrics:
        if _tells_nothing(metric, prepared):
            raise ConfigError(
                f"the objective has {metric}, and on {prepared.name} {TELLS_NOTHING}; leave it out, or give the data a "
                f"taxonomy with more levels"
            )
    for method in methods:
        objective.of(method.name, heads_of(method, prepared))
    return objective, said


def heads_of(method: Method, prepared: Prepared) -> str:
    """The classification heads of a method that accuracies on the validation split are of; none knows held-out classes.

    Args:
        method: one of the search.
        prepared: the data.
    """
    return "none" if prepared.regime.held_out else method.loss_class.heads


def _parts(metric: str) -> tuple[str, ...]:
    return _MEANS.get(metric, (metric,))


def _tells_nothing(metric: str, prepared: Prepared) -> bool:
    kind, _, k = metric.rpartition(" ")[2].partition("@")
    if kind != "HP":
        return False
    correct = prepared.taxonomy_of("validation").correct_sets(int(k))[prepared.splits["validation"].labels]
    return bool(correct.all())


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
