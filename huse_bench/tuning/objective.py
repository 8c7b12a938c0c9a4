"""What a search maximises: a mean of validation metrics."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huse_bench.errors import ConfigError
from huse_bench.hints import did_you_mean
from huse_bench.measures import DIRECTIONS, TABLE_METRICS

__all__ = ["METRICS", "Objective"]

_RETRIEVAL = tuple(f"{direction} {metric}" for direction in DIRECTIONS for metric in TABLE_METRICS)
_ACCURACIES = ("image accuracy", "text accuracy", "fusion accuracy")

#: Validation metrics that an objective may be made of.
METRICS = _RETRIEVAL + _ACCURACIES


@dataclass(frozen=True)
class Objective:
    """The mean of some metrics on the validation split, of those that the method has.

    A method without a classifier has no accuracies, and its objective is the mean of the others. Values of methods
    with and without a classifier are therefore not comparable; a search compares each method with itself alone.

    Args:
        metrics: names among :data:`METRICS`; by default R@1 in the four directions and the fusion accuracy.

    Raises:
        ConfigError: for no metric, an unknown one, or one named twice.
    """

    metrics: tuple[str, ...] = (*(f"{direction} R@1" for direction in DIRECTIONS), "fusion accuracy")

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ConfigError(f"the objective names no metric; there are {', '.join(METRICS)}")
        for metric in self.metrics:
            if metric not in METRICS:
                raise ConfigError(
                    f"unknown validation metric {metric!r} in the objective.{did_you_mean(metric, list(METRICS))} "
                    f"There are {', '.join(METRICS)}"
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
        return statistics.fmean(metrics[metric] for metric in self.metrics if metric in metrics)
