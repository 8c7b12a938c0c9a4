"""Where the classes lie in the space of the embeddings, small enough to be kept with every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_array, as_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClassGeometry", "class_geometry"]

#: Axes that are kept at the most: of 101 classes they take 26 KB.
_MOST_AXES = 64


@dataclass(frozen=True)
class ClassGeometry:
    """Centroids and spread of K classes in both modalities, the image first.

    Attributes:
        centroids: (2, K, A) float16 means of the classes' unit rows on A principal axes of all of them. The axes go
            through the origin, so that inner products are those of the embeddings. Zeros for a class without items.
        spread: (2, K) float16 mean squared distances of a class's rows from their centroid; 0 without items.
        counts: (K,) int64 items of each class.
        kept: share of the centroids' squared length that the axes hold, at most 1.
    """

    centroids: NDArray[np.float16]
    spread: NDArray[np.float16]
    counts: NDArray[np.int64]
    kept: float


def class_geometry(image: Any, text: Any, labels: Any, classes: int) -> ClassGeometry:
    """The centroids of the classes on their principal axes, and how far their items lie from them.

    The axes are the right singular vectors of all 2K centroids, which are not centred first: of the subspaces of as
    many dimensions theirs holds most of the centroids' squared length. All axes that there are, or 64.

    Args:
        image: (n, D) rows; their directions count.
        text: (n, D) likewise; row ``i`` belongs to the same item as ``image[i]``.
        labels: (n,) integer class indices.
        classes: how many classes there are, K.

    Returns:
        Numbers that are the same to the bit for the same embeddings.

    Raises:
        DataError: if shapes or labels do not fit, or a row is zero or not finite.

    Examples:
        >>> import numpy as np
        >>> image = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> found = class_geometry(image, image, [0, 0, 1], classes=2)
        >>> centroids = found.centroids.astype(float)
        >>> (centroids[0] @ centroids[1].T).round(2)
        array([[0.8, 0.4],
               [0.4, 1. ]])
        >>> found.spread[0].astype(float).round(3).tolist(), found.counts.tolist(), round(found.kept, 6)
        ([0.2, 0.0], [2, 1], 1.0)
    """
    indices = as_labels("labels", labels, 1, classes)
    counts = np.bincount(indices, minlength=classes)
    means, spreads = [], []
    for name, given in (("image", image), ("text", text)):
        rows = _unit_rows(name, given, len(indices))
        mean = _sums(rows, indices, classes) / np.maximum(counts, 1)[:, None]
        squares = ((rows - mean[indices]) ** 2).sum(axis=1)
        means.append(mean)
        spreads.append(np.bincount(indices, squares, minlength=classes) / np.maximum(counts, 1))
    if means[0].shape != means[1].shape:
        raise DataError(f"image has {means[0].shape[1]} columns but text {means[1].shape[1]}: embed both in one space")
    all_means = np.concatenate(means)
    _, sizes, axes = np.linalg.svd(all_means, full_matrices=False)
    held = min(_MOST_AXES, len(sizes))
    axes = axes[:held]
    # An axis may point either way: let its greatest component be positive.
    greatest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(held), greatest])[:, None]
    total = float((sizes**2).sum())
    return ClassGeometry(
        centroids=(all_means @ axes.T).reshape(2, classes, held).astype(np.float16),
        spread=np.stack(spreads).astype(np.float16),
        counts=counts,
        kept=min(1.0, float((sizes[:held] ** 2).sum()) / total) if total else 1.0,
    )


def _unit_rows(name: str, given: Any, items: int) -> NDArray[np.float64]:
    rows = as_array(given).astype(np.float64)
    if rows.ndim != 2 or len(rows) != items:
        raise DataError(f"{name} embeddings must be ({items}, D) like the labels, got {rows.shape}")
    lengths = np.linalg.norm(rows, axis=1)
    broken = ~(np.isfinite(lengths) & (lengths > 0))
    if broken.any():
        worst = int(broken.argmax())
        raise DataError(f"row {worst} of the {name} embeddings has length {lengths[worst]:.6g} and so no direction")
    unit: NDArray[np.float64] = rows / lengths[:, None]
    return unit


def _sums(rows: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """(classes, D) sums of each class's rows, in memory linear in the rows."""
    sums = np.zeros((classes, rows.shape[1]))
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums[present] = np.add.reduceat(rows[order], starts, axis=0)
    return sums
