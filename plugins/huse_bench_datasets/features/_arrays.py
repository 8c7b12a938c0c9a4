"""Read a user's arrays from .npy, .safetensors and Parquet files, without copying what can stay on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench import Features, errors

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from numpy.typing import NDArray

__all__ = ["Array", "array_beside", "arrays_in", "features"]

_SUFFIXES = (".npy", ".safetensors", ".parquet")


@dataclass(frozen=True)
class Array:
    """An array and the file that it is in.

    Attributes:
        values: the array.
        path: the file.
        name: what messages call it: the file, with the array's name where it holds several.
        digest: start of the file's SHA-256.
    """

    values: NDArray[Any]
    path: Path
    name: str
    digest: str


def arrays_in(path: Path) -> dict[str, Array]:
    """The arrays of a .safetensors file by tensor, or those of a Parquet file's columns of vectors.

    Raises:
        DataError: if it is neither or damaged.
    """
    if path.suffix == ".safetensors":
        found: Mapping[str, NDArray[Any]] = _tensors(path)
    elif path.suffix == ".parquet":
        found = _vector_columns(path)
    else:
        raise errors.DataError(
            f"{path} is no folder, .safetensors or .parquet file: name the folder that holds image.npy, text.npy and "
            "items.csv, or one file that holds all of it"
        )
    digest = _digest(path)
    return {key: Array(values, path, f"{path.name}[{key}]", digest) for key, values in found.items()}


def array_beside(folder: Path, name: str) -> Array | None:
    """The one array of ``<name>.npy``, ``<name>.safetensors`` or ``<name>.parquet``, if there is such a file.

    Raises:
        DataError: if there are several, or the file is damaged or holds something else.
    """
    paths = [folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()]
    if not paths:
        return None
    if len(paths) > 1:
        raise errors.DataError(f"{folder} holds both {paths[0].name} and {paths[1].name}: keep one of them")
    path = paths[0]
    if path.suffix == ".npy":
        return Array(_npy(path), path, path.name, _digest(path))
    found = _tensors(path) if path.suffix == ".safetensors" else _vector_columns(path)
    if len(found) != 1 and name not in found:
        raise errors.DataError(
            f"{path} holds {len(found)} arrays ({', '.join(found) or 'none'}), none of them called {name!r}: keep one"
        )
    values = found[name] if name in found else next(iter(found.values()))
    return Array(values, path, path.name, _digest(path))


def features(array: Array, rows: int, of: str) -> Features:
    """An array as features, named by its file and the file's hash.

    Args:
        array: (rows, d) floating point.
        rows: how many there must be.
        of: what there are so many of, for the message.

    Raises:
        DataError: if its shape or type is another.
    """
    values = array.values
    if values.ndim != 2 or values.shape[1] == 0:
        raise errors.DataError(
            f"{array.path}: {array.name} has the shape {values.shape}, but features are (n, d), a row for each of {of}"
        )
    if len(values) != rows:
        raise errors.DataError(
            f"{array.path}: {array.name} has {len(values)} rows, but there are {rows} {of}: make them the same, in one "
            "order"
        )
    if values.dtype.kind != "f":
        raise errors.DataError(
            f"{array.path}: {array.name} holds {values.dtype}, but features are floating point: convert it with "
            "values.astype('float32')"
        )
    return Features(values, f"{array.name}@{array.digest}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _npy(path: Path) -> NDArray[Any]:
    with _damaged(path, ValueError, EOFError, OSError):
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return values


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  not needed for .npy

    with _damaged(path, SafetensorError, OSError), safe_open(path, framework="pt") as file:
        return {key: _numpy(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118  it is no mapping


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    # NumPy has no bfloat16 and no 8-bit floats.
    small = tensor.is_floating_point() and str(tensor.dtype) not in {"torch.float16", "torch.float32", "torch.float64"}
    values: NDArray[Any] = (tensor.float() if small else tensor).numpy()
    return values


def _vector_columns(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa  # noqa: PLC0415  tenths of a second that other files need not
    import pyarrow.parquet as pq  # noqa: PLC0415

    with _damaged(path, pa.ArrowException, OSError):
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if _is_list(field.type)]
        return {name: _matrix(path, name, file.read(columns=[name]).column(0)) for name in names}


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415  as above

    return isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType)


def _matrix(path: Path, name: str, column: pa.ChunkedArray) -> NDArray[Any]:
    import pyarrow.compute as pc  # noqa: PLC0415  as above

    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if column.null_count or len(lengths) != 1:
        raise errors.DataError(
            f"{path}: the vectors of the column {name!r} must all be there and of one length, but their lengths are "
            f"{', '.join(str(length) for length in lengths[:5])}"
        )
    values: NDArray[Any] = pc.list_flatten(column).to_numpy().reshape(len(column), lengths[0])
    return values


@contextmanager
def _damaged(path: Path, *causes: type[Exception]) -> Iterator[None]:
    try:
        yield
    except causes as error:
        raise errors.DataError(
            f"{path} cannot be read as a {path.suffix} file of numbers ({error}): write it again"
        ) from error
