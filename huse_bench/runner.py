"""The runner: plan the runs of a comparison, run those that have no record yet, keep their records."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from huse_bench import export
from huse_bench.components import Split
from huse_bench.config import RunConfig, resolve_config
from huse_bench.discovery import load, notify
from huse_bench.errors import ConfigError, DataError, HuseBenchError
from huse_bench.experiment import HP_KS, RECALL_KS, run_experiment
from huse_bench.features import Prepared, prepare
from huse_bench.methods import resolve_methods
from huse_bench.progress import Reporter
from huse_bench.records import RunSpec, plan_run, record_failure, record_outcome
from huse_bench.results import Results, Store

__all__ = ["run", "run_config"]


def run(
    methods: Sequence[str] | None = None,
    dataset: str | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    preset: str | None = None,
    results: str | Path | None = None,
    config: str | Path | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    training: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    image_backbone: str | None = None,
    text_backbone: str | None = None,
    class_backbone: str | None = None,
    overwrite: str | None = None,
    device: str | None = None,
    save_model: bool | None = None,
    save_embeddings: bool | None = None,
    quiet: bool = False,
) -> Results:
    """Train and evaluate methods on equal terms; what ``huse-bench run`` does.

    An argument that is None leaves the choice to the config file, and where that says nothing to the default
    in parentheses.

    Args:
        methods: names of losses (every method that is installed).
        dataset: name of the dataset (``"emoji"``).
        seeds: how many seeds, or a list of them (1).
        preset: ``"quick"`` or ``"paper"`` (``"quick"``).
        results: folder of the records (``results/<dataset>``).
        config: a TOML file with any of these options.
        parameters: hyper-parameters by method, where they differ from the method's defaults.
        training: names and values of :class:`~huse_bench.config.TrainingConfig` that differ from the preset's.
        data: the user's copy of the dataset, where it needs one.
        image_backbone: image features (the dataset's own).
        text_backbone: text features (the dataset's own).
        class_backbone: class-name embeddings (the dataset's own).
        overwrite: which runs that have a record are run again: ``"never"``, ``"failed"`` or ``"always"``
            (``"never"``).
        device: torch device (the GPU where there is one).
        save_model: write trained towers and heads as safetensors (False).
        save_embeddings: write all items' embeddings as safetensors (False).
        quiet: show neither progress nor notices.

    Returns:
        The results of these runs, old and new.

    Raises:
        UsageError: for anything that cannot be run as asked, before the first training.

    Examples:
        >>> import huse_bench as hb
        >>> results = hb.run(methods=["huse", "cme"], seeds=3)  # doctest: +SKIP
        >>> results.tables()["table1"]  # doctest: +SKIP
    """
    options: dict[str, Any] = {
        "methods": [methods] if isinstance(methods, str) else None if methods is None else list(methods),
        "dataset": dataset,
        "seeds": list(range(seeds)) if isinstance(seeds, int) else None if seeds is None else list(seeds),
        "preset": preset,
        "results": None if results is None else Path(results),
        "parameters": None if parameters is None else {name: dict(values) for name, values in parameters.items()},
        "training": None if training is None else dict(training),
        "data": None if data is None else Path(data),
        "image_backbone": image_backbone,
        "text_backbone": text_backbone,
        "class_backbone": class_backbone,
        "overwrite": overwrite,
        "device": device,
        "save_model": save_model,
        "save_embeddings": save_embeddings,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return run_config(resolve_config(None if config is None else Path(config), given), quiet=quiet)


def run_config(config: RunConfig, *, quiet: bool = False) -> Results:
    """Run what a configuration asks for; see :func:`run`."""
    reporter = Reporter(quiet=quiet)
    device = _device(config.device)
    methods = resolve_methods(config)
    data, title = _load(config)
    data = data.to(device)
    store = Store(config.results_folder, config.dataset)

    specs = [plan_run(config, method, seed, data, title) for seed in config.seeds for method in methods]
    waiting = [spec for spec in specs if store.should_run(spec.fingerprint, config.overwrite)]
    for error in notify("huse_bench_configure", config=config):
        reporter.say(error)
    _announce(config, specs, waiting, data, device, reporter)

    for spec in waiting:
        _run_one(spec, data, config, store, reporter)
    return _collect(store, specs, reporter)


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r} cannot be used here: {reason}") from error
    return device


def _load(config: RunConfig) -> tuple[Prepared, str]:
    dataset_class = load("dataset", config.dataset)
    items = dataset_class(config.data).load()
    for kind, asked, features in (
        ("image", config.image_backbone, items.image_features),
        ("text", config.text_backbone, items.text_features),
        ("class", config.class_backbone, items.class_features),
    ):
        if asked is None:
            continue
        load("backbone", asked)
        own = features.backbone if features is not None else "none"
        if own.split("@")[0] != asked:
            raise ConfigError(
                f"the dataset {config.dataset!r} brings {kind} features of {own} and no raw items to run {asked!r} on; "
                f"leave --{kind}-backbone out"
            )
    data = prepare(items, config.dataset)
    evaluated: tuple[Split, ...] = ("validation", "test")
    smallest = min(evaluated, key=lambda name: len(data.splits[name].labels))
    gallery = len(data.splits[smallest].labels) - 1
    needed = max(*RECALL_KS, *HP_KS)
    if gallery < needed:
        raise DataError(
            f"the {smallest} split of {config.dataset!r} leaves a gallery of {gallery} items without the query, "
            f"and the tables need K = {needed}; give that split at least {needed + 1} items"
        )
    size = config.training.batch_size
    if size > len(data.splits["train"].labels):
        raise ConfigError(
            f"training.batch_size = {size} ({config.origin('training.batch_size')}) is larger than the train split of "
            f"{config.dataset!r}, which has {len(data.splits['train'].labels)} items"
        )
    return data, dataset_class.title


def _announce(
    config: RunConfig,
    specs: list[RunSpec],
    waiting: list[RunSpec],
    data: Prepared,
    device: torch.device,
    reporter: Reporter,
) -> None:
    sizes = " / ".join(f"{len(split.labels)} {name}" for name, split in data.splits.items())
    training = config.training
    reporter.say(f"{config.dataset}: {sizes} items of {len(data.class_names)} classes")
    reporter.say(
        f"preset {config.preset}: {training.steps} steps of {training.batch_size} pairs, {training.optimizer}, "
        f"on {device} with {torch.get_num_threads()} threads"
    )
    changed = {name: origin for name, origin in config.origins.items() if not origin.startswith("preset ")}
    for name, origin in sorted(changed.items()):
        if name.startswith("training."):
            reporter.say(f"  {name} = {getattr(training, name.removeprefix('training.'))} ({origin})")
    done = len(specs) - len(waiting)
    if done:
        reporter.say(f"{done} of {len(specs)} runs are finished in {config.results_folder} and are not run again")
        if config.save_model or config.save_embeddings:
            reporter.say(
                "  files to save are written when a run is trained: add --overwrite always to train them again"
            )


def _run_one(spec: RunSpec, data: Prepared, config: RunConfig, store: Store, reporter: Reporter) -> None:
    label = f"{spec.method.loss_class.title} seed {spec.seed}"
    for error in notify("huse_bench_run_start", spec=spec):
        reporter.say(error)
    started = time.perf_counter()
    try:
        with reporter.run(label, config.training.steps) as step:
            outcome = run_experiment(spec.method, data, config.dataset, config.training, spec.seed, step)
        record, per_query, predictions = record_outcome(spec, outcome, data)
        saved = []
        if config.save_model:
            saved.append(export.save_model(store.folder, record, outcome.model, data))
        if config.save_embeddings:
            saved.append(export.save_embeddings(store.folder, record, outcome.embedded, data))
    # A failing method is a row that says so; the others go on.
    except Exception as error:  # noqa: BLE001
        failure = record_failure(spec, data, error)
        store.write(failure)
        reporter.say(f"{label}: {failure.status} after {time.perf_counter() - started:.0f} s: {_reason(error)}")
        for problem in notify("huse_bench_run_failed", spec=spec, error=error):
            reporter.say(problem)
        return
    store.write(record, per_query, predictions)
    speed = config.training.steps / outcome.trained.seconds
    reporter.say(f"{label}: finished in {time.perf_counter() - started:.0f} s ({speed:.1f} steps/s)")
    for path in saved:
        reporter.say(f"  saved {path}")
    for problem in notify("huse_bench_run_finished", record=record):
        reporter.say(problem)


def _reason(error: Exception) -> str:
    text = str(error) or repr(error)
    return text if isinstance(error, HuseBenchError) else f"{type(error).__name__}: {text}"


def _collect(store: Store, specs: list[RunSpec], reporter: Reporter) -> Results:
    records, problems = store.read()
    for problem in problems:
        reporter.say(f"left out: {problem}")
    asked = {spec.fingerprint for spec in specs}
    return Results([record for record in records if record.fingerprint in asked], problems, store.folder)
