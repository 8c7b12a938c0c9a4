"""Prepared data as files, so that a process elsewhere can train on them without making or copying features."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch
from torch import Tensor

from huse_bench.components import ClassGraph, Split
from huse_bench.config import RegimeConfig
from huse_bench.errors import DataError
from huse_bench.features._prepare import Prepared, SplitFeatures
from huse_bench.files import write_atomically
from huse_bench.taxonomy import Taxonomy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_prepared", "save_prepared"]

_FORMAT = 1
_FACTS = "prepared.json"


def save_prepared(prepared: Prepared, folder: Path) -> Path:
    """Write prepared data to a folder: arrays as ``.npy`` files, then all else as JSON.

    Args:
        prepared: the data, on the host.
        folder: is made; files of the same names are replaced.

    Returns:
        The folder.

    Raises:
        DataError: if a node of the taxonomy is nothing that Python can write as a literal.
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    edges, classes = prepared.taxonomy.edges, prepared.taxonomy.classes
    for node in {node for edge in edges for node in edge} | set(classes):
        _literal(node)
    for name, split in prepared.splits.items():
        arrays = {"image": split.image, "text": split.text, "labels": split.labels, "groups": split.groups}
        for part, values in arrays.items():
            np.save(folder / f"{name}.{part}.npy", np.asarray(values), allow_pickle=False)
    graph = prepared.classes
    np.save(folder / "classes.embeddings.npy", graph.embeddings.numpy(), allow_pickle=False)
    np.save(folder / "classes.distances.npy", graph.distances.numpy(), allow_pickle=False)
    facts = {
        "format": _FORMAT,
        "ids": {name: list(split.ids) for name, split in prepared.splits.items()},
        "class_names": list(prepared.class_names),
        "edges": [[repr(parent), repr(child)] for parent, child in edges],
        "classes": [repr(node) for node in classes],
        "content_hash": prepared.content_hash,
        "backbones": prepared.backbones,
        "name": prepared.name,
        "title": prepared.title,
        "notices": list(prepared.notices),
        "audit": prepared.audit,
        "parts": dict(prepared.parts),
        "regime": prepared.regime.model_dump(),
    }
    write_atomically(folder / _FACTS, json.dumps(facts).encode())
    return folder


def load_prepared(folder: Path) -> Prepared:
    """Read what :func:`save_prepared` wrote; features stay on disk until they are used.

    Args:
        folder: the folder.

    Returns:
        The data, on the host.

    Raises:
        DataError: if the folder does not hold it.
    """
    try:
        # Ours, and without a limit: it names all items.
        facts = json.loads((folder / _FACTS).read_bytes())
        if facts["format"] != _FORMAT:
            raise DataError(f"{folder} is of format {facts['format']!r}, and this huse-bench reads format {_FORMAT}")
        names: tuple[Split, ...] = get_args(Split)
        splits = {
            name: SplitFeatures(
                ids=facts["ids"][name],
                image=_mapped(folder / f"{name}.image.npy"),
                text=_mapped(folder / f"{name}.text.npy"),
                labels=_array(folder / f"{name}.labels.npy"),
                groups=_array(folder / f"{name}.groups.npy"),
            )
            for name in names
            if name in facts["ids"]
        }
        return Prepared(
            splits=splits,
            class_names=facts["class_names"],
            classes=ClassGraph.restored(
                torch.from_numpy(_array(folder / "classes.embeddings.npy")),
                torch.from_numpy(_array(folder / "classes.distances.npy")),
            ),
            taxonomy=Taxonomy.from_edges(
                [(ast.literal_eval(parent), ast.literal_eval(child)) for parent, child in facts["edges"]],
                [ast.literal_eval(node) for node in facts["classes"]],
            ),
            content_hash=facts["content_hash"],
            backbones=facts["backbones"],
            name=facts["name"],
            title=facts["title"],
            notices=tuple(facts["notices"]),
            audit=facts["audit"],
            parts=facts["parts"],
            regime=RegimeConfig(**facts["regime"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no prepared data that can be read ({error}); have it written again") from error


def _literal(node: object) -> None:
    try:
        same = ast.literal_eval(repr(node)) == node
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise DataError(f"the node {node!r} of the taxonomy cannot be written to a file: use strings or numbers")


def _array(path: Path) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, allow_pickle=False)
    return values


def _mapped(path: Path) -> Tensor:
    # Copy on write, for torch knows no read-only memory; nothing writes to it.
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
