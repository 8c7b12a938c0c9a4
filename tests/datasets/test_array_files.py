"""Arrays as other programs write them are read, or refused with the format that they are in."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from huse_bench.errors import DataError
from huse_bench_datasets.features._arrays import Array, array_beside, arrays_in, features

IMAGE = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        features(array_beside(folder, "image"), 12, "items")
    return str(caught.value)


def values(folder: Path):
    return features(array_beside(folder, "image"), 12, "items").values


# Formats


def _npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, image=IMAGE, text=IMAGE)


def _torch(path: Path) -> None:
    torch.save(torch.from_numpy(IMAGE), path)


def _old_torch(path: Path) -> None:
    path.write_bytes(pickle.dumps([IMAGE], protocol=2))


def _pointer(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n")


def _hdf5(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(88))


def _page(path: Path) -> None:
    path.write_text("<!DOCTYPE html>\n<html><body>Not found</body></html>")


def _npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, IMAGE)


def _parquet(path: Path) -> None:
    pq.write_table(pa.table({"image": IMAGE.tolist()}), path)


def _safetensors(path: Path) -> None:
    path.write_bytes(safetensors.numpy.save({"image": IMAGE}))


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet"])
@pytest.mark.parametrize(
    ("write", "found", "cure"),
    [
        (_npz, "an npz archive that holds image, text", "['image'])"),
        (_torch, "a file of torch.save", "tensor.float().numpy())"),
        (_old_torch, "a Python pickle, which can run code and is not loaded", "write the array with numpy.save"),
        (_pointer, "a Git LFS pointer, not the file that it stands for", "fetch that with git lfs pull"),
        (_hdf5, "an HDF5 file", "or the table inside as Parquet"),
        (_page, "a web page", "fetch the file again"),
        (_npy, "a .npy file", "give it that ending"),
        (_parquet, "a .parquet file", "give it that ending"),
        (_safetensors, "a .safetensors file", "give it that ending"),
    ],
)
def test_other_formats_are_named_in_one_line(tmp_path, suffix, write, found, cure) -> None:
    path = tmp_path / f"image{suffix}"
    write(path)
    if write.__name__[1:] == suffix[1:]:
        np.testing.assert_array_equal(values(tmp_path), IMAGE)
        return
    message = refused(tmp_path)
    assert message.startswith(f"{path} is {found}")
    assert message.endswith(cure)
    assert "\n" not in message
    if suffix != ".npy":
        with pytest.raises(DataError, match="is a"):
            arrays_in(path, ["image"])


def test_the_cure_of_an_npz_archive_works(tmp_path, monkeypatch) -> None:
    _npz(tmp_path / "image.npy")
    monkeypatch.chdir(tmp_path)
    exec(refused(tmp_path).split("with ")[-1], {"numpy": np})
    np.testing.assert_array_equal(values(tmp_path), IMAGE)


def test_no_known_format(tmp_path) -> None:
    (tmp_path / "image.npy").write_bytes(b"1,2,3\n4,5,6\n")
    message = refused(tmp_path)
    assert "image.npy cannot be read as a .npy file of numbers (" in message
    assert "pickle" not in message


def test_a_header_of_another_length_is_no_safetensors_file(tmp_path) -> None:
    header = json.dumps({}).encode()
    (tmp_path / "image.npy").write_bytes((10**6).to_bytes(8, "little") + header)
    assert "cannot be read as a .npy file of numbers (" in refused(tmp_path)


# Types


def test_objects_are_refused_with_a_cure(tmp_path) -> None:
    words = np.array(["cat", "dog"], dtype=object)
    np.save(tmp_path / "labels.npy", words, allow_pickle=True)
    with pytest.raises(DataError) as caught:
        array_beside(tmp_path, "labels")
    assert "labels.npy holds Python objects, which can run code and are not loaded" in str(caught.value)
    assert "values.astype(str)" in str(caught.value)
    np.save(tmp_path / "labels.npy", words.astype(str))
    assert array_beside(tmp_path, "labels").values.tolist() == ["cat", "dog"]


@given(st.lists(st.floats(width=32), min_size=1, max_size=6), st.sampled_from(["C", "F"]))
def test_bfloat16_as_ml_dtypes_saves_it(tmp_path_factory, row, order) -> None:
    folder = tmp_path_factory.mktemp("brain")
    tensor = torch.tensor([row, row[::-1]], dtype=torch.float32).bfloat16()
    bits = np.asarray(tensor.view(torch.int16).numpy(), dtype="<i2", order=order)
    np.save(folder / "image.npy", bits.view("V2"))
    assert b"V2" in (folder / "image.npy").read_bytes()[:128]
    found = features(array_beside(folder, "image"), 2, "items").values
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tensor.float().numpy())


def test_floats_of_eight_bits_have_no_name_in_npy(tmp_path) -> None:
    np.save(tmp_path / "image.npy", np.zeros((12, 5), dtype="V1"))
    message = refused(tmp_path)
    assert "image.npy holds |V1, numbers of a type that NumPy does not have" in message
    assert message.endswith("save them as values.astype('float32') in the program that made them")


# Shapes


@pytest.mark.parametrize("shape", [(12, 1, 5), (12, 5, 1), (12, 1, 5, 1)])
def test_axes_of_length_one_are_left_out(tmp_path, shape) -> None:
    np.save(tmp_path / "image.npy", IMAGE.reshape(shape))
    found = values(tmp_path)
    np.testing.assert_array_equal(found, IMAGE)
    assert isinstance(found, np.memmap)


@pytest.mark.parametrize("shape", [(6, 2, 5), (12, 1, 0), (0, 1, 5), (12, 0, 0), ()])
def test_other_shapes_are_refused(tmp_path, shape) -> None:
    np.save(tmp_path / "image.npy", np.ones(shape, dtype=np.float32))
    message = refused(tmp_path)
    assert f"has the shape {shape}, but features are (n, d)" in message or "has 0 rows, but there are 12" in message


def _column(kind: pa.DataType, shape: tuple[int, ...] = (5,)) -> pa.Array:
    if isinstance(kind, pa.FixedShapeTensorType):
        flat = pa.FixedSizeListArray.from_arrays(pa.array(IMAGE.ravel()), math.prod(kind.shape))
        return pa.ExtensionArray.from_storage(kind, flat)
    return pa.array(IMAGE.reshape(-1, *shape).tolist(), kind)


FLOAT = pa.float32()
VECTORS = [
    _column(pa.list_(FLOAT)),
    _column(pa.large_list(FLOAT)),
    _column(pa.list_(FLOAT, 5)),
    _column(pa.list_(pa.float64())),
    _column(pa.fixed_shape_tensor(FLOAT, [5])),
    _column(pa.fixed_shape_tensor(FLOAT, [1, 5])),
    _column(pa.fixed_shape_tensor(FLOAT, [5, 1], permutation=[1, 0])),
    _column(pa.list_(pa.list_(FLOAT)), (1, 5)),
    _column(pa.list_(pa.list_(FLOAT, 1)), (5, 1)),
    _column(pa.large_list(pa.list_(pa.list_(FLOAT))), (1, 5, 1)),
]


@pytest.mark.parametrize("column", VECTORS, ids=lambda column: str(column.type))
@pytest.mark.parametrize("name", ["image", "vectors"])
def test_vectors_in_parquet(tmp_path, column, name) -> None:
    pq.write_table(pa.table({name: column}), tmp_path / "image.parquet", row_group_size=5)
    np.testing.assert_array_equal(values(tmp_path), IMAGE)


def test_half_precision_in_parquet(tmp_path) -> None:
    half = IMAGE.astype(np.float16)
    pq.write_table(pa.table({"v": pa.array(list(half), pa.list_(pa.float16()))}), tmp_path / "image.parquet")
    np.testing.assert_array_equal(values(tmp_path), half)


@pytest.mark.parametrize(
    "column",
    [_column(pa.fixed_shape_tensor(FLOAT, [2, 5])), _column(pa.list_(pa.list_(FLOAT)), (2, 5))],
    ids=["tensor", "lists"],
)
def test_matrices_in_parquet_are_refused_with_their_shape(tmp_path, column) -> None:
    pq.write_table(pa.table({"v": column}), tmp_path / "image.parquet")
    assert "image.parquet has the shape (6, 2, 5), but features are (n, d)" in refused(tmp_path)


@pytest.mark.parametrize("nested", [[[[1.0]], None], [[[1.0]], [None]], [[[1.0]], [[1.0], [2.0]]], [[[1.0]], [[]]]])
def test_nested_vectors_of_several_lengths_are_refused(tmp_path, nested) -> None:
    pq.write_table(pa.table({"v": pa.array(nested, pa.list_(pa.list_(FLOAT)))}), tmp_path / "image.parquet")
    assert "the vectors of the column 'v' must all be there and of one length" in refused(tmp_path)


OTHERS = {
    "tags": pa.array([["a"], []] * 6),
    "boxes": pa.array([[[1.0, 2.0]], []] * 6),
    "coords": pa.array([[1.0], None] * 6),
    "label": pa.array(["cat", "dog"] * 6),
}


def test_only_the_arrays_asked_for_are_judged(tmp_path) -> None:
    path = tmp_path / "all.parquet"
    pq.write_table(pa.table({**OTHERS, "image": _column(pa.list_(FLOAT))}), path)
    found = arrays_in(path, ["image", "text"])
    assert list(found) == ["image"]
    np.testing.assert_array_equal(found["image"].values, IMAGE)


def test_words_beside_a_vector_do_not_count_as_arrays(tmp_path) -> None:
    others = {name: OTHERS[name] for name in ("tags", "label")}
    pq.write_table(pa.table({**others, "vector": _column(pa.list_(FLOAT))}), tmp_path / "image.parquet")
    np.testing.assert_array_equal(values(tmp_path), IMAGE)


def test_only_the_tensors_asked_for_are_read(tmp_path) -> None:
    path = tmp_path / "all.safetensors"
    safetensors.numpy.save_file({"image": IMAGE, "more": IMAGE, "labels": np.arange(12)}, path)
    assert list(arrays_in(path, ["image", "text"])) == ["image"]
    assert isinstance(arrays_in(path, ["labels"])["labels"], Array)
