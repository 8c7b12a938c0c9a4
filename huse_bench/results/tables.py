"""The paper's Tables 1-3 as pure functions of run records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from huse_bench.errors import ResultsError
from huse_bench.measures import DIRECTION_TITLES, HP_KS, RECALL_KS, TASKS
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store

__all__ = [
    "LAYOUT",
    "TELLS_NOTHING",
    "Column",
    "HierarchicalPrecision",
    "Results",
    "Row",
    "cannot_miss",
    "load_results",
]

#: Whose hierarchical precision Table 2 shows: that of DeViSE, as in the paper, or that of Barz and Denzler.
HierarchicalPrecision = Literal["devise", "barz"]


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


def _retrieval_columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(direction, metric, (title, metric))
        for direction, title in DIRECTION_TITLES.items()
        for metric in metrics
    )


#: Why HP@K that no ranking can miss is not shown.
TELLS_NOTHING = "every class is correct for every query, so that it tells nothing apart"

#: Columns of each table, in the paper's order.
LAYOUT: dict[str, tuple[Column, ...]] = {
    "table1": _retrieval_columns([f"R@{k}" for k in RECALL_KS]),
    "table2": _retrieval_columns([f"HP@{k}" for k in HP_KS]),
    "table3": tuple(Column(task, "accuracy", task.capitalize()) for task in TASKS),
}


# Table 2 by Barz and Denzler.
_BARZ = _retrieval_columns([f"BHP@{k}" for k in HP_KS])


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
        return self.records[0].is_control

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
        """Mean over the finished seeds, as a share from 0 to 1; NaN where there is nothing to average, or to miss."""
        values = [value for record in self.finished if (value := _value(record, column)) is not None]
        return statistics.fmean(values) if values else float("nan")


class Results:
    """Run records that can be compared with each other, and their tables.

    Args:
        records: runs on one dataset under one protocol.
        problems: one line per record that could not be read.
        folder: results folder that the records come from, for their per-query scores.
        hp: whose hierarchical precision Table 2 shows.

    Attributes:
        records: the records.
        problems: the problems.
        rows: the records by method and configuration, in the order of the tables: the paper's own methods first,
            and in each section those without semantic information first.
        folder: the results folder; None where the records come from elsewhere.
        layout: the columns of each table.

    Raises:
        ResultsError: if there are no records, they are on different data or protocols, or none has the hierarchical
            precision that is asked for.
    """

    def __init__(
        self,
        records: Sequence[RunRecord],
        problems: Sequence[str] = (),
        folder: Path | str | None = None,
        hp: HierarchicalPrecision = "devise",
    ) -> None:
        if not records:
            raise ResultsError("there are no run records to tabulate. Make some with: huse-bench run")
        _refuse_mixtures(records)
        self.records = tuple(records)
        self.problems = tuple(problems)
        self.rows = _rows(self.records)
        self.folder = Path(folder) if folder is not None else None
        self.layout = LAYOUT if hp == "devise" else {**LAYOUT, "table2": _BARZ}
        if hp == "barz":
            _refuse_without_barz(self.rows)
        self._store = Store(folder) if folder is not None else None

    def tables(self) -> dict[str, pd.DataFrame]:
        """The paper's three tables.

        Returns:
            ``"table1"`` (R@K) and ``"table2"`` (HP@K or BHP@K), with columns (direction, metric), and ``"table3"``
            (accuracies), with columns Image, Text and Fusion. One row per method, indexed by its title;
            values are means over seeds as shares from 0 to 1, NaN where a method has none, and where no ranking
            can miss.
        """
        index = pd.Index([row.label for row in self.rows], name="Method")
        tables = {}
        for name, columns in self.layout.items():
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


def cannot_miss(record: RunRecord, metric: str) -> float | None:
    """Share of the test queries for which a metric is 1 whatever is found, since all classes are correct.

    Args:
        record: a run.
        metric: such as ``"HP@5"``.

    Returns:
        From 0 to 1; None for another metric than HP@K, and where the record does not say.
    """
    kind, _, k = metric.partition("@")
    if kind != "HP":
        return None
    shares, sizes = (record.protocol.get(name) for name in ("cannot_miss", "mean_set_size"))
    share = shares.get(k) if isinstance(shares, dict) else None
    if isinstance(share, int | float):
        return float(share)
    # Older records say the mean alone, which is all classes only where every set is.
    return 1.0 if isinstance(sizes, dict) and sizes.get(k) == record.dataset.classes else None


def load_results(path: Path | str, hp: HierarchicalPrecision = "devise") -> Results:
    """Read the results folder of ``huse-bench run``.

    Args:
        path: the folder.
        hp: whose hierarchical precision Table 2 shows: ``"devise"`` (HP@K, as in the paper) or ``"barz"`` (BHP@K, that
            of Barz and Denzler).

    Returns:
        Its results; records that cannot be read are named in ``problems``.

    Raises:
        ResultsError: if the folder is no results folder, has no usable record, mixes data or protocols, or has no
            run with the hierarchical precision that is asked for.
    """
    store = Store(path)
    records, problems = store.read()
    if not records:
        unread = "".join(f"\n  {problem}" for problem in problems)
        raise ResultsError(
            f"the results folder {path} has no usable run records. "
            f"Make some with: huse-bench run --dataset {store.dataset} --results {path}{unread}"
        )
    return Results(records, problems, path, hp)


def _value(record: RunRecord, column: Column) -> float | None:
    if cannot_miss(record, column.metric) == 1:
        return None
    if column.metric != "accuracy":
        scores = {str(task): scores for task, scores in (record.retrieval or {}).items()}
        return scores.get(column.task, {}).get(column.metric)
    return getattr(record.classification, column.task, None)


def _refuse_without_barz(rows: Sequence[Row]) -> None:
    """Raise ResultsError where no run has BHP@K, with the reason."""
    if any(not math.isnan(row.mean(column)) for row in rows for column in _BARZ):
        return
    reason = str(rows[0].records[0].protocol.get("bhp", ""))
    cure = (
        f"it needs a taxonomy that is a tree ({reason.removeprefix('none: ')})"
        if reason.startswith("none: ")
        else "they did not finish or are older; run them again with --overwrite always"
    )
    raise ResultsError(f"the runs have no BHP@K, the hierarchical precision of Barz and Denzler: {cure}")


def _refuse_mixtures(records: Sequence[RunRecord]) -> None:
    """Raise ResultsError naming the field where two records are not comparable."""
    seen: dict[str, tuple[object, str]] = {}
    for record in records:
        data = record.dataset
        fields: dict[str, object] = {
            "dataset.name": data.name,
            "dataset.content_hash": data.content_hash,
            "dataset.items": data.items.model_dump(),
            "dataset.parts.groups": (data.parts or {}).get("groups"),
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
