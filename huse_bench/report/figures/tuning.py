"""What a search for hyper-parameters found, and how soon."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.held import first_few, methods_of, store_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import PAPER, QUIET, RULE, MethodStyle, canvas, method_styles, panels, plain
from huse_bench.report.words import listed
from huse_bench.results.gains import TunedGain, tuned_gains
from huse_bench.results.journal import TrialValue, read_journal
from huse_bench.results.rows import Row
from huse_bench.results.schema import Tuning
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Search", "best_of_draws", "searches", "tuned_beside_default", "tuning_curves"]


@dataclass(frozen=True)
class Search:
    """The trials of a method in one study.

    Attributes:
        label: the method, with the study where there were several.
        row: label of the method's row.
        tuning: what its records say of the search.
        trials: by ascending number.
    """

    label: str
    row: str
    tuning: Tuning
    trials: tuple[TrialValue, ...]


def searches(results: Results) -> list[Search]:
    """The searches that chose the hyper-parameters of the results' methods.

    Args:
        results: the runs.

    Returns:
        The methods whose trials are in the folder's journal, in the order of the tables.

    Raises:
        NotHeldError: if no search chose any, or its journal is not in the folder.
        RecordError: if the journal cannot be read.
    """
    tuned = _tuned(results)
    journal = read_journal(store_of(results).folder)
    found = []
    for row, tuning in tuned:
        trials = journal.get(f"{row.records[0].method.name}-{tuning.study[:12]}", ())
        if any(trial.value is not None for trial in trials):
            study = f" (study {tuning.number})" if tuning.studies > 1 else ""
            found.append(Search(f"{row.label}{study}", row.label, tuning, trials))
    if not found:
        raise NotHeldError("the journal of the search that chose the hyper-parameters is not in the results folder")
    return found


def _tuned(results: Results) -> list[tuple[Row, Tuning]]:
    tuned = [(row, tuning) for row in methods_of(results) for tuning in row.tunings]
    if not tuned:
        raise NotHeldError("no search chose the hyper-parameters of these runs")
    return tuned


def best_of_draws(values: Sequence[float], shares: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles of the best of n values that are drawn with replacement.

    Args:
        values: (N,) what trials gave.
        shares: (Q,) of the distribution, from 0 to 1.

    Returns:
        (N, Q) for n = 1, ..., N: the least value v with P(best of n <= v) >= share, where P is (rank of v / N)^n.

    Source: after Dodge et al., "Show your work: improved reporting of experimental results" (2019), section 3, whose
    expectation becomes quantiles here.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    count = len(ordered)
    below = np.arange(1, count + 1) / count
    draws = np.arange(1, count + 1)
    # Rounding must not push a share that a rank has exactly to the next rank.
    ranks: NDArray[np.int64] = np.array([np.searchsorted(below**n, np.asarray(shares) - 1e-12) for n in draws])
    return np.asarray(ordered[ranks])


def tuning_curves(results: Results, name: str, title: str) -> Drawn:
    """Draw the trials of each search, a panel for each method.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: as :func:`searches`.
        RecordError: if the journal cannot be read.
    """
    known, styles = searches(results), method_styles(results)
    found, few = first_few(known)
    figure, axes = panels(len(found), sharex=True)
    for panel, search in zip(axes, found, strict=True):
        color = styles[search.row].color
        held = [(trial.number, trial.value) for trial in search.trials if trial.value is not None]
        numbers, values = (np.array(column, dtype=float) for column in zip(*held, strict=True))
        bands = best_of_draws(values.tolist(), (0.05, 0.5, 0.95))
        draws = np.arange(1, len(values) + 1)
        panel.fill_between(draws, bands[:, 0], bands[:, 2], color=color, alpha=0.18, linewidth=0)
        if numbers[0] == 1:
            panel.axhline(values[0], color=QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
        panel.plot(numbers, values, color=color, marker="o", markersize=2.2, linestyle="none", alpha=0.8)
        panel.step(numbers, np.maximum.accumulate(values), where="post", color=color)
        failed = [trial.number for trial in search.trials if trial.value is None]
        if failed:
            panel.plot(
                failed,
                [0.04] * len(failed),
                transform=panel.get_xaxis_transform(),
                color=QUIET,
                marker="x",
                markersize=3,
                linestyle="none",
            )
        panel.set_title(plain(search.label, 24))
        panel.locator_params(axis="x", nbins=5, integer=True)
        panel.locator_params(axis="y", nbins=4)
    figure.supxlabel("trial", fontsize=8)
    figure.supylabel("validation objective", fontsize=8)
    rest = without([row for row, _ in _tuned(results)], [search.row for search in known], "trials in the journal")
    caption = (
        f"The search for hyper-parameters on the validation split: dots are trials, of one seed each, the line is the "
        f"best so far, the dashed line the defaults (trial 1), crosses are trials that failed. Bands hold 90 % of the "
        f"best of n values drawn from the method's trials with replacement: where the line is far above its band, the "
        f"order was lucky or the sampler learnt; where the band is still rising on the right, more trials "
        f"would have helped. Objectives of panels cannot be compared: "
        f"{_objectives([search.tuning for search in found])}. Each panel has a range of its own.{few}{rest}"
    )
    return Drawn(name, title, caption, figure)


def tuned_beside_default(results: Results, name: str, title: str) -> Drawn:
    """Draw what each search gained over the defaults, on the validation split and, where they were run, on the test's.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no search chose hyper-parameters, or none says what the defaults gave.
        RecordError: if the journal cannot be read.
    """
    gains, styles = default_and_tuned(results), method_styles(results)
    tested = {gain.label: gain for gain in tuned_gains(results) if gain.score == "mean R@1"}
    figure, axes = canvas(7.0 if tested else 5.2, 0.185 * len(gains) + 0.75, 1, 2 if tested else 1, sharey=True)
    panel = axes[0]
    for place, (label, default, tuned) in enumerate(gains):
        style = styles[label]
        panel.plot([default, tuned], [place, place], color=style.color, linewidth=1.2, zorder=1)
        panel.plot([default], [place], color=style.color, marker="o", markersize=5, markerfacecolor=PAPER, zorder=2)
        panel.plot([tuned], [place], color=style.color, marker="D", markersize=4.5, zorder=3)
        panel.annotate(
            f"+{tuned - default:.3f}", (tuned, place), (6, 0), textcoords="offset points", va="center", fontsize=6.5
        )
    panel.margins(x=0.1)
    panel.set_xlabel("validation objective:  ○ defaults   ◆ tuned")
    if tested:
        _draw_tested(axes[1], [tested.get(label) for label, _, _ in gains], styles)
    for axis in axes:
        axis.set_ylim(len(gains) - 0.4, -0.6)
        axis.set_yticks(range(len(gains)), [plain(label, 26) for label, _, _ in gains])
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.hlines(range(len(gains)), 0, 1, transform=axis.get_yaxis_transform(), color=RULE, linewidth=0.4, zorder=0)
    rows = [(row, tuning) for row, tuning in _tuned(results) if row.label in {label for label, _, _ in gains}]
    trials = sorted({tuning.trials for _, tuning in rows})
    studies = ", means over studies" if any(tuning.studies > 1 for _, tuning in rows) else ""
    caption = (
        f"The validation objective of each method's defaults beside that of the hyper-parameters which the search "
        f"chose, of {listed([str(count) for count in trials])} trials with one seed{studies}; the larger gain on top. "
        f"The best of several trials is above what it would give again, so that a part of each gain is chance. Lengths "
        f"can be compared, ends cannot: {_objectives([tuning for _, tuning in rows])}."
        f"{without([row for row, _ in _tuned(results)], [gain[0] for gain in gains], 'value of the defaults')}"
        f"{_tested(tested.values())}"
    )
    return Drawn(name, title, caption, figure)


def _draw_tested(panel: Axes, gains: Sequence[TunedGain | None], styles: Mapping[str, MethodStyle]) -> None:
    """The gains on the test split, each at its method's place."""
    panel.axvline(0, color=QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    panel.set_xlabel("test split, mean R@1: tuned less defaults")
    for place, gain in enumerate(gains):
        if gain is not None:
            style = styles[gain.label]
            if gain.low is not None and gain.high is not None:
                panel.plot([gain.low, gain.high], [place, place], color=style.color, linewidth=1.4, zorder=2)
            panel.plot([gain.tuned - gain.default], [place], zorder=3, **style.mark(4.5))


def _tested(gains: Collection[TunedGain]) -> str:
    """What the caption says of the panel on the right."""
    if not gains:
        return ""
    bars = "bars are 95 % intervals over seeds and groups of queries"
    return (
        f" On the right the same comparison on the test split, with seeds that no trial had: the mean of R@1 over the "
        f"four directions; {bars if all(gain.low is not None for gain in gains) else 'rows of one seed have no bar'}."
    )


def default_and_tuned(results: Results) -> list[tuple[str, float, float]]:
    """The numbers of :func:`tuned_beside_default`: label, objective of the defaults and of what was chosen.

    Of several studies they are the means.

    Args:
        results: the runs.

    Returns:
        The methods, the largest gain first.

    Raises:
        NotHeldError: if no search chose hyper-parameters, or none says what the defaults gave.
        RecordError: if the journal cannot be read.
    """
    journal = read_journal(store_of(results).folder)
    found: dict[str, list[tuple[float, float]]] = {}
    for row, tuning in _tuned(results):
        default = tuning.default_value
        if default is None:
            trials = journal.get(f"{row.records[0].method.name}-{tuning.study[:12]}", ())
            default = trials[0].value if trials and trials[0].number == 1 else None
        if default is not None:
            found.setdefault(row.label, []).append((default, tuning.value))
    if not found:
        raise NotHeldError("neither the records nor a journal say what the defaults gave")
    means = [
        (label, statistics.fmean(default for default, _ in of), statistics.fmean(tuned for _, tuned in of))
        for label, of in found.items()
    ]
    return sorted(means, key=lambda gain: gain[1] - gain[2])


def _objectives(tunings: Sequence[Tuning]) -> str:
    protocols = sorted({tuning.protocol for tuning in tunings})
    parts = ["methods without a classifier have no accuracies in theirs"]
    if len(protocols) > 1:
        parts.append(f"searches were judged under protocols {listed(protocols)}")
    return ", and ".join(parts)
