"""Plugins that are single files of a folder: what they define is read from their source, without importing them."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from huse_bench.discovery._component import FILES, Component, Kind, canonical, describe
from huse_bench.discovery.hookspecs import hookimpl
from huse_bench.errors import PluginError, UsageError

__all__ = ["PLUGINS_DIR", "FileListing", "file_listings"]

#: The environment variable that names the folder.
PLUGINS_DIR = "HUSE_BENCH_PLUGINS_DIR"

_BASES: Mapping[str, Kind] = {
    "Loss": "loss",
    "ImageBackbone": "backbone",
    "TextBackbone": "backbone",
    "Dataset": "dataset",
}


class FileListing:
    """The components that one file defines, as a plugin like any other's.

    Args:
        record: the file, as a record.
        classes: its components' classes with their kinds.
    """

    def __init__(self, record: Component, classes: Sequence[tuple[Kind, str]]) -> None:
        self.record = record
        self._classes = classes

    @hookimpl
    def huse_bench_register_components(self, register: Callable[[str, str, str], None]) -> None:
        """Register the file's one component by the file's name, or several by their classes'."""
        for kind, cls in self._classes:
            name = self.record.name if len(self._classes) == 1 else _hyphenated(cls)
            register(kind, name, f"{self.record.target}:{cls}")


def file_listings(known: Mapping[str, Kind]) -> tuple[list[FileListing], list[Component]]:
    """Read the files of the folder that ``HUSE_BENCH_PLUGINS_DIR`` names.

    Args:
        known: kind by class name of the components of installed distributions, which a file may derive from.

    Returns:
        A listing for each file that defines components, and a record, marked as broken, for each that cannot be read.
        A file whose name begins with an underscore is left to the others to import.

    Raises:
        UsageError: if there is no such folder.
    """
    folder = os.environ.get(PLUGINS_DIR)
    if not folder:
        return [], []
    if not Path(folder).is_dir():
        raise UsageError(f"the plugins folder {folder!r} (--plugins-dir or {PLUGINS_DIR}) is no folder")
    listings, broken = [], []
    for path in sorted(Path(folder).glob("[!_.]*.py")):
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        target = f"{FILES}.{path.stem}"
        record = Component("hooks", canonical(path.stem), target, canonical(path.name), version)
        try:
            classes = list(_component_classes(path, known))
        except PluginError as error:
            broken.append(Component(**{**vars(record), "status": "broken", "error": str(error)}))
            continue
        listings.append(FileListing(record, classes))
    return listings, broken


def _component_classes(path: Path, known: Mapping[str, Kind]) -> Iterator[tuple[Kind, str]]:
    if not path.stem.isidentifier():
        raise PluginError(
            f"{path} cannot be imported by that name: call it {re.sub(r'[^0-9A-Za-z]+', '_', path.stem)}.py"
        )
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"{path} cannot be read as Python: {describe(error)}. Mend it, or take it out") from error
    kinds = {**known, **_BASES}
    found = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        kind = next((kinds[name] for base in node.bases if (name := _last_name(base)) in kinds), None)
        if kind is not None:
            kinds[node.name] = kind
            if not node.name.startswith("_"):
                found.append((kind, node.name))
    if not found:
        raise PluginError(
            f"{path} defines no loss, backbone or dataset: derive a class from huse_bench.Loss, ImageBackbone, "
            "TextBackbone or Dataset, or begin the file's name with an underscore if others import it"
        )
    yield from found


def _last_name(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""


def _hyphenated(cls: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls).lower()
