"""The command line of a build."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from huse_bench import errors
from huse_bench_datasets._shipped.sources import Package, opened

__all__ = ["build_command"]


def build_command(help_: str, packages: Iterable[Package], build: Callable[[Path, Path], None]) -> click.Command:
    """A command with the options ``--output`` and ``--sources``.

    Args:
        help_: what it does.
        packages: what the build reads.
        build: called with the folder of the packages and the folder to write to.
    """

    @click.command(help=help_)
    @click.option(
        "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to."
    )
    @click.option(
        "--sources",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of packages fetched before; by default they are fetched and deleted in the end.",
    )
    def main(output: Path, sources: Path | None) -> None:
        try:
            with opened(packages, sources) as folder:
                build(folder, output)
        except errors.UsageError as error:
            raise click.ClickException(str(error)) from error

    return main
