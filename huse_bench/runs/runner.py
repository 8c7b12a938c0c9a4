"""The runner: plan the runs of a comparison, run those that have no record yet, keep their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from huse_bench.config import RunConfig, resolve_config
from huse_bench.discovery import notify
from huse_bench.progress import Reporter
from huse_bench.results import Results, Store
from huse_bench.runs.announcing import announce
from huse_bench.runs.card import write_card
from huse_bench.runs.crew import hand_out_to_workers
from huse_bench.runs.data import audited, load, make_ready, refuse_other_data
from huse_bench.runs.listeners import Hooks, Shown
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.references import evaluate_controls
from huse_bench.runs.resuming import remove_left
from huse_bench.runs.sharing import hand_out
from huse_bench.runs.tuned import AskedRuns
from huse_bench.runs.unit import run_unit
from huse_bench.runs.workers import check_workers

__all__ = ["run", "run_config"]


def run(
    methods: Sequence[str] | None = None,
    dataset: str | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    preset: str | None = None,
    results: str | Path | None = None,
    config: str | Path | None = None,
    params: str | Path | None = None,
    with_defaults: bool | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    training: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    dataset_options: Mapping[str, Any] | None = None,
    image_backbone: str | None = None,
    text_backbone: str | None = None,
    class_backbone: str | None = None,
    strict: bool | None = None,
    max_pixels: int | None = None,
    near_duplicates_as_groups: bool | None = None,
    overwrite: str | None = None,
    device: str | None = None,
    jobs: int | None = None,
    engine: str | None = None,
    address: str | None = None,
    engine_options: Mapping[str, Any] | None = None,
    save_model: bool | None = None,
    save_embeddings: bool | None = None,
    save_neighbours: bool | None = None,
    controls: bool | None = None,
    protocol: str | None = None,
    checkpoint_every: float | None = None,
    timeout: float | None = None,
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
        params: a file of tuned hyper-parameters, as ``huse-bench tune`` writes (none).
        with_defaults: also run the methods of that file at their defaults, with the same seeds (False).
        parameters: hyper-parameters by method, where they differ from the method's defaults.
        training: names and values of :class:`~huse_bench.config.TrainingConfig` that differ from the preset's.
        data: the user's copy of the dataset, where it needs one.
        dataset_options: further arguments of the dataset, where they differ from its defaults.
        image_backbone: what makes the image features, as ``"name"`` or ``"name:reference"`` (the dataset's own
            features, else its own choice of backbone).
        text_backbone: likewise for texts.
        class_backbone: likewise for class names.
        strict: refuse damaged pictures, where otherwise those that cannot be decoded are left out (False).
        max_pixels: width times height of the largest picture that is read (89,478,485); a JPEG may have four times as
            many.
        near_duplicates_as_groups: make groups of items that are near-duplicates, by image or by text (False).
        overwrite: which runs that have a record are run again: ``"never"``, ``"failed"`` or ``"always"``
            (``"never"``).
        device: torch device (the GPU where there is one).
        jobs: how many runs at once (1, or as many as the engine has room for).
        engine: what does them in other processes: ``"loky"``, those of this machine, or a cluster of ``"dask"``,
            ``"ray"`` or ``"slurm"`` (this process; ``"loky"`` for several jobs).
        address: of the engine's cluster.
        engine_options: what a run needs of the engine, by Ray's or submitit's names.
        save_model: write trained towers and heads as safetensors (False).
        save_embeddings: write all items' embeddings as safetensors (False).
        save_neighbours: keep what each query found first with the runs of all seeds, not of the first alone (False).
        controls: add rows that show the floor and the ceiling, in a section of their own (False): chance, the raw
            features, their class centroids, what the true classes would give, and each method trained with the first
            seed on shuffled labels.
        protocol: which items a query may find: ``"v2"`` leaves the query's own group out, but for its pair in the
            other modality, ``"v1"`` the query alone (``"v2"``).
        checkpoint_every: seconds between two checkpoints of a run, from which a killed one goes on; 0 for none (30).
        timeout: seconds that each run may take before it fails; 0 for any time (0).
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
        "params": None if params is None else Path(params),
        "with_defaults": with_defaults,
        "parameters": None if parameters is None else {name: dict(values) for name, values in parameters.items()},
        "training": None if training is None else dict(training),
        "data": None if data is None else Path(data),
        "dataset_options": None if dataset_options is None else dict(dataset_options),
        "image_backbone": image_backbone,
        "text_backbone": text_backbone,
        "class_backbone": class_backbone,
        "strict": strict,
        "max_pixels": max_pixels,
        "near_duplicates_as_groups": near_duplicates_as_groups,
        "overwrite": overwrite,
        "device": device,
        "jobs": jobs,
        "engine": engine,
        "address": address,
        "engine_options": None if engine_options is None else dict(engine_options),
        "save_model": save_model,
        "save_embeddings": save_embeddings,
        "save_neighbours": save_neighbours,
        "controls": controls,
        "protocol": protocol,
        "checkpoint_every": checkpoint_every,
        "timeout": timeout,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return run_config(resolve_config(None if config is None else Path(config), given), quiet=quiet)


def run_config(config: RunConfig, *, quiet: bool = False, verbose: bool = False) -> Results:
    """Run what a configuration asks for; see :func:`run`."""
    reporter = Reporter(quiet=quiet, verbose=verbose)
    runs = AskedRuns(config)
    config = runs.config
    check_workers(config)
    loaded = load(config)
    # Before features are made, which may take hours.
    Store.refuse_unusable(config.results_folder, config.dataset)
    items, prepared = make_ready(loaded, config, reporter)
    store = Store(config.results_folder, config.dataset)
    specs, notices = runs.plan(prepared)
    for notice in notices:
        reporter.say(notice)
    known, _ = store.read()
    refuse_other_data(known, prepared, config, store.card())

    waiting = [spec for spec in specs if store.should_run(spec.fingerprint, config.overwrite)]
    remove_left((spec for spec in specs if spec not in waiting), store)
    for error in notify("huse_bench_configure", config=config):
        reporter.say(error)
    announce(config, specs, waiting, prepared, reporter)
    _note_tuning(specs, store)
    write_card(store, config, loaded.dataset_class, items, prepared, reporter)
    prepared = audited(prepared, items, known, config, reporter, needed=bool(waiting))

    listeners = (Hooks(reporter), Shown(reporter, bars=not config.elsewhere))
    if config.elsewhere:
        hand_out_to_workers(waiting, prepared, config, store, listeners, reporter)
    else:
        do = partial(run_unit, prepared=prepared, store=store, listeners=listeners)
        hand_out(waiting, store, config.overwrite, do, reporter.say)
    asked = {spec.fingerprint for spec in specs}
    if config.controls:
        asked |= evaluate_controls(prepared, config, store, reporter)
    return _collect(store, asked, reporter)


def _note_tuning(specs: Sequence[RunSpec], store: Store) -> None:
    """Say of finished runs of these very hyper-parameters what a search has spent on them since."""
    for spec in specs:
        record = store.find(spec.fingerprint) if spec.tuning else None
        if spec.tuning and record is not None and record.tuning != spec.tuning:
            store.note_tuning(record.configuration, spec.tuning)


def _collect(store: Store, asked: set[str], reporter: Reporter) -> Results:
    records, problems = store.read()
    for problem in problems:
        reporter.say(f"left out: {problem}")
    return Results([record for record in records if record.fingerprint in asked], problems, store.folder)
