"""``huse-bench publish``: results as a bundle that others can check and cite."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["publish"]


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The bundle: a new folder, or NAME.zip."
)
@click.option("--title", help="One line; default: the titles of the datasets.")
@click.option("--author", "authors", multiple=True, metavar="NAME", help="Who made the runs; may be repeated.")
@click.option("--events", is_flag=True, help="With the logs of what happened during the runs.")
@click.option("--embeddings", is_flag=True, help="With embeddings that were saved.")
@click.option("--models", is_flag=True, help="With models that were saved.")
@click.option("--report", is_flag=True, help="With the page of huse-bench report.")
def publish(
    folders: tuple[Path, ...],
    output: Path,
    title: str | None,
    authors: tuple[str, ...],
    events: bool,
    embeddings: bool,
    models: bool,
    report: bool,
) -> None:
    """Write results as a bundle that others can check and cite.

    It holds the records, the scores of each query, the tables, and how to cite them. Nothing in it tells of the machine
    or its user. The same runs give the same bytes.
    """
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.bundles import read_bundle  # noqa: PLC0415
    from huse_bench.bundles.publishing import publish as published  # noqa: PLC0415
    from huse_bench.results.status import folder_status  # noqa: PLC0415

    # Before they are read: a run that ends meanwhile may have ended too late.
    before = {folder: folder_status(folder).of("running", "waiting") for folder in folders}
    published(
        folders,
        output,
        title=title,
        authors=authors,
        events=events,
        embeddings=embeddings,
        models=models,
        report=report,
    )
    for folder, runs in before.items():
        if runs:
            click.echo(
                f"huse-bench: warning: a command was at {folder}, and {len(runs)} of its runs had not ended: they may "
                "be missing from the bundle; publish again when it has ended (huse-bench status)",
                err=True,
            )
    bundle = read_bundle(output)
    click.echo(f"{output}: bundle {bundle.short_hash}, {len(bundle.facts.files)} files")
