"""Columns of a table that anybody may have written, as arrays and words of the kind that is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["floats", "integers", "kind_of", "strings"]


def kind_of(table: pa.Table, name: str) -> pa.DataType:
    """The type of a column; raises ValueError where there is none of that name, or several."""
    if table.column_names.count(name) != 1:
        raise ValueError(f"it has no column {name}, or several")
    return table.schema.field(name).type


def integers(table: pa.Table, name: str) -> NDArray[Any]:
    """A column of integers (n,); raises ValueError where it it holds something else, or lacks some."""
    values: NDArray[Any] = _column(table, name, "whole numbers", pa.types.is_integer).to_numpy()
    return values


def floats(table: pa.Table, name: str) -> NDArray[Any]:
    """A column of floating point numbers (n,); raises ValueError where it it holds something else, or lacks some."""
    values: NDArray[Any] = _column(table, name, "shares", pa.types.is_floating).to_numpy()
    return values


def strings(table: pa.Table, name: str) -> list[str]:
    """The words of a column; raises ValueError where a column it holds something else, or lacks some."""
    found: list[str] = _column(table, name, "words", _is_words).cast(pa.string()).to_pylist()
    return found


def _column(table: pa.Table, name: str, due: str, fits: Callable[[pa.DataType], bool]) -> pa.ChunkedArray:
    kind = kind_of(table, name)
    if not fits(kind):
        raise ValueError(f"its column {name} holds {kind} and should hold {due}")
    if table[name].null_count:
        raise ValueError(f"its column {name} lacks values")
    return table[name]


def _is_words(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))
