"""The double triplet loss of AdaMine: triplets between instances and between classes, adaptively mined."""

from typing import Literal

import torch
from torch import Tensor

from huse_bench.kernels import cpu, reference
from huse_bench.kernels._arguments import (
    Backend,
    Precision,
    backend_for,
    check_labels,
    check_number,
    check_one_of,
    check_rows,
    full_precision,
)

__all__ = ["SemanticPairs", "double_triplet", "double_triplet_terms"]

SemanticPairs = Literal["first", "all"]

_BACKENDS = {"cpu": cpu.double_triplet_terms, "reference": reference.double_triplet_terms}


def double_triplet(
    image: Tensor,
    text: Tensor,
    labels: Tensor,
    margin: float,
    semantic_weight: float,
    semantic_pairs: SemanticPairs = "first",
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> Tensor:
    """Mean of the four terms of :func:`double_triplet_terms`, the two semantic ones weighted.

    ``1/4 * (instance_image + instance_text + lambda * semantic_image + lambda * semantic_text)``

    Args:
        image: (N, D) unit rows, floating point; less than float32 is computed in float32.
        text: (N, D) unit rows; row i belongs to the same item as ``image[i]``.
        labels: (N,) int64 classes; a negative label is no class.
        margin: by how much a negative should be farther than the positive, as a cosine distance.
        semantic_weight: lambda.
        semantic_pairs: see :func:`double_triplet_terms`.
        backend: which implementation to use; the fastest for the device by default.
        precision: see :func:`double_triplet_terms`.

    Returns:
        A scalar of the type of the rows, float32 at the least.

    Raises:
        ConfigError: for an argument of a wrong shape, type or value.

    Reference:
        AdaMine (Carvalho et al. 2018), as in the authors' recipe1m.bootstrap.pytorch.

    Examples:
        >>> import torch
        >>> rows = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> double_triplet(rows, rows, torch.tensor([0, 0, 1]), margin=0.3, semantic_weight=0.1)
        tensor(0.1040)
    """
    check_number(semantic_weight=semantic_weight)
    terms = double_triplet_terms(image, text, labels, margin, semantic_pairs, backend=backend, precision=precision)
    instance = terms["instance_image"] + terms["instance_text"]
    semantic = terms["semantic_image"] + terms["semantic_text"]
    return (instance + semantic_weight * semantic) / 4


def double_triplet_terms(
    image: Tensor,
    text: Tensor,
    labels: Tensor,
    margin: float,
    semantic_pairs: SemanticPairs = "first",
    *,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> dict[str, Tensor]:
    """The four terms of the double triplet loss, unweighted, each the mean of its informative triplets.

    A triplet costs ``[margin + d_qp - d_qn]_+`` with ``d = 1 - cosine``, and is informative when it costs
    anything; a term without informative triplets is 0. ``instance_image``: the query q is an image, p its own
    text, n every other text. ``semantic_image``: the query is an image with a class, p the text of another
    item of its class, n a text of another class; queries without such a p are left out. ``instance_text`` and
    ``semantic_text``: the same with image and text exchanged. Rows without a class (a negative label) take
    part in the instance terms alone. The CPU and CUDA backends have no second derivative.

    Args:
        image: (N, D) unit rows, floating point; less than float32 is computed in float32.
        text: (N, D) unit rows; row i belongs to the same item as ``image[i]``.
        labels: (N,) int64 classes; a negative label is no class.
        margin: by how much a negative should be farther than the positive, as a cosine distance.
        semantic_pairs: the released rule, ``"first"``, takes the first other item of the class in the batch
            as the positive, and the first m items of other classes as the negatives, m being the least number
            of them that any query has; ``"all"`` takes all positives and all negatives.
        backend: which implementation to use; the fastest for the device by default.
        precision: of the CUDA backend's products; the others know "fp32" alone. With "tf32" and "fp16" triplets
            that cost next to nothing may be counted the other way.

    Returns:
        Four scalars of the type of the rows, float32 at the least, by the names above.

    Raises:
        ConfigError: for an argument of a wrong shape, type or value.

    Reference:
        AdaMine (Carvalho et al. 2018), as in the authors' recipe1m.bootstrap.pytorch.

    Examples:
        >>> import torch
        >>> rows = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> terms = double_triplet_terms(rows, rows, torch.tensor([0, 0, 1]), margin=0.3)
        >>> {name: round(float(term), 3) for name, term in terms.items()}
        {'instance_image': 0.18, 'instance_text': 0.18, 'semantic_image': 0.28, 'semantic_text': 0.28}
    """
    check_rows(image=image, text=text)
    check_labels(labels, image)
    check_number(margin=margin)
    check_one_of("semantic_pairs", semantic_pairs, ("first", "all"))
    image, text = full_precision(image, text)
    chosen = backend_for(image, backend, precision)
    with torch.autocast(image.device.type, enabled=False):
        if chosen == "cuda":
            from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

            terms = cuda.double_triplet_terms(image, text, labels, margin, semantic_pairs, precision)
        else:
            terms = _BACKENDS[chosen](image, text, labels, margin, semantic_pairs)
    return dict(zip(("instance_image", "instance_text", "semantic_image", "semantic_text"), terms, strict=True))
