"""``huse-bench tune``: choose hyper-parameters on the validation split, with an equal budget for each method."""

from __future__ import annotations

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
    plugins_dir_option,
    protocol_option,
    regime_options,
    training_options,
    verbosity_options,
)
from huse_bench.cli.run import method_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huse_bench.tuning import Tuned

__all__ = ["tune"]


def _metrics(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


@click.command()
@click.option("--methods", callback=method_names, metavar="A,B,...", help="Losses to tune; default: all with a space.")
@click.option("--trials", type=int, required=True, metavar="N", help="Trials of each method, earlier ones included.")
@click.option(
    "--studies",
    type=int,
    default=1,
    metavar="N",
    help="Searches of each method that have nothing in common, of --trials each; default: 1.",
)
@click.option(
    "--objective",
    callback=_metrics,
    metavar="NAME|A,B,...",
    help="What is maximised on the validation split: balanced (mean R@1, mean HP@5, fusion accuracy), retrieval, "
    "hierarchy, or metrics whose mean it is; default: balanced.",
)
@protocol_option
@click.option("--dataset", metavar="A,B,...|all", help="Dataset to tune on, or several by themselves; default: emoji.")
@data_options
@feature_precision_option("--feature-precision")
@regime_options
@training_options
@click.option("--seed", type=int, help="Seed of the search; default: 0.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file, as for run; options given here win.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the trials; default: results/<dataset>.")
@click.option("--output", type=click.Path(path_type=Path), help="File of the best; default: tuned.toml in --results.")
@click.option("--device", metavar="D", help="Torch device, such as cpu or cuda:0; default: the GPU where there is one.")
@engine_options
@plugins_dir_option
@verbosity_options
@click.pass_context
def tune(
    ctx: click.Context,
    /,
    trials: int,
    studies: int,
    objective: tuple[str, ...] | None,
    config: Path | None,
    seed: int | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Choose hyper-parameters on the validation split, with an equal budget for each method.

    Give what it writes to huse-bench run --params. A search that was killed goes on where it stopped; the same
    command in several terminals shares the work.
    """
    given = given_of(options)
    if seed is not None:
        given["seeds"] = [seed]

    # Torch loads only once the command line was understood.
    from huse_bench.config import resolve_config  # noqa: PLC0415
    from huse_bench.runs import together  # noqa: PLC0415
    from huse_bench.runs.data import load  # noqa: PLC0415
    from huse_bench.runs.several import expanded, of_dataset  # noqa: PLC0415
    from huse_bench.runs.stopping import stoppable  # noqa: PLC0415
    from huse_bench.tuning import tune  # noqa: PLC0415

    together.refuse("huse-bench tune")
    goal = ("balanced",) if objective is None else objective
    parts = expanded(resolve_config(config, given, by="command line"))
    several = len(parts) > 1
    files = [output if output is None or not several else of_dataset(output, title, "--output") for title, _ in parts]
    # Before the first search, which may take hours.
    for _, each in parts if several else ():
        load(each)
    code = 0
    for (title, each), file in zip(parts, files, strict=True):
        if several:
            click.echo(f"Data set {title}\n")
        # What plugins print must not come between the tables.
        with stoppable(lambda text: None if quiet else click.echo(text, err=True)), redirect_stdout(sys.stderr):
            tuned, path = tune(each, trials, goal, file, studies=studies, quiet=quiet, verbose=verbose)
        click.echo(_table(tuned, studies) + ("\n" if several else ""))
        if not quiet and any(result.best is not None for result in tuned):
            click.echo(f"best hyper-parameters: {path}; to use them: huse-bench run --params {path}", err=True)
        without = [_named(result, studies) for result in tuned if result.best is None]
        if without:
            click.echo(f"no trial of {', '.join(without)} ended well, so the file has no parameters for it", err=True)
            code = 1
    ctx.exit(code)


def _table(tuned: Sequence[Tuned], studies: int) -> str:
    from tabulate import tabulate  # noqa: PLC0415  --help needs none

    study = ("Study",) if studies > 1 else ()
    headings = ("Method", *study, "Trials", "Failed", "Defaults", "Best", "Gain", "In trial", "Best hyper-parameters")
    rows = []
    for result in tuned:
        best = result.best
        rows.append(
            (
                result.method.title,
                *(study and (result.study,)),
                _trials(result),
                result.failed,
                _number(result.trials[0].value),
                "-" if best is None else _number(best.value),
                _gain(result),
                "-" if best is None else best.number,
                "-" if best is None else ", ".join(f"{key}={_number(value)}" for key, value in best.parameters.items()),
            )
        )
    table = tabulate(rows, headings, tablefmt="simple", disable_numparse=True)
    return f"{table}\n\n{_GAIN}" if any("±" in _gain(result) for result in tuned) else table


_GAIN = (
    "Gain: best less defaults; ± is the 95 % interval over groups of validation queries. The best of several trials\n"
    "is chosen for its luck too, so that new queries or another seed would give less."
)


def _gain(result: Tuned) -> str:
    gain, best = result.gain, result.best
    if gain is None or best is None:
        return "-"
    if best.number == 1:
        return "none"
    within = "" if gain.high is None else f" ± {gain.high - gain.value:.4f}"
    return f"{gain.value:+.4f}{within}"


def _named(result: Tuned, studies: int) -> str:
    return result.method.name if studies == 1 else f"{result.method.name} (study {result.study})"


def _trials(result: Tuned) -> str:
    same = result.distinct < len(result.trials) - result.failed
    return f"{len(result.trials)} ({result.distinct} distinct)" if same else str(len(result.trials))


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
