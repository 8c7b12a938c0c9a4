"""A dataset that comes with huse-bench: icons of things as five open sets draw them, each with its set's own words."""

from pathlib import Path
from typing import ClassVar

from huse_bench_datasets._shipped.dataset import ShippedDataset

__all__ = ["Icons"]


class Icons(ShippedDataset):
    """Drawings in one colour of things by five open icon sets, each with its name and tags.

    An item is one icon of a set (Tabler, MDI, Font Awesome, Phosphor, Lucide), black on white, with its name and what
    else the set says about it. The class is a kind of thing, taken from the categories that the sets sort their icons
    under. The drawings of one thing, in all sets, and what looks or reads nearly the same are a group, in one split.
    The wheel carries features, texts, facts and, of test items, thumbnails; the pictures are not in it.

    Args:
        data: not allowed, the dataset brings its own.

    Raises:
        DataError: if ``data`` is given.
    """

    title: ClassVar = "Icons"
    description: ClassVar = (
        "Icons in one colour by five open sets (Tabler, MDI, Font Awesome, Phosphor, Lucide), each with its name and "
        "its set's tags; classes are kinds of things, after the sets' categories. Features, texts and thumbnails, "
        "without pictures"
    )
    licence: ClassVar = (
        "Drawings: Tabler and Phosphor MIT, MDI Apache-2.0, Font Awesome CC BY 4.0, Lucide ISC. Names and tags: MIT, "
        "those of Lucide ISC. All notices are in the dataset's LICENSES.md"
    )
    publish_texts: ClassVar = True

    name: ClassVar = "icons"
    folder: ClassVar = Path(__file__).parent
    tree_sha256: ClassVar = "8d7bc7b36126aaac5e7c8327cf1f9ab419d617daae6ec756485222757591fd53"
