"""A comparison as one call from Python: what a configuration says, as arguments of a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError
from huse_bench.results import Results
from huse_bench.runs.runner import run_config
from huse_bench.runs.several import dataset_names

__all__ = ["run"]


@overload
def run(methods: Sequence[str] | None = None, dataset: str | None = None, **options: Any) -> Results: ...


@overload
def run(methods: Sequence[str] | None, dataset: Sequence[str], **options: Any) -> dict[str, Results]: ...


@overload
def run(methods: Sequence[str] | None = None, *, dataset: Sequence[str], **options: Any) -> dict[str, Results]: ...


def run(  # type: ignore[misc]  # the other options are named here alone
    methods: Sequence[str] | None = None,
    dataset: str | Sequence[str] | None = None,
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
    feature_precision: str | None = None,
    strict: bool | None = None,
    max_pixels: int | None = None,
    near_duplicates_as_groups: bool | None = None,
    regime: Mapping[str, Any] | None = None,
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
    track: str | Sequence[str] | None = None,
    quiet: bool = False,
) -> Results | dict[str, Results]:
    """Train and evaluate methods on equal terms; what ``huse-bench run`` does.

    An argument that is None leaves the choice to the config file, and where that says nothing to the default
    in parentheses.

    Args:
        methods: names of losses (every method that is installed).
        dataset: name of the dataset (``"emoji"``), or a list of names, of which ``"all"`` stands for every data set
            that its package carries.
        seeds: how many seeds, or a list of them (1).
        preset: ``"quick"`` or ``"paper"`` (``"quick"``).
        results: folder of the records (``results/<dataset>``, and ``results/<dataset>-<regime>`` in one); of a list of
            data sets the folder of their folders, or a path with ``{dataset}`` in it.
        config: a TOML file with any of these options.
        params: a file of tuned hyper-parameters, as ``huse-bench tune`` writes (none); for a list of data sets with
            ``{dataset}`` in its path.
        with_defaults: also run the methods of that file at their defaults, with the same seeds (False).
        parameters: hyper-parameters by method, where they differ from the method's defaults.
        training: names and values of :class:`~huse_bench.config.TrainingConfig` that differ from the preset's.
        data: the user's copy of the dataset, where it needs one.
        dataset_options: further arguments of the dataset, where they differ from its defaults.
        image_backbone: what makes the image features, as ``"name"`` or ``"name:reference"`` (the dataset's own
            features, else its own choice of backbone).
        text_backbone: likewise for texts.
        class_backbone: likewise for class names.
        feature_precision: what backbones compute in, ``"float32"`` or, faster on some processors and less exact,
            ``"bfloat16"`` (``"float32"``).
        strict: refuse damaged pictures, where otherwise those that cannot be decoded are left out (False).
        max_pixels: width times height of the largest picture that is read (89,478,485); a JPEG may have four times as
            many.
        near_duplicates_as_groups: make groups of items that are near-duplicates, by image or by text (False).
        regime: names and values of :class:`~huse_bench.config.RegimeConfig`, such as ``{"label_noise": 0.4}``: what is
            done to the items before training (nothing).
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
        track: names of trackers that watch the runs, such as ``"tensorboard"`` (none).
        quiet: show neither progress nor notices.

    Returns:
        The results of these runs, old and new; for a list of data sets by the name of each.

    Raises:
        UsageError: for anything that cannot be run as asked, before the first training.

    Examples:
        >>> import huse_bench as hb
        >>> results = hb.run(methods=["huse", "cme"], seeds=3)  # doctest: +SKIP
        >>> results.tables()["table1"]  # doctest: +SKIP
        >>> several = hb.run(methods=["huse", "cme"], dataset=["all"], seeds=3)  # doctest: +SKIP
        >>> hb.summary(several.values())  # doctest: +SKIP
    """
    options: dict[str, Any] = {
        "methods": [methods] if isinstance(methods, str) else None if methods is None else list(methods),
        "dataset": dataset if dataset is None or isinstance(dataset, str) else list(dataset),
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
        "feature_precision": feature_precision,
        "strict": strict,
        "max_pixels": max_pixels,
        "near_duplicates_as_groups": near_duplicates_as_groups,
        "regime": None if regime is None else dict(regime),
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
        "track": [track] if isinstance(track, str) else None if track is None else list(track),
    }
    given = {name: value for name, value in options.items() if value is not None}
    resolved = resolve_config(None if config is None else Path(config), given)
    if dataset is None or isinstance(dataset, str):
        names = dataset_names(resolved.dataset)
        if resolved.every_fold:
            raise ConfigError(
                f"held_out = 'all' ({resolved.origin('regime.held_out')}) is {resolved.regime.folds} folds, whose "
                f"results are given by name; ask for them by a list: hb.run(dataset={names!r})"
            )
        if len(names) > 1:
            raise ConfigError(
                f"dataset = {resolved.dataset!r} ({resolved.origin('dataset')}) is {len(names)} data sets, whose "
                f"results are given by name; ask for them by a list: hb.run(dataset={names!r})"
            )
        return next(results for _, results in run_config(resolved, quiet=quiet))
    return dict(run_config(resolved, quiet=quiet))
