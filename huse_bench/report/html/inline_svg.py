"""Drawings of matplotlib as part of a page: smaller, in the page's colours, without styles that the page forbids."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from huse_bench.report.figures.style import PALETTE, PAPER, QUIET, RULE, TEXT

__all__ = ["inline_svg"]

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"

# Variables of the page and of the figures' style sheet, so that a figure is dark where the page is.
_COLORS = {
    TEXT: "currentColor",
    QUIET: "var(--quiet)",
    RULE: "var(--line)",
    PAPER: "var(--paper)",
    **{color: f"var(--hue-{number})" for number, color in enumerate(PALETTE)},
}

_NUMBER = re.compile(r"-?\d+\.\d+")

# Where the numbers of a drawing are places on it, or the shape of a mark, which is small.
_PLACES = ("d", "x", "y", "width", "height", "transform")

# What a drawing by matplotlib says of text and page that the page says itself, or that changes nothing.
_DROPPED = {"font-family", "stroke-dashoffset"}

# What a group may say for all in it.
_SHARED = (
    "clip-path",
    "fill",
    "fill-opacity",
    "font-size",
    "stroke",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
)

_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(drawing: bytes, prefix: str, title: str, description: str) -> str:
    """A drawing as an element of a page.

    Args:
        drawing: an SVG file by matplotlib, with text as text.
        prefix: for its ids, which no other element of the page has.
        title: name of the drawing for those who do not see it.
        description: what it shows.

    Returns:
        The element: colours by the page's variables, no style of its own, coordinates with one digit.
    """
    root = ET.fromstring(drawing)  # noqa: S314  written by matplotlib a moment ago
    for child in list(root):
        if child.tag in (f"{_SVG}metadata", f"{_SVG}title"):
            root.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}style":
                parent.remove(child)
    used = {element.attrib[_LINK].removeprefix("#") for element in root.iter() if _LINK in element.attrib}
    used |= {found for element in root.iter() for found in _REFERENCE.findall(element.get("clip-path", ""))}
    short = {name: f"{prefix}-{number}" for number, name in enumerate(sorted(used))}
    _shorten(root, short, digits=1)
    _flatten(root)
    _share(root)
    width = float(root.attrib["viewBox"].split()[2])
    attributes = {
        "viewBox": root.attrib["viewBox"],
        # From points to the page's pixels.
        "width": f"{width * 96 / 72:.0f}",
        "role": "img",
        "aria-labelledby": f"{prefix}-title {prefix}-desc",
        "stroke-linejoin": "round",
    }
    root.attrib.clear()
    root.attrib.update(attributes)
    for place, (name, text) in enumerate([("title", title), ("desc", description)]):
        element = ET.Element(f"{_SVG}{name}", {"id": f"{prefix}-{name}"})
        element.text = text
        root.insert(place, element)
    ET.register_namespace("", _SVG[1:-1])
    return ET.tostring(root, encoding="unicode")


def _shorten(element: Any, short: dict[str, str], digits: int) -> None:
    """Give an element and all in it presentation attributes for their styles, short ids and short numbers."""
    attributes = element.attrib
    name = attributes.pop("id", None)
    if name in short:
        attributes["id"] = short[name]
    if _LINK in attributes:
        attributes["href"] = f"#{short[attributes.pop(_LINK).removeprefix('#')]}"
    if "clip-path" in attributes:
        attributes["clip-path"] = _REFERENCE.sub(lambda found: f"url(#{short[found[1]]})", attributes["clip-path"])
    for declaration in attributes.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        # A mark's outline is said where its shape is defined.
        if key and key not in _DROPPED and not (element.tag == f"{_SVG}use" and key.startswith("stroke-")):
            attributes[key] = _COLORS.get(value, value)
    # Shapes in definitions are a few points large.
    digits = 2 if element.tag == f"{_SVG}defs" else digits
    for key in _PLACES:
        if key in attributes:
            attributes[key] = " ".join(_NUMBER.sub(lambda found: _rounded(found[0], digits), attributes[key]).split())
    if "d" in attributes and not re.search("[^MLz0-9. -]", attributes["d"]):
        # Places that follow a place are ends of lines.
        attributes["d"] = attributes["d"].replace(" L ", " ")
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if element.tag != f"{_SVG}text":
        element.text = None
    element.tail = None
    for child in element:
        _shorten(child, short, digits)


def _rounded(number: str, digits: int) -> str:
    text = f"{float(number):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _flatten(element: Any) -> None:
    """Put what stands in groups that say nothing in their place."""
    children: list[Any] = []
    for child in element:
        _flatten(child)
        children.extend(child if child.tag == f"{_SVG}g" and not child.attrib else [child])
    element[:] = children


def _share(element: Any) -> None:
    """Let groups say once what all in them say alike."""
    for child in element:
        _share(child)
    if element.tag != f"{_SVG}g" or len(element) < 2:
        return
    for key in _SHARED:
        values = {child.get(key) for child in element}
        if len(values) == 1 and None not in values and key not in element.attrib:
            element.set(key, values.pop())
            for child in element:
                del child.attrib[key]
