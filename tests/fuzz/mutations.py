"""Valid files made wrong: by bytes, and where a format is known by its parts, which leads further into a reader."""

import io
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# What readers stumble over.
_VALUES = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, float("nan"), float("inf"), 1e308),
    *(
        "",
        " ",
        "a",
        "0",
        "nan",
        "../x",
        "/etc/passwd",
        "x\0y",
        "\ud800",
        "\u202e",
        "é",
        "e\u0301",
        "x" * 5000,
        "\n",
        "=",
    ),
    *([], {}, [[]], [None], {"": None}, {"format": 2}, ["a", "b"], [0, 1]),
)
_TOKENS = (
    *(
        b"\0",
        b"\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b'"',
        b",",
        b";",
        b"\t",
        b"[",
        b"]",
        b"{",
        b"}",
        b"=",
    ),
    *(b"null", b"-1", b"1e999", b"NaN", b"[[[[", b"PAR1", b"PK\3\4", b"PK\5\6", b"\x93NUMPY", b"\x80\x04", b"sep=|\n"),
    *(b"(" * 300, b"[" * 300, b"9" * 5000, b"\x7f" * 8, b"\xff" * 8, b"'descr': '|O'", b"'shape': (-1,)"),
)


def mutated(contents: bytes, chance: random.Random) -> bytes:
    """A file that is nearly the one given.

    Args:
        contents: of a valid file.
        chance: where it goes wrong, and how often.
    """
    for known in (_json, _parquet, _safetensors):
        if chance.random() < 0.7 and (made := known(contents, chance)) is not None:
            return made if chance.random() < 0.9 else _bytes(made, chance)
    return _bytes(contents, chance)


def _bytes(contents: bytes, chance: random.Random) -> bytes:
    made = bytearray(contents)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        place = chance.randrange(len(made) + 1)
        behind = place + chance.choice((0, 1, 1, 4, 8, 64))
        how = chance.randrange(5)
        if how == 0 and place < len(made):
            made[place] ^= 1 << chance.randrange(8)
        elif how == 1:
            del made[place:behind]
        elif how == 2:
            made[place:behind] = chance.choice(_TOKENS)
        elif how == 3:
            made[place:place] = made[chance.randrange(len(made) + 1) :][: chance.randrange(64)]
        elif chance.random() < 0.3:
            del made[place:]
    return bytes(made)


def _json(contents: bytes, chance: random.Random) -> bytes | None:
    try:
        value = json.loads(contents)
    except (ValueError, RecursionError):
        return None
    for _ in range(chance.choice((1, 1, 2, 4))):
        value = _changed(value, chance)
    return json.dumps(value).encode()


def _changed(value: object, chance: random.Random) -> object:
    """A value in which one part, somewhere, is another, is missing, or is there twice."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        whole = dict(value) if isinstance(value, dict) else list(value)
        place = chance.choice(list(whole)) if isinstance(whole, dict) else chance.randrange(len(whole))
        how = chance.random()
        if how < 0.1:
            del whole[place]
        elif how < 0.15 and isinstance(whole, list):
            whole.append(whole[place])
        elif how < 0.2 and isinstance(whole, dict):
            whole[str(chance.choice(_VALUES))] = whole[place]
        else:
            whole[place] = _changed(whole[place], chance)
        return whole
    return chance.choice(_VALUES)


def _parquet(contents: bytes, chance: random.Random) -> bytes | None:
    try:
        table = pq.read_table(pa.BufferReader(contents))
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError):
        return None
    if not table.num_rows or len(set(names)) < len(names):
        return None
    columns = {name: table[name] for name in names}
    name = chance.choice(list(columns))
    rows, how = len(table), chance.randrange(7)
    if how == 0:
        del columns[name]
    elif how == 1:
        columns = {
            chance.choice(("label", "direction", "x", "")) if key == name else key: columns[key] for key in columns
        }
    elif how == 2:
        columns[name] = pa.chunked_array([_column(rows, chance)])
    elif how == 3:
        values = columns[name].to_pylist()
        values[chance.randrange(rows) if rows else 0 :][:1] = [None]
        columns[name] = pa.chunked_array(
            [pa.array([None if chance.random() < 0.2 else v for v in values], table[name].type)]
        )
    elif how == 4:
        some = chance.choice((0, 1, rows // 2, rows - 1))
        columns = {key: column.slice(0, max(some, 0)) for key, column in columns.items()}
    elif how == 5:
        columns[chance.choice(("extra", "label", "x_confidence"))] = pa.chunked_array([_column(rows, chance)])
    else:
        columns = {
            key: column.take(pa.array([chance.randrange(rows) for _ in range(rows)])) for key, column in columns.items()
        }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _column(rows: int, chance: random.Random) -> pa.Array:
    kinds = (
        lambda: pa.nulls(rows),
        lambda: pa.array(np.full(rows, chance.choice((-1, 0, 1, 99, 2**31, 2**62)))),
        lambda: pa.array(np.full(rows, 2**64 - 1, np.uint64)),
        lambda: pa.array(np.full(rows, chance.choice((0.5, -1.0, np.nan, np.inf)))),
        lambda: pa.array(["z"] * rows),
        lambda: pa.array([b"\xff"] * rows),
        lambda: pa.array([[0, 1]] * rows),
        lambda: pa.array([["a"]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([True] * rows),
        lambda: pa.array([0] * rows, pa.timestamp("us")),
        lambda: pa.FixedSizeListArray.from_arrays(pa.array(np.full(3 * rows, -5)), 3),
        lambda: pa.array(["z"] * rows).dictionary_encode(),
        lambda: pa.array([bytes(3)] * rows, pa.binary(3)),
    )
    return chance.choice(kinds)()


def _safetensors(contents: bytes, chance: random.Random) -> bytes | None:
    length = int.from_bytes(contents[:8], "little")
    if length > len(contents) or contents[8:9] != b"{":
        return None
    header = _json(contents[8 : 8 + length], chance)
    if header is None:
        return None
    return len(header).to_bytes(8, "little") + header + contents[8 + length :]
