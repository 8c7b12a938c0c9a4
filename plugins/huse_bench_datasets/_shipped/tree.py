"""The class tree of a shipped dataset: an outline that is edited by hand, and the hash of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from huse_bench import Taxonomy, errors
from huse_bench_datasets._outline import read_outline
from huse_bench_datasets._shipped.files import CURE

__all__ = ["read_tree"]


def read_tree(outline: Path, sha256: str, classes: Sequence[str]) -> Taxonomy:
    """The tree of an outline.

    Args:
        outline: as :func:`huse_bench_datasets._outline.read_outline` reads it.
        sha256: of the tree's edges and leaves. Published numbers are about this tree: whoever edits it changes them.
        classes: some of its leaves, in class-index order.

    Returns:
        The taxonomy.

    Raises:
        DataError: if the outline is missing or changed, or a class is not in it.
    """
    return Taxonomy.from_edges(_edges(outline, sha256), classes)


@cache
def _edges(outline: Path, sha256: str) -> Sequence[tuple[str, str]]:
    try:
        edges = [(node.parent.name, node.name) for node in read_outline(outline) if node.parent is not None]
        leaves = sorted({child for _, child in edges} - {parent for parent, _ in edges})
        intact = Taxonomy.from_edges(edges, leaves).hash == sha256
    except OSError as error:
        raise errors.DataError(f"cannot read {outline}: {error.strerror}. {CURE}") from error
    except (ValueError, errors.DataError):
        intact = False
    if not intact:
        raise errors.DataError(f"{outline} is corrupt: its tree is not the one of its SHA-256. {CURE}")
    return edges
