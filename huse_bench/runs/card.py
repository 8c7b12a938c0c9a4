"""What a results folder says of its data: the facts that stand in each record, and the data card."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from huse_bench.components import Items
from huse_bench.config import RunConfig
from huse_bench.discovery import load
from huse_bench.features import Prepared
from huse_bench.results import Store
from huse_bench.results.card import make_card
from huse_bench.results.schema import DatasetInfo, SplitSizes

__all__ = ["dataset_info", "write_card"]


def dataset_info(data: Prepared, name: str, title: str) -> DatasetInfo:
    """Which data these are, as records and the card say it.

    Args:
        data: the data.
        name: of the dataset.
        title: of the dataset, for people.
    """
    sizes = {split: len(part.ids) for split, part in data.splits.items()}
    return DatasetInfo(
        name=name,
        title=title,
        content_hash=data.content_hash,
        items=SplitSizes.model_validate(sizes),
        classes=len(data.class_names),
        image_backbone=data.backbones["image"],
        text_backbone=data.backbones["text"],
        class_backbone=data.backbones["class"],
        taxonomy_hash=data.taxonomy.hash,
        parts=dict(data.parts),
    )


def write_card(store: Store, config: RunConfig, items: Items, data: Prepared, title: str) -> None:
    """Give a results folder its data card, where it has none.

    Args:
        store: the folder.
        config: names the dataset and the user's copy of it.
        items: what the dataset loaded.
        data: the same, prepared.
        title: of the dataset, for people.

    Raises:
        ResultsError: if the folder's card is of other data.
        RecordError: if it cannot be read.
    """
    dataset_class, test = load("dataset", config.dataset), data.splits["test"]
    rows = np.flatnonzero(items.splits == "test").tolist()
    shown = dataset_class.publish_texts if items.publish_texts is None else items.publish_texts
    store.write_card(
        make_card(
            dataset_info(data, config.dataset, title),
            class_names=data.class_names,
            edges=data.taxonomy.edges,
            distances=data.classes.distances.cpu().numpy(),
            ids=test.ids,
            labels=test.labels.cpu().numpy(),
            groups=test.groups,
            texts=None if items.texts is None or not shown else [items.texts[row] for row in rows],
            pictures=None if items.images is None else _from(config.data, [items.images[row] for row in rows]),
            description=items.description or dataset_class.description,
            licence=items.licence or dataset_class.licence,
            notices=data.notices,
        )
    )


def _from(data: Path | None, pictures: Sequence[Path]) -> list[str]:
    """Paths from the folder of the user's copy on, else names of files: where the copy lies is nobody's business."""
    if data is None:
        return [picture.name for picture in pictures]
    # Links are not followed, so that paths begin as the user named the folder.
    folder = Path(os.path.abspath(data if Path(data).is_dir() else Path(data).parent))  # noqa: PTH100
    whole = [Path(os.path.abspath(picture)) for picture in pictures]  # noqa: PTH100
    return [
        picture.relative_to(folder).as_posix() if picture.is_relative_to(folder) else picture.name for picture in whole
    ]
