"""What a loss gave, and what a training did with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from huse_bench.components import Loss
from huse_bench.errors import PluginError
from huse_bench.training.shares import GradientShares

__all__ = ["Trained", "check_terms", "total_of"]


@dataclass(frozen=True)
class Trained:
    """What a training did.

    Attributes:
        seconds: wall time of the steps.
        losses: the loss terms of the last step.
        shares: what each term gave of the towers' gradient at a few steps.
        remarks: what else to know of how it was trained, a sentence each.
    """

    seconds: float
    losses: dict[str, float]
    shares: GradientShares
    remarks: tuple[str, ...] = ()


def total_of(terms: Mapping[str, Tensor]) -> Tensor:
    """The scalar that is trained by."""
    return torch.stack(list(terms.values())).sum()


def check_terms(terms: object, loss: Loss) -> None:
    """Refuse what is not named scalars.

    Args:
        terms: what a loss returned.
        loss: the one.

    Raises:
        PluginError: naming what it is instead.
    """
    name = type(loss).__name__
    if not isinstance(terms, Mapping) or not terms:
        raise PluginError(f"{name}.forward must return a dict of named scalar tensors, got {type(terms).__name__}")
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.ndim != 0:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(
                f"{name}.forward must return scalar tensors, but the term {term!r} has {got}; take its mean"
            )
