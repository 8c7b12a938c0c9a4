"""Tables as other programs write them are read, or refused with what they are."""

import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.errors import DataError
from huse_bench_datasets._own_data.table import Table, read_table

WANTED = ["image", "text", "label"]
ROWS = [["a.png", "a cat", "cat"], ["b.png", "a dog", "dog"]]


def read(path, content: str | bytes, required=WANTED) -> Table:
    path = path / "items.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, required, ["split"])


def refused(path, content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(path, content)
    return str(caught.value)


def rows(table: Table) -> list[list[str]]:
    return [list(row) for row in zip(*(table.columns[name] for name in WANTED), strict=True)]


@pytest.mark.parametrize("column", ["text", "page"])
def test_a_cell_may_be_longer_than_the_csv_modules_limit(tmp_path, column) -> None:
    long = "word, " * 50_000
    pages = {"text": "a cat", "page": "", column: long}
    table = read(tmp_path, f'image,text,label,page\na.png,"{pages["text"]}",cat,"{pages["page"]}"\nb.png,x,dog,\n')
    assert table.columns["text"] == [pages["text"].strip(), "x"]
    assert list(table.places) == [2, 3]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_with_which_the_columns_are_there(tmp_path, delimiter) -> None:
    others = "".join(sign for sign in ",;\t" if sign != delimiter)
    unused = f"Preis (EUR{others * 9} inkl. MwSt)"
    content = "\n".join(delimiter.join([unused, *row]) for row in [["Image", "Text", "Label"], *ROWS])
    table = read(tmp_path, content)
    assert rows(table) == ROWS
    assert table.ignored == [unused]


def test_a_quoted_line_break_in_the_header_hides_no_column(tmp_path) -> None:
    assert rows(read(tmp_path, 'image;"size\n(w, h, d, e)";text;label\na.png;1;a cat;cat\nb.png;2;a dog;dog\n')) == ROWS


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excels_line_that_names_the_delimiter(tmp_path, first, mark, end) -> None:
    table = read(tmp_path, mark + end.join([first, "image;text;label", *(";".join(row) for row in ROWS), ""]))
    assert rows(table) == ROWS
    assert list(table.places) == [3, 4]


def test_excels_line_may_name_any_delimiter(tmp_path) -> None:
    assert rows(read(tmp_path, "sep=|\nimage|text|label\na.png|a cat|cat\nb.png|a dog|dog\n")) == ROWS


CONTENT = "image,text,label\na.png,Kätzchen,cat\nb.png,a dog,dog\n"
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-le": b"\xff\xfe\0\0", "utf-32-be": b"\0\0\xfe\xff"}


@pytest.mark.parametrize("encoding", list(MARKS))
def test_wide_encodings_are_named_with_or_without_a_mark(tmp_path, encoding) -> None:
    name = encoding[:6].upper()
    message = refused(tmp_path, MARKS[encoding] + CONTENT.encode(encoding))
    assert f"items.csv is encoded in {name}. Save it as UTF-8" in message
    message = refused(tmp_path, CONTENT.encode(encoding))
    assert f"items.csv is encoded in {name} without a byte order mark. Save it as UTF-8" in message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_named_where_the_header_does_not_begin_in_ascii(tmp_path, encoding) -> None:
    assert "is encoded in UTF-16" in refused(tmp_path, f"番号,{CONTENT}".encode(encoding))


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
        (b"\x93NUMPY\x01\0", "is a .npy file"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\x80\x04\x95", "is a Python pickle"),
    ],
)
def test_other_formats_are_named(tmp_path, start, found) -> None:
    assert f"items.csv {found}" in refused(tmp_path, start)


def test_a_database_is_named(tmp_path) -> None:
    database = sqlite3.connect(tmp_path / "items.csv")
    database.execute("create table items (label)")
    database.commit()
    database.close()
    with pytest.raises(DataError, match=r"items.csv is an SQLite database: write its table as CSV"):
        read_table(tmp_path / "items.csv", WANTED)


def test_only_the_columns_asked_for_are_judged_in_parquet(tmp_path) -> None:
    table = pa.table({"tags": [["a"], []], "label": ["cat", "dog"], "boxes": [[[1.0]], None], "raw": [b"\xff", b""]})
    pq.write_table(table, tmp_path / "items.parquet")
    found = read_table(tmp_path / "items.parquet", ["label"])
    assert found.columns == {"label": ["cat", "dog"]}
    assert found.ignored == ["tags", "boxes", "raw"]
