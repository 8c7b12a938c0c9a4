"""Bundles of several people or machines joined into one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from huse_bench.bundles.publishing import refuse_existing, write_bundle
from huse_bench.bundles.reading import Bundle
from huse_bench.bundles.schema import BundleFacts, Source
from huse_bench.errors import BundleError, ResultsError, UsageError
from huse_bench.results import Results, RunRecord
from huse_bench.results.arrays import ENDINGS
from huse_bench.results.folder import MARKER
from huse_bench.results.json_text import json_text
from huse_bench.results.schema import Json

__all__ = ["merge"]

_NOTES = "tuning.json"

# What of one run may differ between machines, or with the clock, and is no number of the tables.
_OF_THE_MACHINE = {"created", "device", "learning", "provenance", "training", "validation", "warnings", "audit"}

# What a docstring says is no part of a run's identity, and may be said better; and the same data may be asked for in
# several ways.
_WORDS = {"method": {"summary", "source"}, "dataset": {"asked"}}


def merge(bundles: Sequence[Bundle], output: Path, title: str | None = None) -> BundleFacts:
    """Join bundles: results folders of one name become one.

    Args:
        bundles: two at least.
        output: a folder that is not there yet, or a .zip file.
        title: one line; by default the datasets' titles.

    Returns:
        What the joined bundle says of itself. It has to be verified anew.

    Raises:
        BundleError: for what cannot be compared, naming the field that differs, and for a run that two bundles
            tell differently.
        UsageError: if there are fewer than two bundles, or the output is there already.
    """
    refuse_existing(output)
    if len(bundles) < 2:
        raise UsageError("there is nothing to join: name two bundles at least")
    files: dict[str, bytes] = {}
    names: dict[str, list[tuple[Bundle, Results]]] = {}
    for bundle in bundles:
        for name in bundle.facts.results:
            names.setdefault(name, []).append((bundle, bundle.results(name)))
    kept: dict[str, dict[str, list[str]]] = {bundle.hash: {} for bundle in bundles}
    for name, parts in names.items():
        _refuse_mixture(name, parts)
        for bundle, record in _joined(name, parts):
            kept[bundle.hash].setdefault(name, []).append(record.stem)
            files |= _files_of_run(bundle, name, record)
        files |= _shared(name, [bundle for bundle, _ in parts])
    sources: list[Source] = []
    for bundle in bundles:
        sources += _sources(bundle, kept[bundle.hash])
    authors = tuple(dict.fromkeys(author for bundle in bundles for author in bundle.facts.authors))
    return write_bundle(output, files, tuple(names), title, authors, tuple(sources))


def _refuse_mixture(name: str, parts: Sequence[tuple[Bundle, Results]]) -> None:
    first, results = parts[0]
    for bundle, others in parts[1:]:
        try:
            Results([results.records[0], *others.records])
        except ResultsError as error:
            raise BundleError(
                f"results/{name} of {first.path} and {bundle.path} cannot be joined: "
                f"{str(error).partition('; keep them')[0]}; publish them under other folder names to keep them beside "
                f"each other"
            ) from error


def _joined(name: str, parts: Sequence[tuple[Bundle, Results]]) -> list[tuple[Bundle, RunRecord]]:
    """Each run once, with the bundle that gave it first; raises BundleError where two tell it differently."""
    known: dict[str, tuple[Bundle, RunRecord]] = {}
    for bundle, results in parts:
        for record in results.records:
            first, twin = known.setdefault(record.fingerprint, (bundle, record))
            if twin is record:
                continue
            there, here = (one.model_dump(mode="json", exclude=_WORDS) for one in (twin, record))
            for field in there:
                if field not in _OF_THE_MACHINE and there[field] != here[field]:
                    raise BundleError(
                        f"results/{name}: {first.path} and {bundle.path} both have the run {record.stem}, and {field} "
                        f"differs; leave one of them out, or verify --rerun both to see which can be had again"
                    )
    return list(known.values())


def _files_of_run(bundle: Bundle, name: str, record: RunRecord) -> dict[str, bytes]:
    """A run's files, with the events, model and embeddings that the bundle has of it."""
    folder = f"results/{name}"
    paths = [f"{folder}/runs/{record.stem}{ending}" for ending in (".json", *ENDINGS.values(), ".events.jsonl")]
    paths += [f"{folder}/{kind}/{record.stem}.safetensors" for kind in ("embeddings", "models")]
    return {path: _read(bundle, path) for path in paths if path in bundle.facts.files}


def _shared(name: str, bundles: Sequence[Bundle]) -> dict[str, bytes]:
    """What a results folder says beside its runs: the first card that there is, and the notes of all."""
    folder = f"results/{name}"
    files = {f"{folder}/{MARKER}": _read(bundles[0], f"{folder}/{MARKER}")}
    card = f"{folder}/data-card."
    giver = next((bundle for bundle in bundles if f"{card}json" in bundle.facts.files), None)
    if giver is not None:
        files |= {path: _read(giver, path) for path in giver.facts.files if path.startswith(card)}
    notes: dict[str, Json] = {}
    for bundle in bundles:
        if (path := f"{folder}/{_NOTES}") in bundle.facts.files:
            for configuration, tuning in json.loads(_read(bundle, path))["configurations"].items():
                if notes.setdefault(configuration, tuning) != tuning:
                    raise BundleError(
                        f"{path} of {bundle.path} says of the configuration {configuration[:12]} that its tuning cost "
                        f"something else than another bundle does; leave one of them out"
                    )
    if notes:
        text = json_text({"format": 1, "configurations": dict(sorted(notes.items()))})
        files[f"{folder}/{_NOTES}"] = f"{text}\n".encode()
    return files


def _sources(bundle: Bundle, runs: dict[str, list[str]]) -> list[Source]:
    """Who gave the runs: of a bundle that was joined itself, those whom it names."""
    given = {name: set(stems) for name, stems in runs.items()}
    if not bundle.facts.sources:
        facts = bundle.facts
        return [
            Source(
                title=facts.title,
                authors=facts.authors,
                created=facts.created,
                bundle=bundle.hash,
                runs={name: tuple(stems) for name, stems in runs.items()},
            )
        ]
    return [
        source.model_copy(
            update={
                "runs": {
                    name: found
                    for name, stems in source.runs.items()
                    if (found := tuple(stem for stem in stems if stem in given.get(name, ())))
                }
            }
        )
        for source in bundle.facts.sources
    ]


def _read(bundle: Bundle, path: str) -> bytes:
    try:
        return (bundle.folder / path).read_bytes()
    except OSError as error:
        raise BundleError(f"{bundle.path}: {path} cannot be read ({error.strerror or error})") from error
