"""``huse-bench tables``: print the tables of finished runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from huse_bench.cli._options import in_color, names_list

if TYPE_CHECKING:
    import pandas as pd

    from huse_bench.report import Format
    from huse_bench.results import Results
    from huse_bench.results.layout import HierarchicalPrecision

__all__ = ["print_tables", "tables"]


# The narrowest are whole percents, the widest what a terminal has room for.
_DIGITS = click.IntRange(2, 5)

_ROUNDED = ("text", "markdown", "latex")


def print_tables(
    results: Results,
    format_: Format = "text",
    published: str | None = None,
    numbers: Collection[str] = (),
    **style: Any,
) -> None:
    """Print tables on standard output, after plugins changed them through ``huse_bench_modify_table``.

    A plugin's failure is a line on standard error.

    Args:
        results: the runs.
        format_: as in :func:`huse_bench.report.render`.
        published: name or file of a paper whose printed numbers to add, as
            :func:`huse_bench.results.published_tables` takes it.
        numbers: ``"1"``, ``"2"`` or ``"3"`` of each table to print; all where empty.
        **style: ``digits`` and ``footnote`` of the same.
    """
    from huse_bench.discovery import notify  # noqa: PLC0415  --help needs no plugins
    from huse_bench.report import render  # noqa: PLC0415  nor pandas

    def change(table: pd.DataFrame, name: str) -> None:
        for problem in notify("huse_bench_modify_table", table=table, name=name):
            click.echo(f"huse-bench: warning: {problem}", err=True)

    names = {f"table{number}" for number in numbers} if numbers else None
    click.echo(render(results, format_, published or False, in_color(), names, change, **style))


@click.command()
@click.option("--dataset", default="emoji", show_default=True, metavar="NAME", help="Dataset of the runs.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the runs; default: results/<dataset>.")
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
    "--table", "numbers", type=click.Choice(["1", "2", "3"]), multiple=True, help="Only this table; may be repeated."
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
    dataset: str,
    results: Path | None,
    methods: list[str] | None,
    directions: list[str] | None,
    format_: str,
    published: str | None,
    numbers: tuple[str, ...],
    digits: int | None,
    footnote: bool,
    hp: str,
) -> None:
    """Print the tables of finished runs, in the layout of the paper's Tables 1-3."""
    if digits is not None and format_ not in _ROUNDED:
        raise click.UsageError(f"--digits rounds {', '.join(_ROUNDED)}; --format {format_} has every digit there is")
    if footnote and format_ != "latex":
        raise click.UsageError("--footnote is for --format latex")
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.results import load_results  # noqa: PLC0415

    loaded = load_results(
        results if results is not None else Path("results") / dataset, cast("HierarchicalPrecision", hp)
    )
    for problem in loaded.problems:
        click.echo(f"huse-bench: left out: {problem}", err=True)
    if methods is not None or directions is not None:
        loaded = loaded.only(methods, directions)
    style: dict[str, Any] = {"footnote": footnote} if digits is None else {"footnote": footnote, "digits": digits}
    print_tables(loaded, cast("Format", format_), published, numbers, **style)
