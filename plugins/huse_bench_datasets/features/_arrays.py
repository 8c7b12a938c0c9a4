"""Read a user's arrays from .npy, .safetensors and Parquet files, without copying what can stay on disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench import Features, errors
from huse_bench.untrusted import read_parquet
from huse_bench_datasets._own_data.formats import other_format, parquet_limits

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from numpy.typing import NDArray

__all__ = ["Array", "array_beside", "arrays_in", "features"]

# What NumPy lets through where the header of a .npy file, which is a Python literal, is damaged.
_NUMPYS = (
    ValueError,
    TypeError,
    EOFError,
    OSError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
    OverflowError,
)

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


def arrays_in(path: Path, names: Collection[str]) -> dict[str, Array]:
    """Those of the named arrays that a .safetensors file has as tensors or a Parquet file as columns of vectors.

    Raises:
        DataError: if it is neither or damaged.
    """
    if path.suffix not in {".safetensors", ".parquet"}:
        raise errors.DataError(
            f"{path} is no folder, .safetensors or .parquet file: name the folder that holds image.npy, text.npy and "
            "items.csv, or one file that holds all of it"
        )
    digest = _digest(path)
    return {
        name: Array(_read(path, name), path, f"{path.name}[{name}]", digest) for name in _held(path) if name in names
    }


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
    held = _held(path)
    if len(held) != 1 and name not in held:
        raise errors.DataError(
            f"{path} holds {len(held)} arrays ({', '.join(held) or 'none'}), none of them called {name!r}: keep one"
        )
    return Array(_read(path, name if name in held else held[0]), path, path.name, _digest(path))


def features(array: Array, rows: int, of: str) -> Features:
    """An array as features, named by its file and the file's hash.

    Args:
        array: (rows, d) floating point, or with further axes of length 1.
        rows: how many there must be.
        of: what there are so many of, for the message.

    Raises:
        DataError: if its shape or type is another.
    """
    values = array.values
    if values.size and max(values.shape[1:], default=0) == math.prod(values.shape[1:]):
        # Models return vectors as (1, d).
        values = values.reshape(len(values), -1)
    if values.ndim != 2 or values.shape[1] == 0:
        raise errors.DataError(
            f"{array.path}: {array.name} has the shape {values.shape}, but features are (n, d), a row for each of {of}"
        )
    if len(values) != rows:
        raise errors.DataError(
            f"{array.path}: {array.name} has {len(values)} rows, but there are {rows} {of}: make them the same, in one "
            "order"
        )
    if values.dtype.kind == "V":
        raise errors.DataError(
            f"{array.path}: {array.name} holds {values.dtype}, numbers of a type that NumPy does not have: save them "
            "as values.astype('float32') in the program that made them"
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
    _check_format(path)
    with _damaged(path, *_NUMPYS):
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            objects = b"'|O'" in file.read(512)
        if objects:
            raise errors.DataError(
                f"{path} holds Python objects, which can run code and are not loaded: fill in what is missing, then "
                "save words as values.astype(str) and numbers as values.astype('float32'), or write labels to items.csv"
            )
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    # So ml_dtypes saves bfloat16, the upper half of a float32.
    return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if values.dtype == "V2" else values


def _held(path: Path) -> Sequence[str]:
    """Names of the tensors of a .safetensors file, or of a Parquet file's columns of vectors."""
    _check_format(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415  not needed for .npy

        with _damaged(path, SafetensorError, OSError), safe_open(path, framework="pt") as tensors:
            return list(tensors.keys())
    import pyarrow as pa  # noqa: PLC0415  tenths of a second that other files need not
    import pyarrow.parquet as pq  # noqa: PLC0415

    with _damaged(path, pa.ArrowException, OSError, ValueError):
        return [field.name for field in pq.read_schema(path) if _is_vector(field.type)]


def _read(path: Path, name: str) -> NDArray[Any]:
    """One of the arrays that a file holds."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415  not needed for .npy

        with _damaged(path, SafetensorError, OSError), safe_open(path, framework="pt") as tensors:
            return _numpy(tensors.get_tensor(name))
    import pyarrow as pa  # noqa: PLC0415  as above

    with _damaged(path, pa.ArrowException, OSError, ValueError):
        return _vectors(path, name, read_parquet(path, [name], **parquet_limits(path)).column(name))


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    # NumPy has no bfloat16 and no 8-bit floats.
    small = tensor.is_floating_point() and str(tensor.dtype) not in {"torch.float16", "torch.float32", "torch.float64"}
    values: NDArray[Any] = (tensor.float() if small else tensor).numpy()
    return values


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415  as above

    return isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType)


def _is_vector(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415  as above

    inner = kind.storage_type if isinstance(kind, pa.FixedShapeTensorType) else kind
    while _is_list(inner):
        inner = inner.value_type
    numbers: bool = inner != kind and (pa.types.is_floating(inner) or pa.types.is_integer(inner))
    return numbers


def _vectors(path: Path, name: str, column: pa.ChunkedArray) -> NDArray[Any]:
    """An array of a column, with an axis for each level of its lists."""
    import pyarrow as pa  # noqa: PLC0415  as above
    import pyarrow.compute as pc  # noqa: PLC0415

    kind = column.type
    tensors = isinstance(kind, pa.FixedShapeTensorType)
    if tensors:
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
    shape = [len(column)]
    while _is_list(column.type):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if column.null_count or len(lengths) != 1:
            raise errors.DataError(
                f"{path}: the vectors of the column {name!r} must all be there and of one length, but their lengths "
                f"are {', '.join(str(length) for length in lengths[:5])}"
            )
        shape.append(lengths[0])
        column = pc.list_flatten(column)
    if tensors:
        shape[1:] = kind.shape
    values: NDArray[Any] = column.to_numpy().reshape(shape)
    return values


def _check_format(path: Path) -> None:
    with _damaged(path, OSError), path.open("rb") as file:
        problem = other_format(path, file.read(32), path.suffix)
    if problem:
        raise errors.DataError(f"{path} {problem}")


@contextmanager
def _damaged(path: Path, *causes: type[Exception]) -> Iterator[None]:
    try:
        yield
    except causes as error:
        raise errors.DataError(
            f"{path} cannot be read as a {path.suffix} file of numbers ({error}): write it again"
        ) from error
