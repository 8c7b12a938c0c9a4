"""How figures look: one palette, one style for each method, panels."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huse_bench.errors import MissingExtraError
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DIRECTION_COLORS",
    "MODALITY_COLORS",
    "PALETTE",
    "PAPER",
    "QUIET",
    "RULE",
    "TEXT",
    "MethodStyle",
    "canvas",
    "method_styles",
    "panels",
    "plain",
    "require_matplotlib",
    "styled",
]

#: Hues that readers of any colour vision tell apart: those of Okabe and Ito that show on white, with a wine, an olive.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#882255", "#808000")

#: What figures are drawn on, and hollow marks are filled with.
PAPER = "#ffffff"

#: Of words and axes, of what stands behind the data, and of thin lines.
TEXT, QUIET, RULE = "#222222", "#767676", "#d0d0d0"

#: Of what is known of pictures and of texts.
MODALITY_COLORS = (PALETTE[0], PALETTE[1])

#: Of the four directions.
DIRECTION_COLORS = {"i2i": PALETTE[0], "i2t": PALETTE[1], "t2i": PALETTE[2], "t2t": PALETTE[3]}

# Seven, so that no two of 56 methods share both hue and mark.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (5, 1.2, 1, 1.2), (2.5, 1), (7, 2, 2, 2, 2, 2))

_SETTINGS: dict[str, Any] = {
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.unicode_minus": False,
    "figure.dpi": 100,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "huse-bench",
    "text.color": TEXT,
    # A dollar sign in a name is one.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": TEXT,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.color": TEXT,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 0,
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn, the same in every figure.

    Attributes:
        color: its hue.
        marker: its mark.
        dashes: of its lines; empty for a solid one.
        filled: whether its mark is filled: methods that use the class graph.
    """

    color: str
    marker: str
    dashes: tuple[float, ...]
    filled: bool

    def mark(self, size: float = 5) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for a mark without a line."""
        return {
            "color": self.color,
            "linestyle": "none",
            "marker": self.marker,
            "markersize": size,
            "markeredgewidth": size / 4.5,
            "markerfacecolor": self.color if self.filled else PAPER,
        }

    def line(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for a line without a mark."""
        return {"color": self.color, "linestyle": (0, self.dashes)} if self.dashes else {"color": self.color}


def require_matplotlib() -> None:
    """Raise MissingExtraError where matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("drawing figures", "report", "matplotlib") from error


@contextmanager
def styled() -> Iterator[None]:
    """Draw and write in the style of the figures, whatever the user's own settings are."""
    import matplotlib as mpl  # noqa: PLC0415  optional

    with mpl.rc_context():
        mpl.rcdefaults()
        # Settings go by names of matplotlib's own, which older versions do not type.
        settings: Any = mpl.rcParams
        settings.update(_SETTINGS)
        yield


def method_styles(results: Results) -> dict[str, MethodStyle]:
    """The style of each row, by its label.

    Args:
        results: the runs; a method's place in their tables chooses its style.

    Returns:
        The styles; controls are grey.
    """
    styles: dict[str, MethodStyle] = {}
    methods = [row for row in results.rows if not row.is_control]
    for place, row in enumerate(methods):
        hue, mark, dash = (place % len(kind) for kind in (PALETTE, _MARKERS, _DASHES))
        styles[row.label] = MethodStyle(PALETTE[hue], _MARKERS[mark], _DASHES[dash], row.semantic)
    return styles | {row.label: MethodStyle(QUIET, "|", (), False) for row in results.rows if row.is_control}


def plain(text: str, most: int = 32) -> str:
    """A name as it can be drawn: no sign that steers, turns or hides others, and no longer than there is room.

    Args:
        text: the name.
        most: number of signs.

    Returns:
        The name, with an ellipsis where it is cut.
    """
    shown = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign)[0] == "C" else sign for sign in text)
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1, *, settled: bool = False, **sharing: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure.

    Args:
        width: in inches.
        height: in inches.
        rows: of panels.
        columns: of panels.
        settled: whether the panels' places are given by ``subplots_adjust``, in place of what they need.
        sharing: arguments of matplotlib's ``Figure.subplots``.

    Returns:
        The figure and its axes, from left to right and from top to bottom.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  optional

    figure = Figure(figsize=(width, height), layout=None if settled else "constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **sharing)
    return figure, list(axes.flat)


def panels(count: int, height: float = 1.55, **sharing: Any) -> tuple[Figure, list[Axes]]:
    """A figure of as many small panels as are asked for, four beside each other where there are more than three.

    Args:
        count: number of panels.
        height: of one, in inches.
        sharing: arguments of matplotlib's ``Figure.subplots``.

    Returns:
        The figure and its axes, from left to right and from top to bottom.
    """
    columns = min(count, 4 if count != 5 else 3)
    rows = -(-count // columns)
    figure, axes = canvas(max(7.0 * columns / 4, 3.4), height * rows + 0.5, rows, columns, **sharing)
    for place, unused in enumerate(axes[count:], start=count):
        unused.set_visible(False)
        # With a shared axis the panel above the gap has the last numbers of its column.
        axes[place - columns].tick_params(labelbottom=True)
    return figure, axes[:count]
