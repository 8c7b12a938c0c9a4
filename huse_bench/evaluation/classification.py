"""Classification: accuracy, late fusion of the two modalities, and the choice of its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_array, as_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accuracy", "choose_fusion_weight", "fuse"]

_STEPS = 20


def accuracy(logits: Any, labels: Any) -> float:
    """Share of items whose largest score is that of their class; the lower class index wins ties.

    Args:
        logits: (n, K) scores, finite: logits, or fused softmaxes.
        labels: (n,) integer class indices.

    Returns:
        A share between 0 and 1.

    Raises:
        DataError: if shapes or labels do not fit, or a score is not finite.
    """
    scores = _scores("logits", logits)
    correct = as_labels("labels", labels, 1, scores.shape[1])
    if len(correct) != len(scores):
        raise DataError(f"there are {len(scores)} rows of logits but {len(correct)} labels")
    return float((scores.argmax(axis=1) == correct).mean())


def fuse(image_logits: Any, text_logits: Any, weight: float) -> NDArray[np.float64]:
    """Weighted mean ``w softmax(image) + (1 - w) softmax(text)`` (HUSE section 4.5).

    Args:
        image_logits: (n, K) finite.
        text_logits: (n, K) finite.
        weight: of the image, between 0 and 1.

    Returns:
        (n, K) float64; the rows sum to 1.

    Raises:
        DataError: if the shapes differ, a logit is not finite, or the weight is outside 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise DataError(f"the weight of the image is a share between 0 and 1, got {weight}")
    image, text = _scores("image_logits", image_logits), _scores("text_logits", text_logits)
    if image.shape != text.shape:
        raise DataError(f"image_logits are {image.shape} but text_logits are {text.shape}: they must be alike")
    return weight * _softmax(image) + (1 - weight) * _softmax(text)


def choose_fusion_weight(image_logits: Any, text_logits: Any, labels: Any) -> float:
    """The weight in {0, 0.05, ..., 1} whose fused scores are most accurate on the given (validation) items.

    Of equally accurate weights, the one nearest 0.5 is taken, and of two equally near the smaller.

    Args:
        image_logits: (n, K) finite, of the validation split.
        text_logits: (n, K) finite, of the validation split.
        labels: (n,) integer class indices.

    Returns:
        The weight of the image, for :func:`fuse`.

    Raises:
        DataError: as :func:`fuse` and :func:`accuracy` do.
    """
    accuracies = [accuracy(fuse(image_logits, text_logits, step / _STEPS), labels) for step in range(_STEPS + 1)]
    best = min(range(_STEPS + 1), key=lambda step: (-accuracies[step], abs(2 * step - _STEPS), step))
    return best / _STEPS


def _scores(name: str, values: Any) -> NDArray[np.float64]:
    scores = as_array(values).astype(np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise DataError(f"{name} must be (n, K) and not empty, got shape {scores.shape}")
    broken = ~np.isfinite(scores).all(axis=1)
    if broken.any():
        raise DataError(f"row {int(broken.argmax())} of {name} has a NaN or infinite value: the training diverged")
    return scores


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
