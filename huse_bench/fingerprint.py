"""Hashes that tell whether two things are the same: of JSON values, and of what Python sources do."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import math
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from huse_bench.errors import ConfigError

if TYPE_CHECKING:
    import pydantic

__all__ = ["fingerprint", "source_digest"]

# Where something begins and ends: line from 1, column from 0 in characters.
_Place = tuple[int, int]
_Span = tuple[_Place, _Place]

# An f-string is one token before Python 3.12, and many from then on; template strings came with 3.14.
_OPENING = {getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START")} - {-1}
_CLOSING = {getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END")} - {-1}


def fingerprint(identity: Mapping[str, pydantic.JsonValue]) -> str:
    """SHA-256 of an identity's canonical JSON: keys sorted, no white space, floats by their ``repr``.

    The order of keys does not matter; each key, value and type does (``1`` and ``1.0`` are two identities).

    Args:
        identity: JSON values by name, nested as needed.

    Returns:
        64 hexadecimal digits.

    Raises:
        ConfigError: if a value is NaN, infinite or of a type that JSON does not have, or a key is not a string.
    """
    _check(identity, "")
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _check(value: object, where: str) -> None:
    """Raise ConfigError unless ``value`` is JSON; ``where`` is its dotted place."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(
                    f"cannot fingerprint {where or 'the identity'}: its key {key!r} is a {type(key).__name__}; "
                    f"use strings for keys"
                )
            _check(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"cannot fingerprint {where}: {value!r} is not a finite number; give it a finite value")
    elif value is not None and not isinstance(value, str | int):
        raise ConfigError(
            f"cannot fingerprint {where or 'the identity'}: {value!r} is a {type(value).__name__}, which is no JSON; "
            f"use None, bool, int, float, str, list or dict"
        )


def source_digest(sources: Mapping[str, Path]) -> str:
    """SHA-256 over what Python files do, without comments, docstrings, blank lines and white space at ends of lines.

    These are cut out of the text, which is not printed anew from a syntax tree, so that every version of Python gives
    the same hash. A file that is no Python this version can parse counts with all its bytes.

    Args:
        sources: the files by names that tell them apart; their order does not matter.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in sorted(sources):
        code = _code(sources[name].read_bytes())
        digest.update(f"{name}\0{len(code)}\0".encode() + code)
    return digest.hexdigest()


def _code(source: bytes) -> bytes:
    """A source without what changes nothing when it runs."""
    try:
        with io.TextIOWrapper(io.BytesIO(source), tokenize.detect_encoding(io.BytesIO(source).readline)[0]) as file:
            # Line ends are a matter of the checkout; the parser too knows but one.
            text = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            docstrings = list(_docstrings(ast.parse(text), text.split("\n")))
        comments, strings = _tokens(text)
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError):
        return source
    return "\n".join(_left(text.split("\n"), [*docstrings, *comments], strings)).encode("utf-8", "surrogatepass")


def _docstrings(tree: ast.Module, lines: list[str]) -> Iterator[_Span]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            value = first.value
            assert value.end_lineno is not None
            assert value.end_col_offset is not None
            yield _place(lines, value.lineno, value.col_offset), _place(lines, value.end_lineno, value.end_col_offset)


def _place(lines: list[str], line: int, offset: int) -> _Place:
    """A syntax tree's place, which counts bytes."""
    return line, len(lines[line - 1].encode()[:offset].decode())


def _tokens(text: str) -> tuple[list[_Span], list[_Span]]:
    """Where the comments and the strings are."""
    comments, strings, begun = [], [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start, token.end))
        elif token.type == tokenize.STRING:
            strings.append((token.start, token.end))
        elif token.type in _OPENING:
            begun.append(token.start)
        elif token.type in _CLOSING:
            strings.append((begun.pop(), token.end))
    return comments, strings


def _left(lines: list[str], cut: list[_Span], strings: list[_Span]) -> Iterator[str]:
    """The lines without what is cut; those that go on within a string stay as they are."""
    parts: dict[int, str] = dict(enumerate(lines, start=1))
    goes_on = {line for (first, _), (last, _) in strings for line in range(first, last)}
    # From the end, so that places before what is cut stay right.
    for (first, start), (last, end) in sorted(cut, reverse=True):
        # What a docstring shares its line with stands behind a semicolon.
        parts[first] = parts[first][:start] + re.sub(r"^[ \t]*;[ \t]*", "", parts[last][end:])
        for line in range(first + 1, last + 1):
            del parts[line]
        goes_on -= set(range(first, last))
    for line, text in parts.items():
        kept = text if line in goes_on else text.rstrip()
        if kept or line in goes_on or line - 1 in goes_on:
            yield kept
