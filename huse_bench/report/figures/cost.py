"""What a training takes against what comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from huse_bench.measures import DIRECTIONS
from huse_bench.report.figures.curves import named
from huse_bench.report.figures.held import methods_of, seeds_of, without
from huse_bench.report.figures.labels import Label, label_points
from huse_bench.report.figures.model import Drawn, NotHeldError
from huse_bench.report.figures.style import canvas, method_styles
from huse_bench.report.words import listed
from huse_bench.results.layout import Column
from huse_bench.results.tables import Results

__all__ = ["Cost", "cost", "costs"]


@dataclass(frozen=True)
class Cost:
    """A method's seconds and quality.

    Attributes:
        label: the method.
        seconds: of its trainings, by seed.
        quality: R@1, mean over seeds and directions.
        device: what it was trained on; empty where the records do not say.
    """

    label: str
    seconds: tuple[float, ...]
    quality: float
    device: str


def costs(results: Results) -> list[Cost]:
    """The numbers of the figure.

    Args:
        results: the runs.

    Returns:
        The methods in the order of the tables.

    Raises:
        NotHeldError: if no training says what it took.
    """
    found = []
    for row in methods_of(results):
        seconds = tuple(record.training.seconds for record in row.finished if record.training is not None)
        qualities = [row.mean(Column(direction, "R@1", "")) for direction in DIRECTIONS]
        if seconds and min(seconds) > 0 and not np.isnan(qualities).any():
            devices = sorted({record.device.name for record in row.finished if record.device is not None})
            found.append(Cost(row.label, seconds, float(np.mean(qualities)), listed(devices)))
    if not found:
        raise NotHeldError("no record says how long its training took")
    return found


def cost(results: Results, name: str, title: str) -> Drawn:
    """Draw the figure.

    Args:
        results: the runs.
        name: of the figure.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        NotHeldError: if no training says what it took.
    """
    found, styles = costs(results), method_styles(results)
    figure, axes = canvas(6.0, max(3.0, min(5.0, 1.4 + 0.14 * len(found))), settled=True)
    figure.subplots_adjust(left=0.09, right=0.98, top=0.97, bottom=0.14)
    panel = axes[0]
    panel.set_xscale("log")
    chosen, labels = named({of.label: of.quality for of in found}, 24), []
    for of in found:
        middle, style = float(np.median(of.seconds)), styles[of.label]
        panel.plot([middle], [of.quality], zorder=2, **style.mark(5))
        if of.label in chosen:
            labels.append(Label(of.label, middle, of.quality, style))
    middles = [float(np.median(of.seconds)) for of in found]
    low, high = min(middles), max(middles)
    panel.set_xlim(low / 1.2, high * 1.2)
    qualities = [of.quality for of in found]
    room = max(0.01, 0.06 * (max(qualities) - min(qualities)))
    panel.set_ylim(min(qualities) - room, max(qualities) + room)
    ticks = _ticks(low / 1.2, high * 1.2)
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("seconds of training (logarithmic)")
    panel.set_ylabel("R@1, mean of four directions")
    label_points(panel, labels)
    rows = [row for row in methods_of(results) if row.label in {of.label for of in found}]
    devices = sorted({of.device for of in found})
    machine = f"trained on {listed(devices)}" if devices != [""] else "the records do not say on which device"
    mixed = "; devices differ, so that seconds cannot be compared" if len(devices) > 1 else ""
    marks = "marks are at the median of the seeds' seconds; " if any(len(of.seconds) > 1 for of in found) else ""
    caption = (
        f"R@1 on {results.records[0].dataset.items.test:,} test queries in each direction against the wall-clock "
        f"seconds of one training, {seeds_of(rows)}; {marks}{machine}{mixed}. Other work on the machine "
        f"slows a training, so read no small gaps. Filled marks use the class graph."
        f"{without(methods_of(results), [of.label for of in found], 'seconds')}"
    )
    return Drawn(name, title, caption, figure)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between, some three to eight of them."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(np.arange(10, 100, 5) / 10)):
        ticks = [float(step * 10.0**decade) for decade in decades for step in steps]
        held = [tick for tick in ticks if low <= tick <= high]
        if len(held) >= 3:
            return held[:: -(-len(held) // 8)]
    return [float(f"{low * 1.2:.2g}"), float(f"{high / 1.2:.2g}")]
