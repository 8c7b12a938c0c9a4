"""How every method of a comparison is trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PRESETS", "Precision", "TrainingConfig"]

#: What networks compute in.
Precision = Literal["float32", "bfloat16"]


class TrainingConfig(BaseModel):
    """How towers and heads are built and trained; every method of a comparison gets the same.

    The defaults are the paper's (section 4.1.3); ``PRESETS`` holds by name what each preset changes of them.

    Attributes:
        steps: optimiser steps.
        batch_size: image-text pairs in a step.
        optimizer: ``"rmsprop-tf"`` (as TensorFlow 1), ``"rmsprop"`` or ``"adamw"``.
        learning_rate: of the towers.
        head_learning_rate: of the classification heads.
        momentum: of the two RMSProps.
        weight_decay: of AdamW.
        schedule: the rates are ``"constant"``, or fall to zero along a ``"cosine"``, after the warm-up.
        warmup_steps: steps over which the rates rise linearly from zero.
        image_layers: linear layers of the image tower.
        text_layers: linear layers of the text tower.
        width: units of a hidden layer.
        embedding_dim: D, for methods whose dimension is free.
        dropout: rate between hidden layers.
        head_scale: length of each class's initial weight vector; None is that of Glorot's initialisation.
        precision: of the towers' matrix products.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: int = Field(default=250_000, ge=1)
    batch_size: int = Field(default=1024, ge=2)
    optimizer: Literal["rmsprop-tf", "rmsprop", "adamw"] = "rmsprop-tf"
    learning_rate: float = Field(default=1.6192e-05, gt=0)
    head_learning_rate: float = Field(default=1.6192e-05, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    image_layers: int = Field(default=5, ge=1)
    text_layers: int = Field(default=2, ge=1)
    width: int = Field(default=512, ge=1)
    embedding_dim: int = Field(default=512, ge=1)
    dropout: float = Field(default=0.15, ge=0, lt=1)
    head_scale: float | None = Field(default=None, gt=0)
    precision: Precision = "float32"


#: What each preset changes of TrainingConfig's defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "quick": {
        "steps": 400,
        "batch_size": 256,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "head_learning_rate": 3e-3,
        "schedule": "cosine",
        "warmup_steps": 20,
        "head_scale": 16.0,
    },
}
