"""The course of the trainings, a small panel for each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from huse_bench.measures import DIRECTION_TITLES, DIRECTIONS
from huse_bench.report.figures.held import first_few, methods_of, seeds_of, without
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import DIRECTION_COLORS, PALETTE, panels, plain
from huse_bench.results.rows import Row
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Course", "learning_courses", "losses", "validation"]

# What a line shows, its hue and its dashes.
_Key = tuple[str, str, tuple[float, ...]]

_DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (5, 1.2, 1, 1.2))


@dataclass(frozen=True)
class Course:
    """How one quantity of a method went.

    Attributes:
        steps: (n,) the steps at which it was measured.
        mean: (n,) over seeds.
        low: (n,) the lowest of the seeds.
        high: (n,) the highest.
    """

    steps: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def learning_courses(results: Results, kind: str) -> dict[str, dict[str, Course]]:
    """The numbers of the figure.

    Args:
        results: the runs.
        kind: ``"losses"`` for the terms of the loss, ``"validation"`` for metrics.

    Returns:
        By method, and by term or metric; of the seeds that were measured at the same steps as the first.

    Raises:
        NotHeldError: if no record has a learning curve.
    """
    courses = {row.label: found for row in methods_of(results) if (found := _of_row(row, kind))}
    if not courses:
        raise NotHeldError("the records have no learning curves, which runs of schema 1 did not keep")
    return courses


def _of_row(row: Row, kind: str) -> dict[str, Course]:
    held = [record.learning for record in row.finished if record.learning]
    if not held:
        return {}
    steps = held[0].steps
    alike = [learning for learning in held if learning.steps == steps]
    found = {}
    for name in getattr(held[0], kind):
        lines = np.array([getattr(one, kind)[name] for one in alike if name in getattr(one, kind)])
        found[name] = Course(np.array(steps), lines.mean(axis=0), lines.min(axis=0), lines.max(axis=0))
    return found


def losses(results: Results, name: str, title: str) -> Drawn:
    """Draw the terms of the losses.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no record has a learning curve.
    """
    courses = learning_courses(results, "losses")
    terms = list(dict.fromkeys(term for of in courses.values() for term in of))
    shown, few = first_few(list(courses.items()))
    figure, axes = panels(len(shown))
    for panel, (label, of) in zip(axes, shown, strict=True):
        for term, course in of.items():
            place = terms.index(term)
            _draw(panel, course, PALETTE[place % len(PALETTE)], _DASHES[place // len(PALETTE) % len(_DASHES)])
        values = np.concatenate([course.low for course in of.values()])
        highest = max(float(course.high.max()) for course in of.values())
        if values.min() > 0 and highest > 20 * values.min():
            panel.set_yscale("log")
            # Powers would be written in mathematical type, which names must not be read as.
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.yaxis.set_minor_formatter(lambda *_: "")
        panel.set_title(plain(label, 24))
    _shared(figure, axes, [(term, PALETTE[i % 8], _DASHES[i // 8 % 4]) for i, term in enumerate(terms)])
    rows = [row for row in methods_of(results) if row.label in courses]
    caption = (
        f"Terms of each method's loss over the steps of its training, {seeds_of(rows)}: {_about(rows)}. Axes are "
        f"logarithmic where a term falls far, and each panel has a range of its own: losses of different methods "
        f"cannot be compared.{few}{without(methods_of(results), list(courses), 'learning curves')}"
    )
    return Drawn(name, title, caption, figure)


def validation(results: Results, name: str, title: str) -> Drawn:
    """Draw R@1 on the validation split.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no record has a learning curve with R@1.
    """
    of_all = learning_courses(results, "validation")
    courses = {label: of for label, of in of_all.items() if any(f"{d} R@1" in of for d in DIRECTIONS)}
    if not courses:
        raise NotHeldError("the learning curves have no R@1")
    shown, few = first_few(list(courses.items()))
    figure, axes = panels(len(shown), sharex=True, sharey=True)
    for panel, (label, of) in zip(axes, shown, strict=True):
        for place, direction in enumerate(DIRECTIONS):
            if f"{direction} R@1" in of:
                _draw(panel, of[f"{direction} R@1"], DIRECTION_COLORS[direction], _DASHES[place])
        panel.set_title(plain(label, 24))
    keys = [(DIRECTION_TITLES[d], DIRECTION_COLORS[d], _DASHES[i]) for i, d in enumerate(DIRECTIONS)]
    _shared(figure, axes, keys, "R@1")
    rows = [row for row in methods_of(results) if row.label in courses]
    items = {record.learning.items for row in rows for record in row.finished if record.learning}
    queries = " or ".join(f"{count:,}" for count in sorted(items))
    caption = (
        f"R@1 in each direction on {queries} items of the validation split over the steps of the training, "
        f"{seeds_of(rows)}: {_about(rows)}. So few items make the lines rough; all panels have the same axes."
        f"{few}{without(methods_of(results), list(courses), 'learning curves')}"
    )
    return Drawn(name, title, caption, figure)


def _about(rows: Sequence[Row]) -> str:
    several = any(len(row.finished) > 1 for row in rows)
    return "bands reach from the lowest to the highest seed" if several else "no bands"


def _draw(panel: Axes, course: Course, color: str, dashes: tuple[float, ...]) -> None:
    if (course.high > course.low).any():
        panel.fill_between(course.steps, course.low, course.high, color=color, alpha=0.2, linewidth=0)
    panel.plot(course.steps, course.mean, color=color, linestyle=(0, dashes) if dashes else "-")


def _shared(figure: Figure, axes: Sequence[Axes], keys: Sequence[_Key], ylabel: str = "") -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415  optional

    handles = [Line2D([], [], color=color, linestyle=(0, dashes) if dashes else "-") for _, color, dashes in keys]
    names = [plain(name, 24) for name, _, _ in keys]
    figure.legend(handles, names, loc="outside upper left", ncols=min(len(keys), 5), handlelength=2.2)
    figure.supxlabel("step", fontsize=8)
    if ylabel:
        figure.supylabel(ylabel, fontsize=8)
    for panel in axes:
        panel.locator_params(axis="x", nbins=4)
