"""The rows of tables: the runs of one method with one configuration, or of what one search chose, and their means."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from huse_bench.errors import ResultsError
from huse_bench.hints import closest
from huse_bench.results.layout import Column, cannot_miss
from huse_bench.results.schema import RunRecord, Tuning

__all__ = ["Row", "rows_named", "rows_of"]


@dataclass(frozen=True)
class Row:
    """The runs of one method, which differ in their seeds alone, or also in which study of one search they are from.

    Attributes:
        label: the method's title, with a short hash where several rows would share it.
        records: the runs by ascending seed.
        defaults: where a search chose the hyper-parameters, the runs of these seeds at the method's defaults, as far as
            there are any; they have no row of their own.
    """

    label: str
    records: tuple[RunRecord, ...]
    defaults: tuple[RunRecord, ...] = ()

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
    def tunings(self) -> tuple[Tuning, ...]:
        """What each study that chose hyper-parameters of these runs says, by its number; empty where none did."""
        by_number = {record.tuning.number: record.tuning for record in self.records if record.tuning is not None}
        return tuple(by_number[number] for number in sorted(by_number))

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


def rows_of(records: Sequence[RunRecord]) -> tuple[Row, ...]:
    """Records by method and configuration, in the order of the tables.

    Runs of the winners of one search are one row, and runs at the defaults of a tuned method stand beside its row.

    Args:
        records: runs on one dataset.

    Returns:
        The paper's own methods first, and in each section those without semantic information first.
    """
    order: dict[str, int] = {}
    for record in records:
        order[record.method.name] = min(record.method.order, order.get(record.method.name, record.method.order))
    groups, defaults = _groups(records)
    titles = [group[0].method.title for group in groups.values()]
    rows = []
    for (name, configuration), group in groups.items():
        title = group[0].method.title
        label = title if titles.count(title) == 1 else f"{title} [{configuration[:6]}]"
        row = Row(label, _by_seed(group), _by_seed(defaults.get((name, configuration), ())))
        rows.append((row.section, row.semantic, order[name], name, configuration, row))
    return tuple(row for *_, row in sorted(rows, key=lambda entry: entry[:-1]))


_Groups = dict[tuple[str, str], list[RunRecord]]


def _groups(records: Sequence[RunRecord]) -> tuple[_Groups, _Groups]:
    """Records by name and configuration, or what a search's winners have in common; and likewise the defaults of these.

    A run at the defaults is known by its configuration, which the tuned runs name.
    """
    by_configuration: _Groups = {}
    groups: _Groups = {}
    for record in records:
        name, tuning = record.method.name, record.tuning
        by_configuration.setdefault((name, record.configuration), []).append(record)
        joint = None if tuning is None else tuning.joint
        groups.setdefault((name, joint or record.configuration), []).append(record)
    defaults: _Groups = {}
    aside = set()
    for (name, key), group in groups.items():
        at_defaults = next((record.tuning.default_configuration for record in group if record.tuning is not None), None)
        # A search of one study that chose the defaults has nothing to stand beside.
        if at_defaults is None or at_defaults == key:
            continue
        # Where the winner of one study has the defaults, so have some of the row's own runs.
        tuned = {record.seed for record in group if record.configuration != at_defaults}
        own = [record for record in group if record.configuration == at_defaults and record.seed not in tuned]
        found = by_configuration.get((name, at_defaults), [])
        seeds = tuned | {record.seed for record in own}
        defaults[name, key] = [record for record in found if record.seed in seeds]
        aside |= {record.fingerprint for record in found} - {record.fingerprint for record in own}
    kept = {key: [record for record in group if record.fingerprint not in aside] for key, group in groups.items()}
    return {key: group for key, group in kept.items() if group}, defaults


def _by_seed(records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.seed))


def rows_named(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of a method, or the one of a label.

    Args:
        rows: of which.
        name: name or title of the method, or the row's label, whatever the case.

    Returns:
        One row, or those of all configurations of a method that was run in several.

    Raises:
        ResultsError: if there is none.
    """
    wanted = name.casefold()
    exact = [row for row in rows if row.label == name]
    alike = [row for row in rows if row.label.casefold() == wanted]
    found = (exact or alike) or [
        row for row in rows if wanted in (row.records[0].method.name.casefold(), row.records[0].method.title.casefold())
    ]
    if found:
        return found
    names = [row.records[0].method.name for row in rows]
    known = {text.casefold(): text for row in rows for text in (row.label, row.records[0].method.name)}
    close = closest(wanted, known)
    hint = f"Did you mean {known[close]!r}?" if close else f"There are {', '.join(dict.fromkeys(names))}."
    raise ResultsError(f"the results have no runs of {name!r}. {hint}")


def _value(record: RunRecord, column: Column) -> float | None:
    if cannot_miss(record, column.metric) == 1:
        return None
    if column.metric != "accuracy":
        scores = {str(task): scores for task, scores in (record.retrieval or {}).items()}
        return scores.get(column.task, {}).get(column.metric)
    return getattr(record.classification, column.task, None)
