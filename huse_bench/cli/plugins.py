"""``huse-bench plugins``: what is installed, from whom, and whether it works."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict

import click
from tabulate import tabulate

from huse_bench.discovery import Component, examine, inventory

__all__ = ["plugins"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON instead of a table.")
_COLUMN_GAP = 2
_NARROWEST_TARGET = 16


@click.group()
def plugins() -> None:
    """Show what is installed and whether it works."""


@plugins.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List losses, backbones, datasets and hook plugins, importing none but the last."""
    # What a plugin prints while it is imported must not end up in the JSON.
    with redirect_stdout(sys.stderr):
        records = inventory()
    _show(records, ("kind", "name", "distribution", "version", "target", "status"), as_json)


@plugins.command()
@_JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Import everything, each by itself, and say what is wrong; exit with 1 if anything is broken."""
    with redirect_stdout(sys.stderr):
        records = [examine(record) for record in inventory()]
    _show(records, ("kind", "name", "distribution", "version", "target", "import_ms", "status"), as_json)
    if any(record.status == "broken" for record in records):
        ctx.exit(1)


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
