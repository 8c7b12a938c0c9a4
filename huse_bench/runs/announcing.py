"""What a command says before its first run."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from huse_bench.compiling import is_kept
from huse_bench.config import RunConfig
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.runs.data import device_of
from huse_bench.runs.plan import RunSpec

__all__ = ["announce"]


def announce(
    config: RunConfig,
    specs: Sequence[RunSpec],
    waiting: Sequence[RunSpec],
    prepared: Prepared,
    reporter: Reporter,
) -> None:
    """Say what will be run, on what, and where a setting differs from the preset's.

    Args:
        config: of the command.
        specs: all its runs.
        waiting: those that have no record yet.
        prepared: the data.
        reporter: says it.
    """
    device, threads = device_of(config), torch.get_num_threads()
    sizes = " / ".join(f"{len(split.labels)} {name}" for name, split in prepared.splits.items())
    training = config.training
    reporter.say(f"{config.dataset}: {sizes} items of {len(prepared.class_names)} classes")
    for notice in prepared.notices:
        reporter.say(f"  {notice}")
    reporter.say(
        f"preset {config.preset}: {training.steps} steps of {training.batch_size} pairs, {training.optimizer}, "
        f"on {device} with {threads} {'thread' if threads == 1 else 'threads'}"
    )
    changed = {name: origin for name, origin in config.origins.items() if not origin.startswith("preset ")}
    for name, origin in sorted(changed.items()):
        if name.startswith("training."):
            reporter.say(f"  {name} = {getattr(training, name.removeprefix('training.'))} ({origin})")
    if "seeds" in changed:
        # A number and a list of one look alike where they are given.
        reporter.say(f"  seeds {', '.join(map(str, config.seeds))} ({changed['seeds']})")
    if reporter.verbose:
        _say_details(config, specs, reporter)
    if waiting and not is_kept():
        reporter.say(
            "  compiled code is not kept, for this user can write to no place for it, and is compiled in each process; "
            "to keep it, name a folder in the environment variable NUMBA_CACHE_DIR"
        )
    done = len(specs) - len(waiting)
    if done:
        reporter.say(f"{done} of {len(specs)} runs are finished in {config.results_folder} and are not run again")
        if config.save_model or config.save_embeddings or config.save_neighbours:
            reporter.say(
                "  files to save are written when a run is trained: add --overwrite always to train them again"
            )


def _say_details(config: RunConfig, specs: Sequence[RunSpec], reporter: Reporter) -> None:
    """Every setting of the training, and every method with its hyper-parameters."""
    for name, value in config.training.model_dump().items():
        reporter.detail(f"  training.{name} = {value} ({config.origin(f'training.{name}')})")
    for method in {spec.method.name: spec.method for spec in specs}.values():
        values = ", ".join(f"{name} = {value!r}" for name, value in method.parameters.items()) or "no hyper-parameters"
        reporter.detail(f"  {method.title} ({method.name}, {method.component.distribution}): {values}")
    reporter.detail(f"  results: {config.results_folder}")
