"""The JSON Schemas of docs/schemas are those of the models, and describe what is written."""

import json
import runpy
from pathlib import Path

import pytest

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def made():
    return runpy.run_path(str(SCHEMAS / "make.py"))["schemas"]()


def test_the_files_are_those_that_the_models_give():
    for name, text in made().items():
        assert (SCHEMAS / name).read_text() == text, f"run: python docs/schemas/make.py, for {name}"


def test_each_version_is_in_name_and_file():
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text())
        assert path.name.endswith(f".v{schema['version']}.json")


@pytest.mark.parametrize("kind", ["run-record", "bundle"])
def test_what_the_tool_writes_is_valid(kind, make_record):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    (path,) = SCHEMAS.glob(f"{kind}.v*.json")
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text()))
    bundle = {
        "format": 1,
        "title": "Runs",
        "created": "2026-01-02T03:04:05Z",
        "results": ["emoji"],
        "versions": {},
        "files": {"results/emoji/huse-bench.json": "0" * 64},
    }
    valid = json.loads(make_record().model_dump_json()) if kind == "run-record" else bundle
    validator.validate(valid)
    assert list(validator.iter_errors({**valid, "extra": 1}))
