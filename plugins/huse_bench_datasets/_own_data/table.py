"""Read a user's table, CSV or Parquet, as columns of words, with messages that say which line is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from huse_bench import errors
from huse_bench.untrusted import read_parquet
from huse_bench_datasets._own_data.csv_file import records
from huse_bench_datasets._own_data.formats import other_format, parquet_limits
from huse_bench_datasets._own_data.words import closest, composed, some, word

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Table", "read_table"]

# Columns whose cells are no names: what they hold is kept as it is written.
_CONTENT = {"text"}


@dataclass(frozen=True)
class Table:
    """Columns of a table as words.

    Attributes:
        path: the file.
        columns: n words by column, without white space around them; names are in Unicode's composed form (NFC), and a
            missing value is the empty word. Optional columns are there if the file has them.
        places: where each of the n rows is in the file.
        unit: what the places count: lines from 1, rows from 0.
        ignored: names of the columns that nobody asked for.
        given: names as the file writes them, by column and row, where that is another form.
    """

    path: Path
    columns: dict[str, list[str]]
    places: Sequence[int]
    unit: str = "row"
    ignored: Sequence[str] = ()
    given: Mapping[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def of_cells(
        cls,
        path: Path,
        cells: Mapping[str, Sequence[str]],
        places: Sequence[int],
        unit: str = "row",
        ignored: Sequence[str] = (),
    ) -> Self:
        """A table of cells as they are written; every reader of words makes its table here."""
        columns = {name: [word(cell) for cell in column] for name, column in cells.items()}
        given: dict[tuple[str, int], str] = {}
        for name in columns.keys() - _CONTENT:
            for row, written in enumerate(columns[name]):
                columns[name][row] = composed(written)
                if columns[name][row] != written:
                    given[name, row] = written
        return cls(path, columns, places, unit, ignored, given)

    def __len__(self) -> int:
        return len(self.places)

    def where(self, rows: Sequence[int]) -> str:
        """Where rows are, for messages: ``line 3`` or ``lines 3, 8 and 2 more``."""
        plural = "s" if len(rows) > 1 else ""
        return f"{self.unit}{plural} {some([str(self.places[row]) for row in rows])}"

    def written(self, column: str, row: int) -> str:
        """A name as the file writes it."""
        return self.given.get((column, row), self.columns[column][row])

    def notices(self) -> list[str]:
        """What to tell the user about the names in it."""
        if not self.given:
            return []
        (column, row), written = min(self.given.items())
        count = len(set(self.given.values()))
        example = f"{written!a} as {self.columns[column][row]!a}"
        return [f"{self.path.name}: {count} names are read in Unicode's composed form (NFC), such as {example}"]

    def refuse_empty(self, column: str, cure: str) -> None:
        """Raises DataError if a column has a missing value."""
        rows = [row for row, word in enumerate(self.columns[column]) if not word]
        if rows:
            raise errors.DataError(f"{self.path}: the {column} is empty or NaN in {self.where(rows)}. {cure}")

    def refuse_repeated(self, column: str, cure: str) -> None:
        """Raises DataError if two rows have the same word in a column."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.columns[column]):
            rows.setdefault(name, []).append(row)
        repeated = [
            f"{name!r} in {self.where(found)}{self._forms(column, found)}"
            for name, found in rows.items()
            if len(found) > 1
        ]
        if repeated:
            raise errors.DataError(
                f"{self.path}: {len(repeated)} values of {column} are given more than once: {some(repeated, 5, '; ')}. "
                f"{cure}"
            )

    def _forms(self, column: str, rows: Sequence[int]) -> str:
        """How rows of one name write it, where they do so in several ways that look the same."""
        forms = list(dict.fromkeys(ascii(self.written(column, row)) for row in rows))
        return f" (written {' and '.join(forms)})" if len(forms) > 1 else ""


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read the columns asked for; their names may be in any case and order, other columns are left alone.

    CSV is UTF-8 with a header; comma, semicolon and tab are told apart by the columns that it has with each.

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
        if problem := other_format(path, start, ".csv"):
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
            start = file.read(32)
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


def _read_csv(path: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    rows = records(path, {*required, *optional})
    _, header = next(rows, (0, []))
    if not header:
        raise errors.DataError(f"{path} is blank: it needs a header and one row for each of its items")
    chosen = _choose(path, header, required, optional)
    columns: dict[str, list[str]] = {name: [] for name in chosen}
    lines: list[int] = []
    uneven: list[str] = []
    for line, cells in rows:
        if len(cells) != len(header):
            uneven.append(f"line {line} has {len(cells)}")
            continue
        lines.append(line)
        for name, column in chosen.items():
            columns[name].append(cells[column])
    if uneven:
        raise errors.DataError(
            f"{path}: the header has {len(header)} cells, but {some(uneven)}. Put a cell that holds a comma in quotes"
        )
    return Table.of_cells(path, columns, lines, "line", _ignored(header, chosen.values()))


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    import pyarrow as pa  # noqa: PLC0415  tenths of a second that a CSV needs not
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        schema = pq.read_schema(path)
        header = schema.names
        chosen = _choose(path, header, required, optional)
        for column in chosen.values():
            if pa.types.is_nested(schema.types[column]):
                raise _no_words(path, header[column], schema.types[column])
        content = read_parquet(path, [header[column] for column in chosen.values()], **parquet_limits(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise errors.DataError(f"{path} is a damaged Parquet file ({error}): write it again") from error
    columns = {name: _words(path, header[column], content) for name, column in chosen.items()}
    return Table.of_cells(path, columns, range(content.num_rows), "row", _ignored(header, chosen.values()))


def _words(path: Path, name: str, content: pa.Table) -> list[str]:
    import pyarrow as pa  # noqa: PLC0415  as above

    column = content.column(name)
    try:
        words: list[str] = column.cast(pa.string()).fill_null("").to_pylist()
    except pa.ArrowException as error:
        raise _no_words(path, name, column.type) from error
    return words


def _no_words(path: Path, name: str, kind: pa.DataType) -> errors.DataError:
    return errors.DataError(
        f"{path}: the column {name!r} holds {kind}, not words: write pictures to files and name them, and write labels "
        "and texts as strings"
    )
