"""Drawings as part of a page: nothing of a name is markup, and what is drawn is what matplotlib drew."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from huse_bench.report.figures.model import Drawn
from huse_bench.report.figures.style import PALETTE, PAPER, QUIET, TEXT, canvas, styled
from huse_bench.report.figures.writing import figure_bytes
from huse_bench.report.html.inline_svg import inline_svg

HOSTILE = [
    "</svg><script>alert(1)</script>",
    '" onload="alert(1)',
    "]]><b>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<!-- x",
    "$\\mathrm{x}$",
]
SVG = "{http://www.w3.org/2000/svg}"


def drawing(names=("a",)):
    with styled():
        figure, (axes,) = canvas(8, 4)
        for place, name in enumerate(names):
            axes.plot([0, 1, 2], [place, 1, 3], color=PALETTE[place % 8], marker="o", markerfacecolor=PAPER)
            axes.text(1, place, name)
            axes.annotate(name, (0, 0), color=QUIET)
        axes.set_title(names[0])
        axes.set_yticks(range(len(names)), names)
    return figure_bytes(Drawn("x", names[0], "", figure), "svg")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup(name):
    text = inline_svg(drawing([name]), "p", name, name)
    root = ET.fromstring(text)
    allowed = {"svg", "title", "desc", "g", "path", "use", "text", "tspan", "defs", "clipPath", "rect"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert not any(key.startswith("on") or key == "style" for element in root.iter() for key in element.attrib)
    # As text it is there, as it was given.
    assert sum(element.text == name for element in root.iter(f"{SVG}text")) >= 3
    assert root.find(f"{SVG}title").text == name
    assert root.find(f"{SVG}desc").text == name


def test_colours_are_the_pages():
    text = inline_svg(drawing(), "p", "t", "d")
    for color in (TEXT, QUIET, PAPER, PALETTE[0]):
        assert color not in text
    for variable in ("currentColor", "var(--quiet)", "var(--paper)", "var(--hue-0)"):
        assert variable in text


def test_ids_begin_with_the_prefix_and_every_reference_is_there():
    text = inline_svg(drawing("ab"), "f1-cost", "t", "d")
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("f1-cost-") for name in ids)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {first or second for first, second in used} <= set(ids)
    assert 'role="img" aria-labelledby="f1-cost-title f1-cost-desc"' in text


def test_the_drawing_is_much_smaller_and_has_the_same_places():
    before = drawing("abcdefgh")
    after = inline_svg(before, "p", "t", "d")
    assert len(after) < 0.6 * len(before)
    places = [
        [(float(u.get("x")), float(u.get("y"))) for u in root.iter(f"{SVG}use")]
        for root in map(ET.fromstring, (before, after))
    ]
    np.testing.assert_allclose(places[1], places[0], atol=0.051)


def test_what_a_group_says_is_what_each_in_it_said():
    """Attributes as they are inherited are those that matplotlib wrote."""

    def colors(root, aliases):
        found = []

        def walk(element, fill, clip):
            style = dict(part.split(": ", 1) for part in element.get("style", "").split("; ") if part)
            fill = style.get("fill", element.get("fill", fill))
            clip = element.get("clip-path", clip) is not None or clip
            if element.tag == f"{SVG}use":
                found.append((aliases.get(fill, fill), clip))
            for child in element:
                walk(child, fill, clip)

        walk(root, None, False)
        return found

    before = drawing("abc")
    names = {TEXT: "currentColor", PAPER: "var(--paper)"}
    assert colors(ET.fromstring(inline_svg(before, "p", "t", "d")), {}) == colors(ET.fromstring(before), names)
