"""Some of a dataset's items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from huse_bench.components import Features, Items

__all__ = ["selected", "taken"]

_T = TypeVar("_T")
_Rows = NDArray[np.int64]


def selected(items: Items, rows: _Rows) -> Items:
    """The items of these rows, in their order; the taxonomy and the classes stay.

    Args:
        items: n items.
        rows: numbers of rows.
    """
    if len(rows) == len(items.ids):
        return items
    return replace(
        items,
        ids=taken(items.ids, rows),
        labels=items.labels[rows],
        splits=items.splits[rows],
        images=None if items.images is None else taken(items.images, rows),
        texts=None if items.texts is None else taken(items.texts, rows),
        image_features=_rows(items.image_features, rows),
        text_features=_rows(items.text_features, rows),
        groups=None if items.groups is None else taken(items.groups, rows),
    )


def taken(values: Sequence[_T], rows: _Rows) -> list[_T]:
    """The values of these rows."""
    return [values[row] for row in rows.tolist()]


def _rows(features: Features | None, rows: _Rows) -> Features | None:
    return None if features is None else Features(features.values[rows], features.backbone)
