"""Whether what a bundle says agrees with itself: nothing is trained for that, and nothing of it is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from huse_bench.bundles.crate import CRATE, refuse_other_crate
from huse_bench.bundles.documents import REPORT, documents, versions
from huse_bench.bundles.private import private_text, refuse_private_columns
from huse_bench.bundles.reading import Bundle
from huse_bench.bundles.recount import recounted
from huse_bench.errors import BundleError, HuseBenchError, MissingExtraError
from huse_bench.results import Results, RunRecord, Store
from huse_bench.results.protocols import unknown_protocol
from huse_bench.runs.privacy import Privacy
from huse_bench.text_files import read_text
from huse_bench.untrusted import MOST_TEXT, json_value
from huse_bench.version import installed_version

__all__ = ["Check", "check_bundle"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of it.
        passed: the verdict; None where it could not be looked at.
        detail: what was seen, or what is wrong.
    """

    name: str
    passed: bool | None
    detail: str


def check_bundle(bundle: Bundle) -> list[Check]:
    """Look at all that a bundle says.

    Args:
        bundle: whose files are those that it names, see :func:`huse_bench.bundles.read_bundle`.

    Returns:
        The checks in the order that they were made; those that need what failed are left out.
    """
    checks = [Check("files", True, f"{len(bundle.facts.files)} files with their sha256, none missing, none extra")]
    loaded: dict[str, Results] = {}

    def made(name: str, look: Callable[[], str]) -> bool:
        try:
            checks.append(Check(name, True, look()))
        except HuseBenchError as error:
            checks.append(Check(name, False, str(error)))
        return checks[-1].passed is True

    def records() -> str:
        loaded.update({name: bundle.results(name) for name in bundle.facts.results})
        _refuse_other_names(bundle, loaded)
        return f"{_count(loaded)} records of the schema, each with its own files"

    if not made("records", records):
        return checks
    made("data card", lambda: _cards(loaded))
    made("protocols", lambda: _protocols(loaded))
    made("fingerprints", lambda: _fingerprints(loaded))
    made("private", lambda: _private(bundle))
    if not made(CRATE, lambda: _crate(bundle, loaded)) and _is_of_another_version(bundle):
        checks[-1] = replace(checks[-1], passed=None)
    recounts: dict[str, Results] = {}

    def scores() -> str:
        recounts.update({name: recounted(of) for name, of in loaded.items()})
        kept = [r.stem for of in loaded.values() for r in of.records if r.kind == "control" and r.per_query is None]
        more = f"; {', '.join(kept)}: computed and not ranked" if kept else ""
        return f"all numbers are the means of their scores, which fit each other and the nearest neighbours{more}"

    if made("scores", scores):
        checks += _documents(bundle, recounts)
    return checks


def _count(loaded: Mapping[str, Results]) -> int:
    return sum(len(results.records) for results in loaded.values())


def _refuse_other_names(bundle: Bundle, loaded: Mapping[str, Results]) -> None:
    """Raise BundleError where there are runs that no record is of, or a folder that the bundle does not name."""
    for path in bundle.facts.files:
        top, *inside = path.split("/")
        if top == "results" and inside[0] not in loaded:
            raise BundleError(f"{path} is in no results folder that bundle.json names")
        if top == "results" and len(inside) == 3 and inside[1] == "runs":
            stems = {record.stem for record in loaded[inside[0]].records}
            if not any(inside[2].startswith(f"{stem}.") for stem in stems):
                raise BundleError(f"{path} belongs to no record")


def _cards(loaded: Mapping[str, Results]) -> str:
    said = []
    for name, results in loaded.items():
        assert results.folder is not None
        store = Store(results.folder)
        card = store.card()
        if card is None:
            said.append(f"results/{name} has none")
            continue
        record = next((one for one in results.records if one.predictions is not None), results.records[0])
        if card.facts.dataset.identity != record.dataset.identity:
            raise BundleError(f"results/{name}: the data card is of other data than the runs")
        items = store.predictions(record) or {}
        for field, values in (("label", card.labels), ("group", card.groups)):
            if field in items and not np.array_equal(items[field], values):
                raise BundleError(f"results/{name}: the data card says another {field} of the test items than the runs")
        said.append(f"results/{name} has that of its runs")
    return "; ".join(said)


def _protocols(loaded: Mapping[str, Results]) -> str:
    ids = set()
    for results in loaded.values():
        for record in results.records:
            if (unknown := unknown_protocol(record.counting)) is not None:
                raise BundleError(
                    f"{record.stem} was counted by a protocol that this huse-bench does not know: {unknown}; verify "
                    f"it with the version that wrote it"
                )
        ids.add(str(results.records[0].counting.get("recall")).rpartition("/")[2])
    return f"known, {' and '.join(sorted(ids))}"


def _fingerprints(loaded: Mapping[str, Results]) -> str:
    rows: dict[tuple[str, str], tuple[RunRecord, dict[str, JsonValue]]] = {}
    seeds: dict[tuple[str, str, str, int], RunRecord] = {}
    for name, results in loaded.items():
        for record in results.records:
            key = (record.method.name, record.configuration)
            shared = _shared(record)
            first, other = rows.setdefault(key, (record, shared))
            for field, value in shared.items():
                if other[field] != value:
                    raise BundleError(
                        f"{first.stem} and {record.stem} have one configuration, and {field} differs: "
                        f"{_short(other[field])} and {_short(value)}"
                    )
            twin = seeds.setdefault((name, *key, record.seed), record)
            if twin is not record:
                raise BundleError(f"{twin.stem} and {record.stem} are of one configuration and one seed")
            if record.kind != "control" and record.fingerprint == record.configuration:
                raise BundleError(f"the fingerprint of {record.stem} is that of its configuration, without the seed")
    return f"{len(rows)} configurations, each the same in all its seeds"


def _shared(record: RunRecord) -> dict[str, JsonValue]:
    """What a configuration stands for."""
    method = record.method
    return {
        "method.parameters": method.parameters,
        "method.source_hash": method.source_hash,
        "method.distribution": method.distribution,
        "dataset.content_hash": record.dataset.content_hash,
        "dataset.taxonomy_hash": record.dataset.taxonomy_hash,
        "config": {name: setting.value for name, setting in record.config.items()},
        "protocol": record.counting,
        **({} if record.device is None or record.status != "finished" else {"device.kind": record.device.kind}),
    }


def _short(value: JsonValue) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _private(bundle: Bundle) -> str:
    privacy = Privacy()
    for name in bundle.facts.files:
        path = bundle.folder / name
        if path.suffix == ".parquet":
            refuse_private_columns(path, name, privacy)
        elif path.suffix in (".json", ".jsonl") and name != CRATE:
            for value in _values(path, name):
                if (text := private_text(value, privacy)) is not None:
                    raise BundleError(f"{name} says {text!r}, which tells of a machine")
    return "no path of a machine in records, cards and tables"


def _values(path: Path, name: str) -> Iterable[JsonValue]:
    try:
        text = read_text(path)
        return [json_value(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]
    except (OSError, ValueError) as error:
        raise BundleError(f"{name} is no readable JSON ({error})") from error


def _crate(bundle: Bundle, loaded: Mapping[str, Results]) -> str:
    if CRATE not in bundle.facts.files:
        raise BundleError(f"{CRATE} is missing")
    sizes = {name: (bundle.folder / name).stat().st_size for name in bundle.facts.files if name != CRATE}
    refuse_other_crate((bundle.folder / CRATE).read_bytes(), bundle.facts, loaded, sizes)
    return "names the files with their sizes, the folders, the title, the authors and the date as the bundle does"


def _is_of_another_version(bundle: Bundle) -> bool:
    """Whether another huse-bench wrote it, which may say the same in other words."""
    return bundle.facts.versions.get("huse-bench") != installed_version()


def _documents(bundle: Bundle, recounts: Mapping[str, Results]) -> list[Check]:
    """Whether the pages of a bundle are those of its runs."""
    checks = []
    report = REPORT in bundle.facts.files
    try:
        here = versions(report=report)
        made = documents(bundle.facts, recounts, report=report)
    except (MissingExtraError, metadata.PackageNotFoundError) as error:
        checks.append(Check(REPORT, None, str(error)))
        here = versions(report=False)
        made = documents(bundle.facts, recounts, report=False)
    for name, contents in made.items():
        drawn = here if name == REPORT else {"huse-bench": here["huse-bench"]}
        written = {name: bundle.facts.versions.get(name) for name in drawn}
        what = f"tables in {name}" if name == "README.md" else name
        path = bundle.folder / name
        if name not in bundle.facts.files:
            checks.append(Check(what, False, f"{name} is missing"))
        elif path.stat().st_size > len(contents) + MOST_TEXT:
            checks.append(Check(what, False, "it is much longer than what the scores give"))
        elif path.read_bytes() == contents:
            checks.append(Check(what, True, "made again from the scores, byte for byte the same"))
        elif written != drawn:
            said = f"written by {_listed(written)}, here is {_listed(drawn)}: verify it with those versions"
            checks.append(Check(what, None, said))
        else:
            checks.append(Check(what, False, _first_difference(path.read_bytes(), contents)))
    known = {"README.md", "CITATION.cff", "configuration.json", "environment.json", CRATE, REPORT}
    others = [name for name in bundle.facts.files if "/" not in name and name not in known]
    return checks + [Check(name, None, "this version makes no such file, so it was not looked at") for name in others]


def _listed(versions: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {version or 'unknown'}" for name, version in versions.items())


def _first_difference(found: bytes, expected: bytes) -> str:
    pairs = zip(found.splitlines(), expected.splitlines(), strict=False)
    for number, (there, here) in enumerate(pairs, start=1):
        if there != here:
            return f"line {number} is not what the scores give: {_cut(there)}, and they give {_cut(here)}"
    return "it is not as long as what the scores give"


def _cut(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return ascii(text if len(text) <= 100 else f"{text[:97]}...")
