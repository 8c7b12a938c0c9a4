"""``huse-bench status``: what goes on in results folders, from another terminal."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import click

from huse_bench.cli._folders import folders_of, folders_options

__all__ = ["status"]

# Between two looks; a folder that takes long to look at is looked at less often, for others have work to do.
_EVERY_SECONDS = 2.0
_LEAST_REST = 10


@click.command()
@folders_options
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C; in a pipe, once.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON, once.")
def status(
    folders: tuple[Path, ...], results: tuple[Path, ...], dataset: list[str], watch: bool, as_json: bool
) -> None:
    """Show what runs, how fast and how long still, what waits, what was stopped and what failed.

    It reads the results folder alone, and disturbs no command that is at it.
    """
    # Pandas loads only once the command line was understood.
    from huse_bench.report.status import status_document, status_text  # noqa: PLC0415
    from huse_bench.results.status import folder_status  # noqa: PLC0415

    if watch and as_json:
        raise click.UsageError("--watch and --json exclude each other")
    meant = folders_of(folders, results, dataset)

    def text() -> str:
        return status_text([folder_status(folder) for folder in meant])

    if as_json:
        click.echo(json.dumps(status_document([folder_status(folder) for folder in meant]), indent=2))
    elif watch and sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  as above
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = Console(highlight=False)
        with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
            while True:
                began = time.monotonic()
                live.update(Text(text(), overflow="ellipsis", no_wrap=True), refresh=True)
                time.sleep(max(_EVERY_SECONDS, _LEAST_REST * (time.monotonic() - began)))
    else:
        click.echo(text())
