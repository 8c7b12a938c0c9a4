"""What a bundle is, as an RO-Crate: the metadata that archives of research data read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from huse_bench.bundles.schema import BundleFacts
from huse_bench.errors import BundleError, MissingExtraError
from huse_bench.results import Results
from huse_bench.untrusted import json_value

__all__ = ["CRATE", "crate", "refuse_other_crate"]

#: Name of the metadata's file.
CRATE = "ro-crate-metadata.json"

# Ids of what is no file.
_ROOT = "./"
_RUNS = "#runs"
_PROGRAM = "https://pypi.org/project/huse-bench/"
_SUFFIXES = {
    ".json": ("application/json", "JSON"),
    ".jsonl": ("application/jsonl", "lines of JSON"),
    ".md": ("text/markdown", "Markdown"),
    ".cff": ("text/yaml", "Citation File Format"),
    ".html": ("text/html", "a page"),
    ".parquet": ("application/vnd.apache.parquet", "Parquet"),
    ".safetensors": ("application/octet-stream", "safetensors"),
}


def crate(facts: BundleFacts, results: Mapping[str, Results], sizes: Mapping[str, int]) -> bytes:
    """The metadata of a bundle by RO-Crate 1.1.

    Args:
        facts: what the bundle says of itself.
        results: its runs by results folder.
        sizes: bytes of its files by path, but for the metadata themselves.

    Returns:
        The contents of ``ro-crate-metadata.json``, which depend on nothing else.

    Raises:
        MissingExtraError: if the package rocrate is not installed.
    """
    try:
        from rocrate.model import ContextEntity, Dataset, File, Person, SoftwareApplication  # noqa: PLC0415
        from rocrate.rocrate import ROCrate  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("publishing", "publish", "rocrate") from error

    entities = {"Person": Person, "SoftwareApplication": SoftwareApplication, "CreateAction": ContextEntity}
    made = ROCrate(version="1.1")
    for place, properties in _graph(facts, results, sizes).items():
        kind = properties["@type"]
        if place == _ROOT:
            # What it has is named as it is added.
            for name, value in properties.items():
                if name not in ("@type", "hasPart"):
                    made.root_dataset[name] = value
        elif kind in entities:
            made.add(entities[kind](made, place, properties=properties))
        else:
            made.add((Dataset if kind == "Dataset" else File)(made, dest_path=place, properties=properties))
    return (json.dumps(made.metadata.generate(), indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def refuse_other_crate(
    contents: bytes, facts: BundleFacts, results: Mapping[str, Results], sizes: Mapping[str, int]
) -> None:
    """Raise BundleError where metadata do not say of a bundle what it is.

    What they say beyond that of one of its entities, as another version of rocrate may, is let be.

    Args:
        contents: of ``ro-crate-metadata.json``.
        facts: what the bundle says of itself.
        results: its runs by results folder.
        sizes: bytes of its files by path, but for the metadata themselves.
    """
    try:
        found = {entity["@id"]: entity for entity in json_value(contents)["@graph"]}
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{CRATE} is no list of entities in JSON-LD") from error
    expected = _graph(facts, results, sizes)
    if other := sorted(map(str, found.keys() ^ {*expected, CRATE})):
        raise BundleError(
            f"{CRATE} and the bundle are not of the same files and names: one of them alone has {other[0]!r}"
        )
    for place, properties in expected.items():
        for name, value in properties.items():
            there = found[place].get(name)
            if _plain(there) != _plain(value):
                raise BundleError(f"{CRATE} says of {place} {name} {_short(there)}, and the bundle {_short(value)}")


def _graph(facts: BundleFacts, results: Mapping[str, Results], sizes: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """All entities by their id, with what is said of each."""
    people = {f"#author-{number}": name for number, name in enumerate(facts.authors, start=1)}
    folders = [f"results/{name}/" for name in results]
    files = sorted(sizes)
    licences = sorted({licence for of in results.values() if (licence := _licence(of))})
    root = {
        "@type": "Dataset",
        "name": facts.title,
        "description": _described(results),
        "datePublished": facts.created.isoformat(),
        "license": "; ".join(licences) or "Not stated: ask the authors before you use more than the numbers.",
        "creator": _references(people),
        "mentions": _references([_RUNS]),
        "hasPart": _references([*folders, *files]),
    }
    program = {"@type": "SoftwareApplication", "name": "huse-bench", "url": _PROGRAM}
    runs = {
        "@type": "CreateAction",
        "name": "Training and evaluation",
        "endTime": facts.created.isoformat(),
        "instrument": {"@id": _PROGRAM},
        "agent": _references(people),
        "result": _references(folders),
    }
    return {
        _ROOT: root,
        **{place: {"@type": "Person", "name": name} for place, name in people.items()},
        _PROGRAM: program | {"version": facts.versions["huse-bench"]},
        **{
            f"results/{name}/": {
                "@type": "Dataset",
                "name": _title(of),
                "hasPart": _references(path for path in files if path.startswith(f"results/{name}/")),
            }
            for name, of in results.items()
        },
        **{path: _file(path, sizes[path]) for path in files},
        _RUNS: runs,
    }


def _file(path: str, size: int) -> dict[str, str]:
    kind, words = _SUFFIXES.get(path[path.rfind(".") :], ("application/octet-stream", "a file"))
    return {
        "@type": "File",
        "name": path.rpartition("/")[2],
        "description": words,
        "encodingFormat": kind,
        "contentSize": str(size),
    }


def _references(places: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": place} for place in places]


def _plain(value: Any) -> Any:
    """A value such that the same has one form: the order of references says nothing, and one or none needs no list."""
    if isinstance(value, dict):
        return [json.dumps(value, sort_keys=True)]
    if value is None:
        return []
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")


def _described(results: Mapping[str, Results]) -> str:
    said = "; ".join(
        f"{len(of.records)} runs of {len({record.method.name for record in of.records})} methods on {_title(of)}"
        for of in results.values()
    )
    return f"Records of huse-bench with the scores of each query: {said}."


def _title(results: Results) -> str:
    return results.records[0].dataset.title


def _licence(results: Results) -> str:
    from huse_bench.results import Store  # noqa: PLC0415

    card = None if results.folder is None else Store(results.folder).card()
    return "" if card is None or not card.facts.licence else f"{_title(results)}: {card.facts.licence}"
