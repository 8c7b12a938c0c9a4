"""The graph loss of HUSE: distances between embeddings that follow the distances between classes."""

from typing import Literal

import torch
from torch import Tensor

from huse_bench.kernels import cpu, reference
from huse_bench.kernels._arguments import (
    Backend,
    Precision,
    backend_for,
    check_distances,
    check_labels,
    check_number,
    check_one_of,
    check_rows,
    full_precision,
)

__all__ = ["Relaxation", "graph_loss"]

Relaxation = Literal["and", "or", "hinge", "none"]

_BACKENDS = {"cpu": cpu.graph_loss, "reference": reference.graph_loss}


def graph_loss(
    x: Tensor,
    labels: Tensor,
    distances: Tensor,
    margin: float,
    relaxation: Relaxation = "and",
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> Tensor:
    """Mean squared gap between the cosine distances of rows and the distances of their classes.

    ``1/M^2 * sum_mn sigma_mn (d_mn - A_mn)^2`` with ``d_mn = 1 - x_m . x_n`` and ``A_mn`` the distance of the
    classes of rows m and n. Self-pairs contribute 0 and stay in the normaliser. sigma is an indicator; no
    gradient passes through it. The CPU and CUDA backends have no second derivative.

    Args:
        x: (M, D) unit rows, floating point; less than float32 is computed in float32.
        labels: (M,) int64 class indices in [0, K).
        distances: (K, K) symmetric cosine distances of the classes, each in [0, 2], with a zero diagonal.
        margin: zeta, a cosine distance.
        relaxation: which pairs have sigma = 1. ``"and"``: those with A < zeta and d < zeta, as printed;
            ``"or"``: those with A < zeta or d < zeta; ``"hinge"``: as "or", and the target is
            min(A, zeta); ``"none"``: all.
        backend: which implementation to use; the fastest for the device by default.
        precision: of the CUDA backend's products; the others know "fp32" alone. With "tf32" and "fp16" pairs
            close to the margin may be counted the other way.

    Returns:
        A scalar of the type of x, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape, type or value.

    Reference:
        HUSE (arXiv 1911.05978), equations 9 ("none"), 10 and 11 ("and").

    Examples:
        >>> import torch
        >>> x, distances = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> graph_loss(x, torch.tensor([0, 1]), distances, margin=0.7, relaxation="none")
        tensor(0.1800)
    """
    check_rows(x=x)
    check_labels(labels, x, check_distances(distances))
    check_number(margin=margin)
    check_one_of("relaxation", relaxation, ("and", "or", "hinge", "none"))
    (x,) = full_precision(x)
    chosen = backend_for(x, backend, precision)
    with torch.autocast(x.device.type, enabled=False):
        # Equal to the bit on both sides of the diagonal, so that no pair is in one way and out the other.
        distances = ((distances + distances.T) / 2).detach().to(x)
        if chosen == "cuda":
            from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

            return cuda.graph_loss(x, labels, distances, margin, relaxation, precision)
        return _BACKENDS[chosen](x, labels, distances, margin, relaxation)
