"""The identity of a run: one hash over everything that changes its numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

from pydantic import JsonValue

from huse_bench.errors import ConfigError

__all__ = ["fingerprint"]


def fingerprint(identity: Mapping[str, JsonValue]) -> str:
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
