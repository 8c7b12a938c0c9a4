"""The two class trees of the emoji: by what the classes mean, and Unicode's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from huse_bench import Taxonomy, errors
from huse_bench_datasets._outline import read_outline

__all__ = ["OUTLINE", "by_meaning", "by_unicode"]

#: The tree as it is edited and read.
OUTLINE = Path(__file__).with_name("outline.txt")

# Of its edges and leaves. Published numbers are about this tree: whoever edits it changes them, and says so.
_SHA256 = "b14f48614ed37f0d38a81125c2faca62b87c81dcb0da4c92dd9d49c209026ecd"


def by_meaning(classes: Sequence[str]) -> Taxonomy:
    """The tree of the outline, which puts near each other what is alike in meaning.

    Args:
        classes: some of its leaves, in class-index order.

    Returns:
        The taxonomy.

    Raises:
        DataError: if the shipped outline is missing or changed, or a class is not in it.
    """
    return Taxonomy.from_edges(_edges(OUTLINE), classes)


def by_unicode(classes: Sequence[str], groups: Sequence[str]) -> Taxonomy:
    """Unicode's tree of two levels, groups and subgroups.

    Args:
        classes: subgroups, in class-index order.
        groups: the group of each.

    Returns:
        The taxonomy.
    """
    edges = [("emoji", group) for group in dict.fromkeys(groups)]
    return Taxonomy.from_edges([*edges, *zip(groups, classes, strict=True)], classes)


@cache
def _edges(outline: Path) -> Sequence[tuple[str, str]]:
    cure = "Reinstall huse-bench (pip install --force-reinstall --no-deps huse-bench)"
    try:
        edges = [(node.parent.name, node.name) for node in read_outline(outline) if node.parent is not None]
        leaves = sorted({child for _, child in edges} - {parent for parent, _ in edges})
        intact = Taxonomy.from_edges(edges, leaves).hash == _SHA256
    except OSError as error:
        raise errors.DataError(f"cannot read {outline}: {error.strerror}. {cure}") from error
    except (ValueError, errors.DataError):
        intact = False
    if not intact:
        raise errors.DataError(f"{outline} is corrupt: its tree is not the one of its SHA-256. {cure}")
    return edges
