"""``huse-bench merge``: bundles of several people or machines as one."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["merge"]


@click.command()
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The bundle: a new folder, or NAME.zip."
)
@click.option("--title", help="One line; default: the titles of the datasets.")
def merge(bundles: tuple[Path, ...], output: Path, title: str | None) -> None:
    """Join bundles of several people or machines into one.

    Results folders of one name become one, where their runs can share a table. What is not comparable is refused, with
    the field that differs. Who gave which runs is kept.
    """
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.bundles import read_bundle  # noqa: PLC0415
    from huse_bench.bundles.merging import merge as merged  # noqa: PLC0415

    merged([read_bundle(path) for path in bundles], output, title)
    bundle = read_bundle(output)
    runs = sum(len(bundle.results(name).records) for name in bundle.facts.results)
    click.echo(f"{output}: bundle {bundle.short_hash}, {runs} runs of {len(bundle.facts.sources)} bundles")
