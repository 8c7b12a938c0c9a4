"""Constructor arguments that a user sets by name: checked against the signature before anything is made with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from huse_bench.errors import ConfigError
from huse_bench.hints import did_you_mean

__all__ = ["checked_arguments"]


def checked_arguments(
    made: type,
    given: Mapping[str, Any],
    *,
    owner: str,
    noun: str,
    table: str,
    origin: Callable[[str], str],
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Every argument of a constructor with its value, defaults included.

    Args:
        made: the class.
        given: values by name; a whole number may stand for a float.
        owner: what messages call the class, such as ``"the method 'huse'"``.
        noun: what messages call an argument.
        table: the table of the config file that sets them.
        origin: where the value of an argument comes from.
        without: arguments that are not the user's to set.

    Raises:
        ConfigError: for a name that the constructor does not have, a value of another type than the default's, or an
            argument without a value.
    """
    known = {
        key: parameter.default
        for key, parameter in inspect.signature(made).parameters.items()
        if key not in without and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for key, value in given.items():
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"{owner} has no {noun} {key!r} ({origin(key)}); {has}.{did_you_mean(key, list(known))}")
        if not _fits(value, known[key]):
            raise ConfigError(
                f"{table}.{key} = {value!r} ({origin(key)}): must be a {_kind(known[key])}, "
                f"as its default {known[key]!r}"
            )
    missing = [key for key, default in known.items() if default is inspect.Parameter.empty and key not in given]
    if missing:
        raise ConfigError(f"{owner} has no default for {', '.join(missing)}: set it in a config file under [{table}]")
    values = {**known, **given}
    # 1 and 1.0 are the same value and must give the same fingerprint.
    return {key: float(value) if isinstance(known[key], float) else value for key, value in values.items()}


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    return True


def _kind(default: object) -> str:
    kinds = {bool: "true or false", float: "number", int: "whole number", str: "string"}
    return kinds.get(type(default), type(default).__name__)
