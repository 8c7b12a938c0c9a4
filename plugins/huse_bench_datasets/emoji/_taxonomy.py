"""Unicode's own class tree of the emoji; the tree by meaning is the outline's."""

from __future__ import annotations

from collections.abc import Sequence

from huse_bench import Taxonomy

__all__ = ["by_unicode"]


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
