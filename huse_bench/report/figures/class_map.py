"""Maps of the classes' centroids, coloured by the taxonomy's uppermost branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huse_bench.report.figures.classes import top_branches
from huse_bench.report.figures.held import card_of, first_few, methods_of, store_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import PALETTE, QUIET, RULE, panels, plain
from huse_bench.results.tables import Results

__all__ = ["MOST_CLASSES", "ClassMap", "class_map", "class_maps", "principal_plane"]

#: Of more classes than these as many are shown, evenly spaced in the order of their indices.
MOST_CLASSES = 150


@dataclass(frozen=True)
class ClassMap:
    """The centroids of a method in a plane.

    Attributes:
        label: the method.
        seed: of the run that is shown.
        places: (2, K, 2) of images and of texts; NaN of a class without test items.
        shares: (2,) shares of the centroids' variance on both axes.
    """

    label: str
    seed: int
    places: NDArray[np.float64]
    shares: NDArray[np.float64]


def principal_plane(centroids: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two principal axes of the centroids of both modalities together.

    Args:
        centroids: (2, K, A).

    Returns:
        (2, K, 2) places, and (2,) the shares of the variance that they hold. Of each axis the end that is further from
        the middle is the positive one, so that the picture does not depend on the solver.
    """
    rows = centroids.astype(np.float64).reshape(-1, centroids.shape[-1])
    left, lengths, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    places = np.zeros((len(rows), 2))
    count = min(2, len(lengths))
    places[:, :count] = left[:, :count] * lengths[:count]
    furthest = places[np.abs(places).argmax(axis=0), np.arange(2)]
    shares = np.zeros(2)
    if (total := float((lengths**2).sum())) > 0:
        shares[:count] = lengths[:count] ** 2 / total
    return (places * np.where(furthest < 0, -1, 1)).reshape(2, -1, 2), shares


def class_maps(results: Results) -> list[ClassMap]:
    """The numbers of the figure.

    Args:
        results: the runs.

    Returns:
        A map for each method, of its first seed that has centroids.

    Raises:
        NotHeldError: if no run has centroids.
        RecordError: if a file cannot be read.
    """
    store, maps = store_of(results), []
    for row in methods_of(results):
        for record in row.finished:
            if (facts := store.classes(record)) is not None:
                maps.append(_map(row.label, record.seed, facts.centroids))
                break
    if not maps:
        raise NotHeldError("the runs have no class centroids, which runs of schema 1 did not keep")
    return maps


def _map(label: str, seed: int, centroids: NDArray[np.floating]) -> ClassMap:
    # Zeros stand for no items.
    there = centroids.any(axis=(0, 2))
    places = np.full((*centroids.shape[:2], 2), np.nan)
    places[:, there], shares = principal_plane(centroids[:, there])
    return ClassMap(label, seed, places, shares)


def class_map(results: Results, name: str, title: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if there is no data card, or no run has centroids.
        RecordError: if a file cannot be read.
    """
    from matplotlib.lines import Line2D  # noqa: PLC0415  optional

    card, maps = card_of(results), class_maps(results)
    labels = [one.label for one in maps]
    maps, few = first_few(maps)
    branches, of_class = top_branches(card.facts.edges, card.facts.class_names)
    there = np.flatnonzero(~np.isnan(maps[0].places).any(axis=(0, 2)))
    classes = len(there)
    shown = there[np.unique(np.linspace(0, classes - 1, min(classes, MOST_CLASSES)).round().astype(int))]
    colors = [QUIET if branch == "other" else PALETTE[place] for place, branch in enumerate(branches)]
    figure, axes = panels(len(maps), height=1.85)
    for panel, one in zip(axes, maps, strict=True):
        for place, color in enumerate(colors):
            members = shown[of_class[shown] == place]
            if not len(members):
                continue
            images, texts = one.places[:, members]
            gaps = np.full((len(members), 3, 2), np.nan)
            gaps[:, 0], gaps[:, 1] = images, texts
            panel.plot(*gaps.reshape(-1, 2).T, color=color, linewidth=0.4, alpha=0.5, zorder=1)
            panel.plot(
                *images.T, color=color, marker="o", markersize=2.8, linestyle="none", markeredgewidth=0, zorder=2
            )
            panel.plot(
                *texts.T,
                color=color,
                marker="s",
                markersize=2.8,
                linestyle="none",
                zorder=2,
                markerfacecolor="none",
                markeredgewidth=0.7,
            )
        panel.set_aspect("equal", adjustable="datalim")
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set_visible(True)
            spine.set_color(RULE)
        panel.set_title(f"{plain(one.label, 20)}  {one.shares.sum():.0%}")
    handles = [Line2D([], [], color=color, marker="o", markersize=5, linestyle="none") for color in colors]
    handles += [Line2D([], [], color=QUIET, marker="o", markersize=4, linestyle="none")]
    handles += [Line2D([], [], color=QUIET, marker="s", markersize=4, linestyle="none", markerfacecolor="none")]
    names = [*(plain(branch, 28) for branch in branches), "image", "text"]
    figure.legend(handles, names, loc="outside upper left", ncols=3, handletextpad=0.2, columnspacing=1.2)
    cut = f" {len(shown)} of {classes:,} classes are shown." if len(shown) < classes else ""
    seeds = {one.seed for one in maps}
    seed = f"seed {seeds.pop()}" if len(seeds) == 1 else "the first seed of each method"
    caption = (
        f"Centroids of {len(shown)} classes, filled dots of images and hollow squares of texts, with a line between "
        f"those of one class, coloured by the uppermost branches of the taxonomy; {seed}. Each panel shows the first "
        f"two principal axes of its own centroids (PCA of both modalities together) at a scale of its own; behind the "
        f"name stands the share of their variance that these two axes hold. What is near here need not be near in the "
        f"space.{cut}{few}{without(methods_of(results), labels, 'class centroids')}"
    )
    return Drawn(name, title, caption, figure)
