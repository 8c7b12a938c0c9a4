"""Rebuild the taxonomy from its outline: ``python -m huse_bench_datasets.food101.build --wordnet DIR --output FILE``.

Each synset and each edge of the outline is looked up in the database files of WordNet 3.0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from huse_bench import Taxonomy, errors
from huse_bench_datasets._outline import Node, read_outline
from huse_bench_datasets.food101._taxonomy import OUTLINE
from huse_bench_datasets.food101._wordnet import DATA_NOUN_SHA256, Nouns

__all__ = ["build", "main"]


def build(outline: Path, nouns: Nouns) -> dict[str, Any]:
    """Check an outline against WordNet.

    Args:
        outline: the tree as text; its format is in its first lines.
        nouns: WordNet's.

    Returns:
        What ``taxonomy.json`` is to hold: classes, synsets, edges with kind and reason, statistics and hash. The
        kind is ``wordnet`` where the parent is the child's hypernym, ``contracted`` where it is one over nodes left
        out, ``refined`` where a node above the parent is one, and else ``placed``.

    Raises:
        DataError: for a line that does not parse, a synset that is not WordNet's, an edge that is neither WordNet's
            nor has a reason, a reason where none is needed, or a graph that is no taxonomy.
    """
    nodes = read_outline(outline)
    inner = {node.parent.name for node in nodes if node.parent is not None}
    classes = sorted(node.name for node in nodes if node.name not in inner)
    edges = [_edge(node, nouns) for node in nodes if node.parent is not None]
    taxonomy = Taxonomy.from_edges([(edge["parent"], edge["child"]) for edge in edges], classes)
    return {
        "wordnet": {"version": "3.0", "data.noun sha256": DATA_NOUN_SHA256},
        "sha256": taxonomy.hash,
        "statistics": {
            "edges by kind": dict(sorted(Counter(edge["kind"] for edge in edges).items())),
            "mean set size": {str(k): round(taxonomy.mean_set_size(k), 4) for k in (2, 5, 10)},
        },
        "classes": classes,
        "synsets": {node.name: f"{node.lemma}:{node.offset}" for node in nodes if node.offset is not None},
        "edges": edges,
    }


def _edge(node: Node, nouns: Nouns) -> dict[str, str]:
    assert node.parent is not None
    kind, found = _found(node, nouns)
    if kind in {"wordnet", "contracted"} and node.reason is not None:
        raise errors.DataError(f"{node.place}: WordNet has this edge ({found}): drop the reason")
    if kind in {"refined", "placed"} and node.reason is None:
        raise errors.DataError(f"{node.place}: WordNet has no edge from {node.parent.name!r} to {node.name!r}: say why")
    reason = "; ".join(part for part in (found, node.reason) if part is not None)
    return {"parent": node.parent.name, "child": node.name, "kind": kind, "reason": reason}


def _found(node: Node, nouns: Nouns) -> tuple[str, str | None]:
    """The kind of the edge to a node from its parent, and what WordNet says of it."""
    if node.lemma is None or node.offset is None:
        return "placed", None
    synset = nouns.synset(node.lemma, node.offset)
    for above in _ancestors(node):
        skipped = None if above.offset is None else nouns.between(node.offset, above.offset)
        if skipped is None:
            continue
        path = f"under {above.name} in WordNet" + "".join(f", over {_spaced(word)}" for word in skipped)
        if above is not node.parent:
            return "refined", path
        return "contracted" if skipped else "wordnet", path
    return "placed", f"under {_spaced(nouns.first_lemma(synset.hypernyms[0]))} in WordNet"


def _ancestors(node: Node) -> Iterator[Node]:
    """The parent, its parent and so on; the root only as the parent, since it is above everything."""
    assert node.parent is not None
    yield node.parent
    above = node.parent.parent
    while above is not None and above.parent is not None:
        yield above
        above = above.parent


def _spaced(lemma: str) -> str:
    return lemma.replace("_", " ")


def _as_text(facts: dict[str, Any]) -> str:
    """JSON with one edge a line, so that a change of the tree reads well in a diff."""
    edges = ",\n".join(f"  {json.dumps(edge, ensure_ascii=False)}" for edge in facts["edges"])
    others = {name: value for name, value in facts.items() if name != "edges"}
    head = json.dumps(others, ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{head},\n "edges": [\n{edges}\n ]\n}}\n'


@click.command()
@click.option(
    "--wordnet",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Database folder of WordNet 3.0, such as /usr/share/wordnet.",
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def main(wordnet: Path, output: Path) -> None:
    """Rebuild the taxonomy of Food-101 from its outline."""
    try:
        facts = build(OUTLINE, Nouns.read(wordnet))
    except errors.UsageError as error:
        raise click.ClickException(str(error)) from error
    output.write_text(_as_text(facts), encoding="utf-8", newline="\n")
    click.echo(json.dumps(facts["statistics"], indent=1), err=True)


if __name__ == "__main__":
    main()
