"""The retrieval gallery: queries with what they found first, in all four directions, under each method."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS
from huse_bench.report.html.found import (
    NEAR_K,
    Found,
    choice,
    item_facts,
    near_classes,
    thumbnail_texts,
)
from huse_bench.report.html.section import Section
from huse_bench.results.arrays import Neighbours
from huse_bench.results.card import DataCard
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

__all__ = ["sections"]

# Queries of a gallery: three of each of the emoji's classes.
_MOST_QUERIES = 210

# Bytes of all queries with what they found, and of all thumbnails: that leaves half of a page to its other parts.
_MOST_BYTES, _MOST_PICTURES = 1_400_000, 1_200_000

_NAME = "gallery"
_TITLE = "Retrieval gallery"

_NONE_KEPT = "no run has kept what its queries found first; a run with --save-neighbours does"


def sections(results: Results) -> list[Section]:
    """The gallery of a results folder.

    Args:
        results: the runs.

    Returns:
        One section; where no run has kept what its queries found, or there is no usable data card, it says so.

    Raises:
        RecordError: if a file of a run cannot be read.
    """
    found = Found.of(results)
    known = [(row, kept) for row in found.rows if (kept := found.neighbours(row.finished[0])) is not None]
    card = found.card
    if not known or card is None:
        missing = found.without_card if known else _NONE_KEPT
        return [Section(_NAME, _TITLE, "gallery.html", {"missing": missing})]
    queries = np.array(sorted(set.intersection(*(set(kept.queries.tolist()) for _, kept in known))), dtype=np.int32)
    data = _data(card, known, choice(queries, card.labels), found)
    labels = [row.label for row, _ in known]
    best_first = [found.rows[place].label for place in found.best_first()]
    context = {
        "missing": "",
        "methods": labels,
        "directions": DIRECTION_TITLES,
        "classes": sorted({int(card.labels[query]) for query in data["queries"]}),
        "class_names": card.facts.class_names,
        "chosen": labels.index(next(label for label in best_first if label in labels)),
        "shown": len(data["queries"]),
        "of": len(card.ids),
        "depth": max(numbers.shape[1] for _, kept in known for numbers in kept.found.values()),
        "near_k": NEAR_K if data["near"] is not None else None,
        "left_out": found.left_out + len(found.rows) - len(known),
        "pictures": len(data["thumbnails"]),
        "items": len(data["items"]),
        "texts": card.texts is not None,
        "licence": card.facts.licence,
    }
    return [Section(_NAME, _TITLE, "gallery.html", context, data, "found.js", "found.css")]


def _data(card: DataCard, known: list[tuple[Row, Neighbours]], order: list[int], found: Found) -> dict[str, Any]:
    """What the script draws from: whole queries, as many as there is room for."""
    places = [{query: place for place, query in enumerate(kept.queries.tolist())} for _, kept in known]
    queries: list[int] = []
    lists: list[list[list[list[int]]]] = []
    items: dict[int, None] = {}
    room = _MOST_BYTES
    for query in order[:_MOST_QUERIES]:
        of_query = [
            [
                kept.found[direction][place[query]].tolist() if direction in kept.found else []
                for direction in DIRECTIONS
            ]
            for (_, kept), place in zip(known, places, strict=True)
        ]
        new = dict.fromkeys([query, *(item for method in of_query for one in method for item in one)])
        fresh = item_facts(card, new.keys() - items.keys())
        room -= len(json.dumps(of_query, separators=(",", ":"))) + len(json.dumps(fresh, ensure_ascii=False).encode())
        if room < 0:
            break
        queries.append(query)
        lists.append(of_query)
        items |= new
    # Those that the comparison of two methods shows as well: it looks for thumbnails here.
    differing = [one.query for pair in found.differing.values() for one in pair]
    compared = dict.fromkeys([*differing, *_found_by(differing, known, places)])
    return {
        "methods": [row.label for row, _ in known],
        "directions": [DIRECTION_TITLES[direction] for direction in DIRECTIONS],
        "classes": card.facts.class_names,
        "near": near_classes(card, sorted({int(card.labels[query]) for query in queries})),
        "queries": queries,
        "found": lists,
        "items": item_facts(card, items),
        "thumbnails": thumbnail_texts(card, list(items | compared), _MOST_PICTURES),
    }


def _found_by(queries: list[int], known: list[tuple[Row, Neighbours]], places: list[dict[int, int]]) -> dict[int, None]:
    found: dict[int, None] = {}
    for query in dict.fromkeys(queries):
        for (_, kept), place in zip(known, places, strict=True):
            if query in place:
                found |= dict.fromkeys(
                    item for numbers in kept.found.values() for item in numbers[place[query]].tolist()
                )
    return found
