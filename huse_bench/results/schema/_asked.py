"""What a record says of what was asked: the method, the data, the settings and how they were chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from huse_bench.config import RegimeConfig
from huse_bench.results.schema._values import Count, Json, Name, Part, Said, Sha256, Title

__all__ = ["DatasetInfo", "MethodInfo", "Setting", "SplitSizes", "Tuning"]


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
