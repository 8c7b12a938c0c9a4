"""Rebuild the dataset from its sources: ``python -m huse_bench_datasets.icons.build --output DIR``.

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
from huse_bench_datasets._shipped.near import near_groups
from huse_bench_datasets._shipped.pictures import encode, thumbnail
from huse_bench_datasets._shipped.split import deal, split_hash
from huse_bench_datasets.icons._choice import Chosen, choose
from huse_bench_datasets.icons._classes import RULES, read_rules
from huse_bench_datasets.icons._icons import PACKAGES, SETS, Icon, collect

__all__ = ["SALT", "build"]

#: Names the order in which the groups of a class are dealt to the splits.
SALT = "huse-bench icons split 1"


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
    icons = collect(sources)
    chosen = choose(icons, read_rules(RULES))
    _report_counts(icons, chosen)
    names = list(dict.fromkeys(one.label for one in chosen))
    features = {
        "image": encode(image, [one.icon.picture for one in chosen]),
        "text": text.encode([one.icon.text for one in chosen]),
        "class": classes.encode(names),
    }
    # Drawings of one thing are a group, together with all that look or read nearly the same.
    groups = near_groups(
        [one.id for one in chosen], [one.thing for one in chosen], [features["image"], features["text"]]
    )
    splits = deal(groups, [names.index(one.label) for one in chosen], SALT)
    facts: dict[str, Any] = {
        "sources": {package.name: package.version for package in PACKAGES.values()},
        "split": {"salt": SALT, "sha256": split_hash(splits)},
        "backbones": {
            "image": f"efficientnet-lite0@{image.revision}",
            "text": f"minilm@{text.revision}",
            "class": f"use@{classes.revision}",
        },
        "classes": names,
        "items": [
            {
                "id": one.id,
                "class": names.index(one.label),
                "split": splits[group],
                "group": group,
                "text": one.icon.text,
            }
            for one, group in zip(chosen, groups, strict=True)
        ],
    }
    of_test = [one.icon.picture for one, group in zip(chosen, groups, strict=True) if splits[group] == "test"]
    write(output, facts, features, [thumbnail(picture) for picture in of_test])


def _report_counts(icons: Sequence[Icon], chosen: Sequence[Chosen]) -> None:
    had, has = Counter(icon.set for icon in icons), Counter(one.icon.set for one in chosen)
    for name in SETS:
        click.echo(f"{name}: {has[name]} items of {had[name]} icons", err=True)


main = build_command("Rebuild the dataset 'icons' from its sources.", PACKAGES.values(), build)

if __name__ == "__main__":
    main()
