"""The precision that networks of torch compute in."""

from __future__ import annotations

import torch

__all__ = ["PRECISIONS", "computing_in"]

#: What a network of torch can compute in.
PRECISIONS = ("float32", "bfloat16")


def computing_in(precision: str) -> torch.autocast:
    """Have convolutions and matrix products computed in a precision, for as long as the block runs.

    Weights stay in float32, and so do sums over layers and normalisations of what is in float32: weights in bfloat16
    would be hardly faster, and two to four times as far off (texts by MiniLM).

    Args:
        precision: one of ``PRECISIONS``.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
