"""What a figure is: a drawing with its caption, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawn", "LeftOut", "NotHeldError"]


@dataclass(frozen=True)
class Drawn:
    """A figure.

    Attributes:
        name: of small letters and hyphens, for files and addresses.
        title: what it shows, as a heading.
        caption: what is shown, of how many seeds and queries, and what bands and marks are.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class LeftOut:
    """A figure that these results do not give.

    Attributes:
        name: as in :class:`Drawn`.
        title: as in :class:`Drawn`.
        reason: what the results lack, as a phrase.
    """

    name: str
    title: str
    reason: str


class NotHeldError(Exception):
    """What the numbers of a figure raise where the results do not hold them; its text is the reason."""
