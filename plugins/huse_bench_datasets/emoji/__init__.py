"""The dataset that comes with huse-bench: every emoji as four open sets draw it, each drawing with its own text."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from huse_bench import Dataset, Features, Items, errors
from huse_bench_datasets.emoji import _store, _taxonomy

__all__ = ["Emoji"]


class Emoji(Dataset):
    """Drawings of Unicode emoji by four open sets, each with a text of another origin.

    An item is one drawing of an emoji with one text: Noto with the Unicode name, Twemoji with emojilib's keywords,
    Fluent with CLDR's short name and keywords, OpenMoji with its own annotation and tags. The class is the Unicode
    subgroup. All drawings of an emoji are a group, in one split. The wheel carries features, facts and, of test
    items, thumbnails; the pictures are not in it.

    Args:
        data: not allowed, the dataset brings its own.
        taxonomy: ``meaning``, a tree that puts near each other what is alike in meaning, or ``unicode``, Unicode's
            groups and subgroups: two levels, where HP@K hardly tells methods apart.

    Raises:
        DataError: if ``data`` is given.
        ConfigError: for another taxonomy.
    """

    title: ClassVar = "Emoji"
    description: ClassVar = (
        "Drawings of Unicode emoji by four open sets (Noto, Twemoji, Fluent, OpenMoji), each with a text of another "
        "origin (Unicode name, emojilib, CLDR, OpenMoji); classes are Unicode's subgroups. Features and thumbnails, "
        "without pictures and texts"
    )
    licence: ClassVar = (
        "Drawings: Noto Apache-2.0, Twemoji CC BY 4.0, Fluent MIT, OpenMoji CC BY-SA 4.0. Names and texts: Unicode "
        "License v3, MIT, CC BY-SA 4.0. What was made from OpenMoji, thumbnails too, is under CC BY-SA 4.0. All "
        "notices are in the dataset's LICENSES.md"
    )
    shipped: ClassVar = True

    def __init__(self, data: Path | None = None, taxonomy: Literal["meaning", "unicode"] = "meaning") -> None:
        if data is not None:
            raise errors.DataError(
                f"the dataset 'emoji' comes with huse-bench and reads no other data, but data={str(data)!r} was given. "
                "Leave it out (on the command line: --data), or choose a dataset that reads your files"
            )
        super().__init__()
        if taxonomy not in {"meaning", "unicode"}:
            raise errors.ConfigError(f"the taxonomy of emoji is 'meaning' or 'unicode', got {taxonomy!r}")
        self.taxonomy = taxonomy

    def load(self) -> Items:
        """Read the shipped items, features and thumbnails.

        Returns:
            The items, with (n, 1280) image, (n, 384) text and (K, 512) class features, all float16.

        Raises:
            DataError: if a shipped file is missing or corrupt.
        """
        facts, features, thumbnails = _store.read(_store.FOLDER)
        classes = facts["classes"]
        drawings = [(emoji, drawn_by) for emoji in facts["emoji"] for drawn_by in emoji["sets"]]
        ids = [f"{drawn_by}/{emoji['hexcode']}" for emoji, drawn_by in drawings]
        splits = np.array([emoji["split"] for emoji, _ in drawings], dtype=np.str_)
        return Items(
            groups=[emoji["hexcode"] for emoji, _ in drawings],
            ids=ids,
            labels=np.array([emoji["class"] for emoji, _ in drawings], dtype=np.int64),
            splits=splits,
            class_names=classes,
            taxonomy=_taxonomy.by_meaning(classes)
            if self.taxonomy == "meaning"
            else _taxonomy.by_unicode(classes, facts["unicode_groups"]),
            image_features=Features(features["image"], facts["backbones"]["image"]),
            text_features=Features(features["text"], facts["backbones"]["text"]),
            class_features=Features(features["class"], facts["backbones"]["class"]),
            thumbnails=dict(zip((ids[row] for row in np.flatnonzero(splits == "test")), thumbnails, strict=True)),
        )
