"""``huse-bench tables``: print the tables of finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from huse_bench.cli._folders import folders_of, folders_options
from huse_bench.cli._options import in_color, names_list

if TYPE_CHECKING:
    import pandas as pd

    from huse_bench.report import Format
    from huse_bench.report.shown import Change
    from huse_bench.results import Results
    from huse_bench.results.layout import HierarchicalPrecision

__all__ = ["print_summary", "print_tables", "tables"]


# The narrowest are whole percents, the widest what a terminal has room for.
_DIGITS = click.IntRange(2, 5)

_ROUNDED = ("text", "markdown", "latex")


def print_tables(results: Results) -> None:
    """Print tables on standard output, after plugins changed them through ``huse_bench_modify_table``.

    A plugin's failure is a line on standard error.

    Args:
        results: the runs.
    """
    from huse_bench.report import render  # noqa: PLC0415  --help needs no pandas

    click.echo(render(results, color=in_color(), change=_change()))


def print_summary(results: Sequence[Results]) -> None:
    """Print the summary over several data sets on standard output, or why there is none.

    Args:
        results: those of each data set.
    """
    from huse_bench.report.several import render_summary  # noqa: PLC0415  --help needs no pandas

    click.echo(render_summary(results, color=in_color()))


def _change() -> Change:
    from huse_bench.discovery import notify  # noqa: PLC0415  --help needs no plugins

    def change(table: pd.DataFrame, name: str) -> None:
        for problem in notify("huse_bench_modify_table", table=table, name=name):
            click.echo(f"huse-bench: warning: {problem}", err=True)

    return change


@click.command()
@folders_options
@click.option(
    "--methods",
    callback=names_list,
    metavar="A,B,...",
    help="Only these methods, or labels of rows, compared with each other alone; default: all.",
)
@click.option(
    "--directions",
    callback=names_list,
    metavar="i2t,t2i,...",
    help="Only these directions of Tables 1 and 2 (i2i, i2t, t2i, t2t); default: all.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "latex", "csv", "json", "every-eval-ever"]),
    default="text",
    show_default=True,
    help="How to write them.",
)
@click.option(
    "--published",
    is_flag=False,
    flag_value="huse",
    metavar="[NAME|FILE]",
    help="Add the numbers printed in the HUSE paper, or in another (docs/published.md), and compare.",
)
@click.option(
    "--table",
    "numbers",
    type=click.Choice(["1", "2", "3", "summary"]),
    multiple=True,
    help="Only this table, or the summary over several data sets; may be repeated.",
)
@click.option(
    "--digits", type=_DIGITS, help="Decimals of shares, of which percents have two fewer; default: 3, as in the paper."
)
@click.option(
    "--footnote",
    is_flag=True,
    help="Name the results by their short hash below each LaTeX table; comments always have it.",
)
@click.option(
    "--hp",
    type=click.Choice(["devise", "barz"]),
    default="devise",
    show_default=True,
    help="Whose hierarchical precision Table 2 shows: DeViSE's (HP@K), or Barz and Denzler's (BHP@K).",
)
def tables(
    folders: tuple[Path, ...],
    dataset: list[str],
    results: tuple[Path, ...],
    methods: list[str] | None,
    directions: list[str] | None,
    format_: str,
    published: str | None,
    numbers: tuple[str, ...],
    digits: int | None,
    footnote: bool,
    hp: str,
) -> None:
    """Print the tables of finished runs, in the layout of the paper's Tables 1-3.

    FOLDER is a results folder, or a bundle of them. Those of several data sets end with one summary over them.
    """
    if digits is not None and format_ not in _ROUNDED:
        raise click.UsageError(f"--digits rounds {', '.join(_ROUNDED)}; --format {format_} has every digit there is")
    if footnote and format_ != "latex":
        raise click.UsageError("--footnote is for --format latex")
    places = folders_of(folders, results, dataset)
    if "summary" in numbers and (len(places) < 2 or format_ == "every-eval-ever"):
        raise click.UsageError(
            "--table summary is over several data sets: name their folders, or --dataset A,B"
            if len(places) < 2
            else "--format every-eval-ever has no summary"
        )
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.report import render  # noqa: PLC0415
    from huse_bench.report.several import render_several  # noqa: PLC0415
    from huse_bench.results import load_results  # noqa: PLC0415

    loaded = [load_results(place, cast("HierarchicalPrecision", hp)) for place in places]
    for each in loaded:
        for problem in each.problems:
            click.echo(f"huse-bench: left out: {problem}", err=True)
    if methods is not None or directions is not None:
        loaded = [each.only(methods, directions) for each in loaded]
    style: dict[str, Any] = {"footnote": footnote} if digits is None else {"footnote": footnote, "digits": digits}
    names = {number if number == "summary" else f"table{number}" for number in numbers} or None
    asked = (cast("Format", format_), published or False, in_color(), names, _change())
    click.echo(render(loaded[0], *asked, **style) if len(loaded) == 1 else render_several(loaded, *asked, **style))
