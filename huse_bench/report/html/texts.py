"""Texts and data of strangers, made harmless for a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["embedded_json", "visible"]

# Signs that steer a terminal or the direction of writing, or that no UTF-8 file can hold; tabs and line ends are fine.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)

# What would end a script element, open a comment in it, or end a line of a script.
_IN_SCRIPTS = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def visible(value: Any) -> Any:
    """A text with what steers writing shown by its number, such as ``[U+202E]``; lists and mappings likewise.

    Args:
        value: a text, markup, or data for a script.

    Returns:
        The same of harmless texts; markup, numbers and None as they are.
    """
    if hasattr(value, "__html__"):
        return value
    if isinstance(value, str):
        return _STEERING.sub(lambda found: f"[U+{ord(found[0]):04X}]", value.replace("\r\n", "\n"))
    if isinstance(value, Mapping):
        return {visible(key): visible(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [visible(item) for item in value]
    return value


def embedded_json(data: Any) -> str:
    """Data as JSON that can stand in a script element.

    Args:
        data: of what JSON has; texts of it may be anybody's.

    Returns:
        JSON without a sign that could end the element.

    Raises:
        ValueError: if a number is not finite.
    """
    text = json.dumps(visible(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_IN_SCRIPTS.get(sign, sign) for sign in text)
