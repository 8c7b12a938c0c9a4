"""Drawings as pictures: what is drawn, in the middle of a white square."""

from __future__ import annotations

import io

import numpy as np

from huse_bench_datasets._shipped.pictures import on_white, rasterise

__all__ = ["SIDE", "picture"]

#: Pixels of a picture's side.
SIDE = 224

# Many drawings fill only a part of their page, so that the whole of it is drawn larger and what is drawn cut out.
_PAGE = 448
_MARGIN = 0.04
# A pixel at least as light as this is paper, and a page with fewer others is empty.
_PAPER = 250
_LEAST = 20


def picture(svg: bytes) -> bytes | None:
    """Render a drawing.

    Args:
        svg: contents of its file.

    Returns:
        A PNG, 224 pixels wide and high; None where nothing is drawn on the page, or there is none.
    """
    from PIL import Image  # noqa: PLC0415  the image backbone, made before, says how to install it

    try:
        page = on_white(Image.open(io.BytesIO(rasterise(svg, _PAGE))))
    except ValueError:
        # What resvg says of a drawing without a size.
        return None
    ink = np.asarray(page).min(axis=2) < _PAPER
    if ink.sum() < _LEAST:
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    drawn = page.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    side = round(max(drawn.size) * (1 + 2 * _MARGIN))
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawn, ((side - drawn.width) // 2, (side - drawn.height) // 2))
    contents = io.BytesIO()
    square.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(contents, "PNG", compress_level=1)
    return contents.getvalue()
