"""Rebuild the dataset from its sources: ``python -m huse_bench_datasets.emoji.build --output DIR``.

It needs the packages of the extra ``emoji-build`` and, unless ``--sources`` holds the tarballs already, npm and
its registry.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from huse_bench import errors
from huse_bench_backbones.efficientnet_lite0 import EfficientNetLite0
from huse_bench_backbones.minilm import MiniLM
from huse_bench_backbones.use import UniversalSentenceEncoder
from huse_bench_datasets.emoji import _store
from huse_bench_datasets.emoji._drawings import SETS, Drawing, Emoji, collect
from huse_bench_datasets.emoji._sources import PACKAGES, opened
from huse_bench_datasets.emoji._split import SALT, assign, by_class, split_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["build", "rasterise", "thumbnail"]

_CHUNK = 256
_SVG_SIDE = 224
_THUMBNAIL_SIDE = 40
# At 40 pixels more cannot be told from it.
_THUMBNAIL_QUALITY = 60


def build(sources: Path, output: Path) -> None:
    """Make the files of the dataset.

    Args:
        sources: folder that holds the tarballs of the sources.
        output: folder to write to.

    Raises:
        DataError: if a tarball is missing or not the one expected.
        MissingExtraError: if a package of the extra ``emoji-build`` is not installed.
    """
    image, text, classes = EfficientNetLite0(), MiniLM(), UniversalSentenceEncoder()
    emoji = collect(sources)
    grouped = by_class(emoji)
    kept = [one for members in grouped.values() for one in members]
    _report_counts(emoji, kept)
    drawings = [one.drawings[name] for one in kept for name in SETS if name in one.drawings]
    names = [name.replace("-", " ") for name in grouped]
    features = {
        "image": _image_features(image, drawings),
        "text": text.encode([drawing.text for drawing in drawings]).astype(np.float16),
        "class": classes.encode(names).astype(np.float16),
    }
    facts = _facts(grouped)
    facts["backbones"] = {
        "image": f"efficientnet-lite0@{image.revision}",
        "text": f"minilm@{text.revision}",
        "class": f"use@{classes.revision}",
    }
    of_test = [
        one.drawings[entry].picture
        for one, fact in zip(kept, facts["emoji"], strict=True)
        if fact["split"] == "test"
        for entry in fact["sets"]
    ]
    _store.write(output, facts, features, [thumbnail(picture) for picture in of_test])


def _facts(grouped: dict[str, list[Emoji]]) -> dict[str, Any]:
    splits = {
        hexcode: split
        for members in grouped.values()
        for hexcode, split in assign([one.hexcode for one in members]).items()
    }
    return {
        "sources": {package.name: package.version for package in PACKAGES.values()},
        "split": {"salt": SALT, "sha256": split_hash(splits)},
        "classes": list(grouped),
        "unicode_groups": [members[0].group for members in grouped.values()],
        "emoji": [
            {
                "hexcode": one.hexcode,
                "name": one.name,
                "class": label,
                "split": splits[one.hexcode],
                "sets": [name for name in SETS if name in one.drawings],
            }
            for label, members in enumerate(grouped.values())
            for one in members
        ],
    }


def _image_features(backbone: EfficientNetLite0, drawings: Sequence[Drawing]) -> NDArray[np.float16]:
    starts = range(0, len(drawings), _CHUNK)
    with click.progressbar(starts, label="image features", file=sys.stderr) as bar:
        # In chunks, since all the pictures decoded would take gigabytes.
        chunks = [
            backbone.encode([_on_white(_decode(one.picture)) for one in drawings[start : start + _CHUNK]])
            for start in bar
        ]
    return np.concatenate(chunks).astype(np.float16)


def _decode(picture: bytes) -> Image:
    from PIL import Image  # noqa: PLC0415  the image backbone, made before, says how to install it

    if picture.lstrip().startswith(b"<"):
        picture = rasterise(picture)
    return Image.open(io.BytesIO(picture))


def _on_white(picture: Image) -> Image:
    from PIL import Image  # noqa: PLC0415  as in _decode

    drawing = picture.convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return Image.alpha_composite(white, drawing).convert("RGB")


def thumbnail(picture: bytes) -> bytes:
    """A drawing on white as WebP, 40 pixels wide."""
    from PIL import Image  # noqa: PLC0415  as in _decode

    small = _on_white(_decode(picture)).resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    contents = io.BytesIO()
    small.save(contents, "WEBP", quality=_THUMBNAIL_QUALITY, method=6)
    return contents.getvalue()


def rasterise(svg: bytes) -> bytes:
    """A drawing as PNG, 224 pixels wide; raises MissingExtraError if resvg-py is not installed."""
    try:
        import resvg_py  # noqa: PLC0415  the only package of the extra that no backbone asks for
    except ModuleNotFoundError as error:
        raise errors.MissingExtraError("the emoji build", "emoji-build", "resvg-py") from error
    # No system fonts: OpenMoji's drawings have no text, and what is installed must not change the features.
    return bytes(
        resvg_py.svg_to_bytes(svg_string=svg.decode(), width=_SVG_SIDE, height=_SVG_SIDE, skip_system_fonts=True)
    )


def _report_counts(emoji: Sequence[Emoji], kept: Sequence[Emoji]) -> None:
    had = Counter(name for one in emoji for name in one.drawings)
    has = Counter(name for one in kept for name in one.drawings)
    for name in SETS:
        click.echo(
            f"{name}: {has[name]} items; {len(emoji) - had[name]} emoji left out without a picture or a text, "
            f"{had[name] - has[name]} in classes that are too small",
            err=True,
        )


@click.command()
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option(
    "--sources",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of tarballs fetched before; by default they are fetched with npm and deleted in the end.",
)
def main(output: Path, sources: Path | None) -> None:
    """Rebuild the dataset 'emoji' from its sources."""
    try:
        with opened(sources) as folder:
            build(folder, output)
    except errors.UsageError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
