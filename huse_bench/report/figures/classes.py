"""The classes as figures order, colour and name them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["hops", "names_of", "top_branches", "tree_order"]

Edges = Sequence[tuple[str, str]]


def names_of(names: Sequence[str] | None, classes: int) -> list[str]:
    """Names of the classes; their numbers where there is no data card that has them."""
    return list(names) if names is not None else [f"class {number}" for number in range(classes)]


def tree_order(edges: Edges, names: Sequence[str]) -> NDArray[np.int64]:
    """Class indices in the order in which a walk down the taxonomy meets them.

    Args:
        edges: (parent, child) pairs.
        names: K names of the classes.

    Returns:
        (K,) indices; classes that the taxonomy lacks come last.
    """
    met: dict[str, None] = {}
    for root in _roots(edges):
        met.update(dict.fromkeys(_below(edges, root)))
    place = {node: number for number, node in enumerate(met)}
    return np.array(sorted(range(len(names)), key=lambda index: place.get(names[index], len(place))), dtype=np.int64)


def top_branches(edges: Edges, names: Sequence[str], most: int = 7) -> tuple[list[str], NDArray[np.int64]]:
    """The uppermost branches of the taxonomy that part the classes.

    Args:
        edges: (parent, child) pairs.
        names: K names of the classes.
        most: how many branches are told apart; classes of smaller ones become "other".

    Returns:
        The branches' names, and (K,) the branch of each class. A class with several parents is in the first.
    """
    heads = _roots(edges)
    while len(heads) == 1:
        below = [child for parent, child in edges if parent == heads[0]]
        if not below:
            break
        heads = list(dict.fromkeys(below))
    branch: dict[str, int] = {}
    for number, head in enumerate(heads):
        for node in _below(edges, head):
            branch.setdefault(node, number)
    found = np.array([branch.get(name, -1) for name in names], dtype=np.int64)
    sizes = [int((found == number).sum()) for number in range(len(heads))]
    used = [number for number in range(len(heads)) if sizes[number]]
    if len(used) > most:
        used = sorted(sorted(used, key=lambda number: -sizes[number])[: most - 1])
    number_of = {old: new for new, old in enumerate(used)}
    numbers = np.array([number_of.get(int(old), len(used)) for old in found], dtype=np.int64)
    other = ["other"] if (numbers == len(used)).any() else []
    return [heads[number] for number in used] + other, numbers


def hops(edges: Edges, first: str, second: str) -> int | None:
    """How many edges of the taxonomy lie between two nodes; None where there is no way."""
    beside: dict[str, list[str]] = {}
    for parent, child in edges:
        beside.setdefault(parent, []).append(child)
        beside.setdefault(child, []).append(parent)
    far, queue = {first: 0}, deque([first])
    while queue and second not in far:
        node = queue.popleft()
        for neighbour in beside.get(node, []):
            if neighbour not in far:
                far[neighbour] = far[node] + 1
                queue.append(neighbour)
    return far.get(second)


def _roots(edges: Edges) -> list[str]:
    children = {child for _, child in edges}
    return list(dict.fromkeys(parent for parent, _ in edges if parent not in children))


def _below(edges: Edges, head: str) -> list[str]:
    """A node and all below it, depth first, children in the order of the edges."""
    children: dict[str, list[str]] = {}
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
    met: dict[str, None] = {}
    # A stack, since a taxonomy may be deeper than Python's calls.
    stack = [head]
    while stack:
        node = stack.pop()
        if node not in met:
            met[node] = None
            stack.extend(reversed(children.get(node, [])))
    return list(met)
