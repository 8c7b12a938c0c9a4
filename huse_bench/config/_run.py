"""Everything that a command is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from huse_bench.config._regime import NO_REGIME, RegimeConfig
from huse_bench.config._training import Precision, TrainingConfig

__all__ = ["MAX_PIXELS", "EngineName", "Overwrite", "RunConfig"]

#: When a run that already has a record is run again.
Overwrite = Literal["never", "failed", "always"]

#: What does runs in other processes: of this machine, or of a cluster.
EngineName = Literal["loky", "dask", "ray", "slurm"]

#: Width times height of the largest picture that is read unless more are allowed; Pillow warns above the same number.
MAX_PIXELS = 89_478_485

# What the data of a run depend on beside the dataset, its options and where the user's copy lies.
_OF_DATA = (
    "image_backbone",
    "text_backbone",
    "class_backbone",
    "feature_precision",
    "strict",
    "max_pixels",
    "near_duplicates_as_groups",
)


class RunConfig(BaseModel):
    """Everything that a ``huse-bench run`` is told.

    Attributes:
        methods: names of losses; None is every method that is installed.
        parameters: hyper-parameters by method, where they differ from the method's defaults.
        dataset: name of the dataset; several with commas between, or ``all``, as
            ``huse-bench run --dataset`` takes them. A list of names is taken too.
        data: folder or file of the user's copy of the dataset.
        dataset_options: further arguments of the dataset, where they differ from its defaults.
        image_backbone: ``NAME`` or ``NAME:REFERENCE``; None for the dataset's own features or backbone.
        text_backbone: as ``image_backbone``.
        class_backbone: as ``image_backbone``.
        feature_precision: what backbones compute in, where they can; ``training.precision`` is that of the towers.
        strict: refuse data with damaged pictures.
        max_pixels: width times height of the largest picture that is read; a JPEG may have four times as many.
        near_duplicates_as_groups: items that are near-duplicates, by image or by text, are a group.
        regime: what is done to the items before anything is trained.
        every_fold: all folds of held-out classes are run, one after another; ``held_out = "all"`` in the regime.
        preset: ``"quick"`` or ``"paper"``.
        params: a file of tuned hyper-parameters, as ``huse-bench tune`` writes it.
        with_defaults: also run the methods of that file at their defaults, with the same seeds.
        seeds: one run of each method for each seed.
        results: folder of the records; None is ``results/<dataset>``, and ``results/<dataset>-<regime>`` in one.
        overwrite: which runs that have a record are run again: ``"never"``, those that ``"failed"``
            (or diverged), or ``"always"`` all.
        device: torch device; None is the GPU where there is one.
        jobs: runs at once; None is one, in this process, or where an engine is named as many as that has room for.
        engine: what does runs in other processes; None is this process, or for several jobs ``"loky"``, processes of
            this machine.
        address: of the engine's cluster.
        engine_options: what a run needs of the engine, by Ray's or submitit's names.
        save_model: write the trained towers and heads as safetensors.
        save_embeddings: write the embeddings of all items as safetensors.
        save_neighbours: keep what each query found first with every run, and not with those of the first seed alone.
        controls: add the controls to the results: rows that show the floor and the ceiling.
        protocol: which items a query may find: ``"v2"`` leaves its own group out but for its pair, ``"v1"`` itself
            alone.
        checkpoint_every: seconds between two checkpoints of a run; 0 for none.
        timeout: seconds that a run may take; 0 for any time.
        track: names of trackers that watch the runs.
        training: how towers and heads are trained.
        origins: where each value comes from, by dotted name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    methods: tuple[str, ...] | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    dataset: str = "emoji"
    data: Path | None = None
    dataset_options: dict[str, Any] = Field(default_factory=dict)
    image_backbone: str | None = None
    text_backbone: str | None = None
    class_backbone: str | None = None
    feature_precision: Precision = "float32"
    strict: bool = False
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    near_duplicates_as_groups: bool = False
    regime: RegimeConfig = NO_REGIME
    every_fold: bool = False
    preset: Literal["quick", "paper"] = "quick"
    params: Path | None = None
    with_defaults: bool = False
    seeds: tuple[int, ...] = (0,)
    results: Path | None = None
    overwrite: Overwrite = "never"
    device: str | None = None
    jobs: int | None = Field(default=None, ge=1)
    engine: EngineName | None = None
    address: str | None = None
    engine_options: dict[str, Any] = Field(default_factory=dict)
    save_model: bool = False
    save_embeddings: bool = False
    save_neighbours: bool = False
    controls: bool = False
    protocol: Literal["v1", "v2"] = "v2"
    checkpoint_every: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    timeout: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    track: tuple[str, ...] = ()
    training: TrainingConfig = TrainingConfig()
    origins: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("at least one seed is needed")
        if any(seed < 0 for seed in seeds):
            raise ValueError("seeds must be at least 0")
        if any(seed >= 2**63 for seed in seeds):
            raise ValueError("seeds must be below 2**63")
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice")
        return seeds

    @property
    def results_folder(self) -> Path:
        """Where the records go."""
        return Path("results") / self.folder_name if self.results is None else self.results

    @property
    def folder_name(self) -> str:
        """What the folder of the records is called where nothing else is said: the dataset and its regime."""
        return "-".join(filter(None, (self.dataset, self.regime.stem)))

    @property
    def elsewhere(self) -> bool:
        """Whether runs are done by other processes."""
        return self.engine is not None or (self.jobs or 1) > 1

    def origin(self, name: str) -> str:
        """Where the value of a dotted name, such as ``training.steps``, comes from."""
        return self.origins.get(name, "default")

    @property
    def asked_of_data(self) -> dict[str, Any]:
        """What was asked of the features and the items beside the dataset's own options, where it is no default."""
        fields = type(self).model_fields
        return {name: value for name in _OF_DATA if (value := getattr(self, name)) != fields[name].default}
