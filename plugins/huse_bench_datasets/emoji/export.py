"""Write the pictures of the dataset as a manifest: ``python -m huse_bench_datasets.emoji.export --output DIR``.

The folder is an example of what the dataset ``manifest`` reads. It needs Pillow and resvg-py, which the extra
``datasets-build`` installs, and, unless ``--sources`` holds the tarballs already, npm and its registry.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from huse_bench import errors
from huse_bench_datasets._shipped.command import build_command
from huse_bench_datasets._shipped.pictures import rasterise
from huse_bench_datasets.emoji import Emoji
from huse_bench_datasets.emoji._drawings import SETS, collect
from huse_bench_datasets.emoji._sources import PACKAGES
from huse_bench_datasets.emoji._split import assign, by_class

__all__ = ["export"]


def export(sources: Path, output: Path) -> int:
    """Write ``manifest.csv``, ``taxonomy.csv``, ``classes.csv`` and a folder of pictures for each set.

    Items, classes, splits, groups and taxonomy are those of the dataset ``emoji``; OpenMoji's drawings are made 224
    pixels wide. ``LICENSES.md`` beside them says who drew the pictures and on which terms they may be passed on.

    Args:
        sources: folder that holds the tarballs of the sources.
        output: folder to write to; made if it does not exist.

    Returns:
        The number of pictures.

    Raises:
        DataError: if a tarball is missing or not the one expected, or the folder is not empty.
        MissingExtraError: if a package of the extra ``datasets-build`` is not installed.
    """
    if output.exists() and any(not path.name.startswith(".") for path in output.iterdir()):
        raise errors.DataError(f"{output} is not empty: name a new folder, or empty it")
    groups = by_class(collect(sources))
    for name in SETS:
        (output / name).mkdir(parents=True)
    rows = []
    for label, members in groups.items():
        splits = assign([emoji.hexcode for emoji in members])
        for emoji in members:
            for name, drawing in emoji.drawings.items():
                picture = drawing.picture
                if picture.lstrip().startswith(b"<"):
                    picture = rasterise(picture)
                # A WebP file says what it is in its first bytes, and no PNG does.
                suffix = "webp" if picture.startswith(b"RIFF") else "png"
                path = f"{name}/{emoji.hexcode}.{suffix}"
                (output / path).write_bytes(picture)
                rows.append((path, drawing.text, label, splits[emoji.hexcode], emoji.hexcode))
    _write(output / "taxonomy.csv", ("parent", "child"), Emoji.outlined(list(groups)).edges)
    _write(output / "classes.csv", ("label", "text"), [(name, name.replace("-", " ")) for name in groups])
    _write(output / "manifest.csv", ("image", "text", "label", "split", "group"), rows)
    shutil.copy(Path(__file__).with_name("LICENSES.md"), output)
    return len(rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _export(sources: Path, output: Path) -> None:
    click.echo(f"wrote {export(sources, output)} pictures and {output / 'manifest.csv'}", err=True)


main = build_command("Write the emoji pictures, their texts and classes as a manifest.", PACKAGES.values(), _export)

if __name__ == "__main__":
    main()
