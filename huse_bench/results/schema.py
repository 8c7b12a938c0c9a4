"""The run record: what one run wrote down about itself, as a versioned schema."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from huse_bench.files import safe_name
from huse_bench.measures import DIRECTIONS, TABLE_METRICS, Direction

__all__ = [
    "CHANCE_CONTROL",
    "CONTROL_PREFIX",
    "CONTROL_SECTION",
    "SCHEMA_VERSION",
    "Classification",
    "DatasetInfo",
    "Json",
    "MethodInfo",
    "RunRecord",
    "Setting",
    "SplitSizes",
    "Training",
    "Tuning",
    "file_stem",
    "one_line",
]

#: Version of the record's schema, written into each record.
SCHEMA_VERSION = 1

#: How the names of controls begin: rows that show the floor and the ceiling, and that no method is compared with.
CONTROL_PREFIX = "control:"

#: The control whose numbers are those of chance.
CHANCE_CONTROL = f"{CONTROL_PREFIX}chance"

#: Part of the tables that controls stand in.
CONTROL_SECTION = "Controls"

#: A JSON value; the records' own settings keep NaN and infinity, which are no JSON, out of it.
Json = JsonValue


def file_stem(method: str, seed: int, fingerprint: str) -> str:
    """Name of a run's files, without their endings, of the method's name, the seed and the fingerprint."""
    return f"{safe_name(method)}-s{seed}-{fingerprint[:12]}"


def one_line(text: str) -> str:
    """A text with a space for each line break and each sign that steers a terminal."""
    return "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)


_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(min_length=1)]
# A line break, or an escape of a terminal, would spoil every table.
_Title = Annotated[_Name, AfterValidator(one_line)]
_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
# A bare name: a record that came from elsewhere must not point outside its folder.
_ParquetName = Annotated[str, Field(pattern=r"^[^/\\]+\.parquet$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MethodInfo(_Part):
    """Which method was trained, and whose code it is.

    Attributes:
        name: name the method was asked for by.
        title: name of its row in the tables.
        base: name of the loss that a config file made it of; None for the loss itself.
        changes: hyper-parameters in which such a variant differs from the loss's defaults.
        section: part of the tables that its row stands in; empty for the paper's own methods.
        order: position of the method in the registry's list; it orders the rows of a section.
        semantic: whether the loss uses the class graph (the dashed line of the paper's Table 1).
        class_graph: what the class graph that it uses is made of.
        heads: classification heads of the method.
        head_scale: length of the heads' initial class weights where the loss declares its own, in place of the setting.
        head_rate: the loss's factor on the heads' learning rate.
        parameters: hyper-parameters, with the values used.
        space: those that the loss declares a tuning space for; None in records that do not say.
        distribution: distribution that provides the method.
        version: version of that distribution.
        target: ``module:attribute`` of the loss.
        source_hash: hash of the loss's source code.
    """

    name: _Name
    title: _Title
    base: _Name | None = None
    changes: tuple[str, ...] = ()
    section: str = ""
    order: _Count
    semantic: bool
    class_graph: Literal["names", "taxonomy"] = "names"
    heads: Literal["none", "shared", "separate", "cosine"]
    head_scale: float | None = None
    head_rate: float = 1.0
    parameters: dict[str, Json]
    space: tuple[str, ...] | None = None
    distribution: str
    version: str
    target: str
    source_hash: _Name

    @property
    def is_control(self) -> bool:
        """Whether this is no method but a floor or a ceiling for them."""
        return self.name.startswith(CONTROL_PREFIX)


class SplitSizes(_Part):
    """Number of items in each split."""

    train: _Count
    validation: _Count
    test: _Count


class DatasetInfo(_Part):
    """Which data and features the run used.

    Attributes:
        name: name of the dataset.
        title: name shown to people.
        content_hash: hash of the features, labels and splits.
        items: number of items in each split.
        classes: number of classes.
        image_backbone: ``name@revision`` of the image features.
        text_backbone: ``name@revision`` of the text features.
        class_backbone: ``name@revision`` of the class-name embeddings; None where there are none.
        taxonomy_hash: hash of the taxonomy that HP@K is measured against.
        parts: start of the hash of each part of the content, such as ``splits``; None in records that do not say.
    """

    name: _Name
    title: _Title
    content_hash: _Name
    items: SplitSizes
    classes: _Count
    image_backbone: str
    text_backbone: str
    class_backbone: str | None
    taxonomy_hash: _Name
    parts: dict[str, str] | None = None


class Setting(_Part):
    """One setting of the configuration.

    Attributes:
        value: the value used.
        origin: where it was set, for instance ``"default"``, ``"preset quick"`` or ``"command line"``.
    """

    value: Json
    origin: _Name


class Classification(_Part):
    """Test accuracies, as shares from 0 to 1.

    Attributes:
        image: accuracy of the image scores alone.
        text: accuracy of the text scores alone.
        fusion: accuracy of the weighted average of the softmax scores.
        fusion_weight: the image's weight in it, chosen on the validation split.
        fusion_equal: accuracy with the weight 0.5.
        image_temperature: what the image scores are divided by before their softmax, fitted on the validation split;
            None in records of the protocol v1, which took scores as they were, and of chance.
        text_temperature: as ``image_temperature``, of the text scores.
    """

    image: _Share
    text: _Share
    fusion: _Share
    fusion_weight: _Share
    fusion_equal: _Share
    image_temperature: Annotated[float, Field(gt=0)] | None = None
    text_temperature: Annotated[float, Field(gt=0)] | None = None


class Training(_Part):
    """What the training cost and where it ended.

    Attributes:
        steps: optimiser steps taken.
        batch_size: image-text pairs of one step.
        seconds: wall-clock time of the training.
        steps_per_second: training speed.
        optimizer: name of the optimiser.
        items_seen: image-text pairs that went through the loss, with repetitions.
        losses: last value of each named term of the loss.
        gradient_steps: the steps at which the shares were measured; None in records that do not say.
        gradient_shares: by named term, at each of these steps, the norm of its gradient by the towers' parameters over
            the sum of these norms; None in records that do not say.
    """

    steps: _Count
    batch_size: _Count
    seconds: float
    steps_per_second: float
    optimizer: str
    items_seen: _Count
    losses: dict[str, float]
    gradient_steps: tuple[_Count, ...] | None = None
    gradient_shares: dict[str, tuple[_Share, ...]] | None = None


class Tuning(_Part):
    """What was spent on choosing the hyper-parameters, on the validation split.

    Attributes:
        trials: how many settings were tried.
        failed: how many of them diverged or failed.
        distinct: how many different results they gave, by all validation metrics; None in records that do not say.
        steps: optimiser steps of one trial.
        batch_size: image-text pairs of one step.
        protocol: of the retrieval on the validation split; v1 in records that do not say.
        objective: validation metrics whose mean was maximised.
        value: of the setting that was chosen.
        default_value: of the method's defaults; None where they failed.
        seed: of the search.
        study: identity of the search: a fingerprint of everything that its trials depended on.
    """

    trials: _Count
    failed: _Count
    distinct: _Count | None = None
    steps: _Count
    batch_size: _Count
    protocol: str = "v1"
    objective: tuple[str, ...]
    value: float
    default_value: float | None = None
    seed: _Count
    study: _Sha256


class RunRecord(_Part):
    """One method trained and evaluated on one dataset with one seed.

    ``RunRecord.model_json_schema()`` gives the JSON Schema. Floats are finite.

    Attributes:
        schema_version: version of this schema.
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
        classification: test accuracies; None where the method has no classifier or the run did not finish.
        validation: validation metrics at the end of the training.
        protocol: how the numbers were counted: protocol ids, taxonomy hash, mean set sizes, chance.
        training: what the training cost; None where the run did not finish.
        tuning: what the hyper-parameters cost; None where no search chose them.
        provenance: versions of the software and the machine, by name.
        warnings: what the reader of the numbers should know.
        audit: what an audit of the data found; None where none was made.
        per_query: name of the file of per-query scores beside the record; the store fills it in.
        predictions: name of the file of per-item predictions beside the record; the store fills it in.
        per_query_sha256: hash of the first file's contents; the store fills it in. Records of old have none.
        predictions_sha256: likewise of the second's.
        created: when the run ended, with its time zone.
    """

    schema_version: Literal[1]
    fingerprint: _Sha256
    configuration: _Sha256
    method: MethodInfo
    dataset: DatasetInfo
    seed: _Count
    preset: str
    config: dict[str, Setting]
    status: Literal["finished", "diverged", "failed"]
    error: str | None = None
    retrieval: dict[Direction, dict[str, _Share]] | None = None
    classification: Classification | None = None
    validation: dict[str, float] = Field(default_factory=dict)
    protocol: dict[str, Json]
    training: Training | None = None
    tuning: Tuning | None = None
    provenance: dict[str, str]
    warnings: list[str]
    audit: dict[str, Json] | None = None
    per_query: _ParquetName | None = None
    predictions: _ParquetName | None = None
    per_query_sha256: _Sha256 | None = None
    predictions_sha256: _Sha256 | None = None
    created: AwareDatetime

    @property
    def stem(self) -> str:
        """Name of the run's files, without their endings."""
        return file_stem(self.method.name, self.seed, self.fingerprint)

    @model_validator(mode="after")
    def _whole(self) -> RunRecord:
        if self.status != "finished":
            if not self.error:
                raise ValueError(f"a run that {self.status} needs an error that says why")
            return self
        if self.error is not None:
            raise ValueError("a finished run has no error")
        if self.training is None:
            raise ValueError("a finished run has a training")
        # Raw features of unequal dimensions are controls that have no cross-modal directions.
        for direction in self.retrieval or {} if self.method.is_control else DIRECTIONS:
            scores = (self.retrieval or {}).get(direction, {})
            missing = [metric for metric in TABLE_METRICS if metric not in scores]
            if missing:
                raise ValueError(f"retrieval of a finished run lacks {', '.join(missing)} in direction {direction}")
        return self
