"""Which classes a classifier takes for which, counted from the predictions of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import RecordError
from huse_bench.measures import TASKS
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store

__all__ = ["classified", "confusion"]


def confusion(record: RunRecord, store: Store) -> NDArray[np.int64] | None:
    """How many test items of each class are predicted as each class.

    Args:
        record: a record of the folder.
        store: the results folder.

    Returns:
        (3, K, K) counts by task (image, text, fusion), true class and predicted class; None where the run has no
        classifier.

    Raises:
        RecordError: if the predictions cannot be read, or are of other classes than the record's.
    """
    found = classified(record, store)
    if found is None:
        return None
    classes = record.dataset.classes
    counts = np.empty((len(TASKS), classes, classes), dtype=np.int64)
    for number, predicted in enumerate(found[1:]):
        counts[number] = np.bincount(found[0] * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return counts


def classified(record: RunRecord, store: Store) -> NDArray[np.int64] | None:
    """What each test item is and what it is predicted as, which takes little where there are many classes.

    Args:
        record: a record of the folder.
        store: the results folder.

    Returns:
        (4, items) true class, and the class predicted by each task (image, text, fusion); None where the run has no
        classifier.

    Raises:
        RecordError: if the predictions cannot be read, or are of other classes than the record's.
    """
    predictions = store.predictions(record)
    if predictions is None or any(f"{task}_prediction" not in predictions for task in TASKS):
        return None
    classes = record.dataset.classes
    labels = predictions["label"].astype(np.int64)
    found = [labels]
    for task in TASKS:
        predicted = predictions[f"{task}_prediction"].astype(np.int64)
        wrong = (np.minimum(labels, predicted) < 0) | (np.maximum(labels, predicted) >= classes)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise RecordError(
                f"the {task} predictions of the run {record.stem} have the classes {labels[row]} and {predicted[row]} "
                f"for item {row}, and its dataset has {classes}; run it again with --overwrite always"
            )
        found.append(predicted)
    return np.stack(found)
