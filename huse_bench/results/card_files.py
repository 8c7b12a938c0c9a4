"""The data card as files of a results folder, of which the facts vouch for the others by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from huse_bench.errors import RecordError
from huse_bench.faults import first_fault
from huse_bench.files import write_atomically
from huse_bench.results.arrays import parquet_bytes
from huse_bench.results.card import MOST_CLASSES, CardFacts, DataCard, mirrored
from huse_bench.results.columns import floats, integers, strings
from huse_bench.results.json_text import json_text
from huse_bench.results.thumbnails import from_thumbnails_file, thumbnails_file
from huse_bench.results.vouched import Vouched
from huse_bench.text_files import read_text

__all__ = ["CARD_FILES", "add_thumbnails", "read_card", "write_card"]

_FACTS = "data-card.json"
_ITEMS = "data-card.items.parquet"
_DISTANCES = "data-card.distances.parquet"
_THUMBNAILS = "data-card.thumbnails.parquet"

#: All files of a data card, of which not every card has every one.
CARD_FILES = (_FACTS, _ITEMS, _DISTANCES, _THUMBNAILS)


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
    table = _BESIDE.table(folder / _ITEMS, _hash(facts.items_sha256))
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


_BESIDE = Vouched("the data card", f"delete {_FACTS}, and the next run on these data writes it anew")
_CURE = f"restore it, or {_BESIDE.cure}"


def _hash(digest: str | None) -> str:
    """A file that the facts name no hash of is none of theirs."""
    return digest or ""


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
    table = _BESIDE.table(folder / _DISTANCES, _hash(facts.distances_sha256))
    classes = len(facts.class_names)
    # Before memory is taken for all pairs.
    if classes > MOST_CLASSES or len(table) != classes * (classes - 1) // 2:
        raise ValueError(f"{_DISTANCES} has {len(table)} rows, which are not the pairs of {classes} classes")
    return mirrored(floats(table, "distance"), classes)


def _thumbnails(folder: Path, facts: CardFacts) -> dict[str, bytes]:
    path = folder / _THUMBNAILS
    try:
        return from_thumbnails_file(_BESIDE.contents(path, _hash(facts.thumbnails_sha256)))
    except ValueError as error:
        raise RecordError(f"{path} holds no thumbnails ({error}); {_CURE}") from error
