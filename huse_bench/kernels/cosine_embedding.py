"""The cosine embedding loss over all pairs of a batch."""

import torch
from torch import Tensor

from huse_bench.kernels import cpu, reference
from huse_bench.kernels._arguments import (
    Backend,
    Precision,
    backend_for,
    check_number,
    check_rows,
    full_precision,
)

__all__ = ["cosine_embedding"]

_BACKENDS = {"cpu": cpu.mismatch_hinge, "reference": reference.mismatch_hinge}


def cosine_embedding(
    image: Tensor,
    text: Tensor,
    margin: float,
    mismatch_probability: float,
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> Tensor:
    """Pulls the two views of an item together and pushes mismatched views under a margin.

    ``(1 - p) * mean_i (1 - cos(u_i, v_i)) + p * mean_{i != j} [cos(u_i, v_j) - margin]_+``: the expectation,
    over the mismatches that a batch has, of drawing a mismatched image with probability p. A single item has
    no mismatches: its second term is 0. The CPU and CUDA backends have no second derivative.

    Args:
        image: (N, D) unit rows u, floating point; less than float32 is computed in float32.
        text: (N, D) unit rows v; row i belongs to the same item as ``image[i]``.
        margin: cosine similarity under which a mismatched pair costs nothing.
        mismatch_probability: p, in [0, 1].
        backend: which implementation to use; the fastest for the device by default.
        precision: of the CUDA backend's products; the others know "fp32" alone. With "tf32" and "fp16" pairs
            close to the margin may be counted the other way.

    Returns:
        A scalar of the type of the rows, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape, type or value.

    Reference:
        im2recipe (Salvador et al. 2017), as in the authors' im2recipe-Pytorch, all mismatches in place of
        drawn ones.

    Examples:
        >>> import torch
        >>> rows = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
        >>> cosine_embedding(rows, rows, margin=0.1, mismatch_probability=0.8)
        tensor(0.4000)
    """
    check_rows(image=image, text=text)
    check_number(margin=margin)
    check_number(0, 1, mismatch_probability=mismatch_probability)
    image, text = full_precision(image, text)
    chosen = backend_for(image, backend, precision)
    with torch.autocast(image.device.type, enabled=False):
        match = (1 - (image * text).sum(dim=1)).mean()
        if chosen == "cuda":
            from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

            mismatch = cuda.mismatch_hinge(image, text, margin, precision)
        else:
            mismatch = _BACKENDS[chosen](image, text, margin)
        return (1 - mismatch_probability) * match + mismatch_probability * mismatch
