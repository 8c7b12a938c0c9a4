"""What an SVG of the Open Clip Art Library says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

__all__ = ["Metadata", "read_metadata"]

_DC = "{http://purl.org/dc/elements/1.1/}"


@dataclass(frozen=True)
class Metadata:
    """The Dublin Core elements of a drawing, white space collapsed; empty where it has none.

    Attributes:
        title: of the drawing, or of the collection it was handed in with.
        description: in a sentence or more.
        keywords: in the order given, each once.
        author: who drew it.
        public_domain: whether it says that it is in the public domain.
    """

    title: str
    description: str
    keywords: Sequence[str]
    author: str
    public_domain: bool = True


def read_metadata(svg: bytes) -> Metadata:
    """Read the RDF of a drawing.

    Args:
        svg: contents of its file, well-formed.
    """
    tree = ET.fromstring(svg)  # noqa: S314  of a package whose hash was checked
    work = next((element for element in tree.iter() if element.tag.endswith("}Work")), None)
    if work is None:
        return Metadata("", "", (), "", public_domain=False)
    # They are in a bag of list items, whose namespace not all files spell alike.
    keywords = [_said(item) for item in work.iterfind(f"{_DC}subject//*") if item.tag.endswith("}li")]
    return Metadata(
        title=_said(work.find(f"{_DC}title")),
        description=_said(work.find(f"{_DC}description")),
        keywords=tuple(dict.fromkeys(word for word in keywords if word)),
        author=_said(work.find(f"{_DC}creator")),
        public_domain=any(
            "publicdomain" in value.casefold()
            for element in work
            if element.tag.endswith("}license")
            for value in element.attrib.values()
        ),
    )


def _said(element: ET.Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())
