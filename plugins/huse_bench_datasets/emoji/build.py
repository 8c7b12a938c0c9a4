"""Rebuild the dataset from its sources: ``python -m huse_bench_datasets.emoji.build --output DIR``.

It needs the packages of the extra ``datasets-build`` and, unless ``--sources`` holds the tarballs already, npm and
its registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from huse_bench_backbones.efficientnet_lite0 import EfficientNetLite0
from huse_bench_backbones.minilm import MiniLM
from huse_bench_backbones.use import UniversalSentenceEncoder
from huse_bench_datasets._shipped.command import build_command
from huse_bench_datasets._shipped.files import write
from huse_bench_datasets._shipped.pictures import encode, thumbnail
from huse_bench_datasets._shipped.split import split_hash
from huse_bench_datasets.emoji._drawings import SETS, Emoji, collect
from huse_bench_datasets.emoji._sources import PACKAGES
from huse_bench_datasets.emoji._split import SALT, assign, by_class

__all__ = ["build"]


def build(sources: Path, output: Path) -> None:
    """Make the files of the dataset.

    Args:
        sources: folder that holds the tarballs of the sources.
        output: folder to write to.

    Raises:
        DataError: if a tarball is missing or not the one expected.
        MissingExtraError: if a package of the extra ``datasets-build`` is not installed.
    """
    image, text, classes = EfficientNetLite0(), MiniLM(), UniversalSentenceEncoder()
    emoji = collect(sources)
    grouped = by_class(emoji)
    kept = [one for members in grouped.values() for one in members]
    _report_counts(emoji, kept)
    drawings = [one.drawings[name] for one in kept for name in SETS if name in one.drawings]
    names = [name.replace("-", " ") for name in grouped]
    features = {
        "image": encode(image, [drawing.picture for drawing in drawings]),
        "text": text.encode([drawing.text for drawing in drawings]),
        "class": classes.encode(names),
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
    write(output, facts, features, [thumbnail(picture) for picture in of_test])


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


def _report_counts(emoji: Sequence[Emoji], kept: Sequence[Emoji]) -> None:
    had = Counter(name for one in emoji for name in one.drawings)
    has = Counter(name for one in kept for name in one.drawings)
    for name in SETS:
        click.echo(
            f"{name}: {has[name]} items; {len(emoji) - had[name]} emoji left out without a picture or a text, "
            f"{had[name] - has[name]} in classes that are too small",
            err=True,
        )


main = build_command("Rebuild the dataset 'emoji' from its sources.", PACKAGES.values(), build)

if __name__ == "__main__":
    main()
