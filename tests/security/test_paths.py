"""Names of files that anybody may have chosen lead to no other folder; bundles and pictures have tests of their own."""

import json
import os

import pytest
from pydantic import ValidationError

from huse_bench.errors import RecordError
from huse_bench.results import RunRecord
from huse_bench.results.arrays import ENDINGS
from huse_bench.results.reading import read_record

ELSEWHERE = ["../x", "/etc/x", "a/x", "..\\x", "C:\\x", "\\\\host\\x"]


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("field", ENDINGS)
def test_a_record_names_files_beside_it_alone(make_record, field, name):
    fields = make_record().model_dump(mode="json")
    ending = ENDINGS[field].rpartition(".")[2]
    assert RunRecord.model_validate({**fields, field: f"x.{ending}"})
    with pytest.raises(ValidationError, match=field):
        RunRecord.model_validate({**fields, field: f"{name}.{ending}"})


@pytest.mark.parametrize("name", ["x\0.parquet", "\n.parquet", "....parquet"])
def test_odd_names_of_a_record_are_of_files_that_are_missing(tmp_path, write_scored, name):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    (path,) = (tmp_path / "emoji" / "runs").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "per_query": name}))
    with pytest.raises(RecordError, match="beside it is missing"):
        read_record(path)


@pytest.mark.parametrize("name", ["../../evil", "/evil", "..", "a\\b", "CON", "x" * 500, "caf\u00e9", ".hidden"])
def test_a_method_of_any_name_has_a_plain_file(make_record, name):
    stem = make_record(method__name=name).stem
    assert os.path.basename(stem) == stem  # noqa: PTH119 - as the system reads it
    assert not stem.startswith(".")
    assert len(f"{stem}.neighbours.parquet") < 255
