"""The parts that a run record is made of."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from huse_bench.config import RegimeConfig
from huse_bench.files import safe_name

__all__ = [
    "CHANCE_CONTROL",
    "CONTROL_PREFIX",
    "CONTROL_SECTION",
    "Classification",
    "Count",
    "DatasetInfo",
    "Device",
    "Json",
    "Learning",
    "MethodInfo",
    "Name",
    "Part",
    "Setting",
    "Sha256",
    "Share",
    "SplitSizes",
    "Title",
    "Training",
    "Tuning",
    "file_stem",
    "one_line",
]


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


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]
# A line break, or an escape of a terminal, would spoil every table.
Title = Annotated[Name, AfterValidator(one_line)]
# What an author says, shown wherever there is room for a sentence or two.
Said = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(one_line)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """What a record and each of its parts have in common: no unknown fields, no changes, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MethodInfo(Part):
    """Which method was trained, and whose code it is.

    Attributes:
        name: name the method was asked for by.
        title: name of its row in the tables.
        summary: what it is, in a sentence; None where its author does not say, and in records of old.
        source: the paper and the equation that it comes from; likewise.
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

    name: Name
    title: Title
    summary: Said | None = None
    source: Said | None = None
    base: Name | None = None
    changes: tuple[str, ...] = ()
    section: str = ""
    order: Count
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
    source_hash: Name


class SplitSizes(Part):
    """Number of items in each split."""

    train: Count
    validation: Count
    test: Count


class DatasetInfo(Part):
    """Which data and features the run used.

    Attributes:
        name: name of the dataset.
        title: name shown to people.
        asked: what the configuration asked of features and items, such as other backbones, where it is public and no
            default; None in records that do not say.
        content_hash: hash of the features, labels and splits.
        items: number of items in each split.
        classes: number of classes.
        image_backbone: ``name@revision`` of the image features.
        text_backbone: ``name@revision`` of the text features.
        class_backbone: ``name@revision`` of the class-name embeddings; None where there are none.
        taxonomy_hash: hash of the taxonomy that HP@K is measured against.
        parts: start of the hash of each part of the content, such as ``splits``; None in records that do not say.
        regime: what was done to the items before training; None where they are as they come.
        options: further arguments of the dataset, where they differ from its defaults; None where there are none, and
            in records that do not say.
    """

    name: Name
    title: Title
    asked: dict[str, Json] | None = None
    content_hash: Name
    items: SplitSizes
    classes: Count
    image_backbone: str
    text_backbone: str
    class_backbone: str | None
    taxonomy_hash: Name
    parts: dict[str, str] | None = None
    regime: RegimeConfig | None = None
    options: dict[str, Json] | None = None

    @property
    def held_out(self) -> bool:
        """Whether no class of the test split has a training item."""
        return self.regime is not None and self.regime.held_out is not None

    @property
    def drawn(self) -> Literal["classes", "groups"]:
        """What statistics draw beside seeds: of held-out classes these, for others would have been other questions."""
        return "classes" if self.held_out else "groups"

    @property
    def identity(self) -> tuple[str, str, str | None]:
        """What is the same wherever runs can share a table: content, taxonomy and groups."""
        return self.content_hash, self.taxonomy_hash, (self.parts or {}).get("groups")


class Setting(Part):
    """One setting of the configuration.

    Attributes:
        value: the value used.
        origin: where it was set, for instance ``"default"``, ``"preset quick"`` or ``"command line"``.
    """

    value: Json
    origin: Name


class Classification(Part):
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

    image: Share
    text: Share
    fusion: Share
    fusion_weight: Share
    fusion_equal: Share
    image_temperature: Annotated[float, Field(gt=0)] | None = None
    text_temperature: Annotated[float, Field(gt=0)] | None = None


class Training(Part):
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

    steps: Count
    batch_size: Count
    seconds: float
    steps_per_second: float
    optimizer: str
    items_seen: Count
    losses: dict[str, float]
    gradient_steps: tuple[Count, ...] | None = None
    gradient_shares: dict[str, tuple[Share, ...]] | None = None


class Learning(Part):
    """The course of a training, measured at some of its steps without changing it.

    Attributes:
        steps: the steps, ascending.
        losses: value of each named term of the loss, a number for each of the steps.
        validation: validation metrics by name, likewise.
        items: number of validation items that these metrics are measured on.
    """

    steps: tuple[Count, ...]
    losses: dict[str, tuple[float, ...]]
    validation: dict[str, tuple[float, ...]]
    items: Count

    @model_validator(mode="after")
    def _even(self) -> Learning:
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError("the steps of a learning curve ascend")
        for name, values in [*self.losses.items(), *self.validation.items()]:
            if len(values) != len(self.steps):
                raise ValueError(f"{name} has {len(values)} values at {len(self.steps)} steps")
        return self


class Device(Part):
    """What a run was computed on.

    Attributes:
        kind: ``"cpu"`` or ``"cuda"``.
        name: of the processor or the GPU, as its maker calls it.
        precision: that products of the training are made in, such as ``"float32"``.
        peak_memory_bytes: the most memory in use at once: of a GPU by this run's tensors, of a CPU by the whole process
            until the run ended; None where the system does not say.
    """

    kind: Literal["cpu", "cuda"]
    name: Title
    precision: Name
    peak_memory_bytes: Count | None = None


class Tuning(Part):
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
        gain_interval: ends of the 95 % interval of the first less the second, over groups of validation queries; None
            where the defaults failed, there is one group alone, or the record does not say.
        seed: of the search.
        training_seed: that its trials were trained with; None in records that do not say.
        study: identity of the search: a fingerprint of everything that its trials depended on.
        number: of this search among those that the method had, from 1.
        studies: how many searches the method had, among whose winners the seeds are split.
        joint: configuration that the runs of all these winners have in common; None where there was one search.
        default_configuration: configuration of the same run at the method's defaults; None in records that do not say.
        remarks: what makes the choice doubtful, such as a value at a bound of what was searched.
    """

    trials: Count
    failed: Count
    distinct: Count | None = None
    steps: Count
    batch_size: Count
    protocol: str = "v1"
    objective: tuple[str, ...]
    value: float
    default_value: float | None = None
    gain_interval: tuple[float, float] | None = None
    seed: Count
    training_seed: Count | None = None
    study: Sha256
    number: Annotated[int, Field(ge=1)] = 1
    studies: Annotated[int, Field(ge=1)] = 1
    joint: Sha256 | None = None
    default_configuration: Sha256 | None = None
    remarks: tuple[Title, ...] = ()
