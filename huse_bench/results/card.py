"""The data card: what the data of a results folder are, once for all of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from huse_bench.results.schema import DatasetInfo, Part, Sha256, one_line
from huse_bench.results.thumbnails import kept

__all__ = ["MOST_CLASSES", "CardFacts", "DataCard", "make_card", "mirrored"]

#: Distances of more classes would be most of a results folder, and no picture shows them.
MOST_CLASSES = 1000

_DIGITS = 4

_Line = Annotated[str, AfterValidator(one_line)]


class CardFacts(Part):
    """What the card says in words.

    Attributes:
        format: version of the card's files.
        dataset: which data and features, as in every record of the folder.
        description: what the items are and where they are from; empty where the dataset does not say.
        licence: under which terms they may be used; empty where the dataset does not say.
        class_names: K names, in the order of the class indices.
        edges: (parent, child) pairs of the taxonomy.
        distances_left_out: why the class distances are not there; None where they are.
        pictures: what the column ``picture`` of the items names: ``"data"`` for files, by their path from the folder of
            the user's copy of the data, or by their name alone where they lie elsewhere; None where there are none.
        notices: what the user should know about this copy of the data.
        items_sha256: hash of the file of test items.
        distances_sha256: hash of the file of class distances; None where there is none.
        thumbnails_sha256: hash of the file of the test items' thumbnails; None where there is none.
    """

    format: Literal[1] = 1
    dataset: DatasetInfo
    description: _Line = ""
    licence: _Line = ""
    class_names: tuple[_Line, ...]
    edges: tuple[tuple[_Line, _Line], ...]
    distances_left_out: str | None = None
    pictures: Literal["data"] | None = None
    notices: tuple[_Line, ...] = ()
    items_sha256: Sha256 | None = None
    distances_sha256: Sha256 | None = None
    thumbnails_sha256: Sha256 | None = None


@dataclass(frozen=True)
class DataCard:
    """A results folder's data, as far as a report shows them.

    Attributes:
        facts: what is said in words.
        ids: n names of the test items, in the order of the queries.
        labels: (n,) int64 class indices.
        groups: (n,) int64 numbers of groups; items with one number are no independent witnesses.
        texts: n texts, where the dataset says that they may be published.
        pictures: n files, see ``facts.pictures``.
        distances: (K, K) float32 distances of the class graph with four digits, symmetric; None where left out.
        thumbnails: by id of a test item, the contents of a PNG or WebP file of at most 40 pixels a side; None where
            the dataset gives none.
    """

    facts: CardFacts
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    texts: tuple[str, ...] | None = None
    pictures: tuple[str, ...] | None = None
    distances: NDArray[np.float32] | None = None
    thumbnails: Mapping[str, bytes] | None = None


def make_card(
    dataset: DatasetInfo,
    *,
    class_names: Sequence[str],
    edges: Iterable[tuple[object, object]],
    distances: NDArray[np.floating],
    ids: Sequence[str],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    texts: Sequence[str] | None = None,
    pictures: Sequence[str] | None = None,
    thumbnails: Mapping[str, bytes] | None = None,
    description: str = "",
    licence: str = "",
    notices: Sequence[str] = (),
) -> DataCard:
    """The card of a dataset.

    Args:
        dataset: which data and features.
        class_names: K names.
        edges: (parent, child) pairs of the taxonomy.
        distances: (K, K), of the class graph, symmetric but for rounding.
        ids: n names of the test items.
        labels: (n,) class indices.
        groups: (n,) numbers of groups.
        texts: n texts that may be published.
        pictures: n paths that say nothing of the machine.
        thumbnails: small pictures by id, each without a fault; of too many a choice is kept.
        description: what the items are and where they are from.
        licence: under which terms they may be used.
        notices: what the user should know about this copy of the data.

    Returns:
        The card; of more than 1,000 classes without their distances.

    Raises:
        ValueError: if there are not as many of something as of test items or classes.
    """
    items, classes = dataset.items.test, dataset.classes
    of_items = {"ids": ids, "labels": labels, "groups": groups, "texts": texts, "pictures": pictures}
    for name, values in of_items.items():
        if values is not None and len(values) != items:
            raise ValueError(f"there must be {name} of {items} test items, got {len(values)}")
    if len(class_names) != classes or distances.shape != (classes, classes):
        raise ValueError(
            f"there must be names and distances of {classes} classes, got {len(class_names)} and {distances.shape}"
        )
    many = classes > MOST_CLASSES
    facts = CardFacts(
        dataset=dataset,
        description=description,
        licence=licence,
        class_names=tuple(class_names),
        edges=tuple((str(parent), str(child)) for parent, child in edges),
        distances_left_out=f"{classes} classes are more than the {MOST_CLASSES} whose distances are kept"
        if many
        else None,
        pictures=None if pictures is None else "data",
        notices=tuple(notices),
    )
    return DataCard(
        facts,
        tuple(ids),
        np.asarray(labels, dtype=np.int64),
        np.asarray(groups, dtype=np.int64),
        None if texts is None else tuple(texts),
        None if pictures is None else tuple(pictures),
        None if many else mirrored(np.round(distances[np.triu_indices(classes, 1)], _DIGITS), classes),
        # None of the test items has one where the dict is empty.
        kept(ids, thumbnails or {}) or None,
    )


def mirrored(values: NDArray[np.floating], classes: int) -> NDArray[np.float32]:
    """Class distances, of those above the diagonal.

    Args:
        values: (K (K - 1) / 2,) of each pair of classes once, in the order of ``numpy.triu_indices``.
        classes: K.

    Returns:
        (K, K), symmetric with a diagonal of 0.
    """
    distances = np.zeros((classes, classes), dtype=np.float32)
    distances[np.triu_indices(classes, 1)] = values
    return distances + distances.T
