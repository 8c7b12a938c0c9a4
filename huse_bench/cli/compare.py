"""``huse-bench compare``: two methods against each other."""

from __future__ import annotations

from pathlib import Path

import click

from huse_bench.cli._folders import folders_of
from huse_bench.errors import ResultsError

__all__ = ["compare"]


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--dataset", default="emoji", show_default=True, metavar="NAME", help="Dataset of the runs.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder or bundle of the runs; default: results/<dataset>."
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric, such as R@1; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(
    first: str, second: str, dataset: str, results: Path | None, metrics: tuple[str, ...], as_json: bool
) -> None:
    """Say where one method is better than another, by how much and how surely.

    The differences are A less B. A and B are names of methods, or labels of rows as the tables show them. Both must
    have been run with the same two seeds at least.
    """
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.report.comparison import comparison_json, comparison_text  # noqa: PLC0415
    from huse_bench.results import load_results  # noqa: PLC0415
    from huse_bench.results.comparison import compare as compared  # noqa: PLC0415

    places = folders_of((), () if results is None else (results,), (dataset,))
    if len(places) > 1:
        raise ResultsError(f"{results} is a bundle of {len(places)} results folders; unpack it, and name one of them")
    loaded = load_results(places[0])
    for problem in loaded.problems:
        click.echo(f"huse-bench: left out: {problem}", err=True)
    comparison = compared(loaded, first, second, metrics)
    click.echo(comparison_json(comparison) if as_json else comparison_text(comparison))
