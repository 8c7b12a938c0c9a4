"""Read the records of a CSV file, whatever its delimiter and however long its cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

from huse_bench import errors
from huse_bench_datasets._own_data.formats import other_encoding
from huse_bench_datasets._own_data.words import some

__all__ = ["records"]

_UTF8 = "Save it as UTF-8 (in Excel: 'CSV UTF-8')"
_DELIMITERS = ",;\t"

# The largest that a C long holds on every platform.
_CELL_SIZE = 2**31 - 1

# Excel's way to name the delimiter.
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def records(path: Path, names: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, the header first, each with the number of its first line.

    Args:
        path: a file in UTF-8, with or without a byte order mark.
        names: column names that are looked for, in lower case. The delimiter is that of comma, semicolon and tab with
            which the header has most of them, or what a first line ``sep=;`` says.

    Raises:
        DataError: if the file is not UTF-8 or not CSV.
    """
    with path.open("rb") as file:
        problem = other_encoding(file.read(4096))
    if problem:
        raise errors.DataError(f"{path} {problem}. {_UTF8}")
    limit = csv.field_size_limit(_CELL_SIZE)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield from _records(path, text, names)
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error
    finally:
        csv.field_size_limit(limit)


def _records(path: Path, text: TextIO, names: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    separator = _SEPARATOR.fullmatch(text.readline())
    if not separator:
        text.seek(0)
    delimiter = separator[1] if separator else max(_DELIMITERS, key=lambda sign: _fit(text, sign, names))
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + (2 if separator else 1)
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise errors.DataError(
                f"{path}, line {line}: {error}. Is a quote not closed? Put a cell that holds {delimiter!r}, a quote or "
                'a line break in quotes, and write a quote inside it twice ("")'
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _fit(text: TextIO, delimiter: str, names: Collection[str]) -> tuple[int, int]:
    """How many names a header has with a delimiter, then how many cells; the text is at its start before and after."""
    try:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        header = next((cells for cells in rows if any(cell.strip() for cell in cells)), [])
    except csv.Error:
        header = []
    text.seek(0)
    return len({cell.strip().casefold() for cell in header}.intersection(names)), len(header)


def _encoding_error(path: Path) -> errors.DataError:
    wrong = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                around = line[max(0, error.start - 20) : error.end + 20].decode(errors="backslashreplace").strip()
                wrong.append(f"line {number} ({around})")
    return errors.DataError(
        f"{path} is not UTF-8 in {some(wrong, 5)}. {_UTF8}; if it is Windows-1252, as Excel writes, "
        f"convert it with: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.csv"
    )
