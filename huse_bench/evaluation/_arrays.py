"""Checked arrays from whatever the caller has: lists, NumPy arrays or tensors on any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(values: Any) -> NDArray[Any]:
    """The values as a NumPy array; a tensor is detached and brought to the host."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except ValueError:
        raise DataError("rows of different lengths do not make an array: give every query as many columns") from None


def as_labels(name: str, values: Any, ndim: int, classes: int | None = None) -> NDArray[np.int64]:
    """The class indices as a contiguous int64 array, checked for shape and range."""
    array = as_array(values)
    if array.ndim != ndim or array.size == 0:
        shape = "(n,)" if ndim == 1 else "(n, columns)"
        raise DataError(f"{name} must be {shape} and not empty, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{name} must be integers (class indices), got {array.dtype}")
    labels = np.ascontiguousarray(array, dtype=np.int64)
    limit = np.iinfo(np.int64).max if classes is None else classes - 1
    # As unsigned numbers the negative ones are the greatest, so that one pass looks for both mistakes.
    if labels.view(np.uint64).max() > limit:
        if array.min() < 0:
            raise DataError(f"{name} holds the class index {array.min()}, but class indices begin with 0")
        there_are = f"there are {limit + 1} classes (0 to {limit})"
        raise DataError(f"{name} holds the class index {array.max()}, but {there_are}")
    return labels


def as_rankings(
    query_labels: Any, retrieved_labels: Any, ks: Sequence[int], classes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of n queries and of what each retrieved, checked against each other and against every K."""
    check_ks(ks)
    query = as_labels("query_labels", query_labels, 1, classes)
    retrieved = as_labels("retrieved_labels", retrieved_labels, 2, classes)
    if len(query) != len(retrieved):
        raise DataError(f"there are {len(query)} query_labels but {len(retrieved)} rows of retrieved_labels")
    if max(ks) > retrieved.shape[1]:
        raise DataError(
            f"K={max(ks)} needs {max(ks)} retrieved items per query, but retrieved_labels has {retrieved.shape[1]}: "
            "rank deeper or use a smaller K"
        )
    return query, retrieved


def check_ks(ks: Sequence[int]) -> None:
    """Raise DataError unless there is at least one K and all are positive."""
    if not ks or min(ks) < 1:
        raise DataError(f"give at least one K, each 1 or more, got {list(ks)}")
