"""What is independent in a row whose seeds share the winners of several searches: the searches, not the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from huse_bench.results.rows import Row

__all__ = ["Studies"]


class Studies:
    """The searches that chose the hyper-parameters of rows, where they can be told apart by all rows' seeds.

    Seeds of one study have its winner in common, so that they are no independent witnesses of what tuning and training
    a method gives; means over the seeds of each study are. Rows without several studies are averaged over the same
    seeds, for they are compared with the others seed by seed.

    Args:
        rows: of methods. Only where they have finished the same seeds, as many of each study, and at least two studies
            of two seeds, seeds are put together.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        counts = [tuning.studies for row in rows for tuning in row.tunings]
        self._count = math.lcm(*counts) if counts else 1
        seeds = {tuple(record.seed for record in row.finished) for row in rows}
        self._seeds = seeds.pop() if len(seeds) == 1 else ()
        _, sizes = np.unique([seed % self._count for seed in self._seeds], return_counts=True)
        if not (len(sizes) == self._count > 1 and sizes.min() == sizes.max() > 1):
            self._count = 1

    def means(self, values: NDArray[np.float64], seeds: Sequence[int]) -> NDArray[np.float64]:
        """Scores of seeds, averaged over those of each study.

        Args:
            values: (..., S, Q) scores of methods.
            seeds: S seeds that they are of.

        Returns:
            (..., studies, Q); the scores themselves where seeds are not put together.
        """
        if self._count == 1 or tuple(seeds) != self._seeds:
            return values
        studies = np.array(seeds) % self._count
        return np.stack([values[..., studies == study, :].mean(axis=-2) for study in range(self._count)], axis=-2)
