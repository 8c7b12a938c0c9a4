"""The environment variables that say which plugins are used and what happens when one fails."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from huse_bench.discovery._component import BUILTIN, canonical
from huse_bench.errors import UsageError
from huse_bench.hints import among

__all__ = ["Selection", "read_selection", "strict"]

_ONLY = "HUSE_BENCH_PLUGINS"
_DISABLED = "HUSE_BENCH_DISABLE_PLUGINS"
_STRICT = "HUSE_BENCH_STRICT_PLUGINS"


@dataclass(frozen=True)
class Selection:
    """Which plugins the user wants.

    Attributes:
        only: names of the plugins to use besides the built-in ones; None for all.
        disabled: names of plugins not to use, built-in or not.
    """

    only: frozenset[str] | None
    disabled: frozenset[str]

    def against(self, names: Collection[str]) -> str | None:
        """Why a plugin that goes by these names is not used, or None if it is."""
        if not self.disabled.isdisjoint(names):
            return f"switched off: it is named in {_DISABLED}"
        if self.only is None or BUILTIN in names or not self.only.isdisjoint(names):
            return None
        return f"switched off: {_ONLY} is set and does not name it"


def read_selection(known: Collection[str]) -> Selection:
    """Read ``HUSE_BENCH_PLUGINS`` and ``HUSE_BENCH_DISABLE_PLUGINS``, comma-separated names.

    Args:
        known: normalised names of the installed distributions with plugins, and of the hook plugins.

    Raises:
        UsageError: if a list has a name that is not known.
    """
    return Selection(only=_names(_ONLY, known), disabled=_names(_DISABLED, known) or frozenset())


def strict() -> bool:
    """Whether ``HUSE_BENCH_STRICT_PLUGINS`` asks that a failing plugin be an error.

    Raises:
        UsageError: if its value is neither 1 nor 0.
    """
    value = os.environ.get(_STRICT, "0")
    if value not in ("", "0", "1"):
        raise UsageError(f"{_STRICT} must be 1 (a failing plugin is an error) or 0 (it is a notice), got {value!r}")
    return value == "1"


def _names(variable: str, known: Collection[str]) -> frozenset[str] | None:
    value = os.environ.get(variable)
    if value is None:
        return None
    names = frozenset(canonical(name) for name in value.split(",") if name.strip())
    for name in sorted(names):
        if name not in known:
            raise UsageError(
                f"{variable} names {name!r}, which is neither an installed distribution with huse-bench plugins "
                f"nor a hook plugin{among(name, known)}"
            )
    return names
