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
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {**_SILENT[form]}
    if form != "png":
        metadata["Title"] = drawn.title
    with styled(), warnings.catch_warnings():
        # Names in scripts that the font lacks show as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        drawn.figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()
