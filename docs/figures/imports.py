"""Draw what imports what in huse_bench: a box for each folder and module on top, an arrow to what it imports.

    python docs/figures/imports.py | dot -Tsvg > docs/figures/imports.svg

Late imports and those for types count. An arrow is left out where others lead the same way; those of a circle are red
and all there. What is written to standard error are the counts.
"""

import sys
from collections import defaultdict

import grimp

PACKAGE = "huse_bench"


def read() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What each module imports, and what each room imports of others."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=False, cache_dir=None)
    modules = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, imported in modules.items():
        # The face of the whole package is no room: it imports what it shows.
        if module != PACKAGE:
            rooms[_room(module)] |= {_room(other) for other in imported if other != PACKAGE} - {_room(module)}
    return modules, rooms


def reached(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """All that each node imports, directly or not; itself where it is in a circle."""
    found: dict[str, set[str]] = {}
    for node, imported in graph.items():
        found[node], left = set(), [*imported]
        while left:
            other = left.pop()
            if other not in found[node]:
                found[node].add(other)
                left += graph[other]
    return found


def drawing(rooms: dict[str, set[str]]) -> str:
    """The picture in the language of graphviz."""
    reach = reached(rooms)
    lines = [
        "digraph imports {",
        '  graph [ranksep=0.45, nodesep=0.2, bgcolor="transparent"]',
        '  node [shape=box, style="rounded,filled", fillcolor="#eef2f7", color="#8796a8", fontname="Helvetica"]',
        '  edge [color="#8796a8", arrowsize=0.6]',
    ]
    for room in sorted(rooms):
        circle = room in reach[room]
        lines.append(f'  "{room}"' + (' [color="#c62828", fillcolor="#fdecea"]' if circle else ""))
        for other in sorted(rooms[room]):
            if room in reach[other]:
                lines.append(f'  "{room}" -> "{other}" [color="#c62828", penwidth=1.6]')
            elif not any(other in reach[way] and way not in reach[other] for way in rooms[room]):
                lines.append(f'  "{room}" -> "{other}"')
    return "\n".join([*lines, "}", ""])


def counts(graph: dict[str, set[str]]) -> str:
    """How many nodes and arrows there are, and how many nodes are in circles."""
    circles = sum(node in reach for node, reach in reached(graph).items())
    return f"{len(graph)} with {sum(map(len, graph.values()))} imports, {circles} in circles"


def _room(module: str) -> str:
    return module.split(".")[1]


if __name__ == "__main__":
    every, between = read()
    sys.stderr.write(f"modules: {counts(every)}\nrooms: {counts(between)}\n")
    sys.stdout.write(drawing(between))
