"""JSON that people can read: a line for each field, and for each list of numbers."""

from __future__ import annotations

import json

from huse_bench.results.schema import Json

__all__ = ["json_text"]


def json_text(value: Json, indent: str = "") -> str:
    """A JSON value as text, with one line for a list of numbers however long.

    Args:
        value: without NaN and infinity, which are no JSON.
        indent: of the line that the value begins on.

    Returns:
        The text, without a line break behind it.

    Raises:
        ValueError: for NaN and infinity.
    """
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{_plain(name)}: {json_text(part, deeper)}" for name, part in value.items()]
        return f"{{\n{deeper}" + f",\n{deeper}".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(not isinstance(part, int | float) for part in value):
        return f"[\n{deeper}" + f",\n{deeper}".join(json_text(part, deeper) for part in value) + f"\n{indent}]"
    return _plain(value)


def _plain(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
