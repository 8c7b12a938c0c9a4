"""Files that say more than they hold, or hold more than anybody could use: refused before memory is taken for it."""

import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from huse_bench.bundles import read_bundle
from huse_bench.config import read_config_file
from huse_bench.errors import BundleError, ConfigError, DataError, RecordError, ResultsError
from huse_bench.features._entry import entry_header, read_entry
from huse_bench.results import Store
from huse_bench.results.arrays import from_safetensors
from huse_bench.results.card_files import read_card
from huse_bench.results.journal import JOURNAL, read_journal
from huse_bench.results.reading import read_record
from huse_bench.results.tuning_notes import read_notes
from huse_bench.text_files import read_json, read_text
from huse_bench.untrusted import (
    MOST_LISTED,
    MOST_NESTED,
    MOST_TEXT,
    json_value,
    open_zip,
    read_limited,
    read_parquet,
    safetensors_header,
)
from huse_bench_datasets._own_data.table import read_table
from huse_bench_datasets.features._arrays import array_beside


def parquet(columns, **options):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def varint(number):
    """As Thrift's compact protocol writes an integer."""
    number, digits = 2 * number, bytearray()
    while number >= 128:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def claiming(contents, rows, claimed):
    """The contents of a parquet file whose index says that it has another number of rows."""
    (length,) = struct.unpack("<L", contents[-8:-4])
    index = contents[-8 - length : -8]
    assert index.count(varint(rows)) >= 2
    forged = index.replace(varint(rows), varint(claimed))
    return contents[: -8 - length] + forged + struct.pack("<L", len(forged)) + contents[-4:]


@pytest.fixture
def frugal():
    """Fails a test that took 64 MiB of Arrow's memory more than any before."""
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    yield
    assert pool.max_memory() < before + 2**26


# Parquet


def test_what_is_read_is_what_was_written():
    table = pa.table(
        {
            "number": pa.array([1, None, 3], pa.int32()),
            "word": ["a", None, "b"],
            "long": pa.array(["x", "y", "z"], pa.large_string()),
            "kind": pa.array(["i2i", "i2i", None]).dictionary_encode(),
            "bytes": pa.array([b"\0", b"", None]),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float16)), 2),
            "a.b": ["dotted"] * 3,
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    assert read_parquet(buffer.getvalue()).equals(table)
    assert read_parquet(buffer.getvalue(), ["word", "vector"]).equals(table.select(["word", "vector"]))


ROWS = 123_457


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("claimed", [2**40, 2**62])
def test_a_table_that_says_it_has_a_million_million_rows(claimed):
    contents = claiming(parquet({"score": np.zeros(ROWS, np.int64)}), ROWS, claimed)
    with pytest.raises(ValueError, match=rf"it would take {claimed:,} values .* are the limit"):
        read_parquet(contents)


def test_a_table_that_says_it_has_less_than_nothing():
    contents = parquet({"score": np.zeros(ROWS, np.int64)})
    # Zigzag: odd numbers are below zero.
    negative = bytes([varint(ROWS)[0] | 1, *varint(ROWS)[1:]])
    (length,) = struct.unpack("<L", contents[-8:-4])
    index = contents[-8 - length : -8].replace(varint(ROWS), negative)
    with pytest.raises(ValueError, match="its index says -123458 where it should count"):
        read_parquet(contents[: -8 - length] + index + contents[-8:])


@pytest.mark.usefixtures("frugal")
def test_one_long_word_in_a_million_rows():
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2**20, np.int32)), pa.array(["z" * 2**16]))
    contents = parquet({"direction": words}, compression="zstd")
    assert len(contents) < 10_000
    with pytest.raises(ValueError, match=r"its words would take 68,719,476,736 bytes of memory"):
        read_parquet(contents)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([["a"], ["b"]]), "words inside lists or structures"),
        (pa.array([{"a": "b"}]), "words inside lists or structures"),
        (pa.array([None], pa.list_(pa.int8(), 2**30)), "would take 1,073,741,82[45] values"),
        (pa.array([bytes(2**20)] * 300, pa.binary(2**20)), "would take 39,321,600 values"),
    ],
)
def test_columns_whose_size_hides(column, reason):
    with pytest.raises(ValueError, match=reason):
        read_parquet(parquet({"column": column}), most_values=2**25)


def test_columns_that_are_not_asked_for_may_be_anything():
    contents = parquet({"label": ["a", "b"], "tags": pa.array([["x"], ["y"]])})
    assert read_parquet(contents, ["label"]).to_pydict() == {"label": ["a", "b"]}


def test_two_columns_of_one_name():
    buffer = io.BytesIO()
    pq.write_table(pa.table([pa.array([1]), pa.array(["x"])], ["a", "a"]), buffer)
    with pytest.raises(ValueError, match="no parquet file that can be read"):
        read_parquet(buffer.getvalue())


@pytest.mark.usefixtures("frugal")
def test_a_users_own_table_may_grow_as_far_as_its_size_explains(tmp_path):
    path = tmp_path / "items.parquet"
    path.write_bytes(claiming(parquet({"label": ["cat"] * ROWS}), ROWS, 2**40))
    with pytest.raises(
        DataError, match=r"items.parquet is a damaged Parquet file \(it would take 1,099,511,627,776 val"
    ):
        read_table(path, ["label"])
    path.rename(tmp_path / "image.parquet")
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2 * ROWS, np.float32)), 2)
    (tmp_path / "image.parquet").write_bytes(claiming(parquet({"image": vectors}), ROWS, 2**40))
    with pytest.raises(DataError, match=r"image.parquet cannot be read as a .parquet file of numbers \(it would take"):
        array_beside(tmp_path, "image")


# Safetensors


def headed(header, behind=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + behind


def tensor(begin=0, end=4, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_the_header_of_a_file_of_the_library():
    arrays = {"b": np.zeros((2, 3), np.float32), "a": np.zeros((0, 5), np.int8), "c": np.ones((), np.uint16)}
    contents = safetensors.numpy.save(arrays, {"kept": "1"})
    header = safetensors_header(io.BytesIO(contents))
    assert header.metadata == {"kept": "1"}
    assert header.tensors == {"b": ("F32", (2, 3)), "a": ("I8", (0, 5)), "c": ("U16", ())}
    assert contents[header.offset :] == contents[len(contents) - 26 :]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "its header would have 0 bytes, and the file has 0"),
        (b"\1\0\0", "its header would have"),
        (headed({}, length=2**60), r"its header would have 1,152,921,504,606,846,976 bytes, and the file has 10"),
        (headed(b" " * (MOST_TEXT + 1)), "its header has 33,554,433 bytes"),
        (headed(b"[" * 10_000), "nested deeper than 64"),
        (headed(b"[]"), "its header is no JSON object"),
        (headed({"__metadata__": {"a": 1}}), "its metadata are no texts"),
        (headed({"__metadata__": []}), "its metadata are no texts"),
        (headed({"a": 1}), "its tensor 'a'"),
        (headed({"a": tensor(dtype="F3")}, bytes(4)), "its tensor 'a' has not a known type"),
        (headed({"a": tensor(dtype=[])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(shape=[2])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(shape=[-1, -1])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(shape=[True])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(shape=[1.0])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(shape=[2**40, 2**40])}, bytes(4)), "its tensor 'a'"),
        (headed({"a": tensor(0, 2**62, shape=[2**60])}, bytes(4)), "its tensors have 4,611,686,018,427,387,904 bytes"),
        (headed({"a": tensor(), "b": tensor()}, bytes(4)), "do not lie one behind the other"),
        (headed({"a": tensor(), "b": tensor(8, 12)}, bytes(12)), "do not lie one behind the other"),
        (headed({"a": tensor()}, bytes(5)), "its tensors have 4 bytes, and 5 follow"),
    ],
)
def test_headers_that_cannot_be(contents, reason):
    with pytest.raises(ValueError, match=reason):
        safetensors_header(io.BytesIO(contents))
    with pytest.raises(ValueError, match=reason):
        from_safetensors(contents)


def test_numbers_that_numpy_does_not_have():
    with pytest.raises(ValueError, match="its 'centroids' are BF16 and should be F16"):
        from_safetensors(headed({"centroids": tensor(0, 4, "BF16", (2,))}, bytes(4)))


@pytest.mark.parametrize(
    "facts",
    [
        {"flaws": "[]", "sha256": ""},
        {"flaws": '{"x": ["a", "b", "c"]}', "sha256": ""},
        {"flaws": "{}"},
        {"flaws": "[" * 9999, "sha256": ""},
    ],
)
def test_features_in_the_cache_that_do_not_say_what_they_should(tmp_path, facts):
    path = tmp_path / "image.safetensors"
    path.write_bytes(entry_header(facts, 1, 2) + bytes(8))
    with pytest.raises(DataError, match=r"it is no whole safetensors file of features"):
        read_entry(path)


@pytest.mark.parametrize(("name", "dtype", "shape"), [("other", "F32", (1, 2)), ("features", "I32", (1, 2))])
def test_other_tensors_in_the_cache(tmp_path, name, dtype, shape):
    path = tmp_path / "image.safetensors"
    path.write_bytes(headed({name: tensor(0, 8, dtype, shape)}, bytes(8)))
    with pytest.raises(DataError, match=r"it is no whole safetensors file of features: it holds"):
        read_entry(path)


# JSON and TOML


def test_json_as_deep_as_may_be():
    for deep in ("[" * MOST_NESTED + "]" * MOST_NESTED, '{"a":' * MOST_NESTED + "1" + "}" * MOST_NESTED):
        assert json_value(deep) == json.loads(deep)
    for sign in ("[]", "[[]]", '[{"a": []}]', "1"):
        assert json_value(sign) == json.loads(sign)


@pytest.mark.parametrize("deep", [MOST_NESTED + 1, 900, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_json_that_is_nested_too_deep(deep, begin, end):
    with pytest.raises(ValueError, match="it is nested deeper than 64 lists and objects, which is the limit"):
        json_value(begin * deep + "1" + end * deep)


def test_a_text_that_is_too_large(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(2**40)
    for read in (read_limited, read_text, read_json):
        with pytest.raises(ValueError, match=r"it has more than 33,554,432 bytes, which is the limit"):
            read(path)
    with pytest.raises(ConfigError, match=r"x.json is not a TOML file: it has more than 33,554,432 bytes"):
        read_config_file(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "{a=" * 100_000, "a = " + "9" * 10_000])
def test_toml_that_python_gives_up_on(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run.toml is not a TOML file: "):
        read_config_file(path)


# In a results folder


@pytest.fixture
def folder(tmp_path, write_scored):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    return tmp_path / "emoji"


DEEP = "[" * 100_000
LARGE = " " * (MOST_TEXT + 1)


@pytest.mark.parametrize("text", [DEEP, LARGE], ids=["deep", "large"])
@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("huse-bench.json", Store, ResultsError),
        ("tuning.json", read_notes, RecordError),
        ("data-card.json", read_card, RecordError),
        (JOURNAL, read_journal, RecordError),
    ],
)
def test_files_of_a_results_folder(folder, name, read, error, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text + "\n")
    with pytest.raises(error):
        read(folder)


@pytest.mark.parametrize(("text", "reason"), [(DEEP, "nested deeper than 64"), (LARGE, "more than 33,554,432 bytes")])
def test_a_record(folder, text, reason):
    (path,) = (folder / "runs").glob("*.json")
    path.write_text(text)
    with pytest.raises(RecordError, match=rf"no readable JSON \(it .*{reason}.*\); delete the file and run it again"):
        read_record(path)


@pytest.mark.parametrize(("part", "number"), [("classes", 2**40), ("items", 2**60), ("classes", 10**400)])
def test_a_record_of_more_than_there_can_be(folder, part, number):
    (path,) = (folder / "runs").glob("*.json")
    fields = json.loads(path.read_text())
    fields["dataset"][part] = {**fields["dataset"]["items"], "test": number} if part == "items" else number
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=r"says that there are .* classes and .* items, and 1,048,576 and"):
        read_record(path)


def test_a_trial_whose_value_is_no_float(folder):
    (folder / JOURNAL).parent.mkdir()
    study = {"op_code": 0, "study_name": "huse"}
    trial = {"op_code": 4, "study_id": 0, "user_attrs": {"number": 1}, "value": 10**400}
    (folder / JOURNAL).write_text(f"{json.dumps(study)}\n{json.dumps(trial)}\n")
    with pytest.raises(RecordError, match="no readable journal of trials"):
        read_journal(folder)


def listing(size):
    """An archive whose list of files has this many bytes at least, of one entry again and again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("a", b"")
    contents = buffer.getvalue()
    end = contents[-22:]
    entry = contents[struct.unpack("<L", end[16:20])[0] : -22]
    entries = entry * -(-size // len(entry))
    return contents[: -22 - len(entry)] + entries + end[:12] + struct.pack("<L", len(entries)) + end[16:]


def test_an_archive_that_lists_too_many_files_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(listing(MOST_LISTED + 1))
    tracemalloc.start()
    try:
        with pytest.raises(zipfile.BadZipFile, match=r"its files has [\d,]+ bytes, and 16,777,216 are the limit"):
            open_zip(path).__enter__()
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    with pytest.raises(BundleError, match=r"x\.zip is no readable \.zip file \(the list of its files has"):
        read_bundle(path)


def test_an_archive_that_lists_what_one_may_is_read(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(listing(1000))
    with open_zip(path) as packed:
        assert set(packed.namelist()) == {"a"}
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(1000):
            packed.writestr(f"{number}", f"{number}")
    with open_zip(path) as packed:
        assert all(packed.read(f"{number}") == f"{number}".encode() for number in range(1000))
