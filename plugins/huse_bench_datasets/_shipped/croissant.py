"""The data card of a shipped dataset in Croissant 1.1: JSON-LD that says what its files are and what they hold.

``python -m huse_bench_datasets._shipped.croissant NAME ...`` writes it anew, where the files of a dataset have changed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import safetensors

from huse_bench import __version__, load
from huse_bench_datasets._shipped.dataset import ShippedDataset
from huse_bench_datasets._shipped.files import FEATURES

__all__ = ["CARD", "card"]

#: The file of the card, beside those that it is about.
CARD = "croissant.json"

_FACTS = "items.json"

# What a reader of Croissant expects the short names below to stand for (appendix 1 of its specification).
_CROISSANT = (
    "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileObject "
    "fileProperty fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet "
    "references regex readLines repeated replace samplingRate sdVersion separator source subField transform "
    "unArchive value"
)
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "wd": "http://www.wikidata.org/entity/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _CROISSANT.split()},
}

# Of what the records of a dataset have, what it means and its type; Wikidata's Q3985153 is the split of a dataset.
_FIELDS: Mapping[str, tuple[str, str | Sequence[str]]] = {
    "id": ("Unique name of the item", "sc:Text"),
    "hexcode": ("Code points of the emoji; all drawings of it are a group, which no split divides", "sc:Text"),
    "name": ("What it is called", "sc:Text"),
    "class": ("Index of its class", ["sc:Integer", "cr:Label"]),
    "split": ("train, validation or test", ["sc:Text", "cr:Split"]),
    "group": ("Name of the items that no split divides; they are no independent witnesses", "sc:Text"),
    "text": ("What the item's text features are of", "sc:Text"),
    "sets": ("Whose drawings of it are items, SET/HEXCODE, in the order of the rows of the features", "sc:Text"),
}


def card(dataset: type[ShippedDataset]) -> dict[str, Any]:
    """The card of a shipped dataset, made of its files and of what its class says.

    Where it lies on the web and since when is not in it, as long as it is not published.

    Args:
        dataset: the class.

    Returns:
        JSON-LD.

    Raises:
        DataError: if a shipped file is missing or corrupt.
    """
    items = dataset().load()
    folder = dataset.folder / "data"
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    splits = Counter(items.splits.tolist())
    counts = ", ".join(f"{splits[split]:,} {split}" for split in ("train", "validation", "test"))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"huse-bench-{dataset.name}",
        "description": (
            f"{dataset.description}. {len(items.ids):,} items ({counts}) in {len(items.class_names)} classes and "
            f"{len(set(items.groups or items.ids)):,} groups."
        ),
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "version": __version__,
        "creator": {"@type": "sc:Organization", "name": "The huse-bench authors"},
        "license": {"@type": "sc:CreativeWork", "name": "LICENSES.md", "description": dataset.licence},
        "inLanguage": "en",
        "isBasedOn": [
            {"@type": "sc:CreativeWork", "name": name, "version": version} for name, version in facts["sources"].items()
        ],
        "distribution": [
            _file(folder / _FACTS, "application/json", "Items, classes, backbones and versions of the sources"),
            _file(folder / FEATURES, "application/octet-stream", f"Features, in safetensors: {_tensors(folder)}"),
            _file(
                folder / "thumbnails.safetensors",
                "application/octet-stream",
                f"Pictures of the {splits['test']:,} test items, WebP of 40 x 40 pixels, in safetensors: one after the "
                "other, and where each ends",
            ),
        ],
        "recordSet": [_classes(facts["classes"]), *_records(facts)],
    }


def _file(path: Path, encoding: str, description: str) -> dict[str, str]:
    content = path.read_bytes()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": description,
        "contentUrl": path.name,
        "contentSize": f"{len(content)} B",
        "encodingFormat": encoding,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _tensors(folder: Path) -> str:
    with safetensors.safe_open(folder / FEATURES, framework="numpy") as file:
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        return ", ".join(f"{name} {one.get_dtype()} {tuple(one.get_shape())}" for name, one in slices.items())


def _classes(names: Sequence[str]) -> dict[str, Any]:
    """The classes, which are a bare list in the file, so that an index is nowhere in it."""
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The classes; a taxonomy of them is in the package, as outline.txt",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/label"},
        "field": [
            {"@type": "cr:Field", "@id": "classes/label", "name": "label", "dataType": "sc:Integer"},
            {"@type": "cr:Field", "@id": "classes/name", "name": "name", "dataType": ["sc:Text", "sc:name"]},
        ],
        "data": [{"classes/label": label, "classes/name": name} for label, name in enumerate(names)],
    }


def _records(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of the file's table; what not all of them have cannot be told from a path and is left out."""
    for table, records in facts.items():
        if not (isinstance(records, list) and isinstance(records[0], dict)):
            continue
        shared = [key for key in records[0] if all(key in record for record in records)]
        yield {
            "@type": "cr:RecordSet",
            "@id": table,
            "name": table,
            "description": f"{len(records):,} records",
            "key": {"@id": f"{table}/{shared[0]}"},
            "field": [_field(table, key, repeated=isinstance(records[0][key], list)) for key in shared],
        }


def _field(table: str, key: str, *, repeated: bool) -> dict[str, Any]:
    description, kind = _FIELDS[key]
    return {
        "@type": "cr:Field",
        "@id": f"{table}/{key}",
        "name": key,
        "description": description,
        "dataType": kind,
        "source": {"fileObject": {"@id": _FACTS}, "extract": {"jsonPath": f"$.{table}[*].{key}"}},
        **({"isArray": True, "arrayShape": "-1"} if repeated else {}),
        **({"references": {"field": {"@id": "classes/label"}}} if key == "class" else {}),
    }


@click.command()
@click.argument("names", nargs=-1, required=True)
def main(names: Sequence[str]) -> None:
    """Write the cards of shipped datasets anew."""
    for name in names:
        dataset = load("dataset", name)
        if not issubclass(dataset, ShippedDataset):
            raise click.ClickException(f"{name!r} does not come with huse-bench, so it has no card here")
        path = dataset.folder / "data" / CARD
        path.write_text(json.dumps(card(dataset), ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
        click.echo(path, err=True)


if __name__ == "__main__":
    main()
