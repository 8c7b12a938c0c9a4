"""What a bundle is, as an RO-Crate: the metadata that archives of research data read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from huse_bench.bundles.schema import BundleFacts
from huse_bench.errors import MissingExtraError
from huse_bench.results import Results

__all__ = ["CRATE", "crate"]

#: Name of the metadata's file.
CRATE = "ro-crate-metadata.json"

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


def crate(facts: BundleFacts, results: Mapping[str, Results], files: Mapping[str, bytes]) -> bytes:
    """The metadata of a bundle by RO-Crate 1.1.

    Args:
        facts: what the bundle says of itself.
        results: its runs by results folder.
        files: contents of its files by path, but for the metadata themselves.

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

    made = ROCrate(version="1.1")
    made.name = facts.title
    made.description = _described(results)
    made.datePublished = facts.created
    licences = sorted({licence for of in results.values() if (licence := _licence(of))})
    made.license = "; ".join(licences) or "Not stated: ask the authors before you use more than the numbers."
    people = [
        made.add(Person(made, f"#author-{number}", properties={"name": name}))
        for number, name in enumerate(facts.authors, start=1)
    ]
    made.creator = people
    program = made.add(
        SoftwareApplication(
            made,
            _PROGRAM,
            properties={"name": "huse-bench", "version": facts.versions["huse-bench"], "url": _PROGRAM},
        )
    )
    folders = {
        name: made.add(Dataset(made, dest_path=f"results/{name}/", properties={"name": _title(of)}))
        for name, of in results.items()
    }
    parts: dict[str, list[Any]] = {name: [] for name in folders}
    for path, contents in sorted(files.items()):
        kind, words = _SUFFIXES.get(path[path.rfind(".") :], ("application/octet-stream", "a file"))
        properties = {
            "name": path.rpartition("/")[2],
            "description": words,
            "encodingFormat": kind,
            "contentSize": str(len(contents)),
        }
        entry = made.add(File(made, dest_path=path, properties=properties))
        if path.startswith("results/"):
            parts[path.split("/")[1]].append(entry)
    for name, folder in folders.items():
        folder["hasPart"] = parts[name]
    made.add(
        ContextEntity(
            made,
            "#runs",
            properties={
                "@type": "CreateAction",
                "name": "Training and evaluation",
                "endTime": facts.created.isoformat(),
                "instrument": {"@id": program.id},
                "agent": [{"@id": person.id} for person in people],
                "result": [{"@id": folder.id} for folder in folders.values()],
            },
        )
    )
    made.root_dataset["mentions"] = [{"@id": "#runs"}]
    return (json.dumps(made.metadata.generate(), indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


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
