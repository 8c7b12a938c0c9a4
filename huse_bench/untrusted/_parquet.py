"""Parquet files, whose few bytes may stand for any number of values."""

from __future__ import annotations

import io
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from huse_bench.untrusted._parquet_index import chunks

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_BYTES", "MOST_VALUES", "check_parquet", "read_parquet"]

#: Numbers and words in one file of arrays: those of five million queries.
MOST_VALUES = 2**28

#: Bytes of such a file, in memory.
MOST_BYTES = 2**30

_SHOWN = 80


def check_parquet(
    source: Path | bytes,
    columns: Collection[str] | None = None,
    most_values: int = MOST_VALUES,
    most_bytes: int = MOST_BYTES,
) -> pa.Schema:
    """The schema of a parquet file that would not fill the memory; no values are read for that.

    Args:
        source: the file, or its contents.
        columns: that are to be read; None for all.
        most_values: that they may have.
        most_bytes: that these may have before they are decoded.

    Raises:
        ValueError: if it is no parquet file, is damaged, says that it is too large, or hides how large it is.
    """
    import pyarrow as pa  # noqa: PLC0415  tenths of a second that other files need not
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
            schema = file.schema_arrow
            leaves = [file.metadata.schema.column(number) for number in range(file.metadata.num_columns)]
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise ValueError(f"it is no parquet file that can be read ({error})") from error
    asked = [name for name in schema.names if columns is None or name in columns]
    widths: dict[int, float] = {}
    for number, leaf in enumerate(leaves):
        if any(leaf.path == name or leaf.path.startswith(f"{name}.") for name in asked):
            if leaf.physical_type == "BYTE_ARRAY" and leaf.path not in asked:
                path = leaf.path[:_SHOWN]
                raise ValueError(f"its column {path!a} has words inside lists or structures, which are not read")
            widths[number] = max(1, leaf.length / 8) if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 1
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as contents:
        found = chunks(contents, [*widths], len(leaves))
    wide = [*widths.values()]
    values = sum(math.ceil(wide[place % len(wide)] * max(each.values, each.rows)) for place, each in enumerate(found))
    rows = sum(each.rows for each in found[:: max(1, len(wide))])
    values += sum(rows * _list_size(schema.field(name)) for name in set(asked) if asked.count(name) == 1)
    size = sum(each.size for each in found)
    if values > most_values or size > most_bytes:
        raise ValueError(
            f"it would take {values:,} values and {size:,} bytes of memory, and {most_values:,} values and "
            f"{most_bytes:,} bytes are the limit"
        )
    return schema


def _list_size(field: pa.Field) -> int:
    """Numbers that a row of vectors takes, also where the vector is missing; 0 for other columns."""
    import pyarrow as pa  # noqa: PLC0415  as above

    kind = field.type
    if isinstance(kind, pa.BaseExtensionType):
        if not isinstance(kind, pa.FixedShapeTensorType):
            raise ValueError(f"its column {field.name[:_SHOWN]!a} is of the type {kind}, which is not read")  # noqa: TRY004
        kind = kind.storage_type
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else 0


def read_parquet(
    source: Path | bytes,
    columns: list[str] | None = None,
    most_values: int = MOST_VALUES,
    most_bytes: int = MOST_BYTES,
) -> pa.Table:
    """The table of a parquet file that does not fill the memory.

    Args:
        source: the file, or its contents.
        columns: to be read; None for all.
        most_values: that they may have.
        most_bytes: that they may have before they are decoded, and that their words may have.

    Returns:
        The columns, in the types that the file names.

    Raises:
        ValueError: as :func:`check_parquet`.
    """
    import pyarrow as pa  # noqa: PLC0415  as above
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = check_parquet(source, columns, most_values, most_bytes)
    words = [field.name for field in schema if _is_words(field.type) and (columns is None or field.name in columns)]
    try:
        # As dictionaries: a word that is repeated a million times is in memory once until all are counted.
        with pq.ParquetFile(
            pa.BufferReader(source) if isinstance(source, bytes) else source, read_dictionary=words
        ) as file:
            table = file.read(columns)
        if (size := sum(_bytes_of(table[name]) for name in words)) > most_bytes:
            raise ValueError(f"its words would take {size:,} bytes of memory, and {most_bytes:,} are the limit")
        for name in words:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, schema.field(name), table[name].cast(schema.field(name).type))
            # Whether they are UTF-8, which nobody has asked yet.
            table[name].validate(full=True)
    except (pa.ArrowException, OSError, KeyError, UnicodeError) as error:
        raise ValueError(f"it is no parquet file that can be read ({error})") from error
    return table


def _is_words(kind: pa.DataType) -> bool:
    from pyarrow import types  # noqa: PLC0415  as above

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    )


def _bytes_of(column: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc  # noqa: PLC0415  as above

    return sum(
        pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0 for chunk in column.chunks
    )
