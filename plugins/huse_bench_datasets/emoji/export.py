"""Write the pictures of the dataset as a manifest: ``python -m huse_bench_datasets.emoji.export --output DIR``.

The folder is an example of what the dataset ``manifest`` reads. It needs Pillow and resvg-py, which the extra
``emoji-build`` installs, and, unless ``--sources`` holds the tarballs already, npm and its registry.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from huse_bench import errors
from huse_bench_datasets.emoji._drawings import SETS, collect
from huse_bench_datasets.emoji._sources import opened
from huse_bench_datasets.emoji._split import assign, by_class
from huse_bench_datasets.emoji._taxonomy import by_meaning
from huse_bench_datasets.emoji.build import rasterise

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
        MissingExtraError: if a package of the extra ``emoji-build`` is not installed.
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
    _write(output / "taxonomy.csv", ("parent", "child"), by_meaning(list(groups)).edges)
    _write(output / "classes.csv", ("label", "text"), [(name, name.replace("-", " ")) for name in groups])
    _write(output / "manifest.csv", ("image", "text", "label", "split", "group"), rows)
    shutil.copy(Path(__file__).with_name("LICENSES.md"), output)
    return len(rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


@click.command()
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option(
    "--sources",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of tarballs fetched before; by default they are fetched with npm and deleted in the end.",
)
def main(output: Path, sources: Path | None) -> None:
    """Write the emoji pictures, their texts and classes as a manifest."""
    try:
        with opened(sources) as folder:
            count = export(folder, output)
    except errors.UsageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {count} pictures and {output / 'manifest.csv'}", err=True)


if __name__ == "__main__":
    main()
