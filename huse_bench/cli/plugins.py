"""``huse-bench plugins``: what is installed, from whom, and whether it works."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from huse_bench.cli._options import plugins_dir_option
from huse_bench.discovery import Component, examine, inventory

if TYPE_CHECKING:
    from huse_bench.discovery import Kind
    from huse_bench.scaffold import ProjectKind

__all__ = ["plugins"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON instead of a table.")
_COLUMN_GAP = 2
_NARROWEST_TARGET = 16


@click.group()
def plugins() -> None:
    """Show what is installed and whether it works; make new plugins."""


@plugins.command("list")
@plugins_dir_option
@_JSON
def list_(as_json: bool) -> None:
    """List losses, backbones, datasets, trackers and hook plugins, importing none but the last."""
    # What a plugin prints while it is imported must not end up in the JSON.
    with redirect_stdout(sys.stderr):
        records = inventory()
    _show(records, ("kind", "name", "distribution", "version", "target", "status"), as_json)


@plugins.command()
@plugins_dir_option
@_JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Import everything, each by itself, and say what is wrong; exit with 1 if anything is broken."""
    with redirect_stdout(sys.stderr):
        records = [examine(record) for record in inventory()]
    _show(records, ("kind", "name", "distribution", "version", "target", "import_ms", "status"), as_json)
    if any(record.status == "broken" for record in records):
        ctx.exit(1)


@plugins.command()
@click.argument("name")
@plugins_dir_option
@click.option(
    "--kind",
    type=click.Choice(["loss", "backbone", "dataset", "tracker"]),
    help="Where one name is of several kinds.",
)
@click.option("--strict", is_flag=True, help="Also check what a sound loss has, with small trainings.")
@click.option("--data", type=click.Path(path_type=Path), help="For a dataset that needs your copy.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def check(ctx: click.Context, name: str, kind: Kind | None, strict: bool, data: Path | None, as_json: bool) -> None:
    """Run the conformance kit on the component NAME; exit with 1 if a check fails.

    NAME is that of a loss, backbone, dataset or tracker; a backbone that needs a reference is named with it, as in
    hf-text:PATH.
    """
    with redirect_stdout(sys.stderr):
        # Torch loads only for who needs it.
        from huse_bench.testing.installed import check_installed  # noqa: PLC0415

        report = check_installed(name, kind, strict=strict, data=data)
    click.echo(report.as_json() if as_json else str(report))
    if not report.passed:
        ctx.exit(1)


@plugins.command()
@click.argument("kind", type=click.Choice(["loss", "backbone", "dataset", "hooks"]))
@click.argument("name")
def new(kind: ProjectKind, name: str) -> None:
    """Make a folder NAME with a plugin project that works: code, tests, README, CI."""
    from huse_bench.scaffold import new_project  # noqa: PLC0415  as above

    for path in new_project(kind, name, Path.cwd()):
        click.echo(f"wrote {path.relative_to(Path.cwd())}")
    click.echo(f"\nNext: cd {name} && pip install -e '.[test]' && pytest")


def _show(records: Sequence[Component], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    if not records:
        click.echo("Nothing is installed, not even the built-in plugins. In a checkout: pip install -e .")
        return
    cells = [[_cell(getattr(record, column)) for column in columns] for record in records]
    target = columns.index("target")
    # Tabulate makes a column two characters wider than its header.
    headers = [column.removeprefix("import_") for column in columns]
    widths = [
        max(len(head) + 2, *map(len, texts)) for head, texts in zip(headers, zip(*cells, strict=True), strict=True)
    ]
    rest = sum(widths) - widths[target] + _COLUMN_GAP * (len(columns) - 1)
    room = max(shutil.get_terminal_size(fallback=(100, 24)).columns - rest, _NARROWEST_TARGET)
    for row in cells:
        row[target] = _wrap(row[target], room)
    click.echo(tabulate(cells, headers, tablefmt="simple", disable_numparse=True))
    for record in records:
        if record.error:
            click.echo(f"\n{record.status}: {record.error}")


def _cell(value: str | float | None) -> str:
    return "" if value is None else f"{value:.0f}" if isinstance(value, float) else value


def _wrap(target: str, width: int) -> str:
    lines = [""]
    for piece in re.findall(r"[^._:]*[._:]|[^._:]+", target):
        if lines[-1] and len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
