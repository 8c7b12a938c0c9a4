"""Where the values of a configuration come from: defaults < preset < TOML file < command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from huse_bench.config._regime import RegimeConfig
from huse_bench.config._run import RunConfig
from huse_bench.config._training import PRESETS, TrainingConfig
from huse_bench.errors import ConfigError
from huse_bench.faults import fault_message, fault_place
from huse_bench.hints import did_you_mean
from huse_bench.text_files import read_toml

__all__ = ["read_config_file", "resolve_config"]

# Options that are tables, of which each name may come from another layer.
_TABLES = ("training", "dataset_options", "regime", "engine_options")

# The tables whose names are known here.
_NAMED: dict[str, type[BaseModel]] = {"training": TrainingConfig, "regime": RegimeConfig}


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
    if not isinstance(preset, str) or preset not in PRESETS:
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
