"""The numbers of a record once more, from the scores of its queries and items alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import BundleError, RecordError
from huse_bench.measures import TASKS
from huse_bench.results import Classification, Results, RunRecord, Store
from huse_bench.results.arrays import Neighbours
from huse_bench.results.scores import item_scores, query_scores

__all__ = ["recounted"]

# Means are taken in another order than when they were recorded.
_ROUNDING = 1e-6

_Counts = Mapping[str, NDArray[np.integer]]


def recounted(results: Results) -> Results:
    """The same results, with each number taken from the scores of single queries and items.

    Args:
        results: runs that come from a results folder.

    Returns:
        The results. Only of controls that need no training numbers are kept where no scores are:
        chance, which is computed and not ranked, and the accuracies.

    Raises:
        BundleError: where a number is not the mean of its scores, has none, or the scores contradict each other or
            what the queries found.
    """
    assert results.folder is not None
    store = Store(results.folder)
    seen: dict[str, tuple[NDArray[np.integer], str]] = {}
    records = [_recounted(record, store, seen) for record in results.records]
    return Results(records, (), results.folder)


def _recounted(record: RunRecord, store: Store, seen: dict[str, tuple[NDArray[np.integer], str]]) -> RunRecord:
    if record.status != "finished" or (record.kind == "control" and record.per_query is None):
        return record
    try:
        scores = store.per_query(record) or {}
        items = store.predictions(record) or {}
        neighbours = store.neighbours(record)
    except (RecordError, KeyError, ValueError) as error:
        raise BundleError(str(error)) from error
    for name in ("label", "group"):
        if name in items:
            first, stem = seen.setdefault(name, (items[name], record.stem))
            if not np.array_equal(first, items[name]):
                raise BundleError(
                    f"{record.stem} says another {name} of the test items than {stem}, and both are of the same data"
                )
    retrieval = {}
    for direction, numbers in (record.retrieval or {}).items():
        counts = scores.get(direction, {})
        _check_counts(record, direction, counts)
        retrieval[direction] = {metric: _mean(record, direction, counts, metric) for metric in numbers}
        _agree(record, direction, numbers, retrieval[direction])
        if neighbours is not None and "label" in items:
            _check_neighbours(record, direction, counts, neighbours, items["label"])
    return record.model_copy(update={"retrieval": retrieval, "classification": _accuracies(record, items)})


def _accuracies(record: RunRecord, items: Mapping[str, NDArray[np.integer]]) -> Classification | None:
    # Of a control's classes no predictions are kept; no method is compared with it.
    if record.classification is None or (record.kind == "control" and "image_prediction" not in items):
        return record.classification
    accuracies: dict[str, float] = {}
    for task in TASKS:
        try:
            right = item_scores(items, task)
        except KeyError as error:
            raise BundleError(
                f"{record.stem} has no {error.args[0]} of its test items, which the accuracy of {task} is taken from"
            ) from error
        _check_length(record, task, right)
        accuracies[task] = float(right.mean())
        _agree(record, task, {"accuracy": getattr(record.classification, task)}, {"accuracy": accuracies[task]})
    return record.classification.model_copy(update=accuracies)


def _mean(record: RunRecord, direction: str, counts: _Counts, metric: str) -> float:
    try:
        values = query_scores(counts, metric)
    except KeyError as error:
        raise BundleError(
            f"{record.stem} has no {error.args[0]} of its queries in {direction}, which {metric} is taken from"
        ) from error
    _check_length(record, direction, values)
    return float(values.mean())


def _check_length(record: RunRecord, task: str, values: NDArray[np.floating]) -> None:
    if len(values) != record.dataset.items.test:
        raise BundleError(
            f"{record.stem} has scores of {len(values)} items in {task}, and its dataset {record.dataset.items.test} "
            f"test items"
        )


def _agree(record: RunRecord, task: str, said: Mapping[str, float], found: Mapping[str, float]) -> None:
    for metric, number in said.items():
        if abs(number - found[metric]) > _ROUNDING:
            side = "better" if number > found[metric] else "worse"
            raise BundleError(
                f"{record.stem} says {task} {metric} = {number:.6g}, which is {side} than its scores give: "
                f"{found[metric]:.6g}"
            )


def _check_counts(record: RunRecord, direction: str, counts: _Counts) -> None:
    """Raise BundleError where no ranking gives these counts."""
    for what, wrong in _impossible(counts):
        if wrong.any():
            raise BundleError(
                f"{record.stem} has scores in {direction} that no ranking gives: of query {int(np.argmax(wrong))} "
                f"{what}"
            )


def _impossible(counts: _Counts) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What cannot be, and of which queries it is so."""
    ascending = {
        kind: sorted(int(name.partition("@")[2]) for name in counts if name.startswith(f"{kind}@"))
        for kind in ("hits", "hp", "similarity")
    }
    for kind in ("hits", "hp"):
        for k in ascending[kind]:
            values = counts[f"{kind}@{k}"].astype(np.int64)
            yield f"{kind}@{k} is not from 0 to {k}", (values < 0) | (values > k)
    for small, large in pairwise(ascending["hits"]):
        more = counts[f"hits@{large}"].astype(np.int64) - counts[f"hits@{small}"]
        yield f"hits@{large} does not follow hits@{small}", (more < 0) | (more > large - small)
    for k in sorted(set(ascending["hits"]) & set(ascending["hp"])):
        yield f"hp@{k} is less than hits@{k}, whose class is correct", counts[f"hp@{k}"] < counts[f"hits@{k}"]
    if "first_hit" in counts:
        first = counts["first_hit"]
        for k in ascending["hits"]:
            yield (
                f"first_hit does not fit hits@{k}",
                ((first > 0) & (first <= k)) != (counts[f"hits@{k}"] > 0),
            )
    for k in ascending["similarity"]:
        similarity = counts[f"similarity@{k}"]
        ideal = counts.get(f"ideal@{k}", similarity)
        yield f"similarity@{k} is not from 0 to its ideal", (similarity < 0) | (similarity > ideal)


def _check_neighbours(
    record: RunRecord, direction: str, counts: _Counts, neighbours: Neighbours, labels: NDArray[np.integer]
) -> None:
    """Raise BundleError where the hits are not among what the queries found first."""
    found = neighbours.found.get(direction)
    if found is None:
        return
    if len(labels) != record.dataset.items.test:
        raise BundleError(f"{record.stem} has labels of {len(labels)} items, and its dataset has other test items")
    same = labels[found] == labels[neighbours.queries][:, None]
    for k in (1, 2, 5, 10):
        name = f"hits@{k}"
        if name in counts and k <= found.shape[1]:
            wrong = same[:, :k].sum(axis=1) != counts[name][neighbours.queries]
            if wrong.any():
                query = int(neighbours.queries[int(np.argmax(wrong))])
                raise BundleError(
                    f"{record.stem}: {name} of query {query} in {direction} is not what its nearest neighbours say"
                )
