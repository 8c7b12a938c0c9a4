import math

import pytest
from pydantic import ValidationError

from huse_bench.results import RunRecord


def test_a_record_survives_json(make_record):
    record = make_record(per_query="huse.parquet", warnings=["five queries"])
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_the_json_schema_names_every_field():
    schema = RunRecord.model_json_schema()
    assert set(schema["properties"]) == set(RunRecord.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["schema_version"]["const"] == 1


def test_the_file_name_of_a_qualified_method_is_plain(make_record):
    record = make_record("my-losses::huse", 4)
    assert record.stem == f"my-losses-huse-s4-{record.fingerprint[:12]}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "Input should be 1"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
        ({"fingerprint": "ABC"}, "String should match pattern"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"status": "done"}, "'finished', 'diverged' or 'failed'"),
        ({"error": "no"}, "a finished run has no error"),
        ({"training": None}, "a finished run has a training"),
        ({"retrieval": None}, "lacks R@1, R@5, R@10, HP@2, HP@5, HP@10 in direction i2i"),
        ({"validation": {"i2i R@1": math.nan}}, "finite number"),
        ({"training__losses": {"gap": math.inf}}, "finite number"),
        ({"protocol": {"chance": [0.1, math.nan]}}, "finite number"),
        ({"method__parameters": {"margin": math.inf}}, "finite number"),
        ({"classification__image": 72.4}, "less than or equal to 1"),
        ({"per_query": "../../secret.parquet"}, "String should match pattern"),
        ({"created": "2026-01-02T03:04:05"}, "should have timezone info"),
    ],
)
def test_what_a_record_refuses(make_record, changes, message):
    with pytest.raises(ValidationError, match=message):
        make_record(**changes)


def test_a_score_may_not_be_missing(make_record):
    retrieval = make_record().retrieval
    del retrieval["t2i"]["HP@5"]
    with pytest.raises(ValidationError, match="lacks HP@5 in direction t2i"):
        make_record(retrieval=retrieval)


def test_a_run_that_diverged_says_why(make_record):
    assert make_record(status="diverged").error == "the loss diverged at step 7"
    with pytest.raises(ValidationError, match="a run that diverged needs an error that says why"):
        make_record(status="diverged", error=None)
