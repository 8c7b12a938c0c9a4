"""Numbers printed in papers, as data, with flags on those that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from huse_bench.errors import ResultsError
from huse_bench.results.schema import DIRECTIONS

__all__ = ["Flag", "Published", "PublishedRow", "PublishedTable", "impossible_cells", "published_tables"]

# Numbers printed with three decimals are at most this far from those that were computed.
_ROUNDING = 0.0005

Scores = Mapping[str, Mapping[str, float]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PublishedRow(_Part):
    """One printed row.

    Attributes:
        method: name of the method here; None where there is none.
        title: the row's label as printed.
        group: ``"previous"`` for a row that is cited, ``"plain"`` and ``"semantic"`` for methods without and
            with semantic information.
        cells: values as printed, by task and metric.
    """

    method: str | None
    title: str
    group: Literal["previous", "plain", "semantic"]
    cells: dict[str, dict[str, float]]


class PublishedTable(_Part):
    """One printed table.

    Attributes:
        place: where in the paper it is.
        unit: ``"share"`` for values from 0 to 1, ``"percent"`` for values from 0 to 100.
        rows: its rows in the printed order.
    """

    place: str
    unit: Literal["share", "percent"]
    rows: list[PublishedRow]


class Flag(_Part):
    """Printed cells that a reader must not take at face value.

    Attributes:
        table: name of the table.
        method: name of the row's method.
        cells: task and metric of each cell.
        note: why.
    """

    table: str
    method: str
    cells: list[tuple[str, str]]
    note: str


class Published(_Part):
    """The tables of one paper.

    Attributes:
        schema_version: version of this schema.
        name: short name of the paper.
        title: title of the paper.
        source: where the paper is.
        dataset: name of its dataset here.
        dataset_title: name of its dataset for people.
        tables: the tables by name.
        flags: cells with a warning.
    """

    schema_version: Literal[1]
    name: str
    title: str
    source: str
    dataset: str
    dataset_title: str
    tables: dict[str, PublishedTable]
    flags: list[Flag]

    def flagged(self, table: str) -> dict[tuple[str, str, str], str]:
        """Notes on the flagged cells of a table, by method, task and metric."""
        return {
            (flag.method, task, metric): flag.note
            for flag in self.flags
            if flag.table == table
            for task, metric in flag.cells
        }

    @model_validator(mode="after")
    def _impossible_cells_are_flagged(self) -> Published:
        recalls = {row.method: row for row in self.tables["table1"].rows}
        flagged = set(self.flagged("table2"))
        for row in self.tables["table2"].rows:
            if row.method in recalls:
                for task, metric in impossible_cells(recalls[row.method].cells, row.cells):
                    if (row.method, task, metric) not in flagged:
                        raise ValueError(f"{row.title} {task} {metric} of table2 contradicts table1 and is not flagged")
        return self


def impossible_cells(recall: Scores, precision: Scores) -> list[tuple[str, str]]:
    """Cells of HP@K that no ranking with these R@K can have.

    A hit among the first K is one correct item of K, and the query's own class is in its correct set, so
    HP@K >= R@K / K; likewise HP@2 >= R@2 / 2 >= R@1 / 2. Both tables' rounding is allowed for.

    Args:
        recall: R@1, R@5, R@10 by direction, as shares.
        precision: HP@2, HP@5, HP@10 by direction, as shares.

    Returns:
        Direction and metric of each such cell.
    """
    bounds = {"HP@2": ("R@1", 2), "HP@5": ("R@5", 5), "HP@10": ("R@10", 10)}
    return [
        (direction, metric)
        for direction in DIRECTIONS
        for metric, (hit_rate, k) in bounds.items()
        if precision[direction][metric] + _ROUNDING < (recall[direction][hit_rate] - _ROUNDING) / k
    ]


@cache
def published_tables(name: str = "huse") -> Published:
    """The printed tables of a paper.

    Args:
        name: short name of the paper; ``"huse"`` is Narayana et al., arXiv:1911.05978.

    Returns:
        The tables.

    Raises:
        ResultsError: if the installation lacks the file or it does not fit the schema.
    """
    # The wheel carries the files inside the package; a checkout has them at its top.
    folders = (Path(__file__).with_name("published"), Path(__file__).parents[2] / "results" / "published")
    path = next((folder / f"{name}.json" for folder in folders if (folder / f"{name}.json").is_file()), None)
    if path is None:
        raise ResultsError(
            f"the published tables {name}.json are in neither {folders[0]} nor {folders[1]}; reinstall huse-bench"
        )
    return _read(path)


def _read(path: Path) -> Published:
    try:
        return Published.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise ResultsError(f"the published tables {path} cannot be used ({error}); reinstall huse-bench") from error
