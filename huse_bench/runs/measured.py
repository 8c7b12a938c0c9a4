"""What came of a run, in the words of its record."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from huse_bench.config import TrainingConfig
from huse_bench.errors import DivergedError, HuseBenchError
from huse_bench.measures import DIRECTIONS, Direction
from huse_bench.results.arrays import ClassFacts
from huse_bench.results.schema import Classification, Learning, Training
from huse_bench.runs import embedded
from huse_bench.runs.controls import Evaluated
from huse_bench.runs.experiment import Outcome
from huse_bench.runs.steps import Measured

__all__ = ["Ended", "class_facts", "evaluated_control", "failed", "measured"]

_Curves = dict[Direction, dict[Literal["R", "HP"], tuple[float, ...]]]


@dataclass(frozen=True)
class Ended:
    """What a record says of what came of the run; its fields are those of the record, but for the device."""

    status: Literal["finished", "diverged", "failed"] = "finished"
    error: str | None = None
    retrieval: dict[Direction, dict[str, float]] | None = None
    curves: _Curves | None = None
    classification: Classification | None = None
    validation: dict[str, float] = field(default_factory=dict)
    training: Training | None = None
    learning: Learning | None = None
    device: torch.device | None = None
    warnings: tuple[str, ...] = ()


def measured(outcome: Outcome, config: TrainingConfig, warnings: Sequence[str]) -> Ended:
    """What a finished run reached, and what it cost.

    Args:
        outcome: of the run.
        config: how it was trained.
        warnings: what the reader of the numbers should know.
    """
    trained = outcome.trained
    return Ended(
        retrieval=_by_direction(outcome.retrieval.scores),
        curves=_curves(outcome.retrieval.curves),
        classification=None if outcome.classification is None else _classification(outcome.classification),
        validation=outcome.validation,
        training=Training(
            steps=config.steps,
            batch_size=config.batch_size,
            optimizer=config.optimizer,
            items_seen=config.steps * config.batch_size,
            seconds=trained.seconds,
            steps_per_second=config.steps / trained.seconds,
            losses=trained.losses,
            gradient_steps=tuple(trained.shares.steps),
            gradient_shares={term: tuple(shares) for term, shares in trained.shares.by_term.items()},
        ),
        learning=_learning(outcome.learning, outcome.learning_items),
        device=next(outcome.model.parameters()).device,
        warnings=tuple(warnings),
    )


def evaluated_control(evaluated: Evaluated) -> Ended:
    """What a control without a training reaches."""
    found = evaluated.classification
    return Ended(
        retrieval=_by_direction(evaluated.retrieval),
        classification=None if found is None else Classification.model_validate(found),
    )


def failed(error: Exception) -> Ended:
    """Why there are no numbers; an unexpected error keeps its traceback."""
    known = isinstance(error, HuseBenchError)
    return Ended(
        "diverged" if isinstance(error, DivergedError) else "failed",
        str(error) if known else "".join(traceback.format_exception(error)),
    )


def class_facts(outcome: Outcome) -> ClassFacts:
    """Where the classes lie."""
    found = outcome.geometry
    return ClassFacts(found.centroids, found.spread, found.kept)


def _by_direction(scores: Mapping[str, Mapping[str, float]]) -> dict[Direction, dict[str, float]]:
    return {direction: dict(scores[direction]) for direction in DIRECTIONS if direction in scores}


def _curves(curves: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> _Curves | None:
    """Means by K, with six digits: enough for a line, and a third of the text."""

    def short(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(round(float(value), 6) for value in values)

    return {
        direction: {"R": short(curves[direction]["R"]), "HP": short(curves[direction]["HP"])}
        for direction in DIRECTIONS
        if direction in curves
    } or None


def _classification(found: embedded.Classification) -> Classification:
    return Classification(
        image=found.image,
        text=found.text,
        fusion=found.fusion,
        fusion_weight=found.fitted.weight,
        fusion_equal=found.fusion_equal,
        image_temperature=found.fitted.image_temperature,
        text_temperature=found.fitted.text_temperature,
    )


def _learning(points: Sequence[Measured], items: int) -> Learning | None:
    """The course of a training, with six significant digits."""
    if not points:
        return None

    def curves(values: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
        names = [name for name in values[0] if all(name in point for point in values)]
        return {name: tuple(float(f"{point[name]:.6g}") for point in values) for name in names}

    return Learning(
        steps=tuple(point.step for point in points),
        losses=curves([point.losses for point in points]),
        validation=curves([point.validation for point in points]),
        items=items,
    )
