"""``huse-bench leaderboard``: one page over many bundles, and a repository that keeps it."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["leaderboard"]


class _BuildByDefault(click.Group):
    """What is not the name of a command is a bundle, of which a page is built."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, ["build", *args] if args and args[0] not in own else args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """``build`` need not be written."""
        return ["[build] BUNDLE...", "|", *super().collect_usage_pieces(ctx)]


@click.group(cls=_BuildByDefault)
def leaderboard() -> None:
    """Rank the results of many bundles and data sets on one page.

    ``huse-bench leaderboard BUNDLE...`` builds the page.
    """


@leaderboard.command()
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; default: leaderboard.html, and with --compare standard output.",
)
@click.option(
    "--compare",
    "bases",
    metavar="BASE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Say in Markdown what changes against these bundles, in place of a page; may be repeated.",
)
def build(bundles: tuple[Path, ...], output: Path | None, bases: tuple[Path, ...]) -> None:
    """Build a page with ranks, or say which ranks change.

    BUNDLE is a bundle of huse-bench publish or a folder of them. Nothing that they hold is run. Bundles that cannot be
    used are left out, and the page says why.
    """
    # Pandas, pyarrow and Jinja2 load only once the command line was understood.
    from huse_bench.leaderboard.changes import changes_markdown  # noqa: PLC0415
    from huse_bench.leaderboard.entries import find_bundles, read_contents  # noqa: PLC0415
    from huse_bench.leaderboard.page import render_leaderboard  # noqa: PLC0415
    from huse_bench.report.html.document import refuse_without_jinja  # noqa: PLC0415

    if not bases:
        refuse_without_jinja()
        output = output or Path("leaderboard.html")
    if output is not None:
        _refuse_unwritable(output)
    contents = read_contents(find_bundles(bundles))
    for one in contents.left_out:
        click.echo(f"huse-bench: left out: {one.name}: {one.reason}", err=True)
    if bases:
        text = changes_markdown(read_contents(find_bundles(bases)), contents)
    elif contents.bundles:
        text = render_leaderboard(contents)
    else:
        from huse_bench.errors import BundleError  # noqa: PLC0415

        raise BundleError("none of these is a bundle that can be used; make one with: huse-bench publish FOLDER")
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)


@leaderboard.command()
@click.argument("folder", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write workflows for a repository of bundles, and a README that explains them.

    On GitHub they publish the page, and comment on a pull request which ranks it would change, without running
    anything that it brings. DIR is the repository; default: the current folder.
    """
    from huse_bench.leaderboard.repository import write_repository  # noqa: PLC0415

    for path in write_repository(folder):
        click.echo(path)


def _refuse_unwritable(output: Path) -> None:
    if not output.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder {str(output.parent)!r} does not exist", param_hint="--output")


def _write(output: Path, text: str) -> None:
    from huse_bench.errors import ResultsError  # noqa: PLC0415
    from huse_bench.files import write_atomically  # noqa: PLC0415

    try:
        write_atomically(output, text.encode())
    except OSError as error:
        raise ResultsError(f"cannot write {output} ({error.strerror or error}); choose another --output") from error
    click.echo(output)
