"""Classification: accuracy, temperatures that make scores of any scale comparable, and late fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_array, as_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fusion", "accuracy", "choose_fusion_weight", "fit_fusion", "fit_temperature", "fuse"]

_STEPS = 20

#: How far apart a temperature may put the scores of an item, on average over the items. At the upper end the surest
#: item is still no exact 0 and 1, which would tie in a fusion.
_LEAST_RANGE, _LARGEST_RANGE = 1e-3, 1e2


@dataclass(frozen=True)
class Fusion:
    """How the scores of both modalities are made shares and averaged; all of it is fitted on the validation split.

    Attributes:
        weight: of the image, between 0 and 1.
        image_temperature: divides the image logits.
        text_temperature: divides the text logits.
    """

    weight: float
    image_temperature: float
    text_temperature: float

    def shares(self, image_logits: Any, text_logits: Any, weight: float | None = None) -> NDArray[np.float64]:
        """The fused softmaxes of logits divided by their temperatures, as :func:`fuse` gives them.

        Args:
            image_logits: (n, K) finite.
            text_logits: (n, K) finite.
            weight: of the image, in place of the fitted one: 1 gives the image's own shares, 0 the text's.

        Raises:
            DataError: as :func:`fuse` does.
        """
        image, text = _scores("image_logits", image_logits), _scores("text_logits", text_logits)
        used = self.weight if weight is None else weight
        return fuse(image / self.image_temperature, text / self.text_temperature, used)

    def accuracies(self, image_logits: Any, text_logits: Any, labels: Any) -> dict[str, float]:
        """What a record says of the classification of a split.

        Args:
            image_logits: (n, K) finite.
            text_logits: (n, K) finite.
            labels: (n,) integer class indices.

        Returns:
            Shares between 0 and 1: of the ``image``, the ``text``, the ``fusion`` as fitted, and the ``fusion_equal``
            with equal weights.

        Raises:
            DataError: as :func:`accuracy` and :func:`fuse` do.
        """
        return {
            "image": accuracy(image_logits, labels),
            "text": accuracy(text_logits, labels),
            "fusion": accuracy(self.shares(image_logits, text_logits), labels),
            "fusion_equal": accuracy(self.shares(image_logits, text_logits, 0.5), labels),
        }


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
    return float((scores.argmax(axis=1) == _own_classes(scores, labels)).mean())


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


def fit_temperature(logits: Any, labels: Any) -> float:
    """The T whose ``softmax(logits / T)`` makes the given (validation) items' classes most likely.

    The mean negative log-likelihood is convex in 1/T, so there is one such T; multiplying all logits by a number
    multiplies it. It is kept where the scores of an item, divided by T, lie 0.001 to 100 apart on average: perfect
    scores would have it 0, and scores that are worse than none infinite.

    Args:
        logits: (n, K) finite, of any scale: logits, cosines, regressions onto one-hot classes.
        labels: (n,) integer class indices.

    Returns:
        T, above 0; 1 where all scores of each item are equal.

    Raises:
        DataError: if shapes or labels do not fit, or a score is not finite.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    scores = _scores("logits", logits)
    own = _own_classes(scores, labels)
    span = float((scores.max(axis=1) - scores.min(axis=1)).mean())
    if span == 0:
        return 1.0
    # As distances from the own class's score, the slope of perfect scores keeps its sign however small it gets.
    ahead = (scores - np.take_along_axis(scores, own[:, None], axis=1)) / span

    def slope(log_range: float) -> float:
        """Of the mean negative log-likelihood, by 1/T in units of the span."""
        return float((_softmax(np.exp(log_range) * ahead) * ahead).sum(axis=1).mean())

    low, high = np.log(_LEAST_RANGE), np.log(_LARGEST_RANGE)
    if slope(low) >= 0:
        return span / _LEAST_RANGE
    if slope(high) <= 0:
        return span / _LARGEST_RANGE
    return span / float(np.exp(brentq(slope, low, high, xtol=1e-12)))


def fit_fusion(image_logits: Any, text_logits: Any, labels: Any) -> Fusion:
    """A temperature for each modality, then the weight that is best with them, from the given (validation) items.

    So a method whose scores are cosines is fused, and is confident, by the same rule as one whose scores are logits.

    Args:
        image_logits: (n, K) finite, of the validation split.
        text_logits: (n, K) finite, of the validation split.
        labels: (n,) integer class indices.

    Raises:
        DataError: as :func:`fit_temperature` and :func:`choose_fusion_weight` do.
    """
    image, text = _scores("image_logits", image_logits), _scores("text_logits", text_logits)
    image_temperature, text_temperature = fit_temperature(image, labels), fit_temperature(text, labels)
    weight = choose_fusion_weight(image / image_temperature, text / text_temperature, labels)
    return Fusion(weight, image_temperature, text_temperature)


def _own_classes(scores: NDArray[np.float64], labels: Any) -> NDArray[np.int64]:
    own = as_labels("labels", labels, 1, scores.shape[1])
    if len(own) != len(scores):
        raise DataError(f"there are {len(scores)} rows of logits but {len(own)} labels")
    return own


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
