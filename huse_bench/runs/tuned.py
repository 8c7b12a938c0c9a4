"""The runs that a command asks for, where a file of tuned hyper-parameters may have a say in them.

Where several studies tuned a method, seeds are split among their winners: seed s has those of study s mod studies + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from huse_bench.config import RunConfig
from huse_bench.errors import ConfigError
from huse_bench.features import Prepared
from huse_bench.fingerprint import fingerprint
from huse_bench.hints import did_you_mean
from huse_bench.results.schema import Json, Tuning
from huse_bench.runs.identity import run_identity
from huse_bench.runs.methods import Method, resolve_methods
from huse_bench.runs.params import ParamsFile
from huse_bench.runs.plan import RunSpec, plan_runs

__all__ = ["AskedRuns"]


@dataclass(frozen=True)
class _Part:
    """Runs that have the same hyper-parameters: those of one study's winners, or the defaults."""

    config: RunConfig
    seeds: tuple[int, ...]
    methods: list[Method]
    study: int | None


class AskedRuns:
    """The runs that a configuration asks for.

    Args:
        config: of the command.

    Attributes:
        config: the same with the methods and hyper-parameters of its first runs.

    Raises:
        ConfigError: if the file is of other methods, does not have what is asked of it, or the configuration gives one
            of the hyper-parameters too, with another value; and for methods as :func:`resolve_methods` does.
    """

    def __init__(self, config: RunConfig) -> None:
        self._file = None if config.params is None else ParamsFile.read(config.params)
        if self._file is None:
            if config.with_defaults:
                raise ConfigError(
                    "--with-defaults runs tuned methods at their defaults too, and no --params names a file of tuned "
                    "hyper-parameters"
                )
            self._parts = [_Part(config, config.seeds, resolve_methods(config), 0)]
        else:
            self._parts = list(_parts(config, self._file))
        self.config = self._parts[0].config

    def plan(self, prepared: Prepared) -> tuple[list[RunSpec], list[str]]:
        """Plan all runs of the command that need a training.

        Args:
            prepared: the data.

        Returns:
            The runs, seed by seed, then those on shuffled labels and those at the defaults; and what their user should
            know of the tuning.

        Raises:
            ConfigError: if the hyper-parameters were tuned on other data, or for a loss of another distribution.
        """
        specs: dict[str, RunSpec] = {}
        last: dict[str, int] = {}
        notices: list[str] = []
        for part in self._parts:
            ledgers: dict[str, Tuning] = {}
            if self._file is not None and part.study is not None:
                _refuse_other_data(self._file, part.config, prepared)
                ledgers, said = _ledgers(self._file, part)
                notices += [notice for notice in said if notice not in notices]
            before = len(specs)
            for spec in plan_runs(part.config, part.methods, prepared, ledgers, part.seeds):
                # A winner may have the defaults, and then has been told what it cost.
                specs.setdefault(spec.fingerprint, self._noted(spec, prepared))
                last.setdefault(spec.fingerprint, 2 if part.study is None else int(spec.method.is_control))
            if part.study is None:
                count = len(specs) - before
                notices.append(f"{count} runs at the defaults of tuned methods come last; they stand below the tables")
        order = {seed: place for place, seed in enumerate(self.config.seeds)}
        return sorted(specs.values(), key=lambda spec: (last[spec.fingerprint], order[spec.seed])), notices

    def _noted(self, spec: RunSpec, prepared: Prepared) -> RunSpec:
        """The run with what sets it beside runs of other hyper-parameters."""
        if spec.tuning is None:
            return spec
        assert self._file is not None

        def configuration(parameters: dict[str, Any]) -> dict[str, Json]:
            method = replace(spec.method, parameters=parameters)
            return run_identity(spec.config, method, prepared, spec.device)

        spent = self._file.ledger.methods[spec.method.name]
        joint = default = None
        if len(spent) > 1:
            studies: list[Json] = [one.study for one in spent]
            joint = fingerprint(
                {**configuration({}), "winners": [*self._file.methods[spec.method.name]], "studies": studies}
            )
        if spent[0].defaults is not None:
            default = fingerprint(configuration({**spec.method.parameters, **spent[0].defaults}))
        return replace(spec, tuning=spec.tuning.model_copy(update={"joint": joint, "default_configuration": default}))


def _parts(config: RunConfig, file: ParamsFile) -> Sequence[_Part]:
    studies = file.ledger.studies
    parts = []
    for study in range(studies):
        seeds = tuple(seed for seed in config.seeds if seed % studies == study)
        if seeds:
            applied = _applied(config, file, study)
            parts.append(_Part(applied, seeds, resolve_methods(applied), study))
    if config.with_defaults:
        applied = _at_defaults(config, file)
        parts.append(_Part(applied, config.seeds, resolve_methods(applied), None))
    return parts


def _applied(config: RunConfig, file: ParamsFile, study: int) -> RunConfig:
    """A configuration with the winners of a study; where it names no methods, those of the file are run."""
    asked = config.methods or tuple(file.methods)
    tables = {name: file.methods[key][study] for name in asked if (key := _key(file, name)) is not None}
    if not tables:
        raise ConfigError(
            f"the params file {config.params} is of {', '.join(file.methods)}, and none of these is among the "
            f"methods to run ({', '.join(asked)}).{did_you_mean(asked[0], list(file.methods))} "
            f"Tune these methods, or run them without --params"
        )
    parameters = dict(config.parameters)
    for name, table in tables.items():
        own = config.parameters.get(name, {})
        for key, value in own.items():
            if key in table and table[key] != value:
                raise ConfigError(
                    f"methods.{name}.{key} is {value!r} ({config.origin('parameters')}) and {table[key]!r} "
                    f"(params file {config.params}); leave one of the two out"
                )
        parameters[name] = {**own, **table}
    own_origin = f"{config.origin('parameters')} and " if config.parameters else ""
    origins = {**config.origins, "parameters": f"{own_origin}params file {config.params}"}
    return config.model_copy(update={"methods": asked, "parameters": parameters, "origins": origins})


def _at_defaults(config: RunConfig, file: ParamsFile) -> RunConfig:
    """A configuration of the tuned methods alone, with the values of the first trial of each."""
    applied = _applied(config, file, 0)
    parameters = {}
    for name in applied.methods or ():
        key = _key(file, name)
        if key is None:
            continue
        defaults = file.ledger.methods[key][0].defaults
        if defaults is None:
            raise ConfigError(
                f"{config.params} does not say what the defaults of {key!r} were; tune it again, or leave out "
                f"--with-defaults"
            )
        parameters[name] = {**applied.parameters[name], **defaults}
    # Controls are those of the tuned methods.
    changes = {"methods": tuple(parameters), "parameters": parameters, "controls": False}
    return applied.model_copy(update=changes)


def _key(file: ParamsFile, name: str) -> str | None:
    """The tables of a method that is asked for as ``NAME`` or ``DISTRIBUTION::NAME``."""
    return next((key for key in (name, name.rpartition("::")[2]) if key in file.methods), None)


def _refuse_other_data(file: ParamsFile, config: RunConfig, prepared: Prepared) -> None:
    ledger = file.ledger
    for name, tuned, now in (
        ("dataset", ledger.dataset, config.dataset),
        ("content_hash", ledger.content_hash, prepared.content_hash),
    ):
        if tuned != now:
            raise ConfigError(
                f"the hyper-parameters of {config.params} were tuned on other data: {name} is {tuned!r} there and "
                f"{now!r} here. Tune on this data, or move the [methods.NAME] tables to a file for --config; their "
                f"rows then count as untuned"
            )


def _ledgers(file: ParamsFile, part: _Part) -> tuple[dict[str, Tuning], list[str]]:
    """What the records of a study's runs say of the tuning, by method, and what their user should know."""
    ledger, path, config = file.ledger, part.config.params, part.config
    now = ledger.model_copy(update={"training": config.training, "protocol": config.protocol})
    notices = [f"tuned otherwise: in {path} {difference}" for difference in ledger.differences(now)]
    if len(config.seeds) % ledger.studies:
        notices.append(
            f"{len(config.seeds)} {'seed is' if len(config.seeds) == 1 else 'seeds are'} not split evenly among the "
            f"winners of {ledger.studies} studies"
        )
    assert part.study is not None
    records = {}
    for method in part.methods:
        if method.name not in ledger.methods:
            if method.loss_class.space:
                notices.append(f"{method.title} is not in {path}: it is run with no trials spent on it")
            continue
        # Where two studies have the same winner, it is the first one's, so that runs of one configuration say the same.
        number = file.methods[method.name].index(file.methods[method.name][part.study])
        spent = ledger.methods[method.name][number]
        if spent.distribution != method.component.distribution:
            raise ConfigError(
                f"the hyper-parameters of {method.name!r} in {path} were tuned for the loss of "
                f"{spent.distribution}, not for that of {method.component.distribution}; tune this one, or name "
                f"the other as {spent.distribution}::{method.name}"
            )
        if spent.source_hash != method.source_hash:
            notices.append(f"the code of {method.title} has changed since {path} was made")
        records[method.name] = Tuning(
            trials=spent.trials,
            failed=spent.failed,
            distinct=spent.distinct,
            steps=ledger.training.steps,
            batch_size=ledger.training.batch_size,
            protocol=ledger.protocol,
            objective=ledger.objective,
            value=spent.value,
            default_value=spent.default_value,
            gain_interval=spent.gain_interval,
            seed=ledger.seed,
            training_seed=spent.seed,
            study=spent.study,
            number=number + 1,
            studies=ledger.studies,
            remarks=spent.remarks,
        )
    return records, notices
