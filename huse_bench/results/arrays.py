"""Per-query scores and per-item predictions, with their confidences, as parquet tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = [
    "PerQuery",
    "Predictions",
    "from_per_query_table",
    "parquet_bytes",
    "per_query_table",
    "predictions_table",
]

#: Integer scores of each query: by direction, then by name, each (queries,).
PerQuery = Mapping[str, Mapping[str, NDArray[np.integer]]]

#: Class indices by name (``label``, ``image_prediction``, ...), numbers of groups (``group``) and floating point
#: confidences from 0 to 1 (``image_confidence``, ...), each (items,).
Predictions = Mapping[str, NDArray[np.integer] | NDArray[np.floating]]


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as the contents of a parquet file."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue())


def per_query_table(per_query: PerQuery) -> pa.Table:
    """Per-query scores as one long table.

    Args:
        per_query: integer arrays (queries,) by direction and name, the same names in each direction.

    Returns:
        Columns query (int32), direction (dictionary of strings), then the integer columns.

    Raises:
        ValueError: if the directions have different names or an array is not one-dimensional integers.
    """
    parts = []
    names = list(next(iter(per_query.values()), {}))
    for direction, arrays in per_query.items():
        if list(arrays) != names:
            raise ValueError(f"per-query scores of {direction} are {list(arrays)}, those of the first are {names}")
        columns = _integers(arrays, f"per-query scores of {direction}")
        count = len(next(iter(columns.values()), ()))
        label = pa.array([direction] * count, pa.string()).dictionary_encode()
        parts.append(pa.table({"query": np.arange(count, dtype=np.int32), "direction": label, **columns}))
    return pa.concat_tables(parts).unify_dictionaries()


def from_per_query_table(table: pa.Table) -> dict[str, dict[str, NDArray[np.integer]]]:
    """The scores that :func:`per_query_table` was given."""
    directions = np.asarray(table["direction"].cast(pa.string()).to_pylist())
    columns = {name: table[name].to_numpy() for name in table.column_names if name not in {"query", "direction"}}
    return {
        str(direction): {name: values[directions == direction] for name, values in columns.items()}
        for direction in dict.fromkeys(directions)
    }


def predictions_table(predictions: Predictions) -> pa.Table:
    """Per-item class indices and confidences as a table with a column per name.

    Args:
        predictions: integer arrays (items,) by name, and shares (items,) under names that end in ``_confidence``.

    Returns:
        The columns; confidences as float32.

    Raises:
        ValueError: if an array is not one-dimensional integers, or shares where it is a confidence.
    """
    shares = {name: values.astype(np.float32) for name, values in predictions.items() if name.endswith("_confidence")}
    for name, values in shares.items():
        if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"predictions: {name} must be (n,) shares from 0 to 1, got {values.shape}: {values}")
    classes = {name: values for name, values in predictions.items() if name not in shares}
    return pa.table({**_integers(classes, "predictions"), **shares})


def _integers(arrays: Mapping[str, NDArray[Any]], what: str) -> dict[str, NDArray[np.integer]]:
    for name, values in arrays.items():
        if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{what}: {name} must be (n,) integers, got {values.shape} of {values.dtype}")
    return dict(arrays)
