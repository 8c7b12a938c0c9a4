"""Nothing private in a bundle: the rules that records are written by, held against all that is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from huse_bench.errors import BundleError
from huse_bench.results.json_text import json_text
from huse_bench.results.schema import Json
from huse_bench.runs.privacy import Privacy
from huse_bench.untrusted import check_parquet, json_value, read_parquet

__all__ = ["private_text", "public_json", "refuse_private_columns"]

# What a card says in words; classes and items are what the user calls them.
_WORDS = ("description", "licence", "notices", "distances_left_out")


def public_json(contents: bytes, privacy: Privacy) -> bytes:
    """A file of JSON in which nothing is private.

    Args:
        contents: of a record, a data card, notes, or a line of a log of events.
        privacy: knows this machine.

    Returns:
        The contents as they are where nothing was private, so that their hash stays.
    """
    fields = json_value(contents)
    public = privacy.record(fields)
    public |= {name: _said(public[name], privacy) for name in _WORDS if name in public}
    return contents if public == fields else (json_text(public) + "\n").encode()


def _said(value: Json, privacy: Privacy) -> Json:
    if isinstance(value, list):
        return [_said(part, privacy) for part in value]
    return privacy.text(value) if isinstance(value, str) else value


def private_text(value: Json, privacy: Privacy) -> str | None:
    """The first text of a JSON value that names a place of a machine.

    Args:
        value: nested as it is.
        privacy: knows this machine.

    Returns:
        The text; None where there is none.
    """
    return next((text for text in _texts(value) if privacy.without_paths(text) != text), None)


def refuse_private_columns(path: Path, name: str, privacy: Privacy) -> None:
    """Refuse a table whose ids or pictures are places of a machine.

    Args:
        path: a parquet file.
        name: what messages call it.
        privacy: knows this machine.

    Raises:
        BundleError: naming the column and the first such text.
    """
    try:
        schema = check_parquet(path)
        columns = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "text"]
        table = read_parquet(path, columns)
    except (OSError, ValueError) as error:
        raise BundleError(f"{name} is no readable parquet file ({error})") from error
    for column in columns:
        text = private_text(table[column].unique().to_pylist(), privacy)
        if text is not None:
            raise BundleError(
                f"{name}: the column {column} has {text!r}, which tells of a machine; give the items other ids in the "
                f"data, delete data-card.json and run again"
            )


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
