import math

import pytest
from pydantic import ValidationError

from huse_bench.results import RunRecord


def learning(**changes):
    """The course of a training of 40 steps."""
    course = {"steps": [1, 20, 40], "losses": {"gap": [0.5, 0.2, 0.1]}, "validation": {"i2i R@1": [0, 0.4, 0.5]}}
    return {**course, "items": 1000, **changes}


def test_a_record_survives_json(make_record):
    record = make_record(per_query="huse.parquet", warnings=["five queries"])
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_the_json_schema_names_every_field():
    schema = RunRecord.model_json_schema()
    assert set(schema["properties"]) == set(RunRecord.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["schema_version"]["const"] == 2


def test_the_file_name_of_a_qualified_method_is_plain(make_record):
    record = make_record("my-losses::huse", 4)
    assert record.stem == f"my-losses-huse-s4-{record.fingerprint[:12]}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 1}, "Input should be 2"),
        ({"kind": "none"}, "'method', 'trained control' or 'control'"),
        ({"kind": "control"}, "a control that needs no training has none"),
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
        ({"classes": "../../secret.safetensors"}, "String should match pattern"),
        ({"classes": "huse.pickle"}, "String should match pattern"),
        ({"neighbours": "a/b.parquet"}, "String should match pattern"),
        ({"device": {"kind": "tpu", "name": "x", "precision": "float32"}}, "Input should be 'cpu' or 'cuda'"),
        ({"curves": {"i2t": {"R": [0.5, 1.5]}}}, "less than or equal to 1"),
        ({"curves": {"i2t": {"P": [0.5]}}}, "Input should be 'R' or 'HP'"),
        ({"curves": {"i2t": {"R": [0.9]}}}, r"i2t R@1 is 0\.56, and 0\.9 on its curve"),
        ({"curves": {"t2t": {"HP": [0.2, 0.3]}}}, r"t2t HP@2 is 0\.71, and 0\.3 on its curve"),
        ({"learning": learning(steps=[1, 3, 2])}, "the steps of a learning curve ascend"),
        ({"learning": learning(losses={"gap": [0.5, 0.1]})}, "gap has 2 values at 3 steps"),
        ({"learning": learning(validation={"i2i R@1": [0.5] * 4})}, "i2i R@1 has 4 values at 3 steps"),
        ({"learning": learning(losses={"gap": [0.5, math.nan, 0.1]})}, "finite number"),
        ({"created": "2026-01-02T03:04:05"}, "should have timezone info"),
    ],
)
def test_what_a_record_refuses(make_record, changes, message):
    with pytest.raises(ValidationError, match=message):
        make_record(**changes)


def test_what_a_run_says_beyond_its_numbers(make_record):
    """The means of a table's Ks stand on the curves; between them these are free."""
    curves = {"i2i": {"R": [0.5, 0.505, 0.507, 0.508, 0.51], "HP": [0.4, 0.53, 0.5, 0.6, 0.54]}}
    device = {"kind": "cuda", "name": "NVIDIA H100", "precision": "tf32", "peak_memory_bytes": 1 << 30}
    record = make_record(curves=curves, learning=learning(), device=device)
    assert record.curves["i2i"]["HP"][2] == 0.5
    assert record.learning.validation["i2i R@1"] == (0, 0.4, 0.5)
    assert record.device.peak_memory_bytes == 1 << 30
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_a_control_says_so_itself(make_record):
    record = make_record("floor", kind="control", training=None)
    assert record.is_control
    assert make_record("floor", kind="trained control").is_control
    # Raw features of unequal dimensions have no cross-modal directions.
    scores = {direction: record.retrieval[direction] for direction in ("i2i", "t2t")}
    assert make_record("floor", kind="control", training=None, retrieval=scores).is_control
    assert not make_record("control:by name alone", kind="method", training=make_record().training).is_control


def test_a_score_may_not_be_missing(make_record):
    retrieval = make_record().retrieval
    del retrieval["t2i"]["HP@5"]
    with pytest.raises(ValidationError, match="lacks HP@5 in direction t2i"):
        make_record(retrieval=retrieval)


def test_a_run_that_diverged_says_why(make_record):
    assert make_record(status="diverged").error == "the loss diverged at step 7"
    with pytest.raises(ValidationError, match="a run that diverged needs an error that says why"):
        make_record(status="diverged", error=None)
