"""A report as one HTML file that needs nothing else: no network, no other file, no inline handler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huse_bench.report.html import facts, figures, gallery, methods, published, summary, tables, versus
from huse_bench.report.html.document import environment_of, policy, refuse_without_jinja
from huse_bench.report.html.section import Section
from huse_bench.report.html.texts import embedded_json
from huse_bench.report.shown import Change
from huse_bench.results.consistency import refuse_unflagged
from huse_bench.results.published import Published
from huse_bench.results.summary import folder_titles
from huse_bench.results.tables import Results
from huse_bench.version import installed_version

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["MOST_BYTES", "render_page"]

#: What a page may weigh, so that it can be mailed and opened on a telephone.
MOST_BYTES = 5_000_000

_TEMPLATES = Path(__file__).parent / "templates"

# Without these a page would be no report.
_ALWAYS = frozenset({"tables", "methods", "runs", "data"})


@dataclass(frozen=True)
class _Part:
    """A section as it is on the page."""

    id: str
    section: Section
    markup: str
    data: str

    @property
    def size(self) -> int:
        return len(self.markup.encode()) + len(self.data.encode())


@dataclass(frozen=True)
class _Folder:
    """The parts of one results folder."""

    id: str
    title: str
    results: Results
    parts: list[_Part]


def render_page(
    folders: Sequence[Results],
    change: Change | None = None,
    most_bytes: int = MOST_BYTES,
    printed: Published | None = None,
) -> str:
    """One page about the runs of one or several folders.

    Args:
        folders: the runs of each.
        change: called with each table and its name, and may change the table in place.
        most_bytes: what the page may weigh. The largest parts that it can do without are left out until it does not
            weigh more, and the page says which.
        printed: a paper's own numbers to add, and what they say of the measured ones.

    Returns:
        HTML.

    Raises:
        MissingExtraError: without Jinja2.
        ResultsError: if the paper has a number that cannot be and that carries no flag.
        RecordError: if the scores of a run cannot be read.
    """
    refuse_without_jinja()
    if printed is not None:
        refuse_unflagged(printed)
    environment = environment_of(_TEMPLATES)
    shown = [
        _Folder(f"f{number}", title, results, _parts(environment, f"f{number}", _sections(results, change, printed)))
        for number, (title, results) in enumerate(zip(folder_titles(folders), folders, strict=True), start=1)
    ]
    over = _parts(environment, "over", summary.sections(folders))
    left_out: list[str] = []
    while True:
        page = _page(environment, over, shown, left_out, most_bytes)
        spare = [
            (part.size, place, part) for place in shown for part in place.parts if part.section.name not in _ALWAYS
        ]
        if len(page.encode()) <= most_bytes or not spare:
            return page
        size, place, part = max(spare, key=lambda entry: entry[0])
        place.parts.remove(part)
        left_out.append(f"{part.section.title} of {place.title} ({size / 1e6:.1f} MB)")


def _sections(results: Results, change: Change | None, printed: Published | None) -> list[Section]:
    """All parts of a folder, in the order of the page."""
    return [
        *tables.sections(results, change, printed),
        *published.sections(results, printed),
        *figures.sections(results),
        *versus.sections(results),
        *gallery.sections(results),
        *methods.sections(results),
        *facts.sections(results),
    ]


def _parts(environment: Environment, folder: str, sections: Iterable[Section]) -> list[_Part]:
    parts = []
    for section in sections:
        place = f"{folder}-{section.name}"
        markup = environment.get_template(section.template).render({**section.context, "id": place})
        data = "" if section.data is None else embedded_json(section.data)
        parts.append(_Part(place, section, markup, data))
    return parts


def _page(
    environment: Environment,
    over: Sequence[_Part],
    folders: Sequence[_Folder],
    left_out: Sequence[str],
    most_bytes: int,
) -> str:
    from markupsafe import Markup  # noqa: PLC0415  comes with Jinja2

    sections = [part.section for parts in (over, *(folder.parts for folder in folders)) for part in parts]
    styles = _sources(["page.css", *(section.style for section in sections if section.style)])
    scripts = _sources(["page.js", *(section.script for section in sections if section.script)])
    records = [record for folder in folders for record in folder.results.records]
    context: Mapping[str, Any] = {
        "over": over,
        "folders": folders,
        "styles": [Markup(text) for text in styles],  # noqa: S704  our own files
        "scripts": [Markup(text) for text in scripts],  # noqa: S704  our own files
        "policy": policy(scripts, styles),
        "markup": Markup,
        "left_out": left_out,
        "most": f"{most_bytes / 1e6:g} MB",
        "version": installed_version(),
        "runs": len(records),
        "first": min(record.created for record in records).date().isoformat(),
        "last": max(record.created for record in records).date().isoformat(),
    }
    return environment.get_template("page.html").render(context)


def _sources(names: Iterable[str]) -> list[str]:
    return [(_TEMPLATES / name).read_text(encoding="utf-8") for name in dict.fromkeys(names)]
