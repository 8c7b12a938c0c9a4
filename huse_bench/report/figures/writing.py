"""Figures as the contents of files, the same to the byte whenever they are made."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

from huse_bench.report.figures.model import Drawn
from huse_bench.report.figures.style import styled

__all__ = ["FORMATS", "figure_bytes"]

# What matplotlib would say of itself and of the time.
_SILENT: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

# What matplotlib says where names leave no room for what is drawn: a figure then grows, as its letters do not.
_NO_ROOM = "constrained_layout not applied"
_GROWTH, _MOST_GROWTHS = 1.25, 6

#: The formats of :func:`figure_bytes`.
FORMATS = tuple(_SILENT)


def figure_bytes(drawn: Drawn, form: str) -> bytes:
    """A figure as the contents of a file.

    Args:
        drawn: the figure.
        form: one of :data:`FORMATS`.

    Returns:
        The contents.
    """
    metadata: dict[str, Any] = {**_SILENT[form]}
    if form != "png":
        metadata["Title"] = drawn.title
    with styled(), warnings.catch_warnings():
        # Names in scripts that the font lacks show as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("error", message=_NO_ROOM, category=UserWarning)
        for _ in range(_MOST_GROWTHS):
            try:
                return _written(drawn, form, metadata)
            except UserWarning as warning:
                if not str(warning).startswith(_NO_ROOM):
                    raise
                drawn.figure.set_size_inches(*(_GROWTH * drawn.figure.get_size_inches()))
        warnings.filterwarnings("ignore", message=_NO_ROOM, category=UserWarning)
        return _written(drawn, form, metadata)


def _written(drawn: Drawn, form: str, metadata: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    drawn.figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()
