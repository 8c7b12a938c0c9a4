"""Output on terminals whose encoding lacks some signs, such as cp437 or gbk: never an error after hours of work."""

from __future__ import annotations

import codecs
import io
import json
import sys

__all__ = ["spare_encodings"]

_HANDLER = "huse-bench"

# Signs of our own: one for one where they stand in tables, so that columns stay in line.
_PLAIN = {
    "±": "~",
    "†": "+",
    "‡": "#",
    "§": "$",
    "¶": "^",
    "…": ".",
    "≥": ">=",
}


def spare_encodings() -> None:
    """Let standard output and standard error write any text, whatever their encoding.

    Where it lacks a sign of the tables a plain one stands in for it; of any other sign the escape of JSON, so that JSON
    stays what it is.
    """
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        # Not so where a caller put something else in its place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or json.dumps(sign)[1:-1] for sign in lacking), error.end
