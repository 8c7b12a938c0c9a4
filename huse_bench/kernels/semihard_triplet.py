"""The triplet loss with semi-hard online mining."""

import torch
from torch import Tensor

from huse_bench.kernels import cpu, reference
from huse_bench.kernels._arguments import (
    Backend,
    Precision,
    backend_for,
    check_labels,
    check_number,
    check_rows,
    full_precision,
)

__all__ = ["semihard_triplet"]

_BACKENDS = {"cpu": cpu.semihard_triplet, "reference": reference.semihard_triplet}


def semihard_triplet(
    x: Tensor,
    labels: Tensor,
    margin: float,
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> Tensor:
    """Mean triplet hinge over all ordered positive pairs, each with its semi-hard negative.

    ``[margin + d_ap - d_an]_+`` with ``d = 1 - cosine`` for rows a != p of one class; n is the nearest row of
    another class that is farther from a than p is, else the farthest one. Zeros count in the mean. The loss
    is 0 when there is no positive pair or no negative. Among equally distant negatives either may be taken.
    The CPU and CUDA backends have no second derivative.

    Args:
        x: (M, D) unit rows, floating point; less than float32 is computed in float32.
        labels: (M,) int64; equal labels are one class.
        margin: by how much a negative should be farther than the positive, as a cosine distance; m here is
            2m on squared Euclidean distances.
        backend: which implementation to use; the fastest for the device by default.
        precision: of the CUDA backend's products; the others know "fp32" alone. With "tf32" and "fp16" a pair may
            be given another of several nearly equal negatives.

    Returns:
        A scalar of the type of x, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape, type or value.

    Reference:
        FaceNet (Schroff et al. 2015); the rule is that of ``triplet_semihard_loss`` in TensorFlow Addons
        with ``distance_metric="angular"``.

    Examples:
        >>> import torch
        >>> x = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> semihard_triplet(x, torch.tensor([0, 0, 1]), margin=0.3)
        tensor(0.2800)
    """
    check_rows(x=x)
    check_labels(labels, x)
    check_number(margin=margin)
    (x,) = full_precision(x)
    chosen = backend_for(x, backend, precision)
    with torch.autocast(x.device.type, enabled=False):
        if chosen == "cuda":
            from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

            return cuda.semihard_triplet(x, labels, margin, precision)
        return _BACKENDS[chosen](x, labels, margin)
