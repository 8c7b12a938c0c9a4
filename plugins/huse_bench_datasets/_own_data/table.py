"""Read a user's table, CSV or Parquet, as columns of words, with messages that say which line is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from huse_bench import errors

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

__all__ = ["Table", "closest", "read_table", "some"]

_UTF8 = "Save it as UTF-8 (in Excel: 'CSV UTF-8')"

# Start of a file, what it is, and what to do about it.
_NO_TABLES = (
    (b"PK\x03\x04", "is a zip archive: unpack it and name the table inside, or in Excel save the sheet as 'CSV UTF-8'"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it and name the table inside"),
    (b"BZh", "is compressed with bzip2: unpack it and name the table inside"),
    (b"\xfd7zXZ", "is compressed with xz: unpack it and name the table inside"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it and name the table inside"),
    (b"\xff\xfe", f"is encoded in UTF-16. {_UTF8}"),
    (b"\xfe\xff", f"is encoded in UTF-16. {_UTF8}"),
)


@dataclass(frozen=True)
class Table:
    """Columns of a table as words.

    Attributes:
        path: the file.
        columns: n words by column; a missing value is the empty word. Optional columns are there if the file has them.
        places: where each of the n rows is in the file.
        unit: what the places count: lines from 1, rows from 0.
        ignored: names of the columns that nobody asked for.
    """

    path: Path
    columns: dict[str, list[str]]
    places: Sequence[int]
    unit: str = "row"
    ignored: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.places)

    def where(self, rows: Sequence[int]) -> str:
        """Where rows are, for messages: ``line 3`` or ``lines 3, 8 and 2 more``."""
        plural = "s" if len(rows) > 1 else ""
        return f"{self.unit}{plural} {some([str(self.places[row]) for row in rows])}"

    def refuse_empty(self, column: str, cure: str) -> None:
        """Raises DataError if a column has a missing value."""
        rows = [row for row, word in enumerate(self.columns[column]) if not word]
        if rows:
            raise errors.DataError(f"{self.path}: the {column} is empty or NaN in {self.where(rows)}. {cure}")

    def refuse_repeated(self, column: str, cure: str) -> None:
        """Raises DataError if two rows have the same word in a column."""
        rows: dict[str, list[int]] = {}
        for row, word in enumerate(self.columns[column]):
            rows.setdefault(word, []).append(row)
        repeated = [f"{word!r} in {self.where(found)}" for word, found in rows.items() if len(found) > 1]
        if repeated:
            raise errors.DataError(
                f"{self.path}: {len(repeated)} values of {column} are given more than once: {some(repeated, 5, '; ')}. "
                f"{cure}"
            )


def some(words: Sequence[str], limit: int = 10, separator: str = ", ") -> str:
    """The first of many words, and how many more there are."""
    more = len(words) - limit
    return separator.join(words[:limit]) + (f" and {more} more" if more > 0 else "")


def closest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the closest known one, if any is close."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read the columns asked for; their names may be in any case and order, other columns are left alone.

    CSV is UTF-8 with a header; comma, semicolon and tab are told apart by the header.

    Args:
        path: a CSV or Parquet file.
        required: columns that it must have.
        optional: columns that it may have.

    Returns:
        The table, its cells without surrounding white space.

    Raises:
        DataError: if there is no such file, it is no such table, lacks a required column or has no rows.
    """
    start = _start(path)
    if start.startswith(b"PAR1"):
        table = _read_parquet(path, required, optional)
    else:
        for magic, problem in _NO_TABLES:
            if start.startswith(magic):
                raise errors.DataError(f"{path} {problem}")
        table = _read_csv(path, required, optional)
    if not len(table):
        raise errors.DataError(f"{path} has a header but no rows: add one row for each of its items")
    return table


def _start(path: Path) -> bytes:
    if path.is_dir():
        tables = sorted(child.name for child in path.iterdir() if child.suffix.lower() in (".csv", ".tsv", ".parquet"))
        holds = f"it holds {some(tables)}: name one of them" if tables else "name the table itself"
        raise errors.DataError(f"{path} is a folder, but a CSV or Parquet file is needed; {holds}")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        siblings = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
        raise errors.DataError(
            f"cannot read {path}: {error.strerror}{closest(path.name, siblings)}. Check the path"
        ) from error
    if not start:
        raise errors.DataError(f"{path} is empty: it needs a header and one row for each of its items")
    return start


def _choose(path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
    """Column number by wanted name."""
    names = [name.strip().casefold() for name in header]
    expected = f"Expected: {', '.join(required)}" + (f", and optionally {', '.join(optional)}" if optional else "")
    wanted = [*required, *optional]
    for name in wanted:
        if names.count(name) > 1:
            raise errors.DataError(f"{path}: the header names the column {name!r} twice: rename one of them")
    missing = [name for name in required if name not in names]
    if missing:
        free = [name for name in names if name and name not in wanted]
        lacks = ", ".join(f"{name!r}{closest(name, free)}" for name in missing)
        raise errors.DataError(
            f"{path}: the header lacks {lacks}. {expected}; found: {some([name.strip() for name in header])}. "
            "The first line must name the columns"
        )
    return {name: names.index(name) for name in wanted if name in names}


def _ignored(header: Sequence[str], chosen: Iterable[int]) -> list[str]:
    left = set(range(len(header))).difference(chosen)
    return [header[column].strip() for column in sorted(left) if header[column].strip()]


def _word(cell: str) -> str:
    word = cell.strip()
    # How Python and pandas write a missing number.
    return "" if word in {"nan", "NaN"} else word


def _read_csv(path: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header_line = next((line for line in file if line.strip()), "")
            delimiter = max(",;\t", key=header_line.count)
            file.seek(0)
            return _csv_rows(path, csv.reader(file, delimiter=delimiter, strict=True), required, optional)
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error


def _csv_rows(path: Path, reader: Reader, required: Sequence[str], optional: Sequence[str]) -> Table:
    header: list[str] = []
    columns: dict[str, list[str]] = {}
    chosen: dict[str, int] = {}
    lines: list[int] = []
    uneven: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise errors.DataError(
                f"{path}, line {line}: {error}. Is a quote not closed? Put a cell that holds a comma, a quote or a "
                "line "
                'break in quotes, and write a quote inside it twice ("")'
            ) from error
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = cells
            chosen = _choose(path, header, required, optional)
            columns = {name: [] for name in chosen}
        elif len(cells) != len(header):
            uneven.append(f"line {line} has {len(cells)}")
        else:
            lines.append(line)
            for name, column in chosen.items():
                columns[name].append(_word(cells[column]))
    if not header:
        raise errors.DataError(f"{path} is blank: it needs a header and one row for each of its items")
    if uneven:
        raise errors.DataError(
            f"{path}: the header has {len(header)} cells, but {some(uneven)}. Put a cell that holds a comma in quotes"
        )
    return Table(path, columns, lines, "line", _ignored(header, chosen.values()))


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


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    import pyarrow as pa  # noqa: PLC0415  tenths of a second that a CSV needs not
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        file = pq.ParquetFile(path)
        header = file.schema_arrow.names
        chosen = _choose(path, header, required, optional)
        content = file.read(columns=[header[column] for column in chosen.values()])
    except pa.ArrowException as error:
        raise errors.DataError(f"{path} is a damaged Parquet file ({error}): write it again") from error
    columns = {name: _words(path, header[column], content) for name, column in chosen.items()}
    return Table(path, columns, range(content.num_rows), "row", _ignored(header, chosen.values()))


def _words(path: Path, name: str, content: pa.Table) -> list[str]:
    import pyarrow as pa  # noqa: PLC0415  as above

    column = content.column(name)
    try:
        return [_word(cell) for cell in column.cast(pa.string()).fill_null("").to_pylist()]
    except pa.ArrowException as error:
        raise errors.DataError(
            f"{path}: the column {name!r} holds {column.type}, not words: write pictures to files and name them, "
            "and write labels and texts as strings"
        ) from error
