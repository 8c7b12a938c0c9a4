"""A part of a report page: what it is called, how it is drawn, and what its script reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Section"]


@dataclass(frozen=True)
class Section:
    """One part of a page, under a heading of its own.

    Attributes:
        name: of the part in addresses and of its element, of small letters and hyphens.
        title: its heading.
        template: file of its markup in ``templates/``.
        context: what the template is given.
        data: what its script reads, as JSON; None where it reads nothing.
        script: file of its script in ``templates/``; None where it has none.
        style: file of its style sheet in ``templates/``; None where it has none.
    """

    name: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None
    script: str | None = None
    style: str | None = None
