"""Records of older schemas, brought to the present one step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from huse_bench.results.schema import CONTROL_PREFIX, SCHEMA_VERSION

__all__ = ["migrated"]

_Fields = Mapping[str, Any]


def migrated(fields: _Fields) -> _Fields:
    """The fields of a record in the present schema.

    Args:
        fields: of a record of this or an older schema, as JSON has them, not yet checked.

    Returns:
        The fields, none of them changed in place; what no step knows is left for the schema to refuse.
    """
    while (step := _STEPS.get(_version(fields))) is not None:
        fields = step(fields)
    return fields


def _version(fields: _Fields) -> int:
    version = fields.get("schema_version")
    # JSON's true is no version.
    return version if type(version) is int else SCHEMA_VERSION


def _from_1(fields: _Fields) -> _Fields:
    """Schema 1 told controls by their names alone, and gave one that needs no training a training of no steps."""
    method = fields.get("method")
    name = str(method.get("name")) if isinstance(method, Mapping) else ""
    changes: dict[str, Any] = {"schema_version": 2, "kind": "method"}
    if name.startswith(f"{CONTROL_PREFIX}shuffled-"):
        changes["kind"] = "trained control"
    elif name.startswith(CONTROL_PREFIX):
        changes |= {"kind": "control", "training": None}
    return {**fields, **changes}


_STEPS: Mapping[int, Callable[[_Fields], _Fields]] = {1: _from_1}
