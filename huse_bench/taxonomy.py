"""The taxonomy: the tree (or directed acyclic graph) of classes that hierarchical precision is measured against."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from huse_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Taxonomy"]

Edge = tuple[Hashable, Hashable]

# Further than any class that can be found.
_NEVER = np.iinfo(np.int64).max


class Taxonomy:
    """An immutable hierarchy of nodes, some of which are the K evaluated classes; made by :meth:`from_edges`.

    Attributes:
        edges: the (parent, child) pairs, in the order given.
        classes: the K evaluated nodes, in class-index order.
        findable: indices of the classes that a gallery has, ascending; all of them unless :meth:`among` made it.
    """

    __slots__ = ("__dict__", "_index", "_whole", "classes", "edges", "findable")

    edges: tuple[Edge, ...]
    classes: tuple[Hashable, ...]
    findable: tuple[int, ...]
    _index: Mapping[Hashable, int]
    _whole: Taxonomy | None

    def __init__(
        self,
        edges: tuple[Edge, ...],
        classes: tuple[Hashable, ...],
        findable: tuple[int, ...] | None = None,
        whole: Taxonomy | None = None,
    ) -> None:
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "findable", tuple(range(len(classes))) if findable is None else findable)
        object.__setattr__(self, "_index", {node: index for index, node in enumerate(classes)})
        object.__setattr__(self, "_whole", whole)

    @classmethod
    def from_edges(cls, edges: Iterable[Edge], classes: Iterable[Hashable]) -> Taxonomy:
        """Build and check a taxonomy.

        Args:
            edges: (parent, child) pairs; nodes are any hashables with a repr that says their value
                (strings, numbers, tuples). A child may have several parents.
            classes: the evaluated nodes, in class-index order. Other nodes only connect.

        Returns:
            The taxonomy.

        Raises:
            DataError: if it is empty, repeats an edge or a class, has a cycle, or if a class is not in it or
                cannot be reached from the others.

        Examples:
            >>> edges = [("life", "animal"), ("animal", "cat"), ("animal", "dog"), ("life", "tree")]
            >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "tree"])
            >>> sorted(taxonomy.correct_set("cat", 2))
            ['cat', 'dog']
        """
        taxonomy = cls(_checked_edges(edges), _checked_classes(classes))
        _check_acyclic(taxonomy.edges)
        neighbours = taxonomy._neighbours
        for node in taxonomy.classes:
            if node not in neighbours:
                raise DataError(
                    f"class {node!r} is in no edge of the taxonomy: add a (parent, {node!r}) edge or drop the class"
                )
        reached = _hops_from(taxonomy.classes[0], neighbours)
        for node in taxonomy.classes:
            if node not in reached:
                raise DataError(
                    f"class {node!r} is not connected to class {taxonomy.classes[0]!r} in the taxonomy: "
                    "add edges that join their parts, for example under one root"
                )
        return taxonomy

    def among(self, findable: Iterable[int]) -> Taxonomy:
        """The same hierarchy for a gallery that has some of the classes only.

        Correct sets are then made of these classes: as many of them as a depth asks for, the nearest first, over paths
        that may lead through all nodes. So DeViSE counts labels that it has not trained on: those that are evaluated
        are the valid ones.

        Args:
            findable: indices of the classes that can be found, at least one.

        Returns:
            A taxonomy of the same classes, in the same order.

        Raises:
            DataError: for no class, or an index that is none of the classes'.

        Examples:
            >>> edges = [("life", "animal"), ("animal", "cat"), ("animal", "dog"), ("life", "tree")]
            >>> taxonomy = Taxonomy.from_edges(edges, classes=["cat", "dog", "tree"])
            >>> sorted(taxonomy.among([0, 2]).correct_set("cat", 2))
            ['cat', 'tree']
        """
        indices = tuple(sorted({int(index) for index in findable}))
        if not indices or not 0 <= indices[0] <= indices[-1] < len(self.classes):
            raise DataError(
                f"the classes that can be found are indices from 0 to {len(self.classes) - 1}, at least one of them"
            )
        whole = self._whole or self
        return whole if len(indices) == len(self.classes) else Taxonomy(self.edges, self.classes, indices, whole)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a taxonomy cannot be changed (setting {name!r}); build another with from_edges")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxonomy) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        found = f", {len(self.findable)} of them findable" if self._whole else ""
        return f"Taxonomy({len(self.classes)} classes{found}, {len(self.edges)} edges, hash {self.hash[:12]})"

    @cached_property
    def hash(self) -> str:
        """Hexadecimal SHA-256 of the edges, whatever their order, of the classes in theirs, and of which are findable.

        The last are left out where they are all.
        """
        content: dict[str, object] = {
            "edges": sorted([_canonical(parent), _canonical(child)] for parent, child in self.edges),
            "classes": [_canonical(node) for node in self.classes],
        }
        if self._whole:
            content["findable"] = self.findable
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def correct_set(self, label: Hashable, k: int) -> frozenset[Hashable]:
        """The classes that count as correct for a query of class ``label`` at depth ``k``.

        Starting with the class itself (radius 0), all findable classes exactly R undirected edges away are added
        for R = 1, 2, ... until the set has at least ``k`` members or no class is left. Shells are added whole, so
        a set may have more than ``k`` members (hCorrectSet of Frome et al., DeViSE, supplement).

        Args:
            label: a class as named in ``classes`` or, where no class is an integer, its index.
            k: at least 1.

        Returns:
            The set, of names if ``label`` is a name and of indices if it is an index.

        Raises:
            DataError: if ``label`` is no class or ``k`` is below 1.
        """
        if label in self._index:
            members = np.flatnonzero(self.correct_sets(k)[self._index[label]])
            return frozenset(self.classes[index] for index in members)
        index = _integer(label)
        named_by_integers = any(_integer(node) is not None for node in self.classes)
        if index is not None and not named_by_integers and 0 <= index < len(self.classes):
            return frozenset(np.flatnonzero(self.correct_sets(k)[index]).tolist())
        first = ", ".join(repr(node) for node in self.classes[:5])
        raise DataError(f"{label!r} is none of the taxonomy's {len(self.classes)} classes, which begin with {first}")

    def correct_sets(self, k: int) -> NDArray[np.bool_]:
        """All correct sets at depth ``k`` (see :meth:`correct_set`).

        Args:
            k: at least 1.

        Returns:
            (K, K) bool; row ``c`` marks the classes that count as correct for class index ``c``.

        Raises:
            DataError: if ``k`` is below 1.
        """
        if k < 1:
            raise DataError(f"a correct set needs k of at least 1, got {k}")
        # The last shell added is that of the k-th nearest class, the class itself being the nearest.
        radii = self._sorted_hops[:, min(k, len(self.findable)) - 1]
        correct: NDArray[np.bool_] = self._hops <= radii[:, None]
        return correct

    @cached_property
    def first_depths(self) -> NDArray[np.int64]:
        """(K, K) the least depth at which class ``d`` is in class ``c``'s correct set: all correct sets in one table.

        A class is in the set at depth k where fewer than k classes are strictly nearer.
        """
        nearer = (np.searchsorted(row, hops) for row, hops in zip(self._sorted_hops, self._hops, strict=True))
        depths = np.array(list(nearer), dtype=np.int64) + 1
        depths[self._hops == _NEVER] = _NEVER
        depths.flags.writeable = False
        return depths

    def mean_set_size(self, k: int) -> float:
        """Mean number of classes in the correct sets at depth ``k`` of the findable classes."""
        return float(self.correct_sets(k)[list(self.findable)].sum(axis=1).mean())

    def chance(self, k: int) -> float:
        """HP@k of a ranking by chance where all findable classes are equally frequent: ``mean_set_size(k)`` by them."""
        return self.mean_set_size(k) / len(self.findable)

    @cached_property
    def _neighbours(self) -> Mapping[Hashable, Collection[Hashable]]:
        neighbours: dict[Hashable, list[Hashable]] = defaultdict(list)
        for parent, child in self.edges:
            neighbours[parent].append(child)
            neighbours[child].append(parent)
        return dict(neighbours)

    @cached_property
    def _hops(self) -> NDArray[np.int64]:
        if self._whole:
            hops = np.full_like(self._whole._hops, _NEVER)  # noqa: SLF001
            hops[:, self.findable] = self._whole._hops[:, self.findable]  # noqa: SLF001
            return hops
        rows = (_hops_from(node, self._neighbours) for node in self.classes)
        return np.array([[row[node] for node in self.classes] for row in rows], dtype=np.int64)

    @cached_property
    def _sorted_hops(self) -> NDArray[np.int64]:
        return np.sort(self._hops, axis=1)


def _checked_edges(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    checked: dict[Edge, None] = {}
    for edge in edges:
        if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
            raise DataError(f"an edge of a taxonomy is a (parent, child) pair, got {edge!r}")
        pair = (edge[0], edge[1])
        _check_hashable(pair)
        if pair in checked:
            raise DataError(f"the taxonomy has the edge {pair!r} twice: drop one of them")
        checked[pair] = None
    if not checked:
        raise DataError("the taxonomy is empty: give at least one (parent, child) edge")
    return tuple(checked)


def _checked_classes(classes: Iterable[Hashable]) -> tuple[Hashable, ...]:
    checked: dict[Hashable, None] = {}
    for node in classes:
        _check_hashable(node)
        if node in checked:
            raise DataError(f"the taxonomy has the class {node!r} twice: every class needs a name of its own")
        checked[node] = None
    if not checked:
        raise DataError("the taxonomy has no classes: name the nodes that are evaluated")
    return tuple(checked)


def _check_hashable(node: object) -> None:
    try:
        hash(node)
    except TypeError:
        raise DataError(f"{node!r} in the taxonomy is not hashable: use strings, numbers or tuples as nodes") from None


def _check_acyclic(edges: Iterable[Edge]) -> None:
    sorter: TopologicalSorter[Hashable] = TopologicalSorter()
    for parent, child in edges:
        sorter.add(child, parent)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " -> ".join(repr(node) for node in error.args[1])
        raise DataError(f"the taxonomy has the cycle {cycle}: no node may be its own ancestor") from None


def _hops_from(start: Hashable, neighbours: Mapping[Hashable, Collection[Hashable]]) -> dict[Hashable, int]:
    hops = {start: 0}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for neighbour in neighbours[node]:
            if neighbour not in hops:
                hops[neighbour] = hops[node] + 1
                queue.append(neighbour)
    return hops


def _integer(node: object) -> int | None:
    return int(node) if isinstance(node, Integral) else None


def _canonical(node: Hashable) -> str:
    # Nodes that compare equal must hash equal, and NumPy scalars have a repr of their own.
    number = _integer(node)
    if number is not None:
        return repr(number)
    return repr(str(node)) if isinstance(node, str) else repr(node)
