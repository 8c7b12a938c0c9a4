"""The class tree of Food-101: read as it was built, and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from huse_bench import Taxonomy, errors

__all__ = ["OUTLINE", "TAXONOMY", "classes", "taxonomy"]

#: The tree as it is edited, and as the build writes it.
OUTLINE = Path(__file__).with_name("outline.txt")
TAXONOMY = Path(__file__).with_name("taxonomy.json")


def classes() -> Sequence[str]:
    """The 101 class names, in alphabetical order."""
    return [str(name) for name in _facts()["classes"]]


def taxonomy(present: Sequence[str]) -> Taxonomy:
    """The tree, with some of the classes evaluated.

    Args:
        present: which classes, in class-index order.

    Returns:
        The taxonomy.

    Raises:
        DataError: if the shipped file is missing or is not the one that was built.
    """
    edges = [(edge["parent"], edge["child"]) for edge in _facts()["edges"]]
    return Taxonomy.from_edges(edges, present)


@cache
def _facts() -> dict[str, Any]:
    cure = "Reinstall huse-bench (pip install --force-reinstall --no-deps huse-bench)"
    try:
        facts: dict[str, Any] = json.loads(TAXONOMY.read_bytes())
        edges = [(edge["parent"], edge["child"]) for edge in facts["edges"]]
        intact = Taxonomy.from_edges(edges, facts["classes"]).hash == facts["sha256"]
    except OSError as error:
        raise errors.DataError(f"cannot read {TAXONOMY}: {error.strerror}. {cure}") from error
    except (ValueError, KeyError, TypeError, errors.DataError):
        intact = False
    if not intact:
        raise errors.DataError(f"{TAXONOMY} is corrupt: its edges are not those of its SHA-256. {cure}")
    return facts
