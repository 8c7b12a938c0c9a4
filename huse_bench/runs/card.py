"""What a results folder says of its data: the facts of a record, and the data card."""

from __future__ import annotations

from huse_bench.features import Prepared
from huse_bench.results.schema import DatasetInfo, SplitSizes

__all__ = ["dataset_info"]


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
