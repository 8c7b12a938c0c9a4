"""Files that once ended in a traceback, or ended the process; each was found by tests/fuzz."""

import io
import json
import struct
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.errors import DataError, RecordError
from huse_bench.results.arrays import (
    from_neighbours_table,
    from_per_query_table,
    from_predictions_table,
)
from huse_bench.results.reading import read_record
from huse_bench.untrusted import read_parquet
from huse_bench.untrusted._parquet_index import _Reader
from huse_bench_datasets._own_data.table import read_table
from huse_bench_datasets.features._arrays import array_beside


def test_a_record_that_names_a_file_which_no_system_takes(tmp_path, write_scored):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    (path,) = (tmp_path / "emoji" / "runs").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "per_query": f"{'x' * 5000}.parquet"}))
    with pytest.raises(RecordError, match=r"the file x+.parquet beside it is missing; restore it, or delete the file"):
        read_record(path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': [",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [¾",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1" + "0" * 400 + ")}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,)}",
        "{'descr': 7, 'fortran_order': False, 'shape': (3,)}",
        "(" * 5000,
        "-" * 9000 + "1",
    ],
)
def test_headers_of_numpys_files(tmp_path, header):
    text = header.encode("latin-1") + b"\n"
    (tmp_path / "image.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(64))
    with pytest.raises(DataError, match=r"image.npy cannot be read as a .npy file of numbers \("):
        array_beside(tmp_path, "image")


def parquet(columns, **options):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def with_index(contents, change):
    (length,) = struct.unpack("<L", contents[-8:-4])
    index = change(contents[-8 - length : -8])
    return contents[: -8 - length] + index + struct.pack("<L", len(index)) + contents[-4:]


def test_an_index_without_the_facts_of_a_column():
    # PyArrow's own way to ask for them ends the process. Field 3 of a chunk becomes one that nobody knows.
    without = with_index(parquet({"a": [1, 2]}), lambda index: index.replace(b"\x26\0\x1c", b"\x26\0\x8c", 1))
    with pytest.raises(ValueError, match="its index is damaged"):
        read_parquet(without)


def test_a_group_of_rows_that_lacks_a_column():
    contents = parquet({"a": np.arange(3), "b": np.arange(3)}, write_statistics=False, store_schema=False)

    def cut(index):
        # The list of two chunks, as structures.
        start = index.index(b"\x19\x2c\x26\0\x1c")
        reader = _Reader(index[start + 2 :])
        reader.struct()
        first = start + 2 + reader.place
        reader.struct()
        return index[:start] + b"\x19\x1c" + index[start + 2 : first] + index[start + 2 + reader.place :]

    with pytest.raises(ValueError, match="a group of rows with 1 columns of 2"):
        read_parquet(with_index(contents, cut))


@pytest.mark.parametrize("place", [0, 4, 6, -9, -20])
def test_a_parquet_file_that_is_cut_or_flipped(place):
    contents = bytearray(parquet({"a": np.arange(1000)}))
    contents[place] ^= 0xFF
    # What is left may still be read.
    with suppress(ValueError):
        read_parquet(bytes(contents))
    with pytest.raises(ValueError, match="no parquet file that can be read"):
        read_parquet(bytes(contents[: len(contents) // 2]))


def directions(count):
    return pa.array(["i2i"] * count).dictionary_encode()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"query": [0], "hits": [1]}, "it has no column direction, or several"),
        ({"direction": [1], "hits": [1]}, "its column direction holds int64 and should hold words"),
        ({"direction": pa.array([None], pa.string()), "hits": [1]}, "its column direction lacks values"),
        ({"direction": directions(1), "hits": [0.5]}, "its column hits holds double and should hold whole numbers"),
        ({"direction": directions(1), "hits": ["a"]}, "its column hits holds string and should hold whole numbers"),
        ({"direction": directions(2), "hits": [1, None]}, "its column hits lacks values"),
    ],
)
def test_tables_of_scores(columns, reason):
    with pytest.raises(ValueError, match=reason):
        from_per_query_table(pa.table(columns))


def test_tables_of_predictions():
    with pytest.raises(ValueError, match="its column label holds string and should hold whole numbers"):
        from_predictions_table(pa.table({"label": ["cat"]}))
    with pytest.raises(ValueError, match="its column image_confidence holds int64 and should hold shares"):
        from_predictions_table(pa.table({"image_confidence": [1]}))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2]]),
        pa.array([["a", "b"]], pa.list_(pa.string(), 2)),
        pa.array([None], pa.list_(pa.int8(), 2)),
        pa.array([[1, None]], pa.list_(pa.int8(), 2)),
        pa.array([1]),
    ],
)
def test_tables_of_neighbours(column):
    table = pa.table({"query": [0], "direction": directions(1), "neighbours": column})
    with pytest.raises(ValueError, match="its column neighbours "):
        from_neighbours_table(table)


@pytest.mark.parametrize("encoded", [False, True])
def test_words_that_are_not_utf_8(tmp_path, encoded):
    parts = pa.array([b"cat", b"d\xaeg"])
    words = pa.StringArray.from_buffers(2, parts.buffers()[1], parts.buffers()[2])
    contents = parquet({"label": words.dictionary_encode() if encoded else words})
    with pytest.raises(ValueError, match=r"no parquet file that can be read \(.*UTF8"):
        read_parquet(contents)
    (tmp_path / "items.parquet").write_bytes(contents)
    with pytest.raises(DataError, match=r"items.parquet is a damaged Parquet file"):
        read_table(tmp_path / "items.parquet", ["label"])
