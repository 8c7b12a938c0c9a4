"""Which classes are taken for which others most often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.classes import hops, names_of
from huse_bench.report.figures.heat import heat_map
from huse_bench.report.figures.held import first_few, methods_of, seeds_of, store_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.results.confusion import classified
from huse_bench.results.tables import Results

__all__ = ["MOST_PAIRS", "Confusions", "confusions", "largest_confusions"]

#: How many pairs of classes are shown.
MOST_PAIRS = 30


@dataclass(frozen=True)
class Confusions:
    """The pairs of classes that are taken for each other most often.

    Attributes:
        methods: M labels.
        pairs: (P, 2) true and predicted class.
        shares: (P, M) of the test items of the true class, how many are predicted as the other, means over seeds.
        counts: (P,) test items of the true class.
        wrong: mean over methods of the share of all items that are wrong.
        covered: share of the wrong predictions that these pairs hold.
    """

    methods: tuple[str, ...]
    pairs: NDArray[np.int64]
    shares: NDArray[np.float64]
    counts: NDArray[np.int64]
    wrong: float
    covered: float


def largest_confusions(results: Results, most: int = MOST_PAIRS) -> Confusions:
    """The numbers of the figure, of the fusion of both modalities.

    Args:
        results: the runs.
        most: number of pairs.

    Returns:
        The pairs with most wrong items, summed over methods of equal weight, the largest first.

    Raises:
        NotHeldError: if no run has a classifier, or none is wrong.
        RecordError: if predictions cannot be read.
    """
    store, classes = store_of(results), results.records[0].dataset.classes
    codes: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    labels: NDArray[np.int64] = np.arange(0)
    for row in methods_of(results):
        held = [found for record in row.finished if (found := classified(record, store)) is not None]
        if held:
            labels = held[0][0]
            # Pairs that are there, since a table of all pairs has no room for many classes.
            counted = [np.unique(true * classes + predicted, return_counts=True) for true, _, _, predicted in held]
            codes[row.label] = [(code, counts / len(held)) for code, counts in counted]
    if not codes:
        raise NotHeldError("no run has a classifier and its predictions")
    known = np.unique(np.concatenate([code for of_row in codes.values() for code, _ in of_row]))
    known = known[known // classes != known % classes]
    if not len(known):
        raise NotHeldError("no test item is taken for one of another class")
    of_methods = np.zeros((len(known), len(codes)))
    for column, of_row in enumerate(codes.values()):
        for code, counts in of_row:
            wrong = np.isin(code, known)
            of_methods[np.searchsorted(known, code[wrong]), column] += counts[wrong]
    mean = of_methods.mean(axis=1)
    order = np.argsort(-mean, kind="stable")[:most]
    pairs = np.stack([known[order] // classes, known[order] % classes], axis=1)
    sizes = np.bincount(labels, minlength=classes)[pairs[:, 0]]
    covered = float(mean[order].sum() / mean.sum())
    shares = of_methods[order] / sizes[:, None]
    return Confusions(tuple(codes), pairs, shares, sizes, float(mean.sum() / len(labels)), covered)


def confusions(results: Results, name: str, title: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no run has a classifier, or none is wrong.
        RecordError: if predictions cannot be read.
    """
    known = largest_confusions(results)
    card = store_of(results).card()
    names = names_of(card.facts.class_names if card else None, results.records[0].dataset.classes)
    rows = []
    for (true, predicted), count in zip(known.pairs.tolist(), known.counts, strict=True):
        steps = hops(card.facts.edges, names[true], names[predicted]) if card else None
        apart = f", {steps} apart" if steps is not None else ""
        rows.append(f"{_short(names[true])} → {_short(names[predicted])} ({count}{apart})")
    high = max(0.1, float(np.ceil(known.shares.max() * 10) / 10))
    columns, cut = first_few(known.methods)
    figure = heat_map(known.shares[:, : len(columns)], rows, columns, "of the true class, %", 0, high)
    of_methods = [row for row in methods_of(results) if row.label in known.methods]
    tree = ", and how many edges of the taxonomy lie between both classes (2 are siblings)" if card else ""
    caption = (
        f"The {len(rows)} most frequent confusions of the fused classifier, true class → predicted class: the share of "
        f"the true class's test items that is taken for the other, {seeds_of(of_methods)}. In brackets the number of "
        f"test items of the true class{tree}. Pairs are chosen and ordered by their items, the mean over methods; "
        f"of all items {known.wrong:.1%} are wrong, and these pairs hold {known.covered:.0%} of them.{cut}"
        f"{without(methods_of(results), known.methods, 'classifier')}"
    )
    return Drawn(name, title, caption, figure)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
