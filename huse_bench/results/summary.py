"""One answer over several data sets: a few declared scores of each method, averaged over data sets and seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from huse_bench.config import NO_REGIME, RegimeConfig
from huse_bench.errors import ResultsError
from huse_bench.results.across import Estimate, improvement, interquartile_mean
from huse_bench.results.evidence import Evidence
from huse_bench.results.layout import TELLS_NOTHING, cannot_miss
from huse_bench.results.rows import Row
from huse_bench.results.schema import RunRecord
from huse_bench.results.simultaneous import holm_of_pairs, may_be_best, rank_intervals
from huse_bench.results.summary_means import middle_means
from huse_bench.results.summary_methods import SummaryRow, by_reason, methods_over
from huse_bench.results.summary_scores import Score, chance_of, items_of, runs_of, scores_of
from huse_bench.results.tables import Results

__all__ = [
    "Over",
    "Score",
    "ScoreSummary",
    "Summary",
    "SummaryRow",
    "folder_titles",
    "scores_of",
    "summarise",
    "summary",
]

Floats = NDArray[np.float64]

#: Which fields of a protocol must agree where numbers of several data sets are averaged.
_COUNTED = ("recall", "hp", "classification")


@dataclass(frozen=True)
class Over:
    """A method's interquartile mean over data sets and seeds.

    Attributes:
        value: the mean.
        low: lower end of its 95 % interval; None where a data set has one seed, or no scores of single queries.
        high: its upper end.
        best: whether it may be the best, no other being significantly better; None where not tested.
        ranks: lowest and highest rank, simultaneous 95 % intervals; None where not tested.
    """

    value: float
    low: float | None = None
    high: float | None = None
    best: bool | None = None
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class ScoreSummary:
    """One score of all methods.

    Attributes:
        score: which.
        corrected: whether 0 is what chance gets on each data set, in place of a share of 0.
        left_out: titles of data sets that do not count, each with the reason.
        runs: for each method the scores (S,) of its runs on each data set that counts; None where it has none.
        cells: for each method its mean; None where it has none.
    """

    score: Score
    corrected: bool
    left_out: Mapping[str, str]
    runs: tuple[tuple[Floats, ...] | None, ...] = field(repr=False)
    cells: tuple[Over | None, ...] = ()

    def improvements(self) -> dict[tuple[int, int], Estimate]:
        """By the places of two methods, the probability that a run of the first is better than one of the second."""
        found: dict[tuple[int, int], Estimate] = {}
        for first, second in combinations(range(len(self.runs)), 2):
            ours, theirs = self.runs[first], self.runs[second]
            if ours is not None and theirs is not None:
                win = found[first, second] = improvement(ours, theirs)
                found[second, first] = win.turned()
        return found


@dataclass(frozen=True)
class Summary:
    """Methods over data sets.

    Attributes:
        titles: of the data sets.
        results: their runs.
        rows: the methods that ran on all of them, in the order of the tables.
        left_out: labels of the other methods, each with the reason.
        scores: the declared scores.
    """

    titles: tuple[str, ...]
    results: tuple[Results, ...]
    rows: tuple[SummaryRow, ...]
    left_out: Mapping[str, str]
    scores: tuple[ScoreSummary, ...]

    def missing(self) -> list[str]:
        """The methods that are left out, those of one reason together."""
        return by_reason(self.left_out)

    def frame(self) -> pd.DataFrame:
        """The means with their intervals and ranks: a row for each method, columns (score, what of it)."""
        columns: dict[tuple[str, str], list[float]] = {}
        for of_score in self.scores:
            name = of_score.score.name
            for cell in of_score.cells:
                known = cell or Over(math.nan)
                ranks: tuple[float | None, float | None] = known.ranks or (None, None)
                for what, value in zip(
                    ("mean", "low", "high", "rank low", "rank high"),
                    (known.value, known.low, known.high, *ranks),
                    strict=True,
                ):
                    columns.setdefault((name, what), []).append(math.nan if value is None else value)
        return pd.DataFrame(columns, index=pd.Index([row.label for row in self.rows], name="Method"), dtype=float)


def summary(results: Iterable[Results]) -> pd.DataFrame:
    """Methods over several data sets: interquartile means of a few scores over data sets and seeds.

    Args:
        results: those of each data set, as ``huse_bench.run`` and ``huse_bench.load_results`` give them.

    Returns:
        One row for each method that ran on all of them, indexed by its title, and columns (score, ``"mean"``,
        ``"low"``, ``"high"``, ``"rank low"`` or ``"rank high"``). The ends are those of 95 % intervals, NaN where a
        data set has one seed. 0 is what chance gets on each data set, and 1 all right, wherever the records say what
        chance gets.

    Raises:
        ResultsError: if there are fewer than two, two are of the same data, they differ in their protocols, or no
            method ran on all of them.
        RecordError: if the scores of a run cannot be read.

    Examples:
        >>> import huse_bench as hb
        >>> folders = ["results/emoji", "results/clipart"]
        >>> hb.summary(hb.load_results(folder) for folder in folders)  # doctest: +SKIP
    """
    return summarise(list(results)).frame()


def summarise(results: Sequence[Results]) -> Summary:
    """As :func:`summary`, with all that is known.

    Args:
        results: those of each data set.

    Returns:
        The methods over the data sets.

    Raises:
        ResultsError: as :func:`summary`.
        RecordError: if the scores of a run cannot be read.
    """
    titles = folder_titles(results)
    _refuse(results, titles)
    rows, left_out = methods_over(results, titles)
    if not rows:
        reasons = "".join(f"\n  {each}" for each in by_reason(left_out))
        raise ResultsError(f"no method ran on all of {', '.join(titles)}, so none can be averaged over them{reasons}")
    evidence = [Evidence(each) for each in results]
    scores = tuple(_of_score(score, rows, titles, evidence) for score in scores_of(results[0].hp))
    return Summary(tuple(titles), tuple(results), tuple(rows), left_out, scores)


def folder_titles(results: Sequence[Results]) -> list[str]:
    """What each results folder is called: by its data, by its name too where another has the same, then by a number.

    Args:
        results: those of each folder.
    """
    of_data = Counter(each.records[0].dataset.title for each in results)
    titles: list[str] = []
    for each in results:
        name = "" if each.folder is None else each.folder.resolve().name
        data = each.records[0].dataset
        own = "-".join(filter(None, (data.name, "" if data.regime is None else data.regime.stem)))
        known = {"", data.title.casefold(), data.name.casefold(), own.casefold()}
        alone = len(results) > 1 and of_data[data.title] == 1
        title = data.title if alone or name.casefold() in known else f"{data.title}: {name}"
        again = sum(title == other.rpartition(" (")[0] or title == other for other in titles)
        titles.append(f"{title} ({again + 1})" if again else title)
    return titles


def _refuse(results: Sequence[Results], titles: Sequence[str]) -> None:
    """Raise ResultsError where results cannot be averaged."""
    if len(results) < 2:
        raise ResultsError(f"a summary is over several data sets, and here is {', '.join(titles) or 'none'} alone")
    for (one, first), (other, second) in combinations(zip(titles, results, strict=True), 2):
        ours, theirs = first.records[0], second.records[0]
        if ours.dataset.content_hash == theirs.dataset.content_hash:
            raise ResultsError(f"{one} and {other} are of the same data, which would count twice; name one of them")
        regimes = [", ".join(_asked(record).words) or "none" for record in (ours, theirs)]
        if regimes[0] != regimes[1]:
            raise ResultsError(
                f"{one} and {other} cannot be averaged, for they are in different regimes: {regimes[0]}, and "
                f"{regimes[1]}; name folders of one regime"
            )
        for name in _COUNTED:
            known = ours.counting.get(name), theirs.counting.get(name)
            if known[0] != known[1]:
                raise ResultsError(
                    f"the numbers of {one} and {other} cannot be averaged: {name} is counted by {known[0]} in the one "
                    f"and by {known[1]} in the other; run one of them again by the other's protocol"
                )
        if first.hp != second.hp:
            raise ResultsError(f"{one} and {other} show different hierarchical precisions: {first.hp} and {second.hp}")


def _asked(record: RunRecord) -> RegimeConfig:
    """The regime of a run, whichever fold it holds out: folds of classes are as other data."""
    regime = record.dataset.regime or NO_REGIME
    return regime.model_copy(update={"held_out": 1}) if regime.held_out else regime


def _of_score(
    score: Score, rows: Sequence[SummaryRow], titles: Sequence[str], evidence: Sequence[Evidence]
) -> ScoreSummary:
    first = [rows[0].rows[place].finished[0] for place in range(len(titles))]
    left_out = {}
    for place, title in enumerate(titles):
        if any(cannot_miss(first[place], column.metric) == 1 for column in score.columns):
            left_out[title] = TELLS_NOTHING
        elif all(runs_of(row.rows[place], score, 0.0) is None for row in rows):
            left_out[title] = "no method has it"
    counting = [place for place, title in enumerate(titles) if title not in left_out]
    chances = {place: chance_of(first[place], score) for place in counting}
    corrected = any(chance is not None for chance in chances.values())
    if corrected:
        # A share that counts from 0 is on another scale than one that counts from chance.
        left_out |= {
            titles[place]: "its records do not say what chance gets" for place in counting if chances[place] is None
        }
    counting = [place for place in counting if not corrected or chances[place] is not None]
    levels = [chances[place] or 0.0 for place in counting]
    rows_counting = [[row.rows[place] for place in counting] for row in rows]
    runs = [
        _all([runs_of(row, score, level) for row, level in zip(of_method, levels, strict=True)])
        for of_method in rows_counting
    ]
    cells = _cells(score, rows_counting, runs, levels, [evidence[place] for place in counting])
    return ScoreSummary(score, corrected, left_out, tuple(runs), cells)


def _all(runs: Sequence[Floats | None]) -> tuple[Floats, ...] | None:
    """The scores on each data set; None where there are none on one of them, or no data set."""
    found = [scores for scores in runs if scores is not None]
    return tuple(found) if found and len(found) == len(runs) else None


def _cells(
    score: Score,
    rows: Sequence[Sequence[Row]],
    runs: Sequence[tuple[Floats, ...] | None],
    levels: Sequence[float],
    evidence: Sequence[Evidence],
) -> tuple[Over | None, ...]:
    cells: list[Over | None] = [None if each is None else Over(interquartile_mean(each, 1).value) for each in runs]
    having = [place for place, each in enumerate(runs) if each is not None]
    known = [
        place for place in having if all(row in of_set.rows for row, of_set in zip(rows[place], evidence, strict=True))
    ]
    if not known:
        return tuple(cells)
    values = [
        [items_of(rows[place][number], score, level, of_set) for place in known]
        for number, (level, of_set) in enumerate(zip(levels, evidence, strict=True))
    ]
    means = middle_means(values, [of_set.groups for of_set in evidence])
    for place, value, low, high in zip(
        known, means.value.tolist(), means.low.tolist(), means.high.tolist(), strict=True
    ):
        cells[place] = Over(value, low, high)
    # With a row of one seed among them, luck could make it look best.
    if known == having and len(known) > 1:
        best = may_be_best(means.value, means.p_values).tolist()
        ranks = rank_intervals(means.value, holm_of_pairs(means.p_values)).tolist()
        for place, is_best, (first, last) in zip(known, best, ranks, strict=True):
            cell = cells[place]
            assert cell is not None
            cells[place] = Over(cell.value, cell.low, cell.high, is_best, (first, last))
    return tuple(cells)
