"""What a record says of what came out: accuracies, the course of the training, what it ran on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from huse_bench.results.schema._values import Count, Name, Part, Share, Title

__all__ = ["Classification", "Device", "Learning", "Training"]


class Classification(Part):
    """Test accuracies, as shares from 0 to 1.

    Attributes:
        image: accuracy of the image scores alone.
        text: accuracy of the text scores alone.
        fusion: accuracy of the weighted average of the softmax scores.
        fusion_weight: the image's weight in it, chosen on the validation split.
        fusion_equal: accuracy with the weight 0.5.
        image_temperature: what the image scores are divided by before their softmax, fitted on the validation split;
            None in records of the protocol v1, which took scores as they were, and of chance.
        text_temperature: as ``image_temperature``, of the text scores.
    """

    image: Share
    text: Share
    fusion: Share
    fusion_weight: Share
    fusion_equal: Share
    image_temperature: Annotated[float, Field(gt=0)] | None = None
    text_temperature: Annotated[float, Field(gt=0)] | None = None


class Training(Part):
    """What the training cost and where it ended.

    Attributes:
        steps: optimiser steps taken.
        batch_size: image-text pairs of one step.
        seconds: wall-clock time of the training.
        steps_per_second: training speed.
        optimizer: name of the optimiser.
        items_seen: image-text pairs that went through the loss, with repetitions.
        losses: last value of each named term of the loss.
        gradient_steps: the steps at which the shares were measured; None in records that do not say.
        gradient_shares: by named term, at each of these steps, the norm of its gradient by the towers' parameters over
            the sum of these norms; None in records that do not say.
    """

    steps: Count
    batch_size: Count
    seconds: float
    steps_per_second: float
    optimizer: str
    items_seen: Count
    losses: dict[str, float]
    gradient_steps: tuple[Count, ...] | None = None
    gradient_shares: dict[str, tuple[Share, ...]] | None = None


class Learning(Part):
    """The course of a training, measured at some of its steps without changing it.

    Attributes:
        steps: the steps, ascending.
        losses: value of each named term of the loss, a number for each of the steps.
        validation: validation metrics by name, likewise.
        items: number of validation items that these metrics are measured on.
    """

    steps: tuple[Count, ...]
    losses: dict[str, tuple[float, ...]]
    validation: dict[str, tuple[float, ...]]
    items: Count

    @model_validator(mode="after")
    def _even(self) -> Learning:
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError("the steps of a learning curve ascend")
        for name, values in [*self.losses.items(), *self.validation.items()]:
            if len(values) != len(self.steps):
                raise ValueError(f"{name} has {len(values)} values at {len(self.steps)} steps")
        return self


class Device(Part):
    """What a run was computed on.

    Attributes:
        kind: ``"cpu"`` or ``"cuda"``.
        name: of the processor or the GPU, as its maker calls it.
        precision: that products of the training are made in, such as ``"float32"``.
        peak_memory_bytes: the most memory in use at once: of a GPU by this run's tensors, of a CPU by the whole process
            until the run ended; None where the system does not say.
    """

    kind: Literal["cpu", "cuda"]
    name: Title
    precision: Name
    peak_memory_bytes: Count | None = None
