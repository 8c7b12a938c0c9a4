"""The file of tuned hyper-parameters: written by a search, read by ``huse-bench run --params``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from huse_bench.config import TrainingConfig
from huse_bench.errors import ConfigError
from huse_bench.evaluation.protocol import Version
from huse_bench.faults import first_fault
from huse_bench.files import write_atomically
from huse_bench.text_files import read_toml

if TYPE_CHECKING:
    from huse_bench.runs.methods import Method

__all__ = ["Ledger", "MethodLedger", "ParamsFile"]

_HEADER = (
    "# Hyper-parameters tuned by huse-bench tune on the validation split; for huse-bench run --params.\n"
    "# The ledger says what was spent on them, and is kept in the records of the runs.\n\n"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MethodLedger(_Part):
    """What was spent on one method in one study, and what came of it.

    Attributes:
        distribution: who provides the loss.
        source_hash: sha256 of its code.
        study: sha256 over all that the trials depended on.
        seed: that the trials were trained with; None in files that do not say.
        trials: how many ended.
        failed: how many of them diverged or failed.
        distinct: how many different results they gave; None in files that do not say.
        best_trial: the number of the best, from 1.
        value: its objective.
        default_value: that of the defaults, which are the first trial; None where it failed.
        gain_interval: ends of the 95 % interval of the first less the second, over groups of validation queries; None
            where the defaults failed, there is one group alone, or the file does not say.
        remarks: what makes the result doubtful, such as a best value at a bound of what was searched.
        defaults: the tuned hyper-parameters of the first trial; None in files that do not say.
    """

    distribution: str
    source_hash: str
    study: str
    seed: int | None = None
    trials: int = Field(ge=1)
    failed: int = Field(ge=0)
    distinct: int | None = Field(default=None, ge=0)
    best_trial: int = Field(ge=1)
    value: float
    default_value: float | None = None
    gain_interval: tuple[float, float] | None = None
    remarks: tuple[str, ...] = ()
    defaults: dict[str, Any] | None = None


_Item = TypeVar("_Item")


def _several(value: object) -> object:
    return (value,) if isinstance(value, Mapping | BaseModel) else value


def _one_alone(value: tuple[_Item, ...]) -> tuple[_Item, ...] | _Item:
    return value[0] if len(value) == 1 else value


#: One for each study; in the file that of a single study stands by itself, as ``[methods.NAME]`` of a config file does.
_OfStudies = Annotated[tuple[_Item, ...], Field(min_length=1), BeforeValidator(_several), PlainSerializer(_one_alone)]


class Ledger(_Part):
    """The terms of a search, which are the same for all its methods.

    Attributes:
        dataset: name of the dataset.
        content_hash: sha256 over its items and features.
        protocol: of the retrieval; v1 in files that do not say.
        objective: validation metrics whose mean was maximised.
        seed: of the search.
        studies: how many searches each method had.
        training: how each trial was trained.
        methods: what was spent on each, in each study.
    """

    dataset: str
    content_hash: str
    protocol: Version = "v1"
    objective: tuple[str, ...]
    seed: int
    studies: int = Field(default=1, ge=1)
    training: TrainingConfig
    methods: dict[str, _OfStudies[MethodLedger]]

    def differences(self, other: Ledger) -> list[str]:
        """One line for each term in which two searches differ, as ``"training.steps is 100, not 400"``."""
        return [
            f"{name} is {mine!r}, not {theirs!r}"
            for (name, mine), (_, theirs) in zip(_terms(self), _terms(other), strict=True)
            if mine != theirs
        ]


def _terms(ledger: Ledger) -> Iterator[tuple[str, Any]]:
    for name in ("dataset", "content_hash", "protocol", "objective", "seed", "studies"):
        yield name, getattr(ledger, name)
    for name in TrainingConfig.model_fields:
        yield f"training.{name}", getattr(ledger.training, name)


class ParamsFile(_Part):
    """Tuned hyper-parameters with their ledger.

    Attributes:
        ledger: what was spent on them.
        methods: for each method a table of each study, as ``[methods.NAME]`` of a config file.
    """

    ledger: Ledger
    methods: dict[str, _OfStudies[dict[str, Any]]]

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
            fault = first_fault(error, "the file")
            if _one_study(tables["ledger"]):
                # A table that stands by itself has no number in the file.
                fault = re.sub(r"^((ledger\.)?methods\.[^:]+?)\.0\b", r"\1", fault)
            raise ConfigError(f"{path}: {fault}; {cure}") from error
        for name in file.methods.keys() ^ file.ledger.methods.keys():
            raise ConfigError(f"{path}: the method {name!r} needs both [methods.{name}] and [ledger.methods.{name}]")
        for name, tables_of in file.methods.items():
            counts = len(tables_of), len(file.ledger.methods[name])
            if set(counts) != {file.ledger.studies}:
                raise ConfigError(
                    f"{path}: the method {name!r} has {counts[0]} tables and {counts[1]} ledgers, and there were "
                    f"{file.ledger.studies} studies; {cure}"
                )
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


def _one_study(ledger: object) -> bool:
    return isinstance(ledger, dict) and ledger.get("studies", 1) == 1


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
