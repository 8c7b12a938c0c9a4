"""The figures of a report page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huse_bench.report.figures import Drawn, draw_all
from huse_bench.report.figures.writing import figure_bytes
from huse_bench.report.html.inline_svg import inline_svg
from huse_bench.report.html.section import Section
from huse_bench.results.tables import Results

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["PageFigure", "sections"]


@dataclass(frozen=True)
class PageFigure:
    """A figure as the page's template takes it.

    Attributes:
        name: of the figure.
        title: its heading.
        caption: what it shows.
        drawing: an SVG file.
    """

    name: str
    title: str
    caption: str
    drawing: bytes

    def svg(self, section: str) -> Markup:
        """The drawing as markup, with ids that begin with the section's."""
        from markupsafe import Markup  # noqa: PLC0415  comes with Jinja2

        # The caption stands below the drawing for all readers: its first sentence is enough here.
        what = self.caption.partition(". ")[0].rstrip(".") + "."
        return Markup(inline_svg(self.drawing, f"{section}-{self.name}", self.title, what))  # noqa: S704  escaped there


def sections(results: Results) -> list[Section]:
    """The part of a page that shows the figures, and says which there are not and why.

    Args:
        results: the runs.

    Returns:
        One section.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    done = draw_all(results)
    figures = [
        PageFigure(of.name, of.title, of.caption, figure_bytes(of, "svg")) for of in done if isinstance(of, Drawn)
    ]
    left_out = [of for of in done if not isinstance(of, Drawn)]
    context = {"figures": figures, "left_out": left_out}
    return [Section("figures", "Figures", "figures.html", context, style="figures.css")]
