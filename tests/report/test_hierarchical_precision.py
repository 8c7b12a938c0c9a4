"""HP@K that tells nothing apart, and who cannot miss, in every format."""

import csv
import io
import json

import pytest

import huse_bench as hb
from huse_bench.report import render
from huse_bench.results import Results

# Of the records' 80 classes: as a taxonomy without levels gives it, and as one with levels.
FLAT = {"recall": "r", "mean_set_size": {"2": 80.0, "5": 80, "10": 80}, "cannot_miss": {"2": 1.0, "5": 1.0, "10": 1.0}}
SOME = {"recall": "r", "mean_set_size": {"2": 3, "5": 40, "10": 80}, "cannot_miss": {"2": 0.0, "5": 0.4454, "10": 1.0}}
REASON = "every class is correct for every query, so that it tells nothing apart"


def unfolded(text):
    return text.replace("\n  ", " ")


@pytest.fixture
def flat(write_run, tmp_path):
    for name, chance in (("cme", 0.6), ("huse", 0.7), ("triplet", 0.5)):
        for seed in range(3):
            write_run(name, seed, chance, protocol=FLAT)
    return hb.load_results(tmp_path)


def test_what_no_ranking_can_miss_is_a_dash_in_all_formats(flat):
    text = render(flat)
    table = text[text.index("Table 2") : text.index("Table 3")]
    rows = [line for line in table.splitlines() if line.startswith(("CME", "HUSE", "TRIPLET"))]
    assert [line.split()[1:] for line in rows] == [["-"] * 12] * 3
    assert "*" not in "".join(rows)
    assert "±" not in table.partition("Method")[2]
    assert f"HP@2, HP@5, HP@10: - where {REASON}." in unfolded(table)

    assert f"HP@2, HP@5, HP@10: - where {REASON}." in render(flat, "markdown")
    markdown = [line for line in render(flat, "markdown").splitlines() if line.startswith("| HUSE")]
    assert markdown[1].replace(" ", "") == "|HUSE|" + "-|" * 12
    latex = render(flat, "latex")
    assert "HUSE & " + " & ".join(["--"] * 12) in latex
    assert REASON in latex

    document = json.loads(render(flat, "json"))
    numbers = [number for number in document["numbers"] if number["table"] == "table2"]
    assert len(numbers) == 36
    assert all(
        (number["value"], number["low"], number["ties_with_best"], number["note"]) == (None, None, None, REASON)
        for number in numbers
    )
    assert any(REASON in note for note in document["notes"])
    lines = list(csv.DictReader(io.StringIO(render(flat, "csv"))))
    assert {(line["value"], line["ties_with_best"], line["note"]) for line in lines if line["table"] == "table2"} == {
        ("", "", REASON)
    }
    # The other tables are as ever.
    assert all(number["value"] is not None for number in document["numbers"] if number["table"] != "table2")
    assert any(number["ties_with_best"] for number in document["numbers"] if number["table"] == "table1")


def test_that_every_query_can_miss_is_said(make_record):
    record = make_record("huse", protocol={**SOME, "cannot_miss": {"2": 0.0, "5": 0.0, "10": 0.0}})
    assert "Every query can miss: no correct set has all classes." in render(Results([record]))
