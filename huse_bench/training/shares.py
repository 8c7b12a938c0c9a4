"""How much of what moves the towers each term of a loss gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from huse_bench.training.parallel import summed

__all__ = ["INERT_BELOW", "GradientShares", "inert_terms", "steps_to_measure"]

#: A term is inert where its share is below this at every step that was measured.
INERT_BELOW = 0.005


@dataclass
class GradientShares:
    """Each term's share of the towers' gradient at a few steps.

    A share is the norm of the term's gradient by the parameters of both towers, over the sum of the norms of all terms.
    The norms add up to more than that of the sum where terms pull against each other.

    Attributes:
        steps: those measured, from 1.
        by_term: a share for each of these steps, by the term's name; 0 where the loss did not return the term.
    """

    steps: list[int] = field(default_factory=list)
    by_term: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, step: int, terms: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> None:
        """Add one step, before the backward pass of the terms' sum, which this leaves as it is.

        A step at which a norm is not finite is left out.

        Args:
            step: its number.
            terms: scalars with their graph, which is kept.
            parameters: those of the towers.
        """
        # A term alone has all there is, which needs no pass.
        norms = dict.fromkeys(terms, 1.0) if len(terms) == 1 else _norms(terms, parameters)
        total = sum(norms.values())
        if not math.isfinite(total):
            # Too large for its norm to be a float32: no share of it means anything.
            return
        for name in norms:
            self.by_term.setdefault(name, [0.0] * len(self.steps))
        self.steps.append(step)
        for name, shares in self.by_term.items():
            shares.append(norms.get(name, 0.0) / total if total else 0.0)


def steps_to_measure(steps: int) -> set[int]:
    """The steps at which shares are measured: the first, the ends of the first three quarters, and the last.

    Args:
        steps: of the whole training.
    """
    return {1, *(max(1, steps * quarter // 4) for quarter in (1, 2, 3)), steps}


def inert_terms(shares: GradientShares, parameters: Mapping[str, Any]) -> list[str]:
    """One sentence for each term that hardly moved the towers.

    A term without any gradient is left out where a hyper-parameter is 0: then it was turned off on purpose.

    Args:
        shares: of a training.
        parameters: the method's hyper-parameters.
    """
    turned_off = any(type(value) in (int, float) and value == 0 for value in parameters.values())
    said = []
    for name, of_term in shares.by_term.items():
        if max(of_term) == 0 and turned_off:
            continue
        if max(of_term) < INERT_BELOW:
            much = f"less than {INERT_BELOW:.1%}" if max(of_term) else "nothing"
            said.append(
                f"the term {name} gave {much} of the towers' gradient at the {len(of_term)} steps measured: its "
                f"hyper-parameters hardly act"
            )
    return said


def _norms(terms: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> dict[str, float]:
    norms = {}
    for name, term in terms.items():
        gradients = (
            torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True) if term.requires_grad else ()
        )
        parts = [torch.linalg.vector_norm(part) for part in summed([part for part in gradients if part is not None])]
        norms[name] = float(torch.linalg.vector_norm(torch.stack(parts))) if parts else 0.0
    return norms
