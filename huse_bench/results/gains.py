"""What tuning gave on the test split: each tuned method beside its own defaults, with the same seeds and queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTIONS
from huse_bench.results.layout import cannot_miss
from huse_bench.results.rows import Row
from huse_bench.results.samples import Samples, has_samples
from huse_bench.results.schema import RunRecord
from huse_bench.results.statistics import bootstrap_interval
from huse_bench.results.studies import Studies
from huse_bench.results.tables import Results
from huse_bench.results.variance import seed_spread

__all__ = ["MAIN_SCORES", "TunedGain", "tuned_gains"]

#: The scores that tuned and default are compared by, each with the tasks it is the mean of and its metric.
MAIN_SCORES = {
    "mean R@1": (DIRECTIONS, "R@1"),
    "mean HP@5": (DIRECTIONS, "HP@5"),
    "fusion accuracy": (("fusion",), "accuracy"),
}


@dataclass(frozen=True)
class TunedGain:
    """One score of a tuned method and of its defaults.

    Attributes:
        label: of the method's row.
        score: which, of :data:`MAIN_SCORES`.
        tuned: mean over the shared seeds and the queries, as a share from 0 to 1.
        default: likewise of the defaults.
        low: lower end of the 95 % interval of the first less the second; None with one seed or one group of queries.
        high: its upper end.
        seeds: how many seeds both have.
    """

    label: str
    score: str
    tuned: float
    default: float
    low: float | None
    high: float | None
    seeds: int


def tuned_gains(results: Results) -> list[TunedGain]:
    """Compare each tuned method with its defaults, where their runs are among the results.

    Args:
        results: the runs.

    Returns:
        The gains, score by score, in the order of the rows; empty where no tuned method has runs at its defaults with
        scores of single queries.

    Raises:
        RecordError: if the scores of a run cannot be read.
    """
    rows = [row for row in results.rows if row.defaults and has_samples(row) and _shared(row)[0]]
    if not rows or results.folder is None:
        return []
    samples = Samples(results)
    runs = {row.label: _shared(row) for row in rows}
    groups = samples.shared_groups([record for pair in runs.values() for side in pair for record in side])
    seeds = {label: [record.seed for record in tuned] for label, (tuned, _) in runs.items()}
    studies = Studies(rows)
    found = []
    for score, (tasks, metric) in MAIN_SCORES.items():
        if cannot_miss(results.records[0], metric) == 1:
            continue
        having = [row for row in rows if metric != "accuracy" or row.finished[0].classification is not None]
        values = {row.label: [_values(samples, side, tasks, metric) for side in runs[row.label]] for row in having}
        found += _gains(score, values, groups, seeds, studies)
    return found


def _gains(
    score: str,
    values: Mapping[str, Sequence[NDArray[np.float64]]],
    groups: NDArray[np.int64],
    seeds: Mapping[str, Sequence[int]],
    studies: Studies,
) -> list[TunedGain]:
    """The gains by (seeds, queries) values of tuned and default; how much seeds vary is learnt from all of them."""
    units = {label: [studies.means(side, seeds[label]) for side in sides] for label, sides in values.items()}
    several = [label for label, sides in units.items() if len(sides[0]) > 1]
    told = several and len(np.unique(groups)) > 1
    spread = seed_spread([side for label in several for side in units[label]], groups).of_pairs() if told else None
    found = []
    for label, (tuned, default) in values.items():
        low = high = None
        if spread is not None and label in several:
            place = 2 * several.index(label)
            ends = bootstrap_interval(units[label][0] - units[label][1], spread.of(place).of(place + 1), groups)
            low, high = float(ends.low), float(ends.high)
        found.append(TunedGain(label, score, float(tuned.mean()), float(default.mean()), low, high, len(tuned)))
    return found


def _shared(row: Row) -> tuple[list[RunRecord], list[RunRecord]]:
    """The finished runs of the seeds that both have, tuned and default, by ascending seed; none where they leave out
    what one of several searches chose.
    """
    defaults = {
        record.seed: record for record in row.defaults if record.status == "finished" and record.per_query is not None
    }
    tuned = [record for record in row.finished if record.seed in defaults]
    # A search that left the defaults has their runs without anybody's asking, and nothing to tell of the others.
    if _studies(tuned) != _studies(row.finished):
        return [], []
    return tuned, [defaults[record.seed] for record in tuned]


def _studies(runs: Iterable[RunRecord]) -> set[str]:
    return {record.tuning.study for record in runs if record.tuning is not None}


def _values(samples: Samples, runs: Sequence[RunRecord], tasks: Sequence[str], metric: str) -> NDArray[np.float64]:
    return np.asarray(np.mean([samples.values(runs, task, metric) for task in tasks], axis=0))
