"""The data card: what the data of a results folder are, once for all of its runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, ValidationError

from huse_bench.errors import RecordError
from huse_bench.faults import first_fault
from huse_bench.files import write_atomically
from huse_bench.results.arrays import parquet_bytes
from huse_bench.results.columns import floats, integers, strings
from huse_bench.results.json_text import json_text
from huse_bench.results.schema import DatasetInfo, Part, Sha256, one_line
from huse_bench.results.thumbnails import from_thumbnails_file, kept, thumbnails_file
from huse_bench.text_files import read_text
from huse_bench.untrusted import MOST_BYTES, read_limited, read_parquet

__all__ = ["CARD_FILES", "CardFacts", "DataCard", "add_thumbnails", "make_card", "read_card", "write_card"]

_FACTS = "data-card.json"
_ITEMS = "data-card.items.parquet"
_DISTANCES = "data-card.distances.parquet"
_THUMBNAILS = "data-card.thumbnails.parquet"

#: All files of a data card, of which not every card has every one.
CARD_FILES = (_FACTS, _ITEMS, _DISTANCES, _THUMBNAILS)

# Distances of more classes would be most of a results folder, and no picture shows them.
_MOST_CLASSES = 1000

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
    many = classes > _MOST_CLASSES
    facts = CardFacts(
        dataset=dataset,
        description=description,
        licence=licence,
        class_names=tuple(class_names),
        edges=tuple((str(parent), str(child)) for parent, child in edges),
        distances_left_out=f"{classes} classes are more than the {_MOST_CLASSES} whose distances are kept"
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
        None if many else _mirrored(np.round(distances[np.triu_indices(classes, 1)], _DIGITS), classes),
        # None of the test items has one where the dict is empty.
        kept(ids, thumbnails or {}) or None,
    )


def write_card(folder: Path, card: DataCard) -> None:
    """Write a card's files, that which vouches for the others last.

    Args:
        folder: the results folder, locked by the caller.
        card: the card.

    Raises:
        OSError: if a file cannot be written.
    """
    items = parquet_bytes(_items_table(card))
    write_atomically(folder / _ITEMS, items)
    hashes = {"items_sha256": hashlib.sha256(items).hexdigest()}
    if card.distances is not None:
        distances = parquet_bytes(_distances_table(card.distances))
        write_atomically(folder / _DISTANCES, distances)
        hashes["distances_sha256"] = hashlib.sha256(distances).hexdigest()
    _write_facts(folder, card.facts.model_copy(update=hashes), card.thumbnails)


def add_thumbnails(folder: Path, thumbnails: Mapping[str, bytes]) -> None:
    """Give a card that has none thumbnails; its other files stay as they are.

    Args:
        folder: the results folder, locked by the caller.
        thumbnails: small pictures by id.

    Raises:
        RecordError: if the card cannot be read.
        OSError: if a file cannot be written.
    """
    facts = _read_facts(folder)
    if facts is not None:
        _write_facts(folder, facts, thumbnails)


def _write_facts(folder: Path, facts: CardFacts, thumbnails: Mapping[str, bytes] | None) -> None:
    """Write the thumbnails, then the facts, which vouch for all files."""
    if thumbnails is not None:
        contents = thumbnails_file(thumbnails)
        write_atomically(folder / _THUMBNAILS, contents)
        facts = facts.model_copy(update={"thumbnails_sha256": hashlib.sha256(contents).hexdigest()})
    write_atomically(folder / _FACTS, f"{json_text(facts.model_dump(mode='json'))}\n".encode())


def read_card(folder: Path) -> DataCard | None:
    """The card of a results folder.

    Args:
        folder: the results folder.

    Returns:
        The card; None where there is none, as in folders from before there were cards.

    Raises:
        RecordError: if a file of it cannot be read, or is not the one that was written with it.
    """
    facts = _read_facts(folder)
    if facts is None:
        return None
    table = _table(folder / _ITEMS, facts.items_sha256)
    try:
        card = DataCard(
            facts.model_copy(update={"items_sha256": None, "distances_sha256": None, "thumbnails_sha256": None}),
            tuple(strings(table, "id")),
            integers(table, "label").astype(np.int64),
            integers(table, "group").astype(np.int64),
            tuple(strings(table, "text")) if "text" in table.column_names else None,
            tuple(strings(table, "picture")) if "picture" in table.column_names else None,
            None if facts.distances_sha256 is None else _distances(folder, facts),
            None if facts.thumbnails_sha256 is None else _thumbnails(folder, facts),
        )
    except ValueError as error:
        raise RecordError(f"{folder}: the files of the data card do not fit together ({error}); {_CURE}") from error
    if len(card.ids) != facts.dataset.items.test:
        raise RecordError(
            f"{folder / _ITEMS} has {len(card.ids)} items, and {_FACTS} says {facts.dataset.items.test}; {_CURE}"
        )
    if len(card.labels) and not 0 <= card.labels.min() <= card.labels.max() < len(facts.class_names):
        raise RecordError(
            f"{folder / _ITEMS} has labels beyond the {len(facts.class_names)} classes of {_FACTS}; {_CURE}"
        )
    if card.thumbnails is not None and not card.thumbnails.keys() <= set(card.ids):
        raise RecordError(f"{folder / _THUMBNAILS} has thumbnails of other items than {_ITEMS}; {_CURE}")
    return card


def _read_facts(folder: Path) -> CardFacts | None:
    path = folder / _FACTS
    try:
        return CardFacts.model_validate_json(read_text(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = first_fault(error, "the file") if isinstance(error, ValidationError) else str(error)
        raise RecordError(f"{path}: no readable data card ({reason}); {_CURE}") from error


_CURE = f"restore it, or delete {_FACTS}, and the next run on these data writes it anew"


def _items_table(card: DataCard) -> pa.Table:
    columns: dict[str, Any] = {
        "id": list(card.ids),
        "label": card.labels.astype(np.min_scalar_type(len(card.facts.class_names))),
        "group": card.groups.astype(np.int32),
    }
    if card.texts is not None:
        columns["text"] = list(card.texts)
    if card.pictures is not None:
        columns["picture"] = list(card.pictures)
    return pa.table(columns)


def _distances_table(distances: NDArray[np.float32]) -> pa.Table:
    """Each pair of classes once."""
    first, second = np.triu_indices(len(distances), 1)
    return pa.table(
        {"first": first.astype(np.int16), "second": second.astype(np.int16), "distance": distances[first, second]}
    )


def _distances(folder: Path, facts: CardFacts) -> NDArray[np.float32]:
    table = _table(folder / _DISTANCES, facts.distances_sha256)
    classes = len(facts.class_names)
    # Before memory is taken for all pairs.
    if classes > _MOST_CLASSES or len(table) != classes * (classes - 1) // 2:
        raise ValueError(f"{_DISTANCES} has {len(table)} rows, which are not the pairs of {classes} classes")
    return _mirrored(floats(table, "distance"), classes)


def _mirrored(values: NDArray[np.floating], classes: int) -> NDArray[np.float32]:
    """(K, K) of the values above the diagonal, which is 0."""
    distances = np.zeros((classes, classes), dtype=np.float32)
    distances[np.triu_indices(classes, 1)] = values
    return distances + distances.T


def _thumbnails(folder: Path, facts: CardFacts) -> dict[str, bytes]:
    path = folder / _THUMBNAILS
    try:
        return from_thumbnails_file(_contents(path, facts.thumbnails_sha256))
    except ValueError as error:
        raise RecordError(f"{path} holds no thumbnails ({error}); {_CURE}") from error


def _table(path: Path, digest: str | None) -> pa.Table:
    contents = _contents(path, digest)
    try:
        return read_parquet(contents)
    except ValueError as error:
        raise RecordError(f"{path} cannot be read ({error}); {_CURE}") from error


def _contents(path: Path, digest: str | None) -> bytes:
    try:
        contents = read_limited(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}); {_CURE}") from error
    if hashlib.sha256(contents).hexdigest() != digest:
        raise RecordError(f"{path} is not the file that was written with the data card; {_CURE}")
    return contents
