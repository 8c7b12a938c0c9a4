"""The dataset that comes with huse-bench: every emoji as four open sets draw it, each drawing with its own text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from huse_bench import Taxonomy, errors
from huse_bench_datasets._shipped.dataset import Rows, ShippedDataset
from huse_bench_datasets.emoji._taxonomy import by_unicode

__all__ = ["Emoji"]


class Emoji(ShippedDataset):
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

    name: ClassVar = "emoji"
    folder: ClassVar = Path(__file__).parent
    tree_sha256: ClassVar = "b14f48614ed37f0d38a81125c2faca62b87c81dcb0da4c92dd9d49c209026ecd"

    def __init__(self, data: Path | None = None, taxonomy: Literal["meaning", "unicode"] = "meaning") -> None:
        super().__init__(data)
        if taxonomy not in {"meaning", "unicode"}:
            raise errors.ConfigError(f"the taxonomy of emoji is 'meaning' or 'unicode', got {taxonomy!r}")
        self.taxonomy = taxonomy

    def rows(self, facts: Mapping[str, Any]) -> Rows:
        """The drawings of each emoji, which are a group.

        Args:
            facts: contents of ``items.json``.
        """
        drawings = [(emoji, drawn_by) for emoji in facts["emoji"] for drawn_by in emoji["sets"]]
        return Rows(
            ids=[f"{drawn_by}/{emoji['hexcode']}" for emoji, drawn_by in drawings],
            labels=[emoji["class"] for emoji, _ in drawings],
            splits=[emoji["split"] for emoji, _ in drawings],
            groups=[emoji["hexcode"] for emoji, _ in drawings],
        )

    def tree(self, facts: Mapping[str, Any]) -> Taxonomy:
        """The tree that the option ``taxonomy`` names.

        Args:
            facts: contents of ``items.json``.

        Raises:
            DataError: if the outline is missing or changed.
        """
        if self.taxonomy == "unicode":
            return by_unicode(facts["classes"], facts["unicode_groups"])
        return super().tree(facts)
