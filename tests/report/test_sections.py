"""The methods beyond the paper stand in a section of their own, whatever the format."""

import pytest

from huse_bench.report import render
from huse_bench.results import Results

BEYOND = {"method__section": "Beyond the paper"}


@pytest.fixture
def results(make_record):
    return Results(
        [
            record
            for seed in range(2)
            for record in (
                make_record("siglip", seed, start=0.3, **BEYOND),
                make_record("hie-tree", seed, start=0.2, method__class_graph="taxonomy", **BEYOND),
                make_record("huse", seed, start=0.1),
                make_record("cme", seed, start=0.4),
            )
        ]
    )


def labels(text):
    return [line.split("  ")[0] for line in text.splitlines()]


def test_rows_are_ordered_by_section_then_by_semantic_information(results):
    assert [row.label for row in results.rows] == ["CME", "HUSE", "SIGLIP", "HIE-TREE"]
    assert [row.section for row in results.rows] == ["", "", "Beyond the paper", "Beyond the paper"]


def test_text(results):
    shown = labels(render(results, tables=["table1"]))
    kept = [label for label in shown if not label.startswith("---")]
    places = [kept.index(label) for label in ("CME", "HUSE", "Beyond the paper", "SIGLIP", "HIE-TREE§")]
    assert places == sorted(places)
    assert sum(label.startswith("- - -") for label in shown) == 2
    assert "§ is trained with the taxonomy that HP@K is measured against." in shown


def test_the_best_of_a_column_is_the_best_of_all_sections(results):
    lines = render(results, tables=["table1"]).splitlines()
    assert [line.split()[0] for line in lines if "*" in line and "0." in line and "queries" not in line] == ["CME"]


def test_markdown_and_latex(results):
    markdown = render(results, "markdown")
    assert markdown.index("HUSE") < markdown.index("Beyond the paper") < markdown.index("SIGLIP")
    latex = render(results, "latex")
    assert r"\emph{Beyond the paper}" in latex
    assert r"HIE-TREE\S{} &" in latex


def test_without_them_there_is_no_section(make_record):
    text = render(Results([make_record("huse"), make_record("cme")]))
    assert "Beyond" not in text
    assert "§" not in text


def test_records_from_before_the_sections_are_the_papers(make_record):
    record = make_record("huse")
    assert (record.method.section, record.method.class_graph) == ("", "names")
