"""Documents for Every Eval Ever, against its own schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from huse_bench.report import render
from huse_bench.report.every_eval_ever import SCHEMA_VERSION
from huse_bench.results import Results, load_results

#: As the package every_eval_ever 0.3.0 brings it.
SCHEMA = json.loads((Path(__file__).parent / "every-eval-ever-0.3.0" / "eval.schema.json").read_text(encoding="utf-8"))


def documents(results, **options):
    found = [json.loads(line) for line in render(results, "every-eval-ever", **options).splitlines()]
    for document in found:
        jsonschema.Draft7Validator(SCHEMA).validate(document)
    return found


@pytest.fixture
def results(tmp_path, write_run):
    for seed in range(2):
        write_run("huse", seed, 0.6, method__title="HUSE \u2028 “λ”")
        write_run("cme", seed, 0.4)
        write_run("cme", seed, 0.5, configuration="other")
        write_run("triplet", seed, 0.4, classifier=False)
        write_run("control:shuffled-huse", seed, 0.3)
    return load_results(tmp_path)


def test_the_schema_is_the_version_that_is_written():
    assert SCHEMA["version"] == SCHEMA_VERSION


def test_each_method_has_a_document_with_the_numbers_of_the_tables(results):
    found = documents(results)
    assert [document["model_info"]["name"] for document in found] == [
        row.label for row in results.rows if not row.is_control
    ]
    assert len({document["evaluation_id"] for document in found}) == 4
    numbers = {
        (n["title"], f"emoji.{n['task']}.{n['metric']}"): n for n in json.loads(render(results, "json"))["numbers"]
    }
    for document in found:
        assert document["model_info"]["id"].startswith("huse-bench/")
        label = document["model_info"]["name"]
        mine = {place: n for (title, place), n in numbers.items() if title == label and n["value"] is not None}
        scores = {result["evaluation_result_id"]: result for result in document["evaluation_results"]}
        assert scores.keys() == mine.keys()
        for place, result in scores.items():
            assert result["score_details"]["score"] == mine[place]["value"]
            interval = result["score_details"]["uncertainty"]["confidence_interval"]
            assert (interval["lower"], interval["upper"]) == (mine[place]["low"], mine[place]["high"])
            assert interval["confidence_level"] == 0.95
    triplet = found[[d["model_info"]["id"] for d in found].index("huse-bench/triplet")]
    assert not any(result["metric_config"]["metric_name"] == "accuracy" for result in triplet["evaluation_results"])


def test_it_is_the_same_at_any_time(results):
    assert render(results, "every-eval-ever") == render(results, "every-eval-ever")
    assert documents(results)[0]["retrieved_timestamp"] == "1767323045"


def test_only_what_is_asked_for(results):
    (huse,) = documents(results.only(["huse"], ["i2t"]), tables=["table1"])
    assert [result["metric_config"]["metric_name"] for result in huse["evaluation_results"]] == ["R@1", "R@5", "R@10"]
    assert {result["evaluation_name"] for result in huse["evaluation_results"]} == {"emoji: Image to Text"}
    assert huse["evaluation_results"][1]["metric_config"]["metric_parameters"] == {"k": 5}


def test_what_has_no_number_has_no_document(make_record):
    records = [make_record("huse"), make_record("hie", status="failed")]
    (document,) = documents(Results(records))
    assert document["model_info"]["name"] == "HUSE"
    assert "uncertainty" not in document["evaluation_results"][0]["score_details"]
