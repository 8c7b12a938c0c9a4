"""What a results folder says of its data: the facts that stand in each record, and the data card."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from huse_bench.components import Dataset, Items
from huse_bench.config import RunConfig
from huse_bench.errors import DataError
from huse_bench.features import Prepared
from huse_bench.features.thumbnails import make_thumbnails
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.results.card import make_card
from huse_bench.results.schema import DatasetInfo, Json, SplitSizes
from huse_bench.results.thumbnails import candidates, thumbnail_fault
from huse_bench.runs.privacy import Privacy

__all__ = ["dataset_info", "write_card"]


def dataset_info(prepared: Prepared, config: RunConfig) -> DatasetInfo:
    """Which data these are, as records and the card say it."""
    sizes = {split: len(part.ids) for split, part in prepared.splits.items()}
    return DatasetInfo(
        name=prepared.name,
        title=prepared.title,
        asked=_public(config),
        content_hash=prepared.content_hash,
        items=SplitSizes.model_validate(sizes),
        classes=len(prepared.class_names),
        image_backbone=prepared.backbones["image"],
        text_backbone=prepared.backbones["text"],
        class_backbone=prepared.backbones["class"],
        taxonomy_hash=prepared.taxonomy.hash,
        parts=dict(prepared.parts),
        regime=prepared.regime if prepared.regime.is_any else None,
        options={name: _plain(value) for name, value in config.dataset_options.items()} or None,
    )


def _plain(value: Any) -> Json:
    """An option as JSON; one that is no JSON, such as a path, by its text."""
    try:
        plain: Json = json.loads(json.dumps(value, default=str, allow_nan=False))
    except (TypeError, ValueError):
        return str(value)
    return plain


def _public(config: RunConfig) -> dict[str, Any]:
    """What was asked of the data, but for what names a place of this machine, which is there nowhere else."""
    privacy = Privacy(config.data)
    asked = config.asked_of_data
    return {
        name: value
        for name, value in asked.items()
        if not isinstance(value, str) or privacy.without_paths(value) == value
    }


def write_card(
    store: Store,
    config: RunConfig,
    dataset_class: type[Dataset],
    items: Items,
    prepared: Prepared,
    reporter: Reporter,
) -> None:
    """Give a results folder its data card, where it has none.

    Args:
        store: the folder.
        config: names the user's copy of the dataset, and says how large its pictures may be.
        dataset_class: says what its items are.
        items: what it loaded.
        prepared: the same, prepared.
        reporter: shows how many thumbnails are made.

    Raises:
        ResultsError: if the folder's card is of other data.
        RecordError: if it cannot be read.
        DataError: if the dataset gives a thumbnail that is none.
        MissingExtraError: if thumbnails are to be made and Pillow is not installed.
    """
    test = prepared.splits["test"]
    rows = np.flatnonzero(items.splits == "test").tolist()
    privacy = Privacy(config.data)
    texts = None
    if items.texts is not None and _may_show("texts", dataset_class, items):
        texts = [items.texts[row] for row in rows]
    pictures = None if items.images is None else [items.images[row] for row in rows]
    thumbnails = _sound(items.thumbnails, test.ids)
    if thumbnails is None and pictures is not None and _may_show("pictures", dataset_class, items):
        thumbnails = _made(store, dict(zip(test.ids, pictures, strict=True)), config.max_pixels, reporter)
    store.write_card(
        make_card(
            DatasetInfo.model_validate(privacy.record(dataset_info(prepared, config).model_dump())),
            class_names=prepared.class_names,
            edges=prepared.taxonomy.edges,
            distances=prepared.classes.distances.numpy(),
            ids=test.ids,
            labels=test.labels,
            groups=test.groups,
            texts=texts,
            pictures=None if pictures is None else _from(config.data, pictures),
            thumbnails=thumbnails,
            description=privacy.without_paths(items.description or dataset_class.description),
            licence=privacy.without_paths(items.licence or dataset_class.licence),
            notices=[privacy.text(notice) for notice in prepared.notices],
        )
    )


def _may_show(what: Literal["texts", "pictures"], dataset_class: type[Dataset], items: Items) -> bool:
    """Whether results may show these, as this copy of the data says, or else their class."""
    said: bool | None = getattr(items, f"publish_{what}")
    general: bool = getattr(dataset_class, f"publish_{what}")
    return general if said is None else said


def _made(store: Store, pictures: Mapping[str, Path], max_pixels: int, reporter: Reporter) -> dict[str, bytes] | None:
    """Thumbnails of test items by their pictures; None where the folder has its own already."""
    card = store.card()
    if card is not None and card.thumbnails is not None:
        return None
    ids = list(pictures)
    chosen = {ids[place]: pictures[ids[place]] for place in candidates(len(ids))}
    with reporter.items("making thumbnails", len(chosen)) as advance:
        return make_thumbnails(chosen, max_pixels, advance)


def _sound(thumbnails: Mapping[str, bytes] | None, ids: Sequence[str]) -> dict[str, bytes] | None:
    """The thumbnails of test items; raises DataError where one is none."""
    if thumbnails is None:
        return None
    found = {item: thumbnails[item] for item in ids if item in thumbnails}
    for item, contents in found.items():
        if fault := thumbnail_fault(contents):
            raise DataError(f"the thumbnail of item {item!r} {fault}; mend it in the dataset, or leave it out")
    return found


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
