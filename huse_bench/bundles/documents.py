"""What a bundle says for people and for other programs, as pure functions of its runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from importlib import metadata

from huse_bench.bundles.schema import BundleFacts
from huse_bench.report import render
from huse_bench.report.html.page import render_page
from huse_bench.report.markdown import markdown_escaped
from huse_bench.report.several import render_summary, summary_or_reason
from huse_bench.results import Results, RunRecord
from huse_bench.results.json_text import json_text
from huse_bench.results.rows import Row
from huse_bench.results.schema import DatasetInfo, Json
from huse_bench.version import installed_version

__all__ = ["REPORT", "documents", "has_summary", "versions"]

#: The page of a bundle that has one.
REPORT = "report.html"

# What a page is drawn with.
_DRAWN_WITH = ("jinja2", "matplotlib")

_BELOW = """\
## What is here

| File | What it holds |
|:--|:--|
| bundle.json | title, authors, and the sha256 of each file |
| results/NAME/ | a results folder of huse-bench: records, scores of each query, data card |
| configuration.json | settings and hyper-parameters of each row, and what choosing them cost |
| environment.json | machines, versions of the software, commands |
| CITATION.cff, ro-crate-metadata.json | how to cite it, for other programs |
| report.html, where it is there | the same with figures, comparisons and what queries found |

`huse-bench verify` on this folder makes all numbers and this page again from the scores of single queries; with
`--rerun 2` it also trains two of the runs with fresh seeds."""


def versions(*, report: bool) -> dict[str, str]:
    """Versions of what makes the documents, by distribution.

    Args:
        report: with the page of a report.
    """
    return {"huse-bench": installed_version()} | {name: metadata.version(name) for name in _DRAWN_WITH if report}


def has_summary(results: Collection[Results]) -> bool:
    """Whether there is a summary over results folders: several of different data that can be averaged.

    Args:
        results: those of each folder.
    """
    return len(results) > 1 and not isinstance(summary_or_reason([*results]), str)


def documents(facts: BundleFacts, results: Mapping[str, Results], *, report: bool) -> dict[str, bytes]:
    """The files of a bundle that are made of its runs.

    Args:
        facts: what the bundle says of itself; its ``files`` and ``versions`` are not looked at.
        results: its runs by results folder, with their numbers taken from the scores of single queries.
        report: with the page of a report.

    Returns:
        Contents by name: ``README.md`` with the tables, a summary before those of several folders where the bundle has
        one, ``CITATION.cff``, ``configuration.json`` (each row's settings, hyper-parameters and what choosing them
        cost), ``environment.json`` (machines, versions and commands) and, where asked for, ``report.html``.

    Raises:
        MissingExtraError: for a report without what draws it.
    """
    made = {
        "README.md": _readme(facts, results).encode(),
        "CITATION.cff": _citation(facts).encode(),
        "configuration.json": _json(
            {name: [_configuration(row) for row in of.rows] for name, of in sorted(results.items())}
        ),
        "environment.json": _json({name: _environments(of.records) for name, of in sorted(results.items())}),
    }
    if report:
        made[REPORT] = render_page([results[name] for name in facts.results]).encode()
    return made


def _json(folders: dict[str, Json]) -> bytes:
    return (json_text({"format": 1, "results": folders}) + "\n").encode()


def _readme(facts: BundleFacts, results: Mapping[str, Results]) -> str:
    runs = sum(len(of.records) for of in results.values())
    newest = f"The newest of {runs} runs" if runs > 1 else "Its run"
    blocks = [
        f"# {markdown_escaped(facts.title)}",
        f"By {_names(facts.authors)}. {newest} ended on {facts.created.date().isoformat()}.",
        *(
            f"Joined of {markdown_escaped(source.title)} ({source.bundle[:12]}), by {_names(source.authors)}."
            for source in facts.sources
        ),
    ]
    if facts.summary:
        blocks += ["## Summary", render_summary([results[name] for name in facts.results], "markdown")]
    for name in facts.results:
        title = markdown_escaped(results[name].records[0].dataset.title)
        blocks += [
            f"## {title}: results/{markdown_escaped(name)}",
            _data(results[name].records[0].dataset),
            render(results[name], "markdown"),
        ]
    return "\n\n".join([*blocks, _BELOW]) + "\n"


def _names(authors: tuple[str, ...]) -> str:
    return markdown_escaped(", ".join(authors)) or "authors who are not named"


def _data(data: DatasetInfo) -> str:
    sizes = (
        f"{data.items.train:,} items to train on, {data.items.validation:,} to validate, {data.items.test:,} to test"
    )
    features = (
        f"Image features: {markdown_escaped(data.image_backbone)}. Text features: "
        f"{markdown_escaped(data.text_backbone)}."
    )
    hashes = f"Content {data.content_hash[:12]}, taxonomy {data.taxonomy_hash[:12]}"
    return f"{hashes}; {sizes}; {data.classes:,} classes. {features}"


def _citation(facts: BundleFacts) -> str:
    # JSON's strings are YAML's.
    names = [f"  - name: {json.dumps(name, ensure_ascii=False)}" for name in facts.authors or ("anonymous",)]
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use these results, please cite them as below."',
        "type: dataset",
        f"title: {json.dumps(facts.title, ensure_ascii=False)}",
        "authors:",
        *names,
        f"date-released: {facts.created.date().isoformat()}",
    ]
    return "\n".join(lines) + "\n"


def _configuration(row: Row) -> Json:
    first = row.records[0]
    facts: dict[str, Json] = {
        "row": row.label,
        "kind": first.kind,
        "configuration": first.configuration,
        "method": first.method.model_dump(mode="json"),
        "preset": first.preset,
        "settings": {name: setting.model_dump(mode="json") for name, setting in first.config.items()},
        "tuning": None if first.tuning is None else first.tuning.model_dump(mode="json"),
        "protocol": dict(first.protocol),
        "runs": {str(record.seed): record.stem for record in row.records},
    }
    return facts | _besides(row)


def _besides(row: Row) -> dict[str, Json]:
    """What a row has that a search of several studies chose, and the runs at the defaults beside it."""
    besides: dict[str, Json] = {}
    winners = {record.configuration: record for record in row.records}
    if len(winners) > 1:
        besides["winners"] = [
            {
                "configuration": configuration,
                "parameters": dict(record.method.parameters),
                "tuning": None if record.tuning is None else record.tuning.model_dump(mode="json"),
            }
            for configuration, record in winners.items()
        ]
    if row.defaults:
        besides["defaults"] = {str(record.seed): record.stem for record in row.defaults}
    return besides


def _environments(records: tuple[RunRecord, ...]) -> Json:
    """Machines and versions, each with the commands and runs that it gave."""
    found: dict[str, dict[str, list[str]]] = {}
    for record in records:
        facts = {name: value for name, value in sorted(record.provenance.items()) if name != "command"}
        device = None if record.device is None else {"kind": record.device.kind, "name": record.device.name}
        entry = found.setdefault(json.dumps({"device": device, "facts": facts}), {"commands": [], "runs": []})
        command = record.provenance.get("command")
        if command and command not in entry["commands"]:
            entry["commands"].append(command)
        entry["runs"].append(record.stem)
    return [
        {**json.loads(key), "commands": [*of["commands"]], "runs": [*of["runs"]]} for key, of in sorted(found.items())
    ]
