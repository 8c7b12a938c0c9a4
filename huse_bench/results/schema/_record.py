"""One run's record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from huse_bench.measures import DIRECTIONS, TABLE_METRICS, Direction
from huse_bench.results.schema._asked import DatasetInfo, MethodInfo, Setting, Tuning
from huse_bench.results.schema._measured import Classification, Device, Learning, Training
from huse_bench.results.schema._values import Count, Json, Part, Sha256, Share, file_stem

__all__ = ["SCHEMA_VERSION", "Kind", "RunRecord"]

#: Version of the schema that records are written in; older ones are migrated as they are read.
SCHEMA_VERSION: Literal[2] = 2

#: What a record is of: a method, a method that was trained on shuffled labels, or a control that needs no training.
Kind = Literal["method", "trained control", "control"]

# Curves are written with six digits.
_ROUNDING = 1e-6

# Bare names: a record that came from elsewhere must not point outside its folder.
_ParquetName = Annotated[str, Field(pattern=r"^[^/\\]+\.parquet$")]
_SafetensorsName = Annotated[str, Field(pattern=r"^[^/\\]+\.safetensors$")]


class RunRecord(Part):
    """One method trained and evaluated on one dataset with one seed.

    ``RunRecord.model_json_schema()`` gives the JSON Schema. Floats are finite.

    Attributes:
        schema_version: version of this schema.
        kind: what the record is of; controls are floors and ceilings that no method is compared with.
        fingerprint: identity of the run: the fingerprint of everything that changes its numbers.
        configuration: the fingerprint of the same without the seed; the runs of one table row share it.
        method: which method was trained.
        dataset: which data and features it was trained on.
        seed: seed of the run.
        preset: preset that the configuration started from.
        config: the settings by name, each with its origin.
        status: how the run ended.
        error: why it did not finish; None where it did.
        retrieval: test scores by direction and metric, as shares from 0 to 1; None where the run did not finish. A
            control may lack directions.
        curves: by direction, ``"R"`` and ``"HP"``: R@K and HP@K at K = 1, 2, ..., with six digits; None where they were
            not measured.
        classification: test accuracies; None where the method has no classifier or the run did not finish.
        validation: validation metrics at the end of the training.
        protocol: how the numbers were counted: protocol ids, taxonomy hash, mean set sizes, chance.
        training: what the training cost; None where the run did not finish, and of a control that needs none.
        learning: the course of the training; None where it was not measured.
        device: what the run was computed on; None in records that do not say.
        tuning: what the hyper-parameters cost; None where no search chose them.
        provenance: versions of the software and the machine, by name.
        warnings: what the reader of the numbers should know.
        audit: what an audit of the data found; None where none was made.
        per_query: name of the file of per-query scores beside the record; the store fills it in.
        predictions: name of the file of per-item predictions beside the record; the store fills it in.
        classes: name of the file of class centroids beside the record; the store fills it in.
        neighbours: name of the file of nearest neighbours beside the record; the store fills it in.
        per_query_sha256: hash of the first file's contents; the store fills it in. Records of old have none.
        predictions_sha256: likewise of the second's.
        classes_sha256: likewise.
        neighbours_sha256: likewise.
        created: when the run ended, with its time zone.
    """

    schema_version: Literal[2]
    kind: Kind
    fingerprint: Sha256
    configuration: Sha256
    method: MethodInfo
    dataset: DatasetInfo
    seed: Count
    preset: str
    config: dict[str, Setting]
    status: Literal["finished", "diverged", "failed"]
    error: str | None = None
    retrieval: dict[Direction, dict[str, Share]] | None = None
    curves: dict[Direction, dict[Literal["R", "HP"], tuple[Share, ...]]] | None = None
    classification: Classification | None = None
    validation: dict[str, float] = Field(default_factory=dict)
    protocol: dict[str, Json]
    training: Training | None = None
    learning: Learning | None = None
    device: Device | None = None
    tuning: Tuning | None = None
    provenance: dict[str, str]
    warnings: list[str]
    audit: dict[str, Json] | None = None
    per_query: _ParquetName | None = None
    predictions: _ParquetName | None = None
    classes: _SafetensorsName | None = None
    neighbours: _ParquetName | None = None
    per_query_sha256: Sha256 | None = None
    predictions_sha256: Sha256 | None = None
    classes_sha256: Sha256 | None = None
    neighbours_sha256: Sha256 | None = None
    created: AwareDatetime

    @property
    def counting(self) -> dict[str, Json]:
        """The protocol less the similarity: what makes the numbers of two methods comparable."""
        return {
            name: value.partition("+")[0] if isinstance(value, str) else value for name, value in self.protocol.items()
        }

    @property
    def similarity(self) -> str:
        """What items were ranked by: ``"cosine"``, or the id of a similarity of the method's own."""
        return str(self.protocol.get("recall", "")).partition("+")[2] or "cosine"

    @property
    def stem(self) -> str:
        """Name of the run's files, without their endings."""
        return file_stem(self.method.name, self.seed, self.fingerprint)

    @property
    def is_control(self) -> bool:
        """Whether this is no method but a floor or a ceiling for them."""
        return self.kind != "method"

    @model_validator(mode="after")
    def _whole(self) -> RunRecord:
        if self.kind == "control" and (self.training or self.learning):
            raise ValueError("a control that needs no training has none")
        if self.status != "finished":
            if not self.error:
                raise ValueError(f"a run that {self.status} needs an error that says why")
            return self
        if self.error is not None:
            raise ValueError("a finished run has no error")
        if self.training is None and self.kind != "control":
            raise ValueError("a finished run has a training")
        # Raw features of unequal dimensions are controls that have no cross-modal directions.
        for direction in self.retrieval or {} if self.is_control else DIRECTIONS:
            scores = (self.retrieval or {}).get(direction, {})
            missing = [metric for metric in TABLE_METRICS if metric not in scores]
            if missing:
                raise ValueError(f"retrieval of a finished run lacks {', '.join(missing)} in direction {direction}")
        for direction, metric, value in self._on_curves():
            number = (self.retrieval or {}).get(direction, {}).get(metric, value)
            if abs(value - number) > _ROUNDING:
                raise ValueError(f"{direction} {metric} is {number:.6g}, and {value:.6g} on its curve")
        return self

    def _on_curves(self) -> Iterator[tuple[Direction, str, float]]:
        for direction, curves in (self.curves or {}).items():
            for name, values in curves.items():
                yield from ((direction, f"{name}@{k}", value) for k, value in enumerate(values, start=1))
