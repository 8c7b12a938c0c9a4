"""Performance profiles over several data sets: the share of runs that are better than any level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.model import Drawn
from huse_bench.report.figures.style import RULE, canvas, method_styles, plain
from huse_bench.report.words import listed
from huse_bench.results.statistics import LEVEL
from huse_bench.results.summary import ScoreSummary, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_NAMED", "Profile", "profile", "profile_of"]

Floats = NDArray[np.float64]

#: Of more methods than these the best are named, and the others are thin grey lines.
MOST_NAMED = 6

_LEVELS = 400
_RESAMPLES = 1_000


class Profile(NamedTuple):
    """Shares (L,) of runs above L levels, with the ends of their bands; None where a data set has one run."""

    share: Floats
    low: Floats | None
    high: Floats | None


def profile_of(runs: Sequence[Floats], levels: Floats, seed: int = 0) -> Profile:
    """How many runs of a method are above each level, data sets counting alike.

    Args:
        runs: for each data set the scores (S,) of its runs.
        levels: (L,) levels.
        seed: of the random numbers.

    Returns:
        The shares; their bands hold at each level the middle 95 % of a bootstrap that draws S - 1 of the runs on each
        data set.

    Source: Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (2021), section 4.2.
    """
    above = [scores[:, None] > levels for scores in runs]
    share = np.mean([of_set.mean(axis=0) for of_set in above], axis=0)
    if min(map(len, runs)) < 2:
        return Profile(share, None, None)
    generator = np.random.default_rng(seed)
    drawn = np.zeros((_RESAMPLES, len(levels)))
    for of_set in above:
        count = len(of_set)
        times = generator.multinomial(count - 1, [1 / count] * count, size=_RESAMPLES) / (count - 1)
        drawn += times @ of_set / len(above)
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return Profile(share, low, high)


def profile(summary: Summary, name: str, title: str) -> Drawn:
    """Draw the figure, a panel for each score.

    Args:
        summary: the methods over the data sets.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.
    """
    scores = [each for each in summary.scores if any(runs is not None for runs in each.runs)]
    rows = -(-len(scores) // 2)
    figure, axes = canvas(7.0, 2.7 * rows, rows, min(len(scores), 2), sharey=True)
    for unused in axes[len(scores) :]:
        unused.set_visible(False)
    banded = [_panel(panel, summary, of_score) for panel, of_score in zip(axes, scores, strict=False)]
    for panel in axes[:: min(len(scores), 2)]:
        panel.set_ylabel("share of runs above it")
    crowded = any(sum(runs is not None for runs in each.runs) > MOST_NAMED for each in scores)
    sentences = [
        f"Share of the runs on {listed(summary.titles)} whose score is above each level.",
        "Data sets count alike, however many seeds they have.",
        "A method whose line is above another's everywhere is better at every level.",
    ]
    if all(each.corrected for each in scores):
        sentences.append("0 is what chance gets on each data set, and 1 all right.")
    if any(banded):
        sentences.append("Bands: the middle 95 % at each level, by a bootstrap over seeds within each data set.")
    if crowded:
        sentences.append(f"The {MOST_NAMED} methods of the largest interquartile means are named, the others are grey.")
    caption = " ".join(sentences)
    return Drawn(name, title, caption, figure)


def _panel(panel: Axes, summary: Summary, of_score: ScoreSummary) -> bool:
    """Draw one score; gives whether there are bands."""
    styles = method_styles(summary.results[0])
    of_methods = {place: runs for place, runs in enumerate(of_score.runs) if runs is not None}
    cells = of_score.cells
    order = sorted(of_methods, key=lambda place: -(cell.value if (cell := cells[place]) else 0.0))
    scores = np.concatenate([np.concatenate(runs) for runs in of_methods.values()])
    pad = 0.02 * (scores.max() - scores.min()) or 0.01
    levels = np.linspace(scores.min() - pad, scores.max() + pad, _LEVELS)
    banded = False
    for place in reversed(order):
        found = profile_of(of_methods[place], levels)
        if place not in order[:MOST_NAMED]:
            panel.plot(levels, found.share, color=RULE, linewidth=0.7, zorder=1)
            continue
        style = styles[summary.rows[place].rows[0].label]
        panel.plot(levels, found.share, zorder=3, label=plain(summary.rows[place].label, 22), **style.line())
        if found.low is not None and found.high is not None:
            panel.fill_between(levels, found.low, found.high, color=style.color, alpha=0.1, linewidth=0, zorder=2)
            banded = True
    handles, labels = panel.get_legend_handles_labels()
    # Where few runs are, above the lines' ends; the best first.
    panel.legend(handles[::-1], labels[::-1], loc="upper right", handlelength=2.6, labelspacing=0.25, borderaxespad=0.1)
    panel.set_title(of_score.score.name)
    panel.set_xlim(levels[0], levels[-1])
    panel.set_ylim(0, 1.02)
    panel.set_xlabel("level")
    return banded
