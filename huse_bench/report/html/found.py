"""What the gallery and the comparison of two methods show of the queries: whose, which, and what they found."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import DataError, RecordError
from huse_bench.measures import CURVE_K, DIRECTIONS, RECALL_KS
from huse_bench.results.arrays import Neighbours, PerQuery
from huse_bench.results.card import DataCard
from huse_bench.results.rows import Row
from huse_bench.results.samples import shared_seeds
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store
from huse_bench.results.tables import Results
from huse_bench.taxonomy import Taxonomy

__all__ = ["MOST_METHODS", "NEAR_K", "Differing", "Found", "choice", "item_facts", "near_classes", "thumbnail_texts"]

#: Methods that a page shows the queries of; more would make it too large to mail.
MOST_METHODS = 24

#: K of the correct sets whose classes are near.
NEAR_K = 5

# Of more classes their distances in the taxonomy take minutes.
_MOST_CLASSES = 1000

# Letters of a text that are shown.
_MOST_LETTERS = 160

# Queries of each pair and direction that the one method ranks better than the other, and the other way round.
_EACH_WAY = 3


@dataclass(frozen=True)
class Differing:
    """A query that two methods rank differently.

    Attributes:
        query: number of a test item.
        first: rank of the first item of its class under the first method; 0 where none was found.
        second: under the second.
    """

    query: int
    first: int
    second: int


@dataclass(frozen=True)
class Found:
    """The methods of a results folder, and what their queries found.

    Attributes:
        results: the runs.
        rows: the methods, in the order of the tables, with a finished run and scores of single queries.
        left_out: how many more there are.
    """

    results: Results
    rows: tuple[Row, ...]
    left_out: int = 0
    _neighbours: dict[str, Neighbours | None] = field(default_factory=dict, repr=False)
    _scores: dict[str, PerQuery] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, results: Results) -> Found:
        """The methods of these results that have scores of single queries."""
        rows = [row for row in results.rows if not row.is_control and row.finished and row.finished[0].per_query]
        # Without a folder there are no files to read.
        rows = rows if results.folder is not None else []
        return cls(results, tuple(rows[:MOST_METHODS]), max(0, len(rows) - MOST_METHODS))

    @property
    def card(self) -> DataCard | None:
        """The folder's data card; None where there is none that can be used."""
        return self._card[0]

    @property
    def without_card(self) -> str:
        """Why there is no data card; empty where there is one."""
        return self._card[1]

    @cached_property
    def _card(self) -> tuple[DataCard | None, str]:
        try:
            card = None if self.results.folder is None else Store(self.results.folder).card()
        except RecordError as error:
            return None, f"the data card cannot be used: {error}"
        if card is None:
            return None, "the folder has no data card, which says what the test items are"
        if card.facts.dataset.identity != self.results.records[0].dataset.identity:
            return None, (
                "the data card is of other data than the runs; delete data-card.json, and the next run on their data "
                "writes it anew"
            )
        return card, ""

    def neighbours(self, record: RunRecord) -> Neighbours | None:
        """What the queries of a run found first; None where that was not kept."""
        if record.fingerprint not in self._neighbours:
            assert self.results.folder is not None
            self._neighbours[record.fingerprint] = Store(self.results.folder).neighbours(record)
        return self._neighbours[record.fingerprint]

    def best_first(self) -> list[int]:
        """The places of the methods by their mean over the columns of retrieval, the best first."""
        columns = [column for name in ("table1", "table2") for column in self.results.layout[name]]
        # What no ranking can miss, or a method lacks, counts as nothing found.
        means = np.nan_to_num([[row.mean(column) for column in columns] for row in self.rows]).mean(axis=1)
        return [int(place) for place in np.argsort(-means, kind="stable")]

    @property
    def depth(self) -> int:
        """How far a ranking was followed."""
        return CURVE_K if all(row.finished[0].curves for row in self.rows) else max(RECALL_KS)

    @cached_property
    def differing(self) -> dict[tuple[int, int, str], list[Differing]]:
        """By the places of two methods and a direction, the queries that they rank most differently.

        Of each group of items one, by the difference of the reciprocal ranks of their first hits on the first seed that
        both finished; of equal ones a choice that is the same each time.
        """
        found: dict[tuple[int, int, str], list[Differing]] = {}
        for one, other in combinations(range(len(self.rows)), 2):
            pair = (self.rows[one], self.rows[other])
            for seed in shared_seeds(pair)[:1]:
                ranks = [self._per_query(row.of_seeds([seed])[0]) for row in pair]
                for direction in DIRECTIONS:
                    if all("first_hit" in scores.get(direction, {}) for scores in ranks):
                        first, second = (scores[direction]["first_hit"] for scores in ranks)
                        found[one, other, direction] = self._most_differing(first, second)
        return found

    def _per_query(self, record: RunRecord) -> PerQuery:
        if record.fingerprint not in self._scores:
            self._scores[record.fingerprint] = self.results.per_query(record) or {}
        return self._scores[record.fingerprint]

    def _most_differing(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> list[Differing]:
        gain = _reciprocal(first) - _reciprocal(second)
        order = np.random.default_rng(0).permutation(len(gain))
        groups = np.arange(len(gain)) if self.card is None else self.card.groups
        chosen: list[int] = []
        for sign in (1, -1):
            ranked = order[np.argsort(-sign * gain[order], kind="stable")]
            seen: dict[int, int] = {}
            for query in ranked[sign * gain[ranked] > 0].tolist():
                seen.setdefault(int(groups[query]), query)
                if len(seen) == _EACH_WAY:
                    break
            chosen += seen.values()
        return [Differing(query, int(first[query]), int(second[query])) for query in chosen]


def _reciprocal(ranks: NDArray[np.integer]) -> NDArray[np.float64]:
    reciprocal: NDArray[np.float64] = np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)
    return reciprocal


def choice(queries: NDArray[np.int32], labels: NDArray[np.int64]) -> list[int]:
    """Queries in the order in which a page takes them: of each class in turn one, drawn with a fixed seed.

    Args:
        queries: (m,) numbers of test items.
        labels: (n,) classes of all test items.

    Returns:
        The m numbers.
    """
    shuffled = np.random.default_rng(0).permutation(queries)
    turns: dict[int, int] = {}
    turn = []
    for label in labels[shuffled].tolist():
        turn.append(turns.get(label, 0))
        turns[label] = turn[-1] + 1
    return [int(query) for query in shuffled[np.argsort(turn, kind="stable")]]


def near_classes(card: DataCard, classes: Iterable[int]) -> dict[int, list[int]] | None:
    """Of some classes those that are near by the taxonomy: the correct set of HP@5 without the class itself.

    Args:
        card: names the classes and the taxonomy.
        classes: indices.

    Returns:
        Indices by index; None where the card's taxonomy cannot be used, or has too many classes.
    """
    names = card.facts.class_names
    if len(names) > _MOST_CLASSES:
        return None
    try:
        taxonomy = Taxonomy.from_edges(card.facts.edges, names)
        if card.facts.dataset.held_out:
            taxonomy = taxonomy.among(card.labels.tolist())
        sets = taxonomy.correct_sets(NEAR_K)
    except DataError:
        # Nodes that were no texts may be alike as such.
        return None
    return {label: [int(other) for other in np.flatnonzero(sets[label]) if other != label] for label in classes}


def item_facts(card: DataCard, items: Iterable[int]) -> dict[str, list[object]]:
    """By number, the id and class of test items, and their texts where these may be published."""
    facts: dict[str, list[object]] = {}
    for item in sorted(items):
        facts[str(item)] = [card.ids[item], int(card.labels[item])]
        if card.texts is not None:
            facts[str(item)].append(_clipped(card.texts[item]))
    return facts


def _clipped(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def thumbnail_texts(card: DataCard, items: Sequence[int], most_bytes: int) -> Mapping[str, str]:
    """By number, the thumbnails of test items in base64, as many of the first as there is room for."""
    texts: dict[str, str] = {}
    for item in items:
        contents = (card.thumbnails or {}).get(card.ids[item])
        if contents is None:
            continue
        texts[str(item)] = base64.b64encode(contents).decode()
        most_bytes -= len(texts[str(item)]) + len(str(item)) + 6
        if most_bytes < 0:
            del texts[str(item)]
            break
    return texts
