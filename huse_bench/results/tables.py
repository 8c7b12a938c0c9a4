"""The paper's Tables 1-3 as pure functions of run records."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from huse_bench.errors import ResultsError
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store

__all__ = ["LAYOUT", "Column", "Results", "Row", "load_results"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        task: direction of a retrieval, or ``"image"``, ``"text"`` or ``"fusion"``.
        metric: metric in a record's retrieval, or ``"accuracy"``.
        heading: the DataFrame's column: group and metric, or the only line of the heading.
    """

    task: str
    metric: str
    heading: tuple[str, str] | str


_DIRECTION_TITLES = {
    "i2i": "Image to Image",
    "i2t": "Image to Text",
    "t2i": "Text to Image",
    "t2t": "Text to Text",
}


def _retrieval_columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(direction, metric, (title, metric))
        for direction, title in _DIRECTION_TITLES.items()
        for metric in metrics
    )


#: Columns of each table, in the paper's order.
LAYOUT: dict[str, tuple[Column, ...]] = {
    "table1": _retrieval_columns(("R@1", "R@5", "R@10")),
    "table2": _retrieval_columns(("HP@2", "HP@5", "HP@10")),
    "table3": tuple(Column(task, "accuracy", task.capitalize()) for task in ("image", "text", "fusion")),
}


@dataclass(frozen=True)
class Row:
    """The runs of one method with one configuration, which differ in their seeds alone.

    Attributes:
        label: the method's title, with a short hash where several rows would share it.
        records: the runs by ascending seed.
    """

    label: str
    records: tuple[RunRecord, ...]

    @property
    def finished(self) -> tuple[RunRecord, ...]:
        """The runs that have scores."""
        return tuple(record for record in self.records if record.status == "finished")

    @property
    def section(self) -> str:
        """Part of the tables that the row stands in; empty for the paper's own methods."""
        return self.records[0].method.section

    @property
    def is_control(self) -> bool:
        """Whether this is no method but a floor or a ceiling for them."""
        return self.records[0].method.is_control

    @property
    def semantic(self) -> bool:
        """Whether the method uses the class graph."""
        return self.records[0].method.semantic

    @property
    def status(self) -> str:
        """``"finished"`` where a run has scores, else how the first run ended."""
        return "finished" if self.finished else self.records[0].status

    def of_seeds(self, seeds: Sequence[int]) -> tuple[RunRecord, ...]:
        """The finished runs of some seeds, by ascending seed."""
        return tuple(record for record in self.finished if record.seed in seeds)

    def mean(self, column: Column) -> float:
        """Mean over the finished seeds, as a share from 0 to 1; NaN where there is nothing to average."""
        values = [value for record in self.finished if (value := _value(record, column)) is not None]
        return statistics.fmean(values) if values else float("nan")


class Results:
    """Run records that can be compared with each other, and their tables.

    Args:
        records: runs on one dataset under one protocol.
        problems: one line per record that could not be read.
        folder: results folder that the records come from, for their per-query scores.

    Attributes:
        records: the records.
        problems: the problems.
        rows: the records by method and configuration, in the order of the tables: the paper's own methods first,
            and in each section those without semantic information first.
        folder: the results folder; None where the records come from elsewhere.

    Raises:
        ResultsError: if there are no records, or they are on different data or protocols.
    """

    def __init__(
        self, records: Sequence[RunRecord], problems: Sequence[str] = (), folder: Path | str | None = None
    ) -> None:
        if not records:
            raise ResultsError("there are no run records to tabulate. Make some with: huse-bench run")
        _refuse_mixtures(records)
        self.records = tuple(records)
        self.problems = tuple(problems)
        self.rows = _rows(self.records)
        self.folder = Path(folder) if folder is not None else None
        self._store = Store(folder) if folder is not None else None

    def tables(self) -> dict[str, pd.DataFrame]:
        """The paper's three tables.

        Returns:
            ``"table1"`` (R@K) and ``"table2"`` (HP@K), with columns (direction, metric), and ``"table3"``
            (accuracies), with columns Image, Text and Fusion. One row per method, indexed by its title;
            values are means over seeds as shares from 0 to 1, NaN where a method has none.
        """
        index = pd.Index([row.label for row in self.rows], name="Method")
        tables = {}
        for name, columns in LAYOUT.items():
            values = [[row.mean(column) for column in columns] for row in self.rows]
            headings = [column.heading for column in columns]
            pairs = [heading for heading in headings if isinstance(heading, tuple)]
            header = pd.MultiIndex.from_tuples(pairs) if pairs else pd.Index(headings)
            tables[name] = pd.DataFrame(values, index=index, columns=header, dtype=float)
        return tables

    def per_query(self, record: RunRecord) -> dict[str, dict[str, NDArray[np.integer]]] | None:
        """The per-query scores of a run, from which its retrieval numbers can be recomputed.

        Args:
            record: one of the records.

        Returns:
            Integer arrays (queries,) by direction and name; None where the run has none.

        Raises:
            ResultsError: if the records do not come from a results folder.
            RecordError: if the file cannot be read.
        """
        return self._opened().per_query(record)

    def predictions(self, record: RunRecord) -> dict[str, NDArray[np.integer]] | None:
        """The predicted and true classes of the test items, from which Table 3 can be recomputed.

        Args:
            record: one of the records.

        Returns:
            Arrays (items,) by name: integers, and shares where it ends in ``_confidence``; None where the run has none.

        Raises:
            ResultsError: if the records do not come from a results folder.
            RecordError: if the file cannot be read.
        """
        return self._opened().predictions(record)

    def _opened(self) -> Store:
        if self._store is None:
            raise ResultsError(
                "these results have no folder to read arrays from; open them with huse_bench.load_results(folder)"
            )
        return self._store


def load_results(path: Path | str) -> Results:
    """Read the results folder of ``huse-bench run``.

    Args:
        path: the folder.

    Returns:
        Its results; records that cannot be read are named in ``problems``.

    Raises:
        ResultsError: if the folder is no results folder, has no usable record, or mixes data or protocols.
    """
    store = Store(path)
    records, problems = store.read()
    if not records:
        unread = "".join(f"\n  {problem}" for problem in problems)
        raise ResultsError(
            f"the results folder {path} has no usable run records. "
            f"Make some with: huse-bench run --dataset {store.dataset} --results {path}{unread}"
        )
    return Results(records, problems, path)


def _value(record: RunRecord, column: Column) -> float | None:
    if column.metric != "accuracy":
        return next(
            (scores[column.metric] for task, scores in (record.retrieval or {}).items() if task == column.task), None
        )
    return getattr(record.classification, column.task, None)


def _refuse_mixtures(records: Sequence[RunRecord]) -> None:
    """Raise ResultsError naming the field where two records are not comparable."""
    seen: dict[str, tuple[object, str]] = {}
    for record in records:
        data = record.dataset
        fields: dict[str, object] = {
            "dataset.name": data.name,
            "dataset.content_hash": data.content_hash,
            "dataset.items": data.items.model_dump(),
            "dataset.taxonomy_hash": data.taxonomy_hash,
        }
        fields |= {f"protocol.{key}": value for key, value in record.protocol.items()}
        for field, value in fields.items():
            first, stem = seen.setdefault(field, (value, record.stem))
            if first != value:
                raise ResultsError(
                    f"the runs cannot share a table, {field} differs: {first!r} in {stem}, {value!r} in {record.stem}; "
                    f"keep them in results folders of their own (move the files of one kind away, or run it with "
                    f"another --results)"
                )


def _rows(records: Sequence[RunRecord]) -> tuple[Row, ...]:
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    order: dict[str, int] = {}
    for record in records:
        name = record.method.name
        groups.setdefault((name, record.configuration), []).append(record)
        order[name] = min(record.method.order, order.get(name, record.method.order))
    titles = [group[0].method.title for group in groups.values()]
    rows = []
    for (name, configuration), group in groups.items():
        title = group[0].method.title
        label = title if titles.count(title) == 1 else f"{title} [{configuration[:6]}]"
        row = Row(label, tuple(sorted(group, key=lambda record: record.seed)))
        rows.append((row.section, row.semantic, order[name], name, configuration, row))
    return tuple(row for *_, row in sorted(rows, key=lambda entry: entry[:-1]))
