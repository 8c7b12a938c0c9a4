"""``huse-bench kernels``: which backends this machine has, and whether they are right."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

if TYPE_CHECKING:
    from huse_bench.cli._kernel_checks import BackendState, Check

__all__ = ["kernels"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON instead of tables.")
@click.pass_context
def kernels(ctx: click.Context, as_json: bool) -> None:
    """Show the backends of the pairwise losses and of ranking, and check them.

    Each backend of this machine is compared with plain torch on a little data. Exits with 1 if one is wrong.
    """
    from huse_bench.cli._kernel_checks import backends, checks  # noqa: PLC0415 - the help needs no torch

    states = backends()
    click.echo("checking each backend against plain torch; the first time, numba compiles for a minute", err=True)
    made = [check for state in states for check in checks(state)]
    if as_json:
        facts = {"backends": [asdict(state) for state in states], "checks": [asdict(check) for check in made]}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(_tables(states, made))
    if not all(check.passed for check in made):
        ctx.exit(1)


def _tables(backends: list[BackendState], checks: list[Check]) -> str:
    told = "\n".join(
        f"{backend.name:<10} {'available' if backend.available else 'MISSING':<10} {backend.details}"
        for backend in backends
    )
    rows = [
        [
            check.operation,
            check.backend,
            "skipped" if check.skipped else "ok" if check.passed else "WRONG",
            "" if check.difference is None else f"{check.difference:.1e}",
            "" if check.ratio is None else f"{check.ratio:.1f}x",
        ]
        for check in checks
    ]
    header = ["operation", "backend", "result", "difference", "plain torch / ours"]
    lines = [told, "", tabulate(rows, header, tablefmt="simple", disable_numparse=True)]
    lines += [f"skipped: {check.backend} {check.operation}: {check.skipped}" for check in checks if check.skipped]
    if any(not check.passed for check in checks):
        lines.append("\nA result is WRONG: please report it with this output and your processor or GPU.")
    return "\n".join(lines)
