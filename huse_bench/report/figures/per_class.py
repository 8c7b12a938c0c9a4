"""How well each class is found, a column for each method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.classes import names_of, tree_order
from huse_bench.report.figures.heat import heat_map
from huse_bench.report.figures.held import first_few, methods_of, seeds_of, store_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.results.rows import Row
from huse_bench.results.samples import Samples
from huse_bench.results.store import Store
from huse_bench.results.tables import Results

__all__ = ["MOST_CLASSES", "ClassScores", "class_scores", "per_class"]

#: Of more classes than these those are shown in which the methods differ most.
MOST_CLASSES = 80

# Retrieval between pictures and texts, which every method is made for.
_ACROSS = ("i2t", "t2i")


@dataclass(frozen=True)
class ClassScores:
    """What each class scores by each method.

    Attributes:
        methods: M labels.
        names: K names of the classes.
        counts: (K,) test items of each class.
        scores: (K, M) shares; NaN for a class without a test item.
        order: (K,) class indices in the order of the taxonomy; None where it is not known.
    """

    methods: tuple[str, ...]
    names: tuple[str, ...]
    counts: NDArray[np.int64]
    scores: NDArray[np.float64]
    order: NDArray[np.int64] | None


def class_scores(results: Results, metric: str) -> ClassScores:
    """The numbers of the figure.

    Args:
        results: the runs.
        metric: ``"R@1"``, the mean of both directions between pictures and texts, or ``"accuracy"`` of the fusion.

    Returns:
        Means over seeds and over the test items of each class.

    Raises:
        NotHeldError: if no run has the scores of its queries, or a classifier.
        RecordError: if a file cannot be read.
    """
    store, samples = store_of(results), Samples(results)
    columns: dict[str, NDArray[np.float64]] = {}
    counts = None
    for row in methods_of(results):
        scores = _of_items(row, samples, metric)
        labels = _labels(row, store)
        if scores is None or labels is None:
            continue
        counts = np.bincount(labels, minlength=results.records[0].dataset.classes)
        sums = np.bincount(labels, weights=scores, minlength=len(counts))
        columns[row.label] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    if counts is None:
        raise NotHeldError(
            "no run has a classifier and its predictions"
            if metric == "accuracy"
            else "there are no per-query scores and classes of the test items beside the records"
        )
    card = store.card()
    names = names_of(card.facts.class_names if card else None, len(counts))
    order = tree_order(card.facts.edges, names) if card else None
    return ClassScores(tuple(columns), tuple(names), counts, np.stack(list(columns.values()), axis=1), order)


def _of_items(row: Row, samples: Samples, metric: str) -> NDArray[np.float64] | None:
    """(items,) mean over seeds; None where the row does not hold them."""
    if metric == "accuracy":
        held = [record for record in row.finished if record.classification is not None and record.predictions]
        return samples.values(held, "fusion", metric).mean(axis=0) if held else None
    held = [
        record for record in row.finished if record.per_query and all(d in (record.retrieval or {}) for d in _ACROSS)
    ]
    return np.mean([samples.values(held, d, metric).mean(axis=0) for d in _ACROSS], axis=0) if held else None


def _labels(row: Row, store: Store) -> NDArray[np.int64] | None:
    predictions = next((found for record in row.finished if (found := store.predictions(record))), None)
    return None if predictions is None or "label" not in predictions else predictions["label"].astype(np.int64)


def per_class(results: Results, name: str, title: str, metric: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.
        metric: as in :func:`class_scores`.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no run has the scores of its queries, or a classifier.
        RecordError: if a file cannot be read.
    """
    known = class_scores(results, metric)
    shown = _shown(known)
    rows = [f"{known.names[index]} ({known.counts[index]})" for index in shown]
    of_methods = [row for row in methods_of(results) if row.label in known.methods]
    what = (
        "Accuracy of the fusion of both modalities"
        if metric == "accuracy"
        else "R@1 from pictures to texts and from texts to pictures, mean of both"
    )
    columns, few = first_few(known.methods)
    figure = heat_map(known.scores[shown, : len(columns)], rows, columns, f"{metric}, %", 0, 1)
    order = "in the order of the taxonomy" if known.order is not None else "the easiest on top"
    cut = len(known.names) - len(shown)
    rest = f" {cut} other classes, in which the methods differ less or which have no test item, are left out." * (
        cut > 0
    )
    caption = (
        f"{what}, by class and method, {seeds_of(of_methods)}, {int(known.counts.sum()):,} test items; numbers of test "
        f"items in brackets, classes {order}. Classes of few items are rough: of 10 items each is worth 10 %."
        f"{rest}{few}{without(methods_of(results), known.methods, 'such scores')}"
    )
    return Drawn(name, title, caption, figure)


def _shown(known: ClassScores) -> NDArray[np.int64]:
    held = np.flatnonzero(known.counts > 0)
    if len(held) > MOST_CLASSES:
        apart = known.scores[held].std(axis=1) if len(known.methods) > 1 else -known.scores[held].mean(axis=1)
        held = np.sort(held[np.argsort(-apart, kind="stable")[:MOST_CLASSES]])
    if known.order is not None:
        return known.order[np.isin(known.order, held)]
    return held[np.argsort(-known.scores[held].mean(axis=1), kind="stable")]
