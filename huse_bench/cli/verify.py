"""``huse-bench verify``: whether what a bundle says can be had from it, and again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from huse_bench.cli._options import data_options, feature_precision_option, plugins_dir_option

if TYPE_CHECKING:
    from huse_bench.bundles.checks import Check

__all__ = ["verify"]


@click.command()
@plugins_dir_option
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--rerun", "runs", type=click.IntRange(1), metavar="N", help="Also train N of the runs, with seeds of now."
)
@data_options
@feature_precision_option("--feature-precision")
def verify(path: Path, runs: int | None, **data: Any) -> None:
    """Make all numbers and pages of a bundle again, and say what was checked.

    The exit code is 0 if all that could be checked agrees, 1 if something does not. A bundle that passes gets a file
    verification.json, which says how far it was checked, by which versions and on what class of machine.

    Where the data are not found by their name alone, say as for huse-bench run where they are.
    """
    # Pandas and pyarrow load only once the command line was understood.
    from huse_bench.bundles import read_bundle  # noqa: PLC0415
    from huse_bench.bundles.checks import Check, check_bundle  # noqa: PLC0415
    from huse_bench.bundles.verifying import sign_off  # noqa: PLC0415
    from huse_bench.errors import BundleError  # noqa: PLC0415

    try:
        bundle = read_bundle(path)
    except BundleError as error:
        _refused([Check("files", False, str(error))])
    click.echo(f"{path}: bundle {bundle.short_hash}, {bundle.level}")
    checks = check_bundle(bundle)
    if any(check.passed is False for check in checks):
        _refused(checks)
    _show(checks)
    unseen = [check for check in checks if check.passed is None]
    if any(check.name.startswith("tables") for check in unseen):
        click.echo("no level is written down, since the tables were not made again")
        return
    if runs is None:
        verified = sign_off(bundle, checks, "re-rendered")
    else:
        from huse_bench.bundles.rerunning import rerun  # noqa: PLC0415  torch loads only to train

        again = rerun(bundle, runs, {name: value for name, value in data.items() if value is not None})
        if not all(check.passed for check in again.checks):
            _refused(again.checks)
        _show(again.checks)
        verified = sign_off(bundle, [*checks, *again.checks], again.level, again.runs, again.machine)
    click.echo(f"accepted: {verified.level}")


def _refused(checks: Sequence[Check]) -> NoReturn:
    _show(checks)
    click.echo("refused")
    click.get_current_context().exit(1)


def _show(checks: Sequence[Check]) -> None:
    words = {True: "ok", False: "WRONG", None: "not seen"}
    for check in checks:
        click.echo(f"{words[check.passed]:>8}  {check.name}: {check.detail}")
