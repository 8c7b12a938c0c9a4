"""Tables of several folders with a summary, in each format, as the command prints them."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from huse_bench.cli.tables import tables
from huse_bench.report.several import render_several
from huse_bench.report.summary import best_first, improvement_grid, summary_grid, summary_notes
from huse_bench.results.summary import summarise, summary


@pytest.fixture
def call(several, tmp_path, monkeypatch):
    """Calls ``huse-bench tables`` where the folders of the three data sets lie in results/."""
    results = tmp_path / "work" / "results"
    results.mkdir(parents=True)
    for each in several:
        each.folder.rename(results / each.folder.name)
    monkeypatch.chdir(results.parent)

    def call(*arguments):
        return CliRunner().invoke(tables, arguments)

    return call


def test_the_grid_has_each_mean_with_its_interval_and_ranks(several):
    grid = summary_grid(summarise(several))
    frame = summary(several)
    lines = {line.label: line for section in grid.sections for group in section.groups for line in group}
    assert list(lines) == list(frame.index)
    assert grid.headings == tuple((score, 2) for score in frame.columns.unique(0))
    for label, line in lines.items():
        for number, score in enumerate(frame.columns.unique(0)):
            mean, rank = line.cells[2 * number : 2 * number + 2]
            known = frame.loc[label, score]
            if known.isna().all():
                assert (mean.text, rank.text) == ("-", "-")
                continue
            assert mean.text == f"{known['mean']:.3f}"
            assert mean.ends == (f"{known['low']:.3f}", f"{known['high']:.3f}")
            low, high = int(known["rank low"]), int(known["rank high"])
            assert rank.text == (str(low) if low == high else f"{low}-{high}")
            assert mean.best == (label == "HUSE")
    assert "Emoji, Clipart, Icons and 3 seeds" in grid.details
    # The dashed line of the paper: HUSE alone uses semantic information.
    assert [[line.label for line in group] for section in grid.sections for group in section.groups] == [
        ["CME", "TRIPLET"],
        ["HUSE"],
    ]


def test_the_notes_say_what_could_have_been_otherwise(several):
    text = " ".join(summary_notes(summarise(several)))
    assert "different numbers of classes (Emoji 80, Clipart 50, Icons 34)" in text
    assert "The data sets are taken as they are. Other seeds and other groups of test items could have been" in text
    assert "Left out" not in text


def test_folds_of_one_data_set_are_named_together(several):
    found = summarise(several)
    grid = summary_grid(replace(found, titles=tuple(f"Emoji, held out (fold {fold} of 5)" for fold in (1, 2, 4))))
    assert grid.caption == "Summary: Methods over 3 folds."
    assert "over Emoji, held out (folds 1, 2, 4 of 5) and" in grid.details
    others = ("Emoji (fold 1 of 5)", "Emoji (fold 2 of 5)", "Icons (fold 3 of 5)")
    grid = summary_grid(replace(found, titles=others))
    assert grid.caption == "Summary: Methods over 3 data sets."
    assert ", ".join(others) in grid.details


def test_a_score_that_no_method_has_is_one_line_and_no_column(several):
    found = summarise(several)
    left_out = dict.fromkeys(found.titles, "no method has it")
    none = replace(found.scores[-1], left_out=left_out, cells=(None,) * len(found.rows))
    found = replace(found, scores=(*found.scores[:-1], none))
    grid = summary_grid(found)
    assert [heading for heading, _ in grid.headings] == [each.score.name for each in found.scores[:-1]]
    assert {len(line.cells) for section in grid.sections for group in section.groups for line in group} == {6}
    assert summary_notes(found)[-1] == "Fusion accuracy is left out: no method has it."


def test_of_as_many_classes_everywhere_nothing_is_said(several):
    found = summarise(several)
    notes = " ".join(summary_notes(replace(found, results=(several[0],) * 3)))
    assert "0 is what chance gets on each data set and 1 all right. " in notes


def test_who_beats_whom_is_a_matrix_of_percents(several):
    found = summarise(several)
    of_score = found.scores[1]
    grid = improvement_grid(found, of_score)
    (lines,) = grid.sections[0].groups
    order = best_first(of_score)
    assert [line.label for line in lines] == [f"{n} {found.rows[place].label}" for n, place in enumerate(order, 1)]
    assert lines[0].label == "1 HUSE"
    wins = of_score.improvements()
    for first, line in zip(order, lines, strict=True):
        for second, cell in zip(order, line.cells, strict=True):
            if first == second:
                assert cell.text == ""
            else:
                assert cell.text == f"{100 * wins[first, second].value:.0f}"
                assert cell.best == (wins[first, second].low > 0.5)
    assert [cell.best for cell in lines[0].cells] == [False, True, True]


def test_text_has_each_folder_under_its_title_and_the_summary_last(call):
    result = call("--dataset", "emoji,clipart,icons")
    assert (result.exit_code, result.stderr) == (0, "")
    headings = re.findall(r"^(.+)\n=+$", result.stdout, re.MULTILINE)
    assert headings == ["Emoji", "Clipart", "Icons", "Summary"]
    for number, title in enumerate(("Emoji", "Clipart", "Icons")):
        own = call("--dataset", title.lower()).stdout
        assert result.stdout.split("===\n\n")[number + 1].startswith(own.rstrip("\n"))
    assert max(len(line) for line in result.stdout.splitlines()) <= 120
    # Folders may be named in any of three ways.
    folders = [f"results/{name}" for name in ("emoji", "clipart", "icons")]
    assert call(*folders).stdout == result.stdout
    assert call(*(part for folder in folders for part in ("--results", folder))).stdout == result.stdout


def test_methods_and_tables_are_chosen_for_all(call):
    only = call("--dataset", "emoji,clipart", "--table", "summary", "--methods", "huse,cme").stdout
    assert "Table" not in only
    assert "TRIPLET" not in only
    without = call("--dataset", "emoji,clipart", "--table", "1").stdout
    assert "Summary" not in without
    assert without.count("Table 1:") == 2


def test_csv_is_one_table_of_all_numbers(call, several):
    rows = list(csv.DictReader(io.StringIO(call("--dataset", "emoji,clipart,icons", "--format", "csv").stdout)))
    own = [
        list(csv.DictReader(io.StringIO(call("--dataset", name, "--format", "csv").stdout)))
        for name in ("emoji", "clipart", "icons")
    ]
    assert [row for row in rows if row["table"].startswith("table")] == [row for each in own for row in each]
    frame = summary([type(each)(each.records) for each in several])
    means = {(row["title"], row["metric"]): row for row in rows if row["table"] == "summary"}
    assert float(means["CME", "HP@5"]["value"]) == pytest.approx(frame.loc["CME", ("HP@5", "mean")])
    assert means["TRIPLET", "Fusion accuracy"]["value"] == ""
    assert means["HUSE", "HP@5"]["rank_low"] == "1"
    assert means["HUSE", "HP@5"]["dataset"] == "emoji clipart icons"
    wins = {
        (row["title"], row["task"]): row for row in rows if row["table"] == "improvement" and row["metric"] == "HP@5"
    }
    assert float(wins["HUSE", "CME"]["value"]) == 1
    assert float(wins["CME", "HUSE"]["value"]) == 0


def test_json_has_the_documents_of_the_folders_and_the_summary(call):
    document = json.loads(call("--dataset", "emoji,clipart", "--format", "json").stdout)
    assert document["results"][1] == json.loads(call("--dataset", "clipart", "--format", "json").stdout)
    assert document["summary"]["datasets"] == ["emoji", "clipart"]
    assert {row["table"] for row in document["summary"]["numbers"]} == {"summary", "improvement"}
    alone = json.loads(call("--dataset", "emoji,clipart", "--format", "json", "--table", "summary").stdout)
    assert alone == {**document, "results": []}


def test_latex_labels_differ_between_data_sets(call):
    source = call("--dataset", "emoji,clipart", "--format", "latex").stdout
    labels = re.findall(r"\\label\{(.+)\}", source)
    assert labels == [f"tab:d{n}-table{k}" for n in (1, 2) for k in (1, 2, 3)] + ["tab:summary", "tab:improvement"]
    assert len(re.findall(r"% huse-bench results ([0-9a-f]{12})", source)) == 8


def test_markdown_has_headings(call):
    text = call("--dataset", "emoji,clipart", "--format", "markdown").stdout
    assert re.findall("^## (.+)$", text, re.MULTILINE) == ["Emoji", "Clipart", "Summary"]
    assert "|Method" in text.replace(" ", "")


def test_every_eval_ever_has_the_documents_of_all_and_no_summary(call):
    lines = call("--dataset", "emoji,clipart", "--format", "every-eval-ever").stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 6
    result = call("--dataset", "emoji,clipart", "--format", "every-eval-ever", "--table", "summary")
    assert (result.exit_code, "has no summary" in result.stderr) == (2, True)


def test_without_a_summary_the_tables_say_why(call, several, write_on, load_on):
    write_on("emoji", "huse", 0, 0.5, folder="again")
    again = load_on("again")[0]
    reason = "No summary: Emoji and Emoji: again are of the same data, which would count twice; name one of them"
    for form in ("text", "markdown", "latex"):
        text = " ".join(render_several([several[0], again], form, tables=["summary"]).replace("\\", "").split())
        assert reason in text
    document = json.loads(render_several([several[0], again], "json", tables=["summary"]))
    assert (document["summary"], document["notes"]) == (None, [reason])
    assert call("--table", "summary").exit_code == 2
    assert "name their folders, or --dataset A,B" in " ".join(call("--table", "summary").stderr.split())
