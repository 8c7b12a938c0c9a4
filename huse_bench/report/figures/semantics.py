"""Whether classes that lie near in the class graph lie near in the learned space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from huse_bench.report.figures.held import card_of, first_few, methods_of, seeds_of, store_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import MODALITY_COLORS, PAPER, RULE, canvas, method_styles, panels, plain
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Semantics", "binned", "learned_distances", "pairs", "semantics", "semantics_summary"]

MODALITIES = ("images", "texts")

_BINS = 10


@dataclass(frozen=True)
class Semantics:
    """The distances of a method's classes.

    Attributes:
        label: the method.
        graph: (P,) distances of all pairs of classes in the class graph.
        learned: (2, P) cosine distances of the pairs' centroids, of images and of texts, means over seeds.
        correlations: (S, 2) Spearman's rank correlation of each seed, of images and of texts.
        kept: the least share of the centroids' squared length that was kept.
    """

    label: str
    graph: NDArray[np.float64]
    learned: NDArray[np.float64]
    correlations: NDArray[np.float64]
    kept: float


def learned_distances(centroids: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine distances of all pairs of classes.

    Args:
        centroids: (2, K, A) of images and of texts.

    Returns:
        (2, K (K - 1) / 2), the pairs in the order of the upper triangle; NaN where a centroid has no length.
    """
    rows = centroids.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=2, keepdims=True)
    units = np.divide(rows, lengths, out=np.full_like(rows, np.nan), where=lengths > 0)
    upper = np.triu_indices(rows.shape[1], 1)
    return 1 - np.stack([(of @ of.T)[upper] for of in units])


def semantics(results: Results) -> list[Semantics]:
    """The numbers of both figures.

    Args:
        results: the runs.

    Returns:
        The methods in the order of the tables.

    Raises:
        NotHeldError: if there is no data card, no class distances in it, or no run with centroids.
        RecordError: if a file cannot be read.
    """
    card, store = card_of(results), store_of(results)
    if card.distances is None:
        raise NotHeldError(card.facts.distances_left_out or "the data card has no class distances")
    classes = len(card.distances)
    if classes < 3:
        raise NotHeldError("two classes have one distance, which correlates with nothing")
    graph = card.distances.astype(np.float64)[np.triu_indices(classes, 1)]
    found = []
    for row in methods_of(results):
        facts = [facts for record in row.finished if (facts := store.classes(record)) is not None]
        if not facts:
            continue
        learned = np.stack([learned_distances(of.centroids) for of in facts])
        correlations = np.array([[_correlation(graph, of) for of in both] for both in learned])
        found.append(Semantics(row.label, graph, learned.mean(axis=0), correlations, min(of.kept for of in facts)))
    if not found:
        raise NotHeldError("the runs have no class centroids, which runs of schema 1 did not keep")
    return found


def _correlation(graph: NDArray[np.float64], learned: NDArray[np.float64]) -> float:
    held = ~np.isnan(learned)
    if held.sum() < 3 or np.ptp(learned[held]) == 0 or np.ptp(graph[held]) == 0:
        return float("nan")
    return float(spearmanr(graph[held], learned[held]).statistic)


def binned(
    graph: NDArray[np.float64], learned: NDArray[np.float64], bins: int = _BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quartiles of one distance by another.

    Args:
        graph: (P,) distances that the pairs are sorted by.
        learned: (P,) distances whose quartiles are taken.
        bins: how many parts of as many pairs each; fewer where there are fewer than four pairs for each.

    Returns:
        (B,) the median of the first distance in each part, and (B, 3) the quartiles of the second.
    """
    held = ~np.isnan(learned)
    order = np.argsort(graph[held], kind="stable")
    parts = np.array_split(order, max(1, min(bins, len(order) // 4)))
    middle = np.array([np.median(graph[held][part]) for part in parts])
    return middle, np.array([np.percentile(learned[held][part], [25, 50, 75]) for part in parts])


def semantics_summary(results: Results, name: str, title: str) -> Drawn:
    """Draw the rank correlations of all methods.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: as :func:`semantics`.
        RecordError: if a file cannot be read.
    """
    found, styles = semantics(results), method_styles(results)
    found = sorted(found, key=lambda of: -np.nan_to_num(of.correlations.mean(), nan=-2))
    figure, axes = canvas(5.2, 0.175 * len(found) + 0.95)
    panel = axes[0]
    for place, of in enumerate(found):
        means = of.correlations.mean(axis=0)
        panel.plot(means, [place, place], color=RULE, linewidth=1, zorder=1)
        for modality in (0, 1):
            lows, highs = of.correlations[:, modality].min(), of.correlations[:, modality].max()
            color = MODALITY_COLORS[modality]
            if highs > lows:
                panel.plot([lows, highs], [place, place], color=color, linewidth=1.4, zorder=2)
            face = color if styles[of.label].filled else PAPER
            panel.plot(
                [means[modality]],
                [place],
                marker="os"[modality],
                markersize=5,
                color=color,
                markerfacecolor=face,
                linestyle="none",
                zorder=3,
            )
    panel.set_ylim(len(found) - 0.4, -0.6)
    panel.set_yticks(range(len(found)), [plain(of.label, 26) for of in found])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.axvline(0, color=RULE, linewidth=0.8, zorder=0)
    panel.set_xlabel("Spearman's rank correlation of class graph and learned distances")
    _key(figure)
    rows = [row for row in methods_of(results) if row.label in {of.label for of in found}]
    several = any(len(row.finished) > 1 for row in rows)
    spans = "bars reach from the lowest to the highest" if several else "no bars"
    caption = (
        f"Does the learned space keep the semantics? Rank correlation of the classes' distances in the class graph "
        f"with the cosine distances of their learned centroids, over {len(found[0].graph):,} pairs of classes, for "
        f"images and for texts; {seeds_of(rows)}, {spans}. Each class is in many pairs, so that pairs are not "
        f"independent and no significance is given. Filled marks use the class graph in their loss, so that it is "
        f"what they were taught. Centroids hold {min(of.kept for of in found):.1%} or more of their squared length."
        f"{without(methods_of(results), [of.label for of in found], 'class centroids')}"
    )
    return Drawn(name, title, caption, figure)


def pairs(results: Results, name: str, title: str) -> Drawn:
    """Draw the learned distances by the distances in the class graph, a panel for each method.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: as :func:`semantics`.
        RecordError: if a file cannot be read.
    """
    found = semantics(results)
    labels = [of.label for of in found]
    found, few = first_few(found)
    figure, axes = panels(len(found), sharex=True, sharey=True)
    for panel, of in zip(axes, found, strict=True):
        for modality in (0, 1):
            at, quartiles = binned(of.graph, of.learned[modality])
            color, marker = MODALITY_COLORS[modality], "os"[modality]
            panel.fill_between(at, quartiles[:, 0], quartiles[:, 2], color=color, alpha=0.2, linewidth=0)
            panel.plot(at, quartiles[:, 1], color=color, marker=marker, markersize=2.5, linewidth=1)
        rho = of.correlations.mean(axis=0)
        panel.set_title(plain(of.label, 24))
        for modality, height in ((0, 0.13), (1, 0.02)):
            panel.text(
                0.98,
                height,
                f"ρ = {rho[modality]:.2f}",  # noqa: RUF001  Spearman's
                transform=panel.transAxes,
                ha="right",
                va="bottom",
                fontsize=7,
                color=MODALITY_COLORS[modality],
            )
    low, high = axes[0].get_ylim()
    # Room for the correlations below the lines.
    axes[0].set_ylim(low - 0.28 * (high - low), high)
    figure.supxlabel("distance in the class graph", fontsize=8)
    figure.supylabel("cosine distance of learned centroids", fontsize=8)
    _key(figure)
    rows = [row for row in methods_of(results) if row.label in {of.label for of in found}]
    caption = (
        f"Learned distances of {len(found[0].graph):,} pairs of classes, in at most {_BINS} parts of as many pairs "
        f"each by their distance in the class graph: lines are medians, bands hold the middle half of the pairs; "
        f"{seeds_of(rows)}. The numbers are Spearman's rank correlations over all pairs, which are not "
        f"independent, since each class is in many of them.{few}"
        f"{without(methods_of(results), labels, 'class centroids')}"
    )
    return Drawn(name, title, caption, figure)


def _key(figure: Figure) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415  optional

    handles = [
        Line2D([], [], color=color, marker=marker, markersize=5, linestyle="none")
        for color, marker in zip(MODALITY_COLORS, "os", strict=True)
    ]
    figure.legend(handles, MODALITIES, loc="outside upper left", ncols=2, handletextpad=0.2)
