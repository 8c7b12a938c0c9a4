"""Numbers printed in papers, as data: the format of their files, and how they are found."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from huse_bench.errors import ResultsError
from huse_bench.faults import first_fault
from huse_bench.hints import did_you_mean
from huse_bench.text_files import read_text

__all__ = [
    "Claim",
    "Flag",
    "Published",
    "PublishedRow",
    "PublishedTable",
    "Setup",
    "published_names",
    "published_tables",
]

_Table = Annotated[str, Field(pattern=r"^table[123]$")]
_Task = Annotated[str, Field(pattern=r"^([it]2[it]|image|text|fusion)$")]
_Metric = Annotated[str, Field(pattern=r"^((R|HP|P)@[1-9][0-9]*|accuracy)$")]
_Text = Annotated[str, Field(min_length=1)]


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
    title: _Text
    group: Literal["previous", "plain", "semantic"]
    cells: dict[_Task, dict[_Metric, float]]

    @property
    def key(self) -> str:
        """What flags, claims and other tables call the row: the method, or the title where there is none."""
        return self.method or self.title


class PublishedTable(_Part):
    """One printed table.

    Attributes:
        place: where in the paper it is.
        unit: ``"share"`` for values from 0 to 1, ``"percent"`` for values from 0 to 100.
        rows: its rows in the printed order.
    """

    place: _Text
    unit: Literal["share", "percent"]
    rows: list[PublishedRow]

    @property
    def top(self) -> float:
        """The largest value that there can be, in the table's unit."""
        return 100.0 if self.unit == "percent" else 1.0

    @cached_property
    def decimals(self) -> int:
        """How many decimals the values are printed with; a file drops the zeros at their ends."""
        values = (value for row in self.rows for scores in row.cells.values() for value in scores.values())
        return max(map(_decimals, values), default=0)

    @property
    def rounding(self) -> float:
        """How far a printed value may be from the computed one: half a unit of the last decimal."""
        return 0.5 * 10.0**-self.decimals

    def row(self, key: str) -> PublishedRow | None:
        """The row of that key, or None."""
        return next((row for row in self.rows if row.key == key), None)


class Flag(_Part):
    """Printed cells that a reader must not take at face value.

    Attributes:
        table: name of the table.
        method: key of the row.
        cells: task and metric of each cell.
        note: why.
    """

    table: _Table
    method: str
    cells: list[tuple[_Task, _Metric]]
    note: _Text


class Claim(_Part):
    """A statement of the text that says what cells of a table must be.

    Attributes:
        place: where in the paper it is.
        quote: the statement, word for word.
        table: name of the table that it speaks of.
        row: key of the row that it speaks of.
        over: keys of the rows that the row is compared with: the statement is about its gain over the best of
            them in each cell. Empty where it is about the row's own values.
        tasks: the tasks that it speaks of.
        metrics: the metrics that it speaks of.
        low: what the gain or value is at least, in the table's unit; None where nothing is said.
        high: what it is at most.
    """

    place: _Text
    quote: _Text
    table: _Table
    row: str
    over: list[str] = []
    tasks: list[_Task]
    metrics: list[_Metric]
    low: float | None = None
    high: float | None = None

    @property
    def rounding(self) -> float:
        """Half a unit of the last decimal in the statement."""
        return 0.5 * 10.0 ** -max((_decimals(end) for end in (self.low, self.high) if end), default=9)


class Setup(_Part):
    """What the numbers were made with; None where the paper does not say.

    Attributes:
        image: image features, as the name of a backbone here or, where there is none, of the paper.
        text: text features, likewise.
        classes: class embeddings, likewise.
        train: number of training items, with those held out for validation.
        test: number of test items.
        seeds: number of runs behind a number.
    """

    image: str | None = None
    text: str | None = None
    classes: str | None = None
    train: int | None = None
    test: int | None = None
    seeds: int | None = None


class Published(_Part):
    """The tables of one paper; ``Published.model_json_schema()`` gives the JSON Schema of its file.

    Attributes:
        schema_version: version of this schema.
        name: short name of the paper.
        title: title of the paper.
        source: where the paper is.
        dataset: name of its dataset here.
        dataset_title: name of its dataset for people.
        setup: what the numbers were made with.
        tables: the tables, by the table here that has the same columns.
        claims: statements of the text about the tables.
        flags: cells with a warning, where arithmetic alone does not give one or to give it in other words.
    """

    schema_version: Literal[1]
    name: _Text
    title: _Text
    source: _Text
    dataset: str
    dataset_title: str
    setup: Setup = Setup()
    tables: dict[_Table, PublishedTable]
    claims: list[Claim] = []
    flags: list[Flag] = []

    @model_validator(mode="after")
    def _references_exist(self) -> Published:
        for name, table in self.tables.items():
            keys = [row.key for row in table.rows]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise ValueError(f"{name} has two rows {twice!r}; give one of them method null and a title of its own")
        for what, name, key, task, metric in self._references():
            row = self.tables[name].row(key) if name in self.tables else None
            if row is None or metric not in row.cells.get(task, {}):
                raise ValueError(f"{what} speaks of {name}, row {key!r}, {task} {metric}, which is not there")
        return self

    def _references(self) -> Iterator[tuple[str, str, str, str, str]]:
        for flag in self.flags:
            yield from (("a flag", flag.table, flag.method, *cell) for cell in flag.cells)
        for claim in self.claims:
            for key in (claim.row, *claim.over):
                for task in claim.tasks:
                    yield from ((f"the claim {claim.quote!r}", claim.table, key, task, name) for name in claim.metrics)


def published_names() -> list[str]:
    """Short names of the papers whose tables come with huse-bench."""
    return sorted(path.stem for folder in _folders() for path in folder.glob("*.json"))


def published_tables(paper: str | Path = "huse") -> Published:
    """The printed tables of a paper.

    Args:
        paper: short name of a paper that comes with huse-bench, such as ``"huse"`` (Narayana et al.,
            arXiv:1911.05978), or a ``.json`` file in the same format.

    Returns:
        The tables.

    Raises:
        ResultsError: if there is no such paper or file, or it does not fit the schema.
    """
    path = Path(paper)
    if path.suffix == ".json":
        return _read(path, "correct it as docs/published.md says")
    return _carried(str(paper))


@cache
def _carried(name: str) -> Published:
    path = next((folder / f"{name}.json" for folder in _folders() if (folder / f"{name}.json").is_file()), None)
    if path is None:
        known = published_names()
        raise ResultsError(
            f"no published tables are called {name!r}: there are {', '.join(known) or 'none, reinstall huse-bench'}."
            f"{did_you_mean(name, known)} For a file of your own give its path, which ends in .json"
        )
    return _read(path, "reinstall huse-bench")


def _folders() -> tuple[Path, ...]:
    # The wheel carries the files inside the package; a checkout has them at its top.
    return (Path(__file__).with_name("published"), Path(__file__).parents[2] / "results" / "published")


def _read(path: Path, cure: str) -> Published:
    try:
        return Published.model_validate_json(read_text(path))
    except OSError as error:
        raise ResultsError(f"the published tables {path} cannot be read ({error.strerror or error}); {cure}") from error
    except ValidationError as error:
        reason = first_fault(error, "the file")
        raise ResultsError(f"the published tables {path} cannot be used: {reason}; {cure}") from error
    except UnicodeError as error:
        raise ResultsError(f"the published tables {path} are not UTF-8 text ({error}); {cure}") from error


def _decimals(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)
