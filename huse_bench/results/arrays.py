"""The arrays beside a record, as the contents of their files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy
from numpy.typing import NDArray

from huse_bench.results.columns import floats, integers, kind_of, strings
from huse_bench.untrusted import safetensors_header

__all__ = [
    "ENDINGS",
    "MOST_QUERIES",
    "ClassFacts",
    "Neighbours",
    "PerQuery",
    "Predictions",
    "from_neighbours_table",
    "from_per_query_table",
    "from_predictions_table",
    "from_safetensors",
    "neighbours_table",
    "parquet_bytes",
    "per_query_table",
    "predictions_table",
    "safetensors_bytes",
]

#: Files beside a record, by the field that names them: how their names end.
ENDINGS = {
    "per_query": ".parquet",
    "predictions": ".items.parquet",
    "classes": ".classes.safetensors",
    "neighbours": ".neighbours.parquet",
}

#: Queries whose neighbours are kept.
MOST_QUERIES = 2000

# Columns of numbers that rise from row to row, of which a dictionary would be larger than the numbers.
_RISING = {"query", "group", "second"}

#: Integer scores of each query: by direction, then by name, each (queries,).
PerQuery = Mapping[str, Mapping[str, NDArray[np.integer]]]

#: Class indices by name (``label``, ``image_prediction``, ...), numbers of groups (``group``) and floating point
#: confidences from 0 to 1 (``image_confidence``, ...), each (items,).
Predictions = Mapping[str, NDArray[np.integer] | NDArray[np.floating]]


@dataclass(frozen=True)
class ClassFacts:
    """Where the classes of a run lie, and how wide.

    Attributes:
        centroids: (2, K, A) float16, of each class the mean of its image rows, then of its text rows.
        spread: (2, K) float16, mean squared distance of the rows from their centroid.
        kept: share of the centroids' squared length that the A axes hold.
    """

    centroids: NDArray[np.float16]
    spread: NDArray[np.float16]
    kept: float

    def __post_init__(self) -> None:
        for name, values, dims in (("centroids", self.centroids, 3), ("spread", self.spread, 2)):
            if values.ndim != dims or values.shape[:2] != (2, self.classes) or values.dtype != np.float16:
                raise ValueError(
                    f"{name} must be (2, {self.classes}{', A' * (dims - 2)}) float16, got {values.shape} of "
                    f"{values.dtype}"
                )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.spread.shape[-1])


@dataclass(frozen=True)
class Neighbours:
    """What queries found first.

    Attributes:
        queries: (m,) int32 numbers of test items, ascending.
        found: by direction (m, k) int32 numbers of test items, nearest first.
    """

    queries: NDArray[np.int32]
    found: Mapping[str, NDArray[np.int32]]


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as the contents of a parquet file, packed as well as its columns allow: none loses a bit."""
    encodings: dict[str, str] = {}
    for field in table.schema:
        if field.name in _RISING:
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(field.type):
            encodings[field.name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_fixed_size_list(field.type):
            encodings[f"{field.name}.list.element"] = "BYTE_STREAM_SPLIT"
    split = {name.partition(".")[0] for name in encodings}
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.column_names if name not in split],
        column_encoding=encodings,
        write_statistics=False,
    )
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
    """The scores that :func:`per_query_table` was given; the table may be anybody's.

    Raises:
        ValueError: if it is of something else.
    """
    directions = np.asarray(strings(table, "direction"), dtype=np.str_)
    names = [name for name in table.column_names if name not in {"query", "direction"}]
    columns = {name: integers(table, name) for name in names}
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


def from_predictions_table(table: pa.Table) -> dict[str, NDArray[Any]]:
    """The predictions that :func:`predictions_table` was given; the table may be anybody's.

    Raises:
        ValueError: if it is of something else.
    """
    return {
        name: floats(table, name) if name.endswith("_confidence") else integers(table, name)
        for name in table.column_names
    }


def neighbours_table(found: Mapping[str, NDArray[np.integer]], groups: NDArray[Any] | None = None) -> pa.Table:
    """What queries found first, of at most 2,000 of them.

    Of more queries groups are drawn, with a seed of their own, so that all runs on the same data keep the same ones
    and that the items of a group are kept together; the last group may be cut.

    Args:
        found: (n, k) numbers of test items by direction, nearest first; row ``i`` is what item ``i`` found.
        groups: (n,) numbers of the items' groups; None where each item is its own.

    Returns:
        Columns query (int32), direction (dictionary of strings), and neighbours, a list of k of the smallest integers
        that hold the numbers.

    Raises:
        ValueError: if an array is not (n, k) of such numbers, the same in each direction.
    """
    first = next(iter(found.values()))
    count = len(first)
    for direction, numbers in found.items():
        if numbers.ndim != 2 or not np.issubdtype(numbers.dtype, np.integer) or numbers.shape != first.shape:
            raise ValueError(
                f"neighbours of {direction} must be (n, k) integers as in each direction, got {numbers.shape} of "
                f"{numbers.dtype}"
            )
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < count:
            raise ValueError(f"neighbours of {direction} must be numbers from 0 to {count - 1}, got {numbers}")
    if groups is not None and groups.shape != (count,):
        raise ValueError(f"there must be a group for each of {count} queries, got {groups.shape}")
    queries = _kept(np.arange(count) if groups is None else groups)
    kept = np.concatenate([numbers[queries] for numbers in found.values()]).astype(np.min_scalar_type(count))
    directions = pa.array(np.repeat(list(found), len(queries)), pa.string()).dictionary_encode()
    return pa.table(
        {
            "query": np.tile(queries.astype(np.int32), len(found)),
            "direction": directions,
            "neighbours": pa.FixedSizeListArray.from_arrays(pa.array(kept.ravel()), first.shape[1]),
        }
    )


def _kept(groups: NDArray[Any]) -> NDArray[np.int64]:
    """Ascending numbers of the queries that are kept."""
    if len(groups) <= MOST_QUERIES:
        return np.arange(len(groups))
    _, numbers = np.unique(groups, return_inverse=True)
    turns = np.random.default_rng(0).permutation(int(numbers.max()) + 1)
    return np.sort(np.argsort(turns[numbers], kind="stable")[:MOST_QUERIES])


def from_neighbours_table(table: pa.Table) -> Neighbours:
    """What :func:`neighbours_table` kept; the table may be anybody's.

    Raises:
        ValueError: if it is of something else, or the directions have different queries.
    """
    directions = np.asarray(strings(table, "direction"), dtype=np.str_)
    queries = integers(table, "query")
    kind = kind_of(table, "neighbours")
    lists = table["neighbours"].combine_chunks()
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_integer(kind.value_type)) or lists.null_count:
        raise ValueError(
            f"its column neighbours holds {kind} or nothing and should hold as many whole numbers everywhere"
        )
    inner = lists.flatten()
    if inner.null_count:
        raise ValueError("its column neighbours lacks numbers")
    numbers = inner.to_numpy().reshape(len(table), kind.list_size).astype(np.int32)
    names = [str(direction) for direction in dict.fromkeys(directions)]
    of_first = queries[directions == names[0]] if names else queries
    for direction in names:
        if not np.array_equal(queries[directions == direction], of_first):
            raise ValueError(f"direction {direction} has other queries than {names[0]}")
    return Neighbours(of_first.astype(np.int32), {direction: numbers[directions == direction] for direction in names})


def safetensors_bytes(facts: ClassFacts) -> bytes:
    """Facts about classes as the contents of a safetensors file."""
    tensors = {"centroids": np.ascontiguousarray(facts.centroids), "spread": np.ascontiguousarray(facts.spread)}
    return bytes(safetensors.numpy.save(tensors, {"kept": json.dumps(facts.kept)}))


def from_safetensors(contents: bytes) -> ClassFacts:
    """The facts that :func:`safetensors_bytes` was given.

    Raises:
        SafetensorError: if the contents are no such file.
        ValueError: likewise, or if it holds something else.
    """
    # The library reads metadata from files alone, and knows numbers that NumPy does not.
    header = safetensors_header(io.BytesIO(contents))
    for name, (dtype, _) in header.tensors.items():
        if dtype != "F16":
            raise ValueError(f"its {name!a} are {dtype} and should be F16")
    tensors = safetensors.numpy.load(contents)
    try:
        return ClassFacts(tensors["centroids"], tensors["spread"], float(header.metadata["kept"]))
    except KeyError as error:
        raise ValueError(f"it lacks {error.args[0]}") from error


def _integers(arrays: Mapping[str, NDArray[Any]], what: str) -> dict[str, NDArray[np.integer]]:
    for name, values in arrays.items():
        if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{what}: {name} must be (n,) integers, got {values.shape} of {values.dtype}")
    return dict(arrays)
