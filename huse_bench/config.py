"""The configuration of a run: defaults < preset < TOML file < command line, each value with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from huse_bench.errors import ConfigError
from huse_bench.faults import fault_message, fault_place
from huse_bench.hints import did_you_mean
from huse_bench.text_files import read_toml

__all__ = [
    "MAX_PIXELS",
    "NO_REGIME",
    "PRESETS",
    "EngineName",
    "Overwrite",
    "Precision",
    "RegimeConfig",
    "RunConfig",
    "TrainingConfig",
    "read_config_file",
    "resolve_config",
]

#: When a run that already has a record is run again.
Overwrite = Literal["never", "failed", "always"]

#: What does runs in other processes: of this machine, or of a cluster.
EngineName = Literal["loky", "dask", "ray", "slurm"]

#: What networks compute in.
Precision = Literal["float32", "bfloat16"]

#: Width times height of the largest picture that is read unless more are allowed; Pillow warns above the same number.
MAX_PIXELS = 89_478_485


class TrainingConfig(BaseModel):
    """How towers and heads are built and trained; every method of a comparison gets the same.

    Attributes:
        steps: optimiser steps.
        batch_size: image-text pairs in a step.
        optimizer: ``"rmsprop-tf"`` (as TensorFlow 1), ``"rmsprop"`` or ``"adamw"``.
        learning_rate: of the towers.
        head_learning_rate: of the classification heads.
        momentum: of the two RMSProps.
        weight_decay: of AdamW.
        schedule: the rates are ``"constant"``, or fall to zero along a ``"cosine"``, after the warm-up.
        warmup_steps: steps over which the rates rise linearly from zero.
        image_layers: linear layers of the image tower.
        text_layers: linear layers of the text tower.
        width: units of a hidden layer.
        embedding_dim: D, for methods whose dimension is free.
        dropout: rate between hidden layers.
        head_scale: length of each class's initial weight vector; None is that of Glorot's initialisation.
        precision: of the towers' matrix products.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: int = Field(default=250_000, ge=1)
    batch_size: int = Field(default=1024, ge=2)
    optimizer: Literal["rmsprop-tf", "rmsprop", "adamw"] = "rmsprop-tf"
    learning_rate: float = Field(default=1.6192e-05, gt=0)
    head_learning_rate: float = Field(default=1.6192e-05, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    image_layers: int = Field(default=5, ge=1)
    text_layers: int = Field(default=2, ge=1)
    width: int = Field(default=512, ge=1)
    embedding_dim: int = Field(default=512, ge=1)
    dropout: float = Field(default=0.15, ge=0, lt=1)
    head_scale: float | None = Field(default=None, gt=0)
    precision: Precision = "float32"


#: What each preset changes of TrainingConfig's defaults, which are the paper's (section 4.1.3).
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "quick": {
        "steps": 400,
        "batch_size": 256,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "head_learning_rate": 3e-3,
        "schedule": "cosine",
        "warmup_steps": 20,
        "head_scale": 16.0,
    },
}


class RegimeConfig(BaseModel):
    """What is done to the items of a dataset before anything is trained: a setting that all methods meet alike.

    Without any of it the data are as they come; ``docs/regimes.md`` says how each is drawn.

    Attributes:
        label_noise: share of the train split's groups whose label is replaced by another class's.
        folds: parts that the classes are dealt into where one is held out.
        held_out: which fold, from 1, has the classes of the test split; None where each split has all classes.
        shots: groups of each class that the train split keeps; None for all.
        seed: of the draws, and of nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    label_noise: float = Field(default=0.0, ge=0, lt=1)
    folds: int = Field(default=5, ge=3)
    held_out: int | None = Field(default=None, ge=1, validate_default=True)
    shots: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)

    @field_validator("held_out")
    @classmethod
    def _is_a_fold(cls, held_out: int | None, info: ValidationInfo) -> int | None:
        # Not there where it is wrong itself.
        folds = info.data.get("folds")
        if folds is None:
            return held_out
        if held_out is not None and held_out > folds:
            raise ValueError(f"the folds are 1 to {folds}")
        if held_out is None and folds != cls.model_fields["folds"].default:
            raise ValueError(f"say which of the {folds} folds to hold out, or leave folds out")
        return held_out

    @field_validator("seed")
    @classmethod
    def _draws_something(cls, seed: int, info: ValidationInfo) -> int:
        if seed and not any(info.data.get(name, True) for name in ("label_noise", "held_out", "shots")):
            raise ValueError("there is nothing to draw without label_noise, held_out or shots")
        return seed

    @property
    def is_any(self) -> bool:
        """Whether the data are other than they come."""
        return bool(self.label_noise or self.held_out or self.shots)

    @property
    def words(self) -> tuple[str, ...]:
        """What titles say of it, such as ``"40 % of training labels wrong"``; nothing without a regime."""
        said = {
            f"held-out classes (fold {self.held_out} of {self.folds})": self.held_out,
            f"{self.shots} training {'group' if self.shots == 1 else 'groups'} of each class": self.shots,
            f"{100 * self.label_noise:g} % of training labels wrong": self.label_noise,
            f"drawn with seed {self.seed}": self.seed,
        }
        return tuple(words for words, there in said.items() if there)

    @property
    def stem(self) -> str:
        """What a folder's name says of it, such as ``"noise-0.4"``; empty without a regime."""
        said = {
            f"held-out-{self.held_out}-of-{self.folds}": self.held_out,
            f"shots-{self.shots}": self.shots,
            f"noise-{self.label_noise:g}": self.label_noise,
            f"draw-{self.seed}": self.seed,
        }
        return "-".join(words for words, there in said.items() if there)


#: The data as they come.
NO_REGIME = RegimeConfig()

# Options that are tables, of which each name may come from another layer.
_TABLES = ("training", "dataset_options", "regime", "engine_options")

# The tables whose names are known here.
_NAMED: dict[str, type[BaseModel]] = {"training": TrainingConfig, "regime": RegimeConfig}


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


def read_config_file(path: Path) -> dict[str, Any]:
    """Options from a TOML file, in the shape of :func:`resolve_config`'s layers.

    Args:
        path: a TOML file with RunConfig's names at the top, ``[training]`` and ``[regime]`` tables with
            TrainingConfig's and RegimeConfig's names, a ``[dataset_options]`` table, and a ``[methods.NAME]`` table
            for each method whose hyper-parameters are set.

    Raises:
        ConfigError: if the file cannot be read or is not TOML.
    """
    options = read_toml(path, "configuration file")
    tables = options.get("methods")
    if isinstance(tables, dict):
        # [methods.huse] both asks for the method and sets its hyper-parameters.
        options["parameters"] = tables
        options["methods"] = list(tables)
    return options


def resolve_config(
    config_file: Path | None = None, given: Mapping[str, Any] | None = None, by: str = "argument"
) -> RunConfig:
    """Merge defaults, preset, file and what was given, and remember where each value came from.

    Args:
        config_file: a TOML file, see :func:`read_config_file`.
        given: RunConfig's names; ``training`` holds TrainingConfig's names, ``regime`` RegimeConfig's. These win.
        by: what to call the origin of ``given``.

    Raises:
        ConfigError: for an unknown name or preset, or a value of the wrong type or range; it names the
            value and its origin.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if config_file is not None:
        layers.append((f"file {config_file}", read_config_file(config_file)))
    layers.append((by, given or {}))

    preset = next((layer["preset"] for _, layer in reversed(layers) if "preset" in layer), "quick")
    if preset not in PRESETS:
        raise ConfigError(
            f"unknown preset {preset!r}: there are {' and '.join(sorted(PRESETS))}."
            f"{did_you_mean(str(preset), list(PRESETS))}"
        )
    layers.insert(0, (f"preset {preset}", {"training": PRESETS[preset]}))

    merged: dict[str, Any] = {table: {} for table in _TABLES}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        _check_names(layer, origin)
        for name, value in layer.items():
            if name in _TABLES:
                merged[name].update(value)
                origins.update({f"{name}.{key}": origin for key in value})
            else:
                merged[name] = value
                origins[name] = origin
    return _validated(merged, origins)


def _check_names(layer: Mapping[str, Any], origin: str) -> None:
    top = sorted(set(RunConfig.model_fields) - {"every_fold", "origins"})
    known = {table: sorted(model.model_fields) for table, model in _NAMED.items()}
    for name in layer:
        if name not in top:
            table = next((table for table, names in known.items() if name in names), None)
            belongs = "" if table is None else f" It belongs under [{table}]."
            hint = belongs if table == "training" else did_you_mean(name, top) or belongs
            raise ConfigError(f"unknown option {name!r} ({origin}).{hint} Known: {', '.join(top)}")
    for table in _TABLES:
        if not isinstance(layer.get(table, {}), Mapping):
            raise ConfigError(f"{table} must be a table of options ({origin}), got {layer[table]!r}")
    for table, names in known.items():
        for name in layer.get(table, {}):
            if name not in names:
                raise ConfigError(
                    f"unknown option {f'{table}.{name}'!r} ({origin}).{did_you_mean(name, names)} "
                    f"Known: {', '.join(names)}"
                )


def _validated(merged: dict[str, Any], origins: dict[str, str]) -> RunConfig:
    values = dict(merged)
    if values["regime"].get("held_out") == "all":
        # The first stands for them until each has a configuration of its own.
        values |= {"regime": {**values["regime"], "held_out": 1}, "every_fold": True}
    for name in ("methods", "seeds", "track"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    names = values.get("dataset")
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        values["dataset"] = ",".join(names)
    for name in ("data", "params", "results"):
        if isinstance(values.get(name), str):
            values[name] = Path(values[name])
    try:
        return RunConfig(**values, origins=origins)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            name = fault_place(problem)
            origin = origins.get(name, origins.get(str(problem["loc"][0]), "default"))
            problems.append(f"{name} = {problem['input']!r} ({origin}): {fault_message(problem)}")
        raise ConfigError("wrong configuration: " + "; ".join(problems)) from error
