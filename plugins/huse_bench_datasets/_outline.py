"""Class trees that are written by hand: outlines, one node a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huse_bench import errors

__all__ = ["Node", "read_outline"]

_LINE = re.compile(
    r"(?P<indent> *)(?P<name>[^=;]+?)( = (?P<lemma>[\w']+):(?P<offset>\d{8}))?( ; (?P<reason>\S.*))?", re.ASCII
)


@dataclass(frozen=True)
class Node:
    """One line of an outline.

    Attributes:
        name: unique in its outline.
        parent: None for the root.
        lemma: a word of its synset in WordNet, if one is given.
        offset: of that synset, eight digits.
        reason: why it hangs there, or what its children share.
        place: file and line, for messages.
    """

    name: str
    parent: Node | None
    lemma: str | None
    offset: str | None
    reason: str | None
    place: str


def read_outline(path: Path) -> Sequence[Node]:
    """Read a tree from lines of ``name [= lemma:offset] [; reason]``, two spaces a level; ``#`` begins a comment.

    Args:
        path: of the outline.

    Returns:
        The nodes as they stand, each behind its parent.

    Raises:
        DataError: for a line that does not parse or is indented wrongly, a second root or a name given twice.
    """
    nodes: list[Node] = []
    branch: list[Node] = []
    names: set[str] = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        place = f"{path.name} line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise errors.DataError(f"{place} is not 'name [= lemma:offset] [; reason]': {line!r}")
        depth, odd = divmod(len(match["indent"]), 2)
        if odd or depth > len(branch) or (depth == 0 and names):
            raise errors.DataError(f"{place}: indent by two spaces more than the parent, below a single root")
        if match["name"] in names:
            raise errors.DataError(f"{place}: {match['name']!r} is in the outline twice; a node has one parent")
        names.add(match["name"])
        parent = branch[depth - 1] if depth else None
        node = Node(match["name"], parent, match["lemma"], match["offset"], match["reason"], place)
        branch[depth:] = [node]
        nodes.append(node)
    return nodes
