"""``huse-bench show``: one run."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["show"]


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--dataset", default="emoji", show_default=True, metavar="NAME", help="Dataset of the run.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the runs; default: results/<dataset>.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def show(run: str, dataset: str, results: Path | None, as_json: bool) -> None:
    """Show what is known of one run.

    RUN is the file of a record, its name, or the beginning of it: a method, or a method with its seed, as in huse-s0.
    """
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.report.run_facts import run_text  # noqa: PLC0415
    from huse_bench.results.finding import find_run  # noqa: PLC0415

    record, folder = find_run(run, results if results is not None else Path("results") / dataset)
    click.echo(record.model_dump_json(indent=2) if as_json else run_text(record, folder))
