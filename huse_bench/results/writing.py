"""A record and the files beside it, as they are written: whole, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from huse_bench.errors import ResultsError
from huse_bench.files import write_atomically
from huse_bench.results.arrays import (
    ENDINGS,
    ClassFacts,
    PerQuery,
    Predictions,
    neighbours_table,
    parquet_bytes,
    per_query_table,
    predictions_table,
    safetensors_bytes,
)
from huse_bench.results.json_text import json_text
from huse_bench.results.schema import RunRecord

__all__ = ["write_run"]


def write_run(
    folder: Path,
    record: RunRecord,
    per_query: PerQuery | None,
    predictions: Predictions | None,
    classes: ClassFacts | None,
    neighbours: Mapping[str, NDArray[np.integer]] | None,
) -> RunRecord:
    """Write a run's arrays first and its record last, so that a record's presence means a whole run.

    Args:
        folder: the results folder.
        record: the record; the names of its files are filled in here.
        per_query: as :meth:`Store.write` takes it, and so on.
        predictions: per item.
        classes: where the classes lie.
        neighbours: what each query found first.

    Returns:
        The record as written.

    Raises:
        ResultsError: if the disk refuses.
        ValueError: if the directions have different names or an array is not one-dimensional integers.
    """
    groups = None if predictions is None else predictions.get("group")
    contents = {
        "per_query": None if per_query is None else parquet_bytes(per_query_table(per_query)),
        "predictions": None if predictions is None else parquet_bytes(predictions_table(predictions)),
        "classes": None if classes is None else safetensors_bytes(classes),
        "neighbours": None if not neighbours else parquet_bytes(neighbours_table(neighbours, groups)),
    }
    fields: dict[str, str | None] = {}
    for part, ending in ENDINGS.items():
        content = contents[part]
        fields[part] = None if content is None else f"{record.stem}{ending}"
        fields[f"{part}_sha256"] = None if content is None else hashlib.sha256(content).hexdigest()
    record = record.model_copy(update=fields)
    text = json_text(record.model_dump(mode="json")) + "\n"
    path = folder / "runs" / f"{record.stem}.json"
    try:
        # An old record must not vouch for the new arrays, should this process die between the two.
        path.unlink(missing_ok=True)
        for part, content in contents.items():
            beside = path.with_name(f"{record.stem}{ENDINGS[part]}")
            if content is None:
                beside.unlink(missing_ok=True)
            else:
                write_atomically(beside, content)
        write_atomically(path, text.encode())
    except OSError as error:
        raise ResultsError(
            f"cannot write the run {record.stem} to {folder} ({error.strerror or error}); "
            f"make room or make the folder writable, and run it again"
        ) from error
    return record
