"""One method against another, both chosen on the page: by how much, in which classes, on which queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS
from huse_bench.report.html.found import MOST_METHODS, Found, item_facts, near_classes
from huse_bench.report.html.section import Section
from huse_bench.results.card import DataCard
from huse_bench.results.evidence import Evidence
from huse_bench.results.pairs import COLUMNS, Pairs, all_pairs
from huse_bench.results.rows import Row
from huse_bench.results.samples import has_samples, shared_seeds
from huse_bench.results.tables import Results

__all__ = ["sections"]

_NAME = "versus"
_TITLE = "A against B"

# Shares are rounded to it: more digits than are shown.
_UNIT = 10_000

# The metric by which a class is said to be won.
_BY_CLASS = "R@1"


def sections(results: Results) -> list[Section]:
    """The comparison of any two methods of a results folder.

    Args:
        results: the runs.

    Returns:
        One section; none where there are not two methods with scores of single queries.

    Raises:
        RecordError: if a file of a run cannot be read.
    """
    found = Found.of(results)
    rows = [row for row in found.rows if has_samples(row)]
    if len(rows) < 2:
        return []
    found = Found(results, tuple(rows), found.left_out)
    evidence = Evidence(results)
    pairs = all_pairs(results, rows, evidence)
    context = {
        "methods": [row.label for row in rows],
        "chosen": found.best_first()[:2],
        "directions": DIRECTION_TITLES,
        "most": MOST_METHODS,
        "left_out": found.left_out,
        "without_card": found.without_card,
        "near": False,
        "depth": found.depth,
        "by_class": _BY_CLASS,
    }
    data = _data(found, pairs, evidence)
    context["near"] = data["near"] is not None
    return [Section(_NAME, _TITLE, "versus.html", context, data, "found.js", "found.css")]


def _data(found: Found, pairs: Sequence[Pairs], evidence: Evidence) -> dict[str, Any]:
    card = found.card
    lists = _lists(found)
    queries = {one.query for pair in found.differing.values() for one in pair}
    items = queries | {item for numbers in lists.values() for item in numbers}
    classes = [] if card is None else sorted({int(card.labels[query]) for query in queries})
    return {
        "methods": [row.label for row in found.rows],
        "directions": [DIRECTION_TITLES[direction] for direction in DIRECTIONS],
        "columns": [[DIRECTION_TITLES.get(task, task.capitalize()), metric] for task, metric in COLUMNS],
        "unit": _UNIT,
        "depth": found.depth,
        "seeds": [shared.seeds for shared in pairs],
        "pairs": {
            f"{one}-{other}": {"seeds": place, "columns": [_numbers(column) for column in columns]}
            for place, shared in enumerate(pairs)
            for (one, other), columns in shared.columns.items()
        },
        "rates": [] if card is None else [_rates(found.rows, shared, evidence, card) for shared in pairs],
        "classes": [] if card is None else card.facts.class_names,
        "sizes": [] if card is None else np.bincount(card.labels, minlength=len(card.facts.class_names)).tolist(),
        "near": None if card is None else near_classes(card, classes),
        "differing": {
            f"{one}-{other}-{direction}": [[it.query, it.first, it.second] for it in differing]
            for (one, other, direction), differing in found.differing.items()
        },
        "lists": lists,
        "items": {} if card is None else item_facts(card, items),
    }


def _numbers(column: Any) -> list[int | None]:
    """A column as the script reads it: which, both means, the interval's ends, shares won and lost."""
    place = COLUMNS.index((column.task, column.metric))
    shares = (column.first, column.second, column.low, column.high, column.won, column.lost)
    return [place, *(None if share is None else round(share * _UNIT) for share in shares)]


def _rates(
    rows: Sequence[Row], shared: Pairs, evidence: Evidence, card: DataCard
) -> list[list[list[int | None]] | None]:
    """By method and direction, R@1 of each class on the seeds that these pairs share; None for other methods."""
    members = {place for pair in shared.columns for place in pair}
    return [
        [_by_class(row, shared.seeds, direction, evidence, card) for direction in DIRECTIONS]
        if place in members
        else None
        for place, row in enumerate(rows)
    ]


def _by_class(row: Row, seeds: Sequence[int], direction: str, evidence: Evidence, card: DataCard) -> list[int | None]:
    if direction not in (row.finished[0].retrieval or {}):
        return []
    hits = evidence.samples.values(row.of_seeds(seeds), direction, _BY_CLASS).mean(axis=0)
    return [None if np.isnan(rate) else round(rate * _UNIT) for rate in _means(hits, card)]


def _means(values: NDArray[np.float64], card: DataCard) -> Iterable[float]:
    classes = len(card.facts.class_names)
    sizes = np.bincount(card.labels, minlength=classes)
    sums = np.bincount(card.labels, weights=values, minlength=classes)
    means: list[float] = np.divide(sums, sizes, out=np.full(classes, np.nan), where=sizes > 0).tolist()
    return means


def _lists(found: Found) -> dict[str, list[int]]:
    """What the differing queries found first, by method, direction and query."""
    lists: dict[str, list[int]] = {}
    for (one, other, direction), differing in found.differing.items():
        seed = shared_seeds([found.rows[one], found.rows[other]])[0]
        for method in (one, other):
            # Kept of a method's first seed, which may be another.
            kept = found.neighbours(found.rows[method].of_seeds([seed])[0])
            if kept is None or direction not in kept.found:
                continue
            for query in (it.query for it in differing):
                place = int(np.searchsorted(kept.queries, query))
                if place < len(kept.queries) and kept.queries[place] == query:
                    lists[f"{method}-{DIRECTIONS.index(direction)}-{query}"] = kept.found[direction][place].tolist()
    return lists
