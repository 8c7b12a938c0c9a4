"""The Croissant card of each shipped dataset: valid, and true of the files beside it."""

import hashlib
import json
import logging
import re
from collections import Counter

import pytest
from click.testing import CliRunner

from huse_bench_datasets._shipped import croissant
from huse_bench_datasets._shipped.croissant import CARD, card
from huse_bench_datasets.clipart import Clipart
from huse_bench_datasets.emoji import Emoji
from huse_bench_datasets.icons import Icons

SHIPPED = [Emoji, Clipart, Icons]

all_shipped = pytest.mark.parametrize("dataset", SHIPPED, ids=lambda dataset: dataset.name)

# mlcroissant reads JSON-LD with rdflib in a way that rdflib calls old.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")


def read(dataset) -> dict:
    return json.loads((dataset.folder / "data" / CARD).read_text(encoding="utf-8"))


@all_shipped
def test_it_is_valid_and_lacks_only_what_is_not_known_yet(dataset, caplog) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    with caplog.at_level(logging.WARNING):
        metadata = mlcroissant.Dataset(jsonld=dataset.folder / "data" / CARD).metadata
    assert metadata.ctx.issues.errors == set()
    found = {re.search(r'Property "[^"]*/(\w+)" is recommended', line)[1] for line in metadata.ctx.issues.warnings}
    # It was never published, so there is no date, and nothing to cite but the program.
    assert found == {"datePublished", "citeAs"}
    assert "not standard" not in caplog.text
    assert metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"


@all_shipped
def test_its_records_are_those_of_the_dataset(dataset) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    items = dataset().load()
    opened = mlcroissant.Dataset(jsonld=dataset.folder / "data" / CARD)

    def records(table: str) -> list[dict]:
        return [{key.split("/")[1]: _text(value) for key, value in record.items()} for record in opened.records(table)]

    assert records("classes") == [{"label": k, "name": name} for k, name in enumerate(items.class_names)]
    (table,) = (one.id for one in opened.metadata.record_sets if one.id != "classes")
    rows = records(table)
    found = [
        (f"{drawn_by}/{record['hexcode']}" if "sets" in record else record["id"], record["class"], record["split"])
        for record in rows
        for drawn_by in record.get("sets", [""])
    ]
    assert found == list(zip(items.ids, items.labels.tolist(), items.splits.tolist(), strict=True))
    group = "hexcode" if dataset is Emoji else "group"
    assert {record[group] for record in rows} == set(items.groups)


def _text(value):
    if isinstance(value, list):
        return [_text(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


@all_shipped
def test_its_files_and_hashes_are_those_in_the_folder(dataset) -> None:
    folder = dataset.folder / "data"
    files = {one["contentUrl"]: (one["sha256"], one["contentSize"]) for one in read(dataset)["distribution"]}
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert files == {
        name: (hashlib.sha256(content).hexdigest(), f"{len(content)} B")
        for name, content in contents.items()
        if name not in {CARD, "SHA256SUMS", "README.md"}
    }
    # Which is what the dataset itself is checked against.
    sums = dict(line.split("  ")[::-1] for line in contents["SHA256SUMS"].decode().splitlines())
    assert {name: sha256 for name, (sha256, _) in files.items()} == sums


@all_shipped
def test_its_counts_are_those_of_the_items(dataset) -> None:
    items, said = dataset().load(), read(dataset)["description"]
    splits = Counter(items.splits.tolist())
    assert f"{len(items.ids):,} items" in said
    assert f"({splits['train']:,} train, {splits['validation']:,} validation, {splits['test']:,} test)" in said
    assert f"{len(items.class_names)} classes and {len(set(items.groups)):,} groups" in said
    assert said.startswith(dataset.description)


@all_shipped
def test_its_sources_and_licence_are_those_of_the_dataset(dataset) -> None:
    found = read(dataset)
    facts = json.loads((dataset.folder / "data" / "items.json").read_text(encoding="utf-8"))
    assert {one["name"]: one["version"] for one in found["isBasedOn"]} == facts["sources"]
    assert found["license"]["description"] == dataset.licence
    assert found["name"] == f"huse-bench-{dataset.name}"
    (features,) = (one for one in found["distribution"] if one["@id"] == "features.safetensors")
    items = dataset().load()
    assert f"image U8 {items.image_features.values.shape}" in features["description"]
    assert f"text U8 {items.text_features.values.shape}" in features["description"]


@all_shipped
def test_the_shipped_card_is_the_one_that_is_made(dataset) -> None:
    # Made anew with: python -m huse_bench_datasets._shipped.croissant NAME
    assert read(dataset) == card(dataset)


def test_the_command_writes_the_card_beside_the_files(tmp_path, monkeypatch) -> None:
    written = (Emoji.folder / "data" / CARD).read_bytes()
    (tmp_path / "data").mkdir()
    for path in (*(Emoji.folder / "data").iterdir(), Emoji.folder / "outline.txt"):
        (tmp_path / path.relative_to(Emoji.folder)).write_bytes(b"" if path.name == CARD else path.read_bytes())
    monkeypatch.setattr(Emoji, "folder", tmp_path)
    done = CliRunner().invoke(croissant.main, ["emoji"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "data" / CARD).read_bytes() == written


def test_the_command_says_which_datasets_have_none() -> None:
    done = CliRunner().invoke(croissant.main, ["synthetic"])
    assert done.exit_code == 1
    assert done.output == "Error: 'synthetic' does not come with huse-bench, so it has no card here\n"
