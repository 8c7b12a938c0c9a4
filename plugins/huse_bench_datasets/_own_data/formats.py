"""Name the format of a file that is not what its name says, with what to do about it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from huse_bench.untrusted import open_zip
from huse_bench_datasets._own_data.words import some

__all__ = ["other_encoding", "other_format", "parquet_limits"]

# Values and bytes in memory for each byte of a file: what grows more holds nothing but repetitions.
_MOST_GROWTH = 200
# So much does no harm, however small the file.
_HARMLESS_VALUES, _HARMLESS_BYTES = 2**24, 2**30

# What is read, by its start.
_READ = {b"\x93NUMPY": ".npy", b"PAR1": ".parquet"}

# Start of a file, what it is, and what to do about it.
_STARTS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file that it stands for: fetch that with git lfs pull"),
    (b"\x89HDF", "is an HDF5 file: write the array inside with numpy.save, or the table inside as Parquet"),
    (b"MATLAB", "is a MATLAB file: write the array inside with numpy.save"),
    (b"ARROW1", "is an Arrow file: write it as Parquet"),
    (b"FEA1", "is a Feather file: write it as Parquet"),
    (b"SQLite format 3", "is an SQLite database: write its table as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook: save the sheet as 'CSV UTF-8'"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it and name the file inside"),
    (b"BZh", "is compressed with bzip2: unpack it and name the file inside"),
    (b"\xfd7zXZ", "is compressed with xz: unpack it and name the file inside"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it and name the file inside"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it and name the file inside"),
    (b"<!doctype html", "is a web page, perhaps in place of a download that failed: fetch the file again"),
    (b"<html", "is a web page, perhaps in place of a download that failed: fetch the file again"),
)
_PICKLE = (
    "is a Python pickle, which can run code and is not loaded: load it in a program of yours, and write the array with "
    "numpy.save"
)


def other_format(path: Path, start: bytes, suffix: str) -> str | None:
    """The end of a sentence about a file that is not what it should be: the format that it is in, and the cure.

    Args:
        path: the file.
        start: its first 32 bytes.
        suffix: how files of the format that it should be in end, such as ``.npy``.

    Returns:
        None where it is in that format, or in none that is known.
    """
    found = next((ending for magic, ending in _READ.items() if start.startswith(magic)), None)
    # The length of a header in JSON, and that header.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        found = ".safetensors"
    if found:
        return None if found == suffix else f"is a {found} file: give it that ending"
    for magic, problem in _STARTS:
        if start[: len(magic)].lower() == magic.lower():
            return problem
    if start.startswith(b"PK\x03\x04"):
        return _zip(path)
    if start[:1] == b"\x80" and start[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return _PICKLE
    return None


def parquet_limits(path: Path) -> dict[str, int]:
    """What huse_bench.untrusted.read_parquet may take for a file of the user: what its size explains."""
    explained = _MOST_GROWTH * path.stat().st_size
    return {"most_values": max(_HARMLESS_VALUES, explained), "most_bytes": max(_HARMLESS_BYTES, explained)}


def other_encoding(start: bytes) -> str | None:
    """The end of a sentence about a text that is not UTF-8, where its first bytes show it."""
    encoding = json.detect_encoding(start)
    if not encoding.startswith("utf-8"):
        marked = start.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
        return f"is encoded in {encoding[:6].upper()}{'' if marked else ' without a byte order mark'}"
    # UTF-16 whose first two characters are not ASCII has them later, since the names of columns are.
    return "is encoded in UTF-16 or no text at all" if start.count(0) > len(start) / 10 else None


def _zip(path: Path) -> str:
    try:
        with open_zip(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        names = []
    arrays = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
    if arrays:
        return (
            f"is an npz archive that holds {some(arrays)}: write one array with numpy.save({path.name!r}, "
            f"numpy.load({path.name!r})[{arrays[0]!r}])"
        )
    if any(name.endswith("/data.pkl") for name in names):
        return (
            "is a file of torch.save: load it in a program of yours, and write the tensor with "
            f"numpy.save({path.name!r}, tensor.float().numpy())"
        )
    if any(name.startswith("xl/") for name in names):
        return "is an Excel workbook: save the sheet as 'CSV UTF-8'"
    return "is a zip archive: unpack it and name the file inside"
