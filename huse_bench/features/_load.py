"""From a configuration to items with all their features."""

from __future__ import annotations

from dataclasses import replace

from huse_bench.arguments import checked_arguments
from huse_bench.components import Dataset, Items
from huse_bench.config import RunConfig
from huse_bench.discovery import find, load
from huse_bench.features._backbones import FeatureKind
from huse_bench.features._checks import check_items
from huse_bench.features._complete import complete
from huse_bench.features._encode import Encoder
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter

__all__ = ["load_dataset", "make_features"]


def load_dataset(config: RunConfig) -> tuple[Items, type[Dataset]]:
    """Load the dataset of a configuration, and check all but its features.

    Args:
        config: says which dataset and options.

    Returns:
        The items, perhaps without features, and the dataset's class.

    Raises:
        UsageError: for anything that cannot be used as asked.
        PluginError: if the dataset cannot be had.
    """
    dataset_class = load("dataset", config.dataset)
    options = checked_arguments(
        dataset_class,
        config.dataset_options,
        owner=f"the dataset {find('dataset', config.dataset).name!r}",
        noun="option",
        table="dataset_options",
        origin=lambda name: config.origin(f"dataset_options.{name}"),
        without=("data",),
    )
    items = dataset_class(config.data, **options).load()
    check_items(items, config.dataset)
    return items, dataset_class


def make_features(
    items: Items, dataset_class: type[Dataset], config: RunConfig, reporter: Reporter, workers: int | None = None
) -> Items:
    """Make the features that a dataset does not bring, or take them from the cache.

    Args:
        items: of :func:`load_dataset`.
        dataset_class: of :func:`load_dataset`.
        config: says which backbones.
        reporter: shows progress.
        workers: processes that decode pictures; None for as many as there are cores.

    Returns:
        The items with all features, without those whose picture cannot be decoded.

    Raises:
        UsageError: for anything that cannot be used as asked.
        PluginError: if a backbone fails.
    """
    encoder = Encoder(Cache(), reporter, config.dataset, workers, config.max_pixels)
    asked: dict[FeatureKind, str | None] = {
        "image": config.image_backbone,
        "text": config.text_backbone,
        "class": config.class_backbone,
    }
    precision = config.feature_precision
    items = complete(items, encoder, asked, dataset_class.backbones, precision=precision, strict=config.strict)
    if precision == "float32":
        return items
    return replace(items, title=f"{items.title or dataset_class.title}, {precision} features")
