"""Hyper-parameters whose best value lies at the edge of what was searched, so that a better one may lie beyond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from huse_bench.space import Choice, Distribution, LogUniform

__all__ = ["at_bounds"]

# The share of a range, on its scale, within which a value is at a bound: the outer tenth of what is drawn.
_NEAR = 0.05


def at_bounds(parameters: Mapping[str, Any], space: Mapping[str, Distribution]) -> list[str]:
    """What to say of hyper-parameters that lie within 5 % of a bound of their space, or outside of it.

    Args:
        parameters: the best ones.
        space: what they were chosen from; a choice of names has no bounds.

    Returns:
        Sentences without the method's name; none where all lie well inside.
    """
    said = []
    for name, distribution in space.items():
        if isinstance(distribution, Choice):
            continue
        low, high, value = distribution.low, distribution.high, parameters[name]
        share = _place(value, distribution)
        if _NEAR < share < 1 - _NEAR:
            continue
        if 0 <= share <= 1:
            which, bound = ("lower", low) if share < 0.5 else ("upper", high)
            said.append(f"{name} = {value:.3g} is at the {which} bound of its space, {bound:g}: try beyond it")
        else:
            said.append(f"{name} = {value:.3g} is outside its space, {low:g} to {high:g}")
    return said


def _place(value: float, distribution: Distribution) -> float:
    """Where a value lies in a range: 0 at its lower bound and 1 at its upper one, on the scale that it is drawn on."""
    assert not isinstance(distribution, Choice)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, LogUniform):
        # A weight may be 0 by default.
        return math.log(value / low) / math.log(high / low) if value > 0 else -math.inf
    return (value - low) / (high - low)
