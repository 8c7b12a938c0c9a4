"""Rebuild the dataset from its source: ``python -m huse_bench_datasets.clipart.build --output DIR``.

It needs the packages of the extra ``datasets-build`` and, unless ``--sources`` holds the package already, apt and
Debian's archive.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from huse_bench_backbones.efficientnet_lite0 import EfficientNetLite0
from huse_bench_backbones.minilm import MiniLM
from huse_bench_backbones.use import UniversalSentenceEncoder
from huse_bench_datasets._shipped.command import build_command
from huse_bench_datasets._shipped.files import write
from huse_bench_datasets._shipped.near import near_groups
from huse_bench_datasets._shipped.pictures import encode, thumbnail
from huse_bench_datasets._shipped.sources import members
from huse_bench_datasets._shipped.split import deal, split_hash
from huse_bench_datasets.clipart._folders import class_name, fold, folder_of, home
from huse_bench_datasets.clipart._metadata import read_metadata
from huse_bench_datasets.clipart._picture import picture
from huse_bench_datasets.clipart._sources import PACKAGE
from huse_bench_datasets.clipart._texts import write_texts

__all__ = ["build", "choose"]

#: Names the order in which drawings are chosen and groups are dealt to the splits.
SALT = "huse-bench clipart 1"
#: Drawings that a class has at least and at most, and groups at least.
LEAST, MOST, LEAST_GROUPS = 15, 200, 8
#: Drawings of a group at most: a series is no reason to meet one thing more often than others.
MOST_OF_GROUP = 10


def build(sources: Path, output: Path) -> None:
    """Make the files of the dataset.

    Args:
        sources: folder that holds the package.
        output: folder to write to.

    Raises:
        DataError: if the package is missing or not the one expected.
        MissingExtraError: if a package of the extra ``datasets-build`` is not installed.
    """
    of_image, of_text, of_class = EfficientNetLite0(), MiniLM(), UniversalSentenceEncoder()
    svgs = members(sources, PACKAGE, "usr/share/openclipart/svg/", links=True)
    pictures, folders = _pictures(svgs)
    metadata = {path: read_metadata(svgs[path]) for path in pictures}
    texts = write_texts({path: said for path, said in metadata.items() if said.public_domain}, folders)
    paths = sorted(texts)
    features = {
        "image": encode(of_image, [pictures[path] for path in paths]),
        "text": of_text.encode([texts[path] for path in paths]),
    }
    # What differs by its number alone is one of a series.
    told = [re.sub(r"\d+", "", texts[path]) for path in paths]
    groups = dict(zip(paths, near_groups(paths, told, features.values()), strict=True))
    classes = choose(groups, folders)
    names = sorted(set(classes.values()))
    rows = [row for row, path in enumerate(paths) if path in classes]
    kept = [paths[row] for row in rows]
    labels = [names.index(classes[path]) for path in kept]
    splits = deal([groups[path] for path in kept], labels, SALT)
    titles = [class_name(folder) for folder in names]
    facts = {
        "sources": {PACKAGE.name: PACKAGE.version},
        "split": {"salt": SALT, "sha256": split_hash(splits)},
        "backbones": {
            "image": f"efficientnet-lite0@{of_image.revision}",
            "text": f"minilm@{of_text.revision}",
            "class": f"use@{of_class.revision}",
        },
        "classes": titles,
        "folders": names,
        "items": [
            {"id": path, "class": label, "split": splits[groups[path]], "group": groups[path], "text": texts[path]}
            for path, label in zip(kept, labels, strict=True)
        ],
    }
    of_test = [pictures[path] for path in kept if splits[groups[path]] == "test"]
    write(
        output,
        facts,
        {what: values[rows] for what, values in features.items()} | {"class": of_class.encode(titles)},
        [thumbnail(drawn) for drawn in of_test],
    )


def _pictures(svgs: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Pictures and folders of the drawings that have one folder, each once: of its copies the first."""
    copies: dict[bytes, list[str]] = defaultdict(list)
    for path in sorted(svgs):
        if folder_of(path) is not None:
            copies[hashlib.sha256(svgs[path]).digest()].append(path)
    rendered: dict[bytes, list[str]] = defaultdict(list)
    with click.progressbar(copies.values(), label="pictures", file=sys.stderr) as bar:
        for paths in bar:
            contents = picture(svgs[paths[0]])
            if contents is not None:
                rendered[contents].extend(paths)
    pictures, folders = {}, {}
    for contents, paths in rendered.items():
        folder = home({of_path for path in paths if (of_path := folder_of(path)) is not None})
        if folder is not None:
            path = min(path for path in paths if folder_of(path) == folder)
            pictures[path], folders[path] = contents, folder
    _tell(f"{len(copies)} drawings, {len(rendered)} pictures, {len(pictures)} of one folder")
    return pictures, folders


def choose(groups: Mapping[str, str], folders: Mapping[str, str]) -> dict[str, str]:
    """Choose drawings and their classes.

    Args:
        groups: by drawing.
        folders: by drawing, and perhaps of others.

    Returns:
        The class of each drawing that is kept, a folder.
    """
    order = sorted(groups, key=lambda path: hashlib.sha256(f"{SALT}:{path}".encode()).digest())
    few = _first(order, MOST_OF_GROUP, groups)
    classes = fold({path: folders[path] for path in few}, groups, LEAST, LEAST_GROUPS)
    kept = _first([path for path in few if path in classes], MOST, classes)
    _tell(f"{len(order)} with a text, {len(few)} of groups, {len(classes)} in classes, {len(kept)} kept")
    return {path: classes[path] for path in kept}


def _first(paths: Iterable[str], most: int, sets: Mapping[str, str]) -> list[str]:
    """The first drawings of each set."""
    counts: Counter[str] = Counter()
    kept = []
    for path in paths:
        counts[sets[path]] += 1
        if counts[sets[path]] <= most:
            kept.append(path)
    return kept


def _tell(message: str) -> None:
    click.echo(message, err=True)


main = build_command("Rebuild the dataset 'clipart' from its source.", [PACKAGE], build)

if __name__ == "__main__":
    main()
