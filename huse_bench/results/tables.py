"""The paper's Tables 1-3 as pure functions of run records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from huse_bench.errors import ResultsError
from huse_bench.hints import among
from huse_bench.measures import DIRECTIONS, TASKS
from huse_bench.results.layout import BARZ, LAYOUT, HierarchicalPrecision
from huse_bench.results.rows import Row, rows_named, rows_of
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store

__all__ = ["Results", "load_results"]


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
            and in each section those without semantic information first. Runs at the defaults of a tuned method are
            with its row.
        folder: the results folder; None where the records come from elsewhere.
        hp: whose hierarchical precision Table 2 shows.
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
        self.rows = rows_of(self.records)
        self.folder = Path(folder) if folder is not None else None
        self.hp = hp
        self.layout = LAYOUT if hp == "devise" else {**LAYOUT, "table2": BARZ}
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

    def only(self, methods: Sequence[str] | None = None, directions: Sequence[str] | None = None) -> Results:
        """These results as though no others had been made: labels, intervals and tests are those of the runs left.

        Args:
            methods: names of methods, or labels of rows; None for all.
            directions: of the retrieval tables, such as ``"i2t"``; None for all.

        Returns:
            Their results.

        Raises:
            ResultsError: if there are no runs of a method, or no such direction.
        """
        rows = self.rows if methods is None else [row for name in methods for row in rows_named(self.rows, name)]
        kept = {record.fingerprint for row in rows for record in (*row.records, *row.defaults)}
        records = [record for record in self.records if record.fingerprint in kept]
        chosen = Results(records, self.problems, self.folder, self.hp)
        if directions is not None:
            for name in directions:
                if name not in DIRECTIONS:
                    raise ResultsError(f"unknown direction {name!r}{among(name, DIRECTIONS)}")
            shown = {*directions, *TASKS}
            chosen.layout = {
                table: tuple(column for column in columns if column.task in shown)
                for table, columns in self.layout.items()
            }
        return chosen

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

    Examples:
        >>> import huse_bench as hb
        >>> results = hb.load_results("results/emoji")  # doctest: +SKIP
        >>> results.tables()["table1"]  # doctest: +SKIP
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


def _refuse_without_barz(rows: Sequence[Row]) -> None:
    """Raise ResultsError where no run has BHP@K, with the reason."""
    if any(not math.isnan(row.mean(column)) for row in rows for column in BARZ):
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
        fields |= {f"protocol.{key}": value for key, value in record.counting.items()}
        for field, value in fields.items():
            first, stem = seen.setdefault(field, (value, record.stem))
            if first != value:
                raise ResultsError(
                    f"the runs cannot share a table, {field} differs: {first!r} in {stem}, {value!r} in {record.stem}; "
                    f"keep them in results folders of their own (move the files of one kind away, or run it with "
                    f"another --results)"
                )
