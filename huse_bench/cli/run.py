"""``huse-bench run``: train and evaluate methods, print the tables."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from huse_bench.cli._options import (
    data_options,
    engine_options,
    feature_precision_option,
    given_of,
    names_list,
    plugins_dir_option,
    protocol_option,
    regime_options,
    training_options,
    verbosity_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huse_bench.results import Results

__all__ = ["method_names", "run"]


def method_names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    """The methods that an option lists, separated by commas."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("name at least one method, such as huse,cme")
    return names


def _seeds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    try:
        numbers = [int(part) for part in value.split(",") if part.strip()]
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is neither a number of seeds (4, for 0,1,2,3) nor a list of them (3,7, or 4, for that one)"
        ) from error
    if not numbers or ("," not in value and numbers[0] < 1):
        raise click.BadParameter("at least one seed is needed")
    return numbers if "," in value else list(range(numbers[0]))


@click.command()
@plugins_dir_option
@click.option("--methods", callback=method_names, metavar="A,B,...", help="Losses to compare; default: all installed.")
@click.option(
    "--dataset",
    metavar="A,B,...|all",
    help="Dataset to train and test on, or several one after another, all being every one that comes with its package; "
    "default: emoji.",
)
@data_options
@feature_precision_option("--feature-precision")
@regime_options
@training_options
@click.option(
    "--seeds",
    callback=_seeds,
    metavar="N|LIST",
    help="How many seeds (4: seeds 0,1,2,3), or which (3,7; with a comma also for one: 4,); default: 1.",
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with any option; options given here win.")
@click.option("--params", type=click.Path(path_type=Path), help="Tuned hyper-parameters, a file of huse-bench tune.")
@click.option(
    "--with-defaults",
    is_flag=True,
    default=None,
    help="Also run the methods of --params at their defaults, to set beside the tuned ones.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Folder of the records, of several data sets the folder of their folders; default: results/<dataset>, "
    "and its regime.",
)
@click.option(
    "--overwrite",
    type=click.Choice(["never", "failed", "always"]),
    help="Which runs that have a record are run again; default: never.",
)
@protocol_option
@click.option("--controls", is_flag=True, default=None, help="Add floors and ceilings: chance, raw features and more.")
@click.option("--device", metavar="D", help="Torch device, such as cpu or cuda:0; default: the GPU where there is one.")
@engine_options
@click.option("--save-model", is_flag=True, default=None, help="Write trained towers and heads as safetensors.")
@click.option("--save-embeddings", is_flag=True, default=None, help="Write all items' embeddings as safetensors.")
@click.option(
    "--save-neighbours",
    is_flag=True,
    default=None,
    help="Keep what each query found first with the runs of all seeds, not of the first alone.",
)
@click.option(
    "--checkpoint-every",
    type=float,
    metavar="SECONDS",
    help="Time between two checkpoints of a run, from which a killed one goes on; 0 for none; default: 30.",
)
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="Time that each run may take before it fails; default: any."
)
@click.option(
    "--track",
    callback=names_list,
    metavar="A,B,...",
    help="Have trackers watch the runs: tensorboard, mlflow, wandb, or a plugin's; default: none.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show which runs are waiting, and by a few steps of each method what they would take; write nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan of --dry-run as JSON.")
@verbosity_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    config: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Train and evaluate methods on equal terms, and print the paper's three tables.

    A run that has a record in the results folder is not run again, and one that was stopped goes on from its last
    checkpoint, so a command that was killed goes on where it stopped. Several data sets end with one summary over
    them. In --results and --params, {dataset} stands for the name of each.
    """
    if as_json and not dry_run:
        raise click.UsageError("--json is for --dry-run; for the tables: huse-bench tables --format json")
    given = given_of(options)

    # Torch loads only once the command line was understood.
    from huse_bench.cli.tables import print_summary, print_tables  # noqa: PLC0415
    from huse_bench.config import resolve_config  # noqa: PLC0415
    from huse_bench.runs import together  # noqa: PLC0415
    from huse_bench.runs.runner import run_config  # noqa: PLC0415
    from huse_bench.runs.stopping import stoppable  # noqa: PLC0415

    resolved = resolve_config(config, given, by="command line")
    if dry_run:
        together.refuse("--dry-run")
        from huse_bench.cli._rehearsal import as_text, document  # noqa: PLC0415
        from huse_bench.runs.rehearsal import rehearse  # noqa: PLC0415
        from huse_bench.runs.several import expanded  # noqa: PLC0415

        plans = [rehearse(each, quiet=quiet, verbose=verbose) for _, each in expanded(resolved)]
        click.echo(json.dumps(document(plans), indent=2, ensure_ascii=False) if as_json else as_text(plans))
        ctx.exit(1 if any(run.cost and run.cost.error for plan in plans for run in plan.runs) else 0)
    done: list[Results] = []
    with stoppable(lambda text: None if quiet else click.echo(text, err=True)):
        for results in _each(run_config(resolved, quiet=quiet, verbose=verbose)):
            if done:
                click.echo()
            print_tables(results)
            done.append(results)
    if len(done) > 1:
        click.echo()
        print_summary(done)
    if any(record.status != "finished" for results in done for record in results.records):
        ctx.exit(1)


def _each(parts: Iterator[tuple[str, Results]]) -> Iterator[Results]:
    """The results of each data set, of which other processes than the first print nothing."""
    from huse_bench.runs import together  # noqa: PLC0415  torch, as above

    while True:
        # What plugins print must not come between the tables.
        with redirect_stdout(sys.stderr):
            part = next(parts, None)
        if part is None:
            return
        if not together.follows():
            yield part[1]
