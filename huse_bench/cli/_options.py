"""Options that several commands have."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

__all__ = [
    "data_options",
    "engine_options",
    "feature_precision_option",
    "given_of",
    "in_color",
    "names_list",
    "plugins_dir_option",
    "protocol_option",
    "regime_options",
    "training_options",
    "verbosity_options",
]

# Not asked of the configuration, since --help waits for nothing.
_PRECISIONS = ("float32", "bfloat16")

# Options that stand under [training] in a file.
_OF_TRAINING = ("steps", "precision")


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says where the data and their features come from: ``--data``, the backbones and what is left out."""
    options = (
        click.option("--data", type=click.Path(path_type=Path), help="Your copy of the dataset, where it needs one."),
        click.option(
            "--image-backbone", metavar="NAME[:REF]", help="Makes image features; default: the dataset's own."
        ),
        click.option("--text-backbone", metavar="NAME[:REF]", help="Makes text features; default: the dataset's own."),
        click.option("--class-backbone", metavar="NAME[:REF]", help="Embeds class names; default: the dataset's own."),
        click.option(
            "--strict", is_flag=True, default=None, help="Refuse damaged pictures instead of leaving them out."
        ),
        click.option("--max-pixels", type=click.IntRange(1), help="Largest picture that is read; default: 89478485."),
        click.option(
            "--near-duplicates-as-groups", is_flag=True, default=None, help="Let items that are almost alike be groups."
        ),
    )
    # The last is applied first, as of decorators above each other.
    for option in reversed(options):
        command = option(command)
    return command


def feature_precision_option(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add what says in which precision backbones compute.

    Args:
        names: of the option; ``--precision`` where no towers are trained, whose own that is elsewhere.
    """
    return click.option(
        *names,
        "feature_precision",
        type=click.Choice(_PRECISIONS),
        help="What backbones compute in; bfloat16 is faster on some processors and makes other features; "
        "default: float32.",
    )


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says how many runs are done at once and where: ``--jobs``, ``--engine`` and what the engine needs."""
    options = (
        click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Runs at once; default: 1."),
        click.option(
            "--engine",
            type=click.Choice(["loky", "dask", "ray", "slurm"]),
            help="Does runs in other processes: here (loky) or on a cluster; default: loky for several.",
        ),
        click.option("--address", metavar="A", help="Where the engine's cluster is, such as tcp://HOST:8786 of Dask."),
        click.option(
            "--engine-option",
            "engine_options",
            multiple=True,
            callback=_pairs,
            metavar="NAME=VALUE",
            help="What a run needs of Ray or Slurm, such as slurm_partition=gpu; may be given several times.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says how methods are trained: ``--preset``, ``--steps`` and ``--precision``, for :func:`given_of`."""
    options = (
        click.option(
            "--preset", metavar="quick|paper", help="Training recipe: minutes, or the paper's; default: quick."
        ),
        click.option("--steps", type=int, help="Training steps of each run; default: the preset's."),
        click.option(
            "--precision",
            type=click.Choice(_PRECISIONS),
            help="Of the towers' matrix products; bfloat16 is faster on some devices; default: float32.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def given_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as :func:`huse_bench.config.resolve_config` takes them.

    Args:
        options: values by the options' names, None for those that were not given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    training = {name: given.pop(name) for name in _OF_TRAINING if name in given}
    return given | {"training": training} if training else given


def in_color() -> bool:
    """Whether standard output takes the codes of a terminal: not a pipe, a file, or where NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def names_list(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    """The names that an option lists, separated by commas, each once."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter(f"{value!r} names nothing; separate names by commas")
    return list(dict.fromkeys(names))


def plugins_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--plugins-dir`` to a command; it takes effect before any other option is looked at."""
    return click.option(
        "--plugins-dir",
        type=click.Path(path_type=Path),
        callback=_use,
        expose_value=False,
        is_eager=True,
        help="Folder of plugins that are single files (my_loss.py); also HUSE_BENCH_PLUGINS_DIR.",
    )(command)


def protocol_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--protocol``, which says what a query may find."""
    return click.option(
        "--protocol",
        metavar="v1|v2",
        help="What a query may find: none of its group but its pair (v2), or all but itself (v1); default: v2.",
    )(command)


def regime_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what is done to the items before training; the command gets it as ``regime``, None where nothing is asked."""

    @wraps(command)
    def with_regime(
        *args: Any,
        label_noise: float | None,
        held_out: tuple[int | str, int] | None,
        shots: int | None,
        regime_seed: int | None,
        **options: Any,
    ) -> Any:
        fold, folds = held_out or (None, None)
        asked = {"label_noise": label_noise, "held_out": fold, "folds": folds, "shots": shots, "seed": regime_seed}
        given = {name: value for name, value in asked.items() if value is not None}
        return command(*args, regime=given or None, **options)

    options = (
        click.option("--label-noise", type=float, metavar="X", help="Replace this share of the training labels."),
        click.option(
            "--held-out",
            callback=_fold,
            metavar="I/N",
            help="Deal the classes into N folds, and train on none of fold I; all/N runs every fold.",
        ),
        click.option("--shots", type=int, metavar="N", help="Train on N groups of items of each class."),
        click.option("--regime-seed", type=int, metavar="S", help="Seed of these draws; default: 0."),
    )
    for option in reversed(options):
        with_regime = option(with_regime)
    return with_regime


def verbosity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--quiet`` and ``--verbose``, of what goes to standard error."""
    command = click.option("-v", "--verbose", is_flag=True, callback=_not_both, help="Show details too.")(command)
    return click.option("-q", "--quiet", is_flag=True, help="Show neither progress nor notices.")(command)


def _fold(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int | str, int] | None:
    if value is None:
        return None
    fold, folds = (part.strip() for part in value.partition("/")[::2])
    if not ((fold.isdecimal() or fold == "all") and folds.isdecimal()):
        raise click.BadParameter(f"{value!r} is no fold; give which one of how many, such as 1/5, or all/5")
    return (fold if fold == "all" else int(fold)), int(folds)


def _not_both(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value and context.params.get("quiet"):
        raise click.UsageError("--quiet and --verbose exclude each other", context)
    return value


def _pairs(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, Any] | None:
    """Names with their values, which are numbers where they can be."""
    found: dict[str, Any] = {}
    for pair in value:
        name, sign, text = pair.partition("=")
        if not (name.strip() and sign):
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE")
        found[name.strip()] = next((kind(text) for kind in (int, float) if _is(kind, text)), text)
    return found or None


def _is(kind: Callable[[str], Any], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _use(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    if not value.is_dir():
        raise click.BadParameter(f"{str(value)!r} is no folder")
    from huse_bench.discovery import refresh  # noqa: PLC0415  --help must start fast

    # By the environment, so that worker processes find the same files.
    os.environ["HUSE_BENCH_PLUGINS_DIR"] = str(value.resolve())
    refresh()
