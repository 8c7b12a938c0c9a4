"""The file of tuned hyper-parameters: written by a search, read by ``huse-bench run --params``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from huse_bench.config import RunConfig, TrainingConfig
from huse_bench.errors import ConfigError
from huse_bench.evaluation.protocol import Version
from huse_bench.faults import first_fault
from huse_bench.files import write_atomically
from huse_bench.hints import did_you_mean
from huse_bench.results.schema import Tuning
from huse_bench.text_files import read_toml

if TYPE_CHECKING:
    from huse_bench.features import Prepared
    from huse_bench.runs.methods import Method

__all__ = ["Ledger", "MethodLedger", "ParamsFile"]

_HEADER = (
    "# Hyper-parameters tuned by huse-bench tune on the validation split; for huse-bench run --params.\n"
    "# The ledger says what was spent on them, and is kept in the records of the runs.\n\n"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MethodLedger(_Part):
    """What was spent on one method, and what came of it.

    Attributes:
        distribution: who provides the loss.
        source_hash: sha256 of its code.
        study: sha256 over all that the trials depended on.
        trials: how many ended.
        failed: how many of them diverged or failed.
        distinct: how many different results they gave; None in files that do not say.
        best_trial: the number of the best, from 1.
        value: its objective.
        default_value: that of the defaults, which are the first trial; None where it failed.
    """

    distribution: str
    source_hash: str
    study: str
    trials: int = Field(ge=1)
    failed: int = Field(ge=0)
    distinct: int | None = Field(default=None, ge=0)
    best_trial: int = Field(ge=1)
    value: float
    default_value: float | None = None


class Ledger(_Part):
    """The terms of a search, which are the same for all its methods.

    Attributes:
        dataset: name of the dataset.
        content_hash: sha256 over its items and features.
        protocol: of the retrieval; v1 in files that do not say.
        objective: validation metrics whose mean was maximised.
        seed: of the search and of each training in it.
        training: how each trial was trained.
        methods: what was spent on each.
    """

    dataset: str
    content_hash: str
    protocol: Version = "v1"
    objective: tuple[str, ...]
    seed: int
    training: TrainingConfig
    methods: dict[str, MethodLedger]

    def differences(self, other: Ledger) -> list[str]:
        """One line for each term in which two searches differ, as ``"training.steps is 100, not 400"``."""
        return [
            f"{name} is {mine!r}, not {theirs!r}"
            for (name, mine), (_, theirs) in zip(_terms(self), _terms(other), strict=True)
            if mine != theirs
        ]


def _terms(ledger: Ledger) -> Iterator[tuple[str, Any]]:
    for name in ("dataset", "content_hash", "protocol", "objective", "seed"):
        yield name, getattr(ledger, name)
    for name in TrainingConfig.model_fields:
        yield f"training.{name}", getattr(ledger.training, name)


class ParamsFile(_Part):
    """Tuned hyper-parameters with their ledger.

    Attributes:
        ledger: what was spent on them.
        methods: a table for each method, as ``[methods.NAME]`` of a config file.
    """

    ledger: Ledger
    methods: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            ConfigError: if it cannot be read, or is not one that a search wrote.
        """
        cure = "make it with huse-bench tune, or give hyper-parameters of your own by --config"
        tables = read_toml(path, "params file", cure)
        if "ledger" not in tables:
            raise ConfigError(f"{path} has no [ledger], so it is no file of tuned hyper-parameters; {cure}")
        try:
            file = cls.model_validate(tables)
        except ValidationError as error:
            raise ConfigError(f"{path}: {first_fault(error, 'the file')}; {cure}") from error
        for name in file.methods.keys() ^ file.ledger.methods.keys():
            raise ConfigError(f"{path}: the method {name!r} needs both [methods.{name}] and [ledger.methods.{name}]")
        return file

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; raises OSError where that fails."""
        import tomli_w  # noqa: PLC0415  optional

        text = tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))
        write_atomically(path, (_HEADER + text).encode())

    def merged(self, other: ParamsFile) -> ParamsFile:
        """This file with another's methods, which win; both are of the same terms."""
        methods = {**self.ledger.methods, **other.ledger.methods}
        ledger = self.ledger.model_copy(update={"methods": methods})
        return ParamsFile(ledger=ledger, methods={**self.methods, **other.methods})

    def applied(self, config: RunConfig) -> RunConfig:
        """A configuration with these hyper-parameters.

        Args:
            config: one that names this file; where it names no methods, those of the file are run.

        Raises:
            ConfigError: if the file is of other methods, or the configuration gives one of the hyper-parameters too,
                with another value.
        """
        asked = config.methods or tuple(self.methods)
        tables = {name: self.methods[key] for name in asked if (key := self._key(name)) is not None}
        if not tables:
            raise ConfigError(
                f"the params file {config.params} is of {', '.join(self.methods)}, and none of these is among the "
                f"methods to run ({', '.join(asked)}).{did_you_mean(asked[0], list(self.methods))} "
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

    def ledgers(
        self, config: RunConfig, methods: Sequence[Method], prepared: Prepared
    ) -> tuple[dict[str, Tuning], list[str]]:
        """What the records of a run say of the tuning, by method, and what its user should know.

        Args:
            config: of the run.
            methods: those of the run.
            prepared: what they are trained on.

        Raises:
            ConfigError: if the hyper-parameters were tuned on other data, or for a loss of another distribution.
        """
        ledger, path = self.ledger, config.params
        for name, tuned, now in (
            ("dataset", ledger.dataset, config.dataset),
            ("content_hash", ledger.content_hash, prepared.content_hash),
        ):
            if tuned != now:
                raise ConfigError(
                    f"the hyper-parameters of {path} were tuned on other data: {name} is {tuned!r} there and {now!r} "
                    f"here. Tune on this data, or move the [methods.NAME] tables to a file for --config; their rows "
                    f"then count as untuned"
                )
        notices = [
            f"tuned otherwise: in {path} {difference}"
            for difference in ledger.differences(
                ledger.model_copy(update={"training": config.training, "protocol": config.protocol})
            )
        ]
        records = {}
        for method in methods:
            spent = ledger.methods.get(method.name)
            if spent is None:
                if method.loss_class.space:
                    notices.append(f"{method.title} is not in {path}: it is run with no trials spent on it")
                continue
            if spent.distribution != method.component.distribution:
                raise ConfigError(
                    f"the hyper-parameters of {method.name!r} in {path} were tuned for the loss of "
                    f"{spent.distribution}, not for that of {method.component.distribution}; tune this one, or name "
                    f"the other as {spent.distribution}::{method.name}"
                )
            if spent.source_hash != method.source_hash:
                notices.append(f"the code of {method.title} has changed since {path} was made")
            records[method.name] = _tuning(ledger, spent)
        return records, notices

    def _key(self, name: str) -> str | None:
        """The table of a method that is asked for as ``NAME`` or ``DISTRIBUTION::NAME``."""
        return next((key for key in (name, name.rpartition("::")[2]) if key in self.methods), None)


def _tuning(ledger: Ledger, spent: MethodLedger) -> Tuning:
    return Tuning(
        trials=spent.trials,
        failed=spent.failed,
        distinct=spent.distinct,
        steps=ledger.training.steps,
        batch_size=ledger.training.batch_size,
        protocol=ledger.protocol,
        objective=ledger.objective,
        value=spent.value,
        default_value=spent.default_value,
        seed=ledger.seed,
        study=spent.study,
    )


def table_of(method: Method, given: Mapping[str, Any], tuned: Mapping[str, Any]) -> dict[str, Any]:
    """The ``[methods.NAME]`` table of a tuned method.

    Args:
        method: with the hyper-parameters that were not tuned.
        given: its table in the configuration of the search.
        tuned: the best values.

    Returns:
        Every hyper-parameter that TOML can hold, and what makes a variant of a loss.
    """
    variant = {key: given[key] for key in ("base", "title") if key in given and "base" in given}
    values = {**method.parameters, **tuned}
    return {**variant, **{key: value for key, value in values.items() if value is not None}}
