"""``huse-bench report``: make one HTML file of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from huse_bench.cli._folders import folders_of, folders_options
from huse_bench.errors import UsageError
from huse_bench.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["report"]


@click.command()
@folders_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="File to write.",
)
@click.option(
    "--published",
    is_flag=False,
    flag_value="huse",
    metavar="[NAME|FILE]",
    help="Add the numbers printed in the HUSE paper, or in another (docs/published.md), and compare.",
)
def report(
    folders: tuple[Path, ...], dataset: list[str], results: tuple[Path, ...], output: Path, published: str | None
) -> None:
    """Make a page of finished runs: one HTML file with tables, methods, run facts and data.

    FOLDER is a results folder, or a bundle of them; several become parts of one page, with a summary on top where they
    are of several data sets. Without any it is results/emoji.
    """
    _refuse_unwritable(output)
    if published is not None and Path(published).is_dir():
        raise UsageError(
            f"--published takes {published} for the name of a paper, and it is a folder; say "
            f"--published=huse {published}, or put --published behind the folders"
        )
    # Pandas, pyarrow and Jinja2 load only once the command line was understood.
    from huse_bench.discovery import notify  # noqa: PLC0415
    from huse_bench.report.html.document import refuse_without_jinja  # noqa: PLC0415
    from huse_bench.report.html.page import render_page  # noqa: PLC0415
    from huse_bench.results import load_results  # noqa: PLC0415
    from huse_bench.results.published import published_tables  # noqa: PLC0415

    refuse_without_jinja()
    printed = None if published is None else published_tables(published)
    loaded = [load_results(folder) for folder in folders_of(folders, results, dataset)]
    for each in loaded:
        for problem in each.problems:
            click.echo(f"huse-bench: left out: {problem}", err=True)

    def change(table: pd.DataFrame, name: str) -> None:
        for problem in notify("huse_bench_modify_table", table=table, name=name):
            click.echo(f"huse-bench: warning: {problem}", err=True)

    contents = render_page(loaded, change, printed=printed).encode()
    try:
        write_atomically(output, contents)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror or error}); choose another with -o") from error
    click.echo(f"{output} ({len(contents) / 1e6:.1f} MB)")


def _refuse_unwritable(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder; name a file in it, such as: -o {output / 'report.html'}")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {output.absolute().parent} to write {output.name} to; make it first")
