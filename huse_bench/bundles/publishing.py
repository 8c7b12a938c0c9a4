"""Results folders as a bundle that others can check and cite."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huse_bench.bundles.archive import zip_bytes
from huse_bench.bundles.crate import CRATE, crate
from huse_bench.bundles.documents import documents, has_summary, versions
from huse_bench.bundles.private import private_text, public_json, refuse_private_columns
from huse_bench.bundles.reading import FACTS
from huse_bench.bundles.recount import recounted
from huse_bench.bundles.schema import BUNDLE_FORMAT, BundleFacts, Source
from huse_bench.errors import BundleError, ResultsError, UsageError
from huse_bench.files import is_incidental, safe_name, write_atomically
from huse_bench.report.html.document import refuse_without_jinja
from huse_bench.results import Results, RunRecord, load_results
from huse_bench.results.arrays import ENDINGS
from huse_bench.results.card_files import CARD_FILES
from huse_bench.results.folder import MARKER
from huse_bench.results.json_text import json_text
from huse_bench.results.status import folder_status
from huse_bench.runs.privacy import Privacy

__all__ = ["publish", "write_bundle"]

# What a results folder says beside its runs.
_SHARED = (MARKER, *CARD_FILES, "tuning.json")


def publish(
    folders: Sequence[Path],
    output: Path,
    *,
    title: str | None = None,
    authors: Sequence[str] = (),
    events: bool = False,
    embeddings: bool = False,
    models: bool = False,
    report: bool = False,
) -> BundleFacts:
    """Write results folders as a bundle.

    Args:
        folders: results folders; each is named in the bundle as here.
        output: a folder that is not there yet, or a file whose name ends with ``.zip``.
        title: one line; by default the datasets' titles.
        authors: names of those who made the runs.
        events: with the logs of what happened during the runs.
        embeddings: with the embeddings that were saved.
        models: with the models that were saved.
        report: with the page of a report.

    Returns:
        What the bundle says of itself. The same runs, title and authors give the same bytes.

    Raises:
        ResultsError: for a folder that is none of results, is half-written or has problems, before anything is
            written.
        BundleError: where numbers and scores disagree, or something private would be published.
        UsageError: where the output is there already, or two folders have one name.
        MissingExtraError: for a report without what draws it.
    """
    if report:
        refuse_without_jinja()
    refuse_existing(output)
    named: dict[str, Path] = {}
    for folder in folders:
        name = safe_name(folder.absolute().name)
        if name.casefold() in (other.casefold() for other in named):
            raise UsageError(f"two results folders are named {name}: {named.get(name, name)} and {folder}; rename one")
        named[name] = folder
    privacy = Privacy()
    for what, text in [("the title", title or ""), *(("an author's name", author) for author in authors)]:
        if privacy.without_paths(text) != text:
            raise UsageError(f"{what} holds a path of this machine: {text!r}; say it without")
    loaded = {name: _whole(folder) for name, folder in named.items()}
    files: dict[str, bytes] = {}
    for name, results in loaded.items():
        for path in _published(named[name], results.records, events=events, embeddings=embeddings, models=models):
            place = f"results/{name}/{path.relative_to(named[name]).as_posix()}"
            files[place] = _contents(path, place, privacy)
    return write_bundle(output, files, tuple(named), title, tuple(authors), report=report)


def write_bundle(
    output: Path,
    files: Mapping[str, bytes],
    names: tuple[str, ...],
    title: str | None,
    authors: tuple[str, ...],
    sources: tuple[Source, ...] = (),
    *,
    report: bool = False,
) -> BundleFacts:
    """Write a bundle of the files of its results folders, with all that is made of them.

    Args:
        output: a folder that is not there yet, or a .zip file.
        files: contents by path.
        names: of the results folders.
        title: one line; by default the datasets' titles.
        authors: names.
        sources: the bundles that it is joined of.
        report: with the page of a report.

    Returns:
        What the bundle says of itself.

    Raises:
        BundleError: where numbers and scores disagree.
        UsageError: if the disk refuses.
    """
    refuse_existing(output)
    archive = output.suffix == ".zip"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that it gets there by its name alone, whole.
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=output.parent) as made:
            folder = Path(made) / "bundle"
            _write(folder, files)
            results = {name: recounted(load_results(folder / "results" / name)) for name in names}
            facts = BundleFacts(
                format=BUNDLE_FORMAT,
                title=title or ", ".join(dict.fromkeys(of.records[0].dataset.title for of in results.values())),
                authors=authors,
                created=max(record.created for of in results.values() for record in of.records),
                results=names,
                versions=versions(report=report),
                summary=has_summary(results.values()),
                sources=sources,
                files=_hashes(files),
            )
            whole = {**files, **documents(facts, results, report=report)}
            whole[CRATE] = crate(facts, results, {name: len(contents) for name, contents in whole.items()})
            facts = facts.model_copy(update={"files": _hashes(whole)})
            whole[FACTS] = (json_text(facts.model_dump(mode="json")) + "\n").encode()
            if archive:
                write_atomically(output, zip_bytes(whole))
            else:
                _write(folder, {name: whole[name] for name in whole if name not in files})
                shutil.move(folder, output)
    except OSError as error:
        raise UsageError(f"cannot write the bundle {output} ({error.strerror or error}); make room there") from error
    return facts


def refuse_existing(output: Path) -> None:
    """Raise UsageError where a bundle would be written over something."""
    if output.exists():
        raise UsageError(f"{output} is there already; delete it, or choose another -o")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(contents).hexdigest() for name, contents in sorted(files.items())}


def _whole(folder: Path) -> Results:
    """The results of a folder; raises ResultsError where a record has problems or a run was not written to its end."""
    results = load_results(folder)
    if results.problems:
        raise ResultsError(
            f"the results folder {folder} has problems, and would be published without these runs:\n  "
            + "\n  ".join(results.problems)
        )
    named = {f"{record.stem}{ending}" for record in results.records for ending in (".json", *ENDINGS.values())}
    named |= {f"{record.stem}.events.jsonl" for record in results.records}
    for path in sorted((folder / "runs").iterdir()):
        if path.name not in named and not is_incidental(path):
            raise _unrecorded(folder, path, {record.stem for record in results.records})
    return results


def _unrecorded(folder: Path, path: Path, read: Container[str]) -> ResultsError:
    """What to raise for a file that belongs to none of the records that were read."""
    runs = [run for run in folder_status(folder).runs if path.name.startswith(f"{run.name}.") and run.name not in read]
    # One that has ended by now had not yet when the records were read.
    if any(run.state != "stopped" for run in runs):
        return ResultsError(
            f"a command is at the run of {path}; publish when it has ended, which huse-bench status {folder} tells"
        )
    return ResultsError(
        f"{path} belongs to no record: the run was not written to its end, or its record was deleted; run it again, or "
        f"delete the file"
    )


def _published(
    folder: Path, records: Iterable[RunRecord], *, events: bool, embeddings: bool, models: bool
) -> list[Path]:
    paths = [folder / name for name in _SHARED if (folder / name).is_file()]
    for record in records:
        runs = folder / "runs"
        paths.append(runs / f"{record.stem}.json")
        paths += [runs / name for part in ENDINGS if (name := getattr(record, part)) is not None]
        optional = {
            runs / f"{record.stem}.events.jsonl": events,
            folder / "embeddings" / f"{record.stem}.safetensors": embeddings,
            folder / "models" / f"{record.stem}.safetensors": models,
        }
        paths += [path for path, asked in optional.items() if asked and path.is_file()]
    return paths


def _without_process(event: Any) -> Any:
    """An event without the machine and the process that was at the run, which may be another one than this."""
    if not isinstance(event, dict):
        return event
    return {name: value for name, value in event.items() if name not in ("host", "process")}


def _contents(path: Path, place: str, privacy: Privacy) -> bytes:
    """What is published of a file."""
    try:
        contents = path.read_bytes()
        if path.suffix == ".jsonl":
            return b"".join(
                json.dumps(_without_process(json.loads(public_json(line, privacy))), ensure_ascii=False).encode()
                + b"\n"
                for line in contents.splitlines()
            )
        if path.suffix == ".json":
            public = public_json(contents, privacy)
            if (text := private_text(json.loads(public), privacy)) is not None:
                raise BundleError(f"{path} says {text!r}, which tells of a machine; take it out")
            return public
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror or error}); make it readable") from error
    except ValueError as error:
        raise ResultsError(f"{path} is no readable JSON ({error}); restore it or delete it") from error
    if path.suffix == ".parquet":
        refuse_private_columns(path, place, privacy)
    return contents
