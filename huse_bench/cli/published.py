"""``huse-bench published``: the numbers that papers printed, and whether they can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

if TYPE_CHECKING:
    from huse_bench.results.consistency import BrokenClaim, ImpossibleCell
    from huse_bench.results.published import Published, PublishedTable

__all__ = ["published"]

_PAPER = click.argument("paper", default="huse", metavar="[NAME|FILE]")


@click.group()
def published() -> None:
    """Show numbers that papers printed, and find those that cannot be.

    NAME is one of `huse-bench published list`; FILE is a .json file in the same format (docs/published.md).
    """


@published.command("list")
def list_() -> None:
    """List the papers whose tables come with huse-bench."""
    from huse_bench.results.published import published_names, published_tables  # noqa: PLC0415  --help starts fast

    papers = [published_tables(name) for name in published_names()]
    rows = [(p.name, p.title, p.source, p.dataset_title, "; ".join(t.place for t in p.tables.values())) for p in papers]
    click.echo(tabulate(rows, ("name", "title", "source", "data", "tables"), tablefmt="plain"))


@published.command()
@_PAPER
def show(paper: str) -> None:
    """Print a paper's tables as printed, with a mark on the cells that cannot be."""
    from huse_bench.report.grid import FLAG_MARK  # noqa: PLC0415  as above
    from huse_bench.report.words import wrapped  # noqa: PLC0415  as above
    from huse_bench.results.consistency import flagged_cells  # noqa: PLC0415  as above
    from huse_bench.results.published import published_tables  # noqa: PLC0415  as above

    document = published_tables(paper)
    click.echo(f"{document.title} ({document.source}), on {document.dataset_title}")
    for name, table in document.tables.items():
        flagged = flagged_cells(document, name)
        click.echo(f"\n{table.place}{' (%)' if table.unit == 'percent' else ''}")
        click.echo(_printed(table, dict.fromkeys(flagged, FLAG_MARK)))
        for note in dict.fromkeys(flagged.values()):
            click.echo("\n".join(wrapped(f"{FLAG_MARK} {note}.")))


@published.command()
@_PAPER
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_context
def check(ctx: click.Context, paper: str, as_json: bool) -> None:
    """Find cells that no evaluation can give, and statements of the text that the tables contradict.

    The exit code is 1 where something was found.
    """
    from huse_bench.results.consistency import broken_claims, impossible_cells  # noqa: PLC0415  as above
    from huse_bench.results.published import published_tables  # noqa: PLC0415  as above

    document = published_tables(paper)
    cells, claims = impossible_cells(document), broken_claims(document)
    if as_json:
        found = {
            "paper": document.name,
            "source": document.source,
            "impossible_cells": [asdict(cell) for cell in cells],
            "broken_claims": [
                {"claim": broken.claim.model_dump(), "table": broken.place, "cells": broken.cells} for broken in claims
            ],
        }
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(_report(document, cells, claims))
    if cells or claims:
        ctx.exit(1)


@published.command()
def schema() -> None:
    """Print the JSON Schema of a file of published tables."""
    from huse_bench.results.published import Published  # noqa: PLC0415  as above

    click.echo(json.dumps(Published.model_json_schema(), indent=2))


def _report(document: Published, cells: Sequence[ImpossibleCell], claims: Sequence[BrokenClaim]) -> str:
    from huse_bench.report.words import wrapped  # noqa: PLC0415  as above

    count = sum(len(s) for table in document.tables.values() for row in table.rows for s in row.cells.values())
    lines = [f"{document.title} ({document.source})", ""]
    lines.append(f"{len(cells)} of {count} cells cannot be")
    for place, title in dict.fromkeys((cell.place, cell.title) for cell in cells):
        of_row = [cell for cell in cells if (cell.place, cell.title) == (place, title)]
        lines.append(f"  {place}, {title}")
        lines += [f"    {cell.task} {cell.text}" for cell in of_row]
        lines += [line for rule in dict.fromkeys(cell.rule for cell in of_row) for line in wrapped(rule, " " * 6)]
    lines += ["", f"{len(claims)} of {len(document.claims)} statements of the text do not hold in its tables"]
    for broken in claims:
        lines += wrapped(f'{broken.claim.place}: "{broken.claim.quote}"', "  ")
        lines += [f"    {broken.place}, {broken.claim.row}: {cell}" for cell in broken.cells]
    return "\n".join(lines)


def _printed(table: PublishedTable, marks: dict[tuple[str, str, str], str]) -> str:
    columns = list(dict.fromkeys((task, m) for row in table.rows for task, scores in row.cells.items() for m in scores))
    rows = []
    for row in table.rows:
        cells = [
            f"{row.cells[task][metric]:.{table.decimals}f}{marks.get((row.key, task, metric), '')}"
            if metric in row.cells.get(task, {})
            else "-"
            for task, metric in columns
        ]
        rows.append([row.title, *cells])
    headers = ["", *(task if metric == "accuracy" else f"{task}\n{metric}" for task, metric in columns)]
    return tabulate(rows, headers, tablefmt="plain", disable_numparse=True)
