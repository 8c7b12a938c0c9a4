"""Clip art of many hands, with texts by those who drew it."""

from pathlib import Path
from typing import ClassVar

from huse_bench_datasets._shipped.dataset import ShippedDataset

__all__ = ["Clipart"]


class Clipart(ShippedDataset):
    """Drawings of the Open Clip Art Library, each with a text of its own.

    An item is one drawing by one of hundreds of people; the text is its title, description and keywords, in English or
    in the language of who drew it. The class is the folder that the library files it in. Near-duplicates are a group,
    in one split. The wheel carries features, texts and, of test items, thumbnails; the drawings are not in it.

    Args:
        data: not allowed, the dataset brings its own.

    Raises:
        DataError: if ``data`` is given.
    """

    title: ClassVar = "Clip art"
    description: ClassVar = (
        "Drawings of the Open Clip Art Library 0.18 by hundreds of people, each with its own title, description and "
        "keywords; classes are the library's folders. Features, texts and thumbnails, without the drawings"
    )
    licence: ClassVar = "Drawings and texts: public domain. The notices are in the dataset's LICENSES.md"
    publish_texts: ClassVar = True

    name: ClassVar = "clipart"
    folder: ClassVar = Path(__file__).parent
    tree_sha256: ClassVar = "1075a81ab73c74853ae0d25994ce25cef155aed34114ce0875aa227e5b3e10ec"
