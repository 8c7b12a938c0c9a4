"""The data of a run: loaded, large enough, with its features, and audited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch

from huse_bench.components import Dataset, Items, Split
from huse_bench.config import RegimeConfig, RunConfig
from huse_bench.errors import ConfigError, DataError, ResultsError
from huse_bench.evaluation import RECALL_PROTOCOL
from huse_bench.features import Prepared, audit, load_dataset, make_features, prepare
from huse_bench.features._checks import check_items
from huse_bench.features._near import near_duplicates_as_groups
from huse_bench.features._regimes import in_regime, without_left_out
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.progress import Reporter
from huse_bench.results import RunRecord
from huse_bench.results.card import DataCard
from huse_bench.results.schema import DatasetInfo

__all__ = ["Loaded", "audited", "device_here", "device_of", "load", "make_ready", "refuse_other_data"]

# Engines whose workers are on other machines.
_CLUSTERS = {"dask", "ray", "slurm"}


@dataclass(frozen=True)
class Loaded:
    """A dataset that was read, and whose splits are large enough; its features may still have to be made.

    Attributes:
        items: the items, in their regime unless their groups have to be made before.
        dataset_class: their dataset.
    """

    items: Items
    dataset_class: type[Dataset]


def load(config: RunConfig) -> Loaded:
    """Read the dataset of a configuration.

    Args:
        config: says which.

    Raises:
        UsageError: for anything that cannot be used as asked, before any feature is made, which may take hours.
    """
    device_of(config)
    if config.every_fold:
        raise ConfigError(
            f"held_out = 'all' ({config.origin('regime.held_out')}) is {config.regime.folds} folds, and this takes "
            "one; give its number"
        )
    items, dataset_class = load_dataset(config)
    if not config.near_duplicates_as_groups:
        items = in_regime(items, config.regime, config.dataset)
    _check_sizes(items, config)
    return Loaded(items, dataset_class)


def make_ready(loaded: Loaded, config: RunConfig, reporter: Reporter) -> tuple[Items, Prepared]:
    """Make the features that a dataset lacks, and lay it out by split.

    Args:
        loaded: the dataset.
        config: says which features.
        reporter: shows progress.

    Returns:
        The items with their features, and the data to train on, on the host.

    Raises:
        UsageError: for anything that cannot be used as asked.
    """
    items = make_features(loaded.items, loaded.dataset_class, config, reporter)
    if config.near_duplicates_as_groups:
        items = _grouped(items, loaded, config, reporter)
    items = without_left_out(items)
    prepared = prepare(items, config.dataset, loaded.dataset_class.title, config.regime)
    # Again without what had to be left out.
    _check_sizes(items, config)
    return items, prepared


def _grouped(items: Items, loaded: Loaded, config: RunConfig, reporter: Reporter) -> Items:
    """The items with near-duplicates as groups, in their regime."""
    # Says what is wrong with the features before they are compared.
    prepare(items, config.dataset)
    items, groups, notices = near_duplicates_as_groups(items, torch.device(device_here(config)))
    if loaded.items.redrawn is not None or config.regime.is_any:
        # Also of those that had to be left out, since splits are drawn of all.
        own = loaded.items.ids if loaded.items.groups is None else loaded.items.groups
        names = [groups.get(item, group) for item, group in zip(loaded.items.ids, own, strict=True)]
        redrawn = loaded.items.redrawn(names) if loaded.items.redrawn else replace(loaded.items, groups=names)
        check_items(redrawn, config.dataset)
        redrawn = in_regime(redrawn, config.regime, config.dataset)
        # From the cache, but for backbones that learn from the train split.
        items = make_features(redrawn, loaded.dataset_class, config, reporter)
    return replace(items, notices=(*items.notices, *notices))


def refuse_other_data(
    known: Sequence[RunRecord], prepared: Prepared, config: RunConfig, card: DataCard | None = None
) -> None:
    """Refuse a results folder that has runs which no table could show beside those on this data, by this protocol.

    Args:
        known: the records of the folder.
        prepared: what the next runs are trained on.
        config: names the dataset and the folder.
        card: the data card of the folder, where it has one.

    Raises:
        ResultsError: where items, features, taxonomy or protocol differ.
    """
    for record in known:
        counted = record.counting.get("recall")
        if counted in RECALL_PROTOCOL.values() and counted != RECALL_PROTOCOL[config.protocol]:
            version = next(name for name, known in RECALL_PROTOCOL.items() if known == counted)
            raise ResultsError(
                f"the results folder {config.results_folder} holds runs by protocol {version}, and these are by "
                f"{config.protocol} ({config.origin('protocol')}), which no table could show together; choose another "
                f"folder with --results, or --protocol {version}"
            )
    regime = prepared.regime if prepared.regime.is_any else None
    now = (prepared.content_hash, prepared.taxonomy.hash, prepared.parts.get("groups"))
    for other in [*(record.dataset for record in known), *([] if card is None else [card.facts.dataset])]:
        if other.regime != regime:
            raise ResultsError(
                f"the results folder {config.results_folder} holds runs in another regime, which no table could show "
                f"together: {_words(other.regime)} before, {_words(regime)} now. Choose another folder with --results; "
                f"without it each regime has its own"
            )
        if other.identity != now:
            raise ResultsError(
                f"the results folder {config.results_folder} holds runs on other data of {config.dataset!r}, which no "
                f"table could show together: {_differences(other, prepared)}. Choose another folder, such as --results "
                f"{config.results_folder}-{prepared.content_hash[:6]}"
            )


def _words(regime: RegimeConfig | None) -> str:
    return "none" if regime is None else ", ".join(regime.words)


def _differences(other: DatasetInfo, prepared: Prepared) -> str:
    """What is other in the data of a record."""
    now = dict(prepared.parts)
    before = dict(other.parts or {})
    if prepared.taxonomy.hash != other.taxonomy_hash:
        before["taxonomy"], now["taxonomy"] = "before", "now"
    found = [_difference(part, other, prepared) for part in now if part in before and before[part] != now[part]]
    if other.content_hash != prepared.content_hash and not other.parts:
        # Of an older record only these are known.
        known = ("items", "classes", *(f"{kind} features" for kind in prepared.backbones))
        said = [text for text in (_difference(part, other, prepared) for part in known) if " before, " in text]
        found += said or ["its records do not say whether items, labels, splits, groups or features differ"]
    return "; ".join(found) or "the records do not say what differs"


def _difference(part: str, other: DatasetInfo, prepared: Prepared) -> str:
    before, now = "", ""
    if part == "items":
        before, now = (
            str(sum(dict(other.items).values())),
            str(sum(len(split.ids) for split in prepared.splits.values())),
        )
    if part == "classes":
        before, now = str(other.classes), str(len(prepared.class_names))
    if part == "splits":
        before = " / ".join(str(count) for count in dict(other.items).values())
        now = " / ".join(str(len(split.ids)) for split in prepared.splits.values())
    if part.endswith(" features"):
        kind = part.removesuffix(" features")
        before, now = str(getattr(other, f"{kind}_backbone")), prepared.backbones[kind]
    return f"other {part}" + (f" ({before} before, {now} now)" if before != now else "")


def audited(
    prepared: Prepared, items: Items, known: Sequence[RunRecord], config: RunConfig, reporter: Reporter, *, needed: bool
) -> Prepared:
    """The data with what an audit found, which is said; an audit in a record of the same data is not made again.

    Args:
        prepared: to be audited.
        items: what it was made of.
        known: the records of the results folder.
        config: may name the device to search on.
        needed: whether anything will be trained on it.
        reporter: says what was found.

    Returns:
        The data, with the audit where there is one.
    """
    found: Mapping[str, Any] | None = next((record.audit for record in known if record.audit is not None), None)
    if found is None and needed:
        found = audit(prepared.to(device_here(config)), items.texts).summary()
    for finding in (found or {}).get("findings", ()):
        reporter.say(f"  audit: {finding}")
    return replace(prepared, audit=found)


def device_of(config: RunConfig) -> str:
    """The device to train on: the one that was asked for, else the GPU where there is one.

    Args:
        config: may name one.

    Raises:
        ConfigError: where it cannot be used here.
    """
    if config.device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if config.engine in _CLUSTERS and config.device == "cuda":
        # The machine that gives runs to a cluster need not have one.
        return "cuda"
    try:
        torch.zeros(1, device=torch.device(config.device))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {config.device!r} cannot be used here: {reason}") from error
    return config.device


def device_here(config: RunConfig) -> str:
    """The device for what the command does itself, where :func:`device_of` may be that of other machines.

    Args:
        config: may name one.
    """
    device = device_of(config)
    return "cpu" if device == "cuda" and not torch.cuda.is_available() else device


def _largest_group(items: Items, split: str) -> tuple[str, int]:
    """Name and size of the largest group of a split; items without groups are groups of one."""
    if items.groups is None:
        return "", 1
    inside = (group for group, place in zip(items.groups, items.splits, strict=True) if place == split)
    return Counter(inside).most_common(1)[0]


def _check_sizes(items: Items, config: RunConfig) -> None:
    """Raise UsageError where the splits are too small for the tables or the batches."""
    counts = {name: int((items.splits == name).sum()) for name in get_args(Split)}
    needed = max(*RECALL_KS, *HP_KS)
    for split in ("validation", "test"):
        gallery = counts[split] - 1
        if gallery < needed:
            raise DataError(
                f"the {split} split of {config.dataset!r} leaves a gallery of {gallery} items without the query, "
                f"and the tables need K = {needed}; give that split at least {needed + 1} items"
                f"{', or take fewer folds' if config.regime.held_out else ''}"
            )
        group, size = _largest_group(items, split)
        if config.protocol == "v2" and counts[split] - size < needed:
            raise DataError(
                f"the {split} split of {config.dataset!r} has {counts[split]} items, of which {size} are the group "
                f"{group!r}: that leaves its queries a gallery of {counts[split] - size} items outside their group, "
                f"and the tables need K = {needed}; give that split more groups, make the groups smaller, or use "
                "--protocol v1, which does not heed them"
            )
    size = config.training.batch_size
    if size > counts["train"]:
        raise ConfigError(
            f"training.batch_size = {size} ({config.origin('training.batch_size')}) is larger than the train split of "
            f"{config.dataset!r}, which has {counts['train']} items; lower it in a config file: "
            f"[training] batch_size = {counts['train'] // 2}"
        )
