import csv
import io
import json
import textwrap

import pytest

from huse_bench.report import render
from huse_bench.results import Results


def flat(value):
    """The same score in every column, so that a table is easy to write by hand."""
    metrics = ("R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10")
    return {direction: dict.fromkeys(metrics, value) for direction in ("i2i", "i2t", "t2i", "t2t")}


@pytest.fixture
def results(make_record):
    """Two seeds that are alike, for one alone marks nothing."""
    return Results([record for seed in range(2) for record in records(make_record, seed)])


def records(make_record, seed):
    return [
        make_record("triplet", seed, accuracies=None, method__title="Triplet", retrieval=flat(0.6854)),
        make_record("cme", seed, method__title="CME", retrieval=flat(0.1), accuracies=(0.5, 0.81, 0.9)),
        make_record("hie", seed, status="diverged", method__title="HIE*"),
        make_record("huse", seed, method__title="HUSE", retrieval=flat(0.6849), accuracies=(0.7, 0.8, 0.91)),
    ]


def test_text_of_table_1(results):
    about = "mean of seeds 0, 1. No intervals: there are no per-query scores beside the records."
    expected = f"""\
    Table 1: Retrieval performance of various methods on four retrieval tasks of Emoji.
    1,234 test queries per direction; {about}
      Below the dashed line: with semantic information.
    * best of its column.

                Image to Image        Image to Text         Text to Image          Text to Text
    Method     R@1    R@5   R@10     R@1    R@5   R@10     R@1    R@5   R@10     R@1    R@5   R@10
    -----------------------------------------------------------------------------------------------
    CME      0.100  0.100  0.100   0.100  0.100  0.100   0.100  0.100  0.100   0.100  0.100  0.100
    Triplet  0.685* 0.685* 0.685*  0.685* 0.685* 0.685*  0.685* 0.685* 0.685*  0.685* 0.685* 0.685*
    - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
    HIE*     diverged
    HUSE     0.685* 0.685* 0.685*  0.685* 0.685* 0.685*  0.685* 0.685* 0.685*  0.685* 0.685* 0.685*
    -----------------------------------------------------------------------------------------------

    Budget: 200 steps of 1,024 pairs with adamw (preset quick).
    Tuning: none.
    Features: image efficientnet-lite0@1, text minilm@1, classes minilm@1.
    Protocol: recall class-hit-rate/v1, mean_set_size (@2 3.2, @5 8.25).
    HIE* seed 0 diverged: the loss diverged at step 7
    HIE* seed 1 diverged: the loss diverged at step 7"""
    assert render(results, tables=["table1"]) == textwrap.dedent(expected)


def test_text_of_table_3(results):
    about = "mean of seeds 0, 1. No intervals: there are no per-query scores beside the records."
    expected = f"""\
        Table 3: Classification accuracy (%) on Emoji.
        1,234 test items; {about} Below the dashed
          line: with semantic information.
        * best of its column.

        Method   Image  Text  Fusion
        -----------------------------
        CME       50.0  81.0*   90.0
        Triplet      -     -       -
        - - - - - - - - - - - - - - -
        HIE*     diverged
        HUSE      70.0* 80.0    91.0*
        -----------------------------
        """
    assert render(results, tables=["table3"]).startswith(textwrap.dedent(expected))


def test_best_is_bold_on_a_terminal(results):
    text = render(results, color=True, tables=["table3"])
    assert "\033[1m81.0*\033[0m" in text
    assert text.replace("\033[1m", "").replace("\033[0m", "") == render(results, tables=["table3"])


def test_a_lone_number_is_best_of_nothing(make_record):
    text = render(Results([make_record()]), tables=["table3"])
    assert "70.0*" not in text
    assert "dashed" not in text


def test_one_seed_marks_nothing(make_record):
    """In no format: not the largest number, and not in a table that a plugin changed."""
    one = Results(records(make_record, 0))
    text = render(one, tables=["table3"], color=True)
    assert text.splitlines()[1].startswith("1,234 test items; seed 0. No interval, no mark: one seed. ")
    assert "best" not in text
    assert "\033" not in text
    assert text.count("*") == text.count("HIE*")
    assert "**" not in "".join(render(one, "markdown", tables=["table3"]).splitlines()[1:])
    assert "Bold" not in render(one, "markdown", tables=["table3"])
    assert "bf" not in render(one, "latex", tables=["table3"])
    assert "Bold" not in render(one, "latex", tables=["table3"])

    def change(table, _):
        table["Image"] = [0.1, 0.2, float("nan"), 0.3]

    changed = render(one, tables=["table3"], change=change)
    assert "30.0" in changed
    assert "30.0*" not in changed
    # The paper's numbers have the paper's marks.
    beside = render(one, tables=["table3"], published=True)
    assert "* best of its column in the paper." in beside
    assert beside.partition("Numbers printed in the paper")[0].count("*") == 1 + beside.partition("Numbers")[0].count(
        "HIE*"
    )


@pytest.mark.parametrize("published", [False, True])
def test_text_fits_120_columns(make_record, published):
    long = "A loss whose author could not settle on a short name"
    records = [
        make_record("huse", method__title=long, warnings=["word " * 60]),
        make_record("huse", configuration="other", training__items_seen=300000),
        make_record("huse", configuration="third", method__title=long),
    ]
    text = render(Results(records), published=published)
    assert max(map(len, text.splitlines())) <= 120
    assert f"[{records[2].configuration[:6]}]" in text


# What the numbers depend on is below the tables.


def test_unequal_budgets_are_marked(make_record):
    records = [
        make_record("cme"),
        make_record("huse", training__steps=400, training__items_seen=409600),
    ]
    text = render(Results(records), tables=["table3"])
    assert "\nHUSE‡  " in text
    assert "‡ saw more training pairs than other rows." in text
    assert "CME‡" not in text
    budget = "Budget: NOT EQUAL: 200 steps of 1,024 pairs with adamw (preset quick) (CME); 400 steps of 1,024 pairs"
    assert budget in text.replace("\n  ", " ")


def test_unequal_features_are_named(make_record):
    records = [make_record("cme"), make_record("huse", dataset__image_backbone="clip@2")]
    text = render(Results(records)).replace("\n  ", " ")
    assert (
        "Features: NOT EQUAL: image efficientnet-lite0@1, text minilm@1, classes minilm@1 (CME); image clip@2" in text
    )


def test_configurations_of_one_method_say_what_differs(make_record):
    records = [make_record(), make_record(configuration="other", method__parameters={"margin": 0.9})]
    text = render(Results(records)).replace("\n  ", " ")
    labels = [f"HUSE [{record.configuration[:6]}]" for record in records]
    assert "huse was run in 2 configurations, which are not averaged." in text
    assert f"{labels[0]}: margin = 0.7" in text
    assert f"{labels[1]}: margin = 0.9" in text
    assert "training.steps =" not in text


def test_configurations_that_differ_in_code_alone_say_so(make_record):
    text = render(Results([make_record(), make_record(configuration="other")])).replace("\n  ", " ")
    assert "they differ in code, not in settings: HUSE [" in text


def test_seeds_are_named(make_record):
    same = [make_record(name, seed) for name in ("cme", "huse") for seed in (0, 1, 2)]
    assert "mean of seeds 0, 1, 2." in render(Results(same))
    text = render(Results(same[:-2]))
    assert "means over 1 to 3 seeds." in text
    assert "Seeds: 0, 1, 2 (CME); 0 (HUSE)." in text


def test_a_seed_that_diverged_is_told_with_the_mean(make_record):
    text = render(Results([make_record(), make_record(seed=1, status="diverged")]))
    assert "HUSE seed 1 diverged; the row is the mean of the others: the loss diverged at step 7" in text
    assert "\nHUSE    diverged" not in text


def test_the_last_line_of_a_traceback_is_the_reason(make_record):
    record = make_record(status="failed", error="Traceback (most recent call last):\n  ...\nRuntimeError: no memory\n")
    assert "HUSE seed 0 failed: RuntimeError: no memory" in render(Results([record]))


def test_warnings_are_told_once(make_record):
    records = [make_record("cme", warnings=["odd"]), make_record("huse", warnings=["odd", "rare"])]
    lines = render(Results(records)).splitlines()
    assert "Note: odd." in lines
    assert "Note: rare (HUSE)." in lines


# The other formats.


def test_markdown(results):
    text = render(results, "markdown", tables=["table3"])
    lines = text.splitlines()
    assert lines[0].startswith(
        "**Table 3: Classification accuracy (%) on Emoji.** 1,234 test items; mean of seeds 0, 1."
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["Method", "Image", "Text", "Fusion"]
    assert cells[2:] == [
        ["CME", "50.0", "**81.0**", "90.0"],
        ["Triplet", "-", "-", "-"],
        ["- - -"] * 4,
        ["HIE\\*", "diverged", "", ""],
        ["HUSE", "**70.0**", "80.0", "**91.0**"],
    ]


def test_markdown_has_two_lines_of_headings(results):
    lines = render(results, "markdown", tables=["table1"]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == [
        "Method",
        "Image to Image",
        "",
        "",
        "Image to Text",
        "",
        "",
        "Text to Image",
        "",
        "",
        "Text to Text",
        "",
        "",
    ]
    assert cells[2] == ["", *["R@1", "R@5", "R@10"] * 4]
    assert {len(row) for row in cells} == {13}


def test_markdown_keeps_bars_out_of_titles(make_record):
    record = make_record(method__title="a|b_c")
    assert "| a\\|b\\_c " in render(Results([record]), "markdown")


def test_latex(results):
    text = render(results, "latex", tables=["table3"])
    expected = r"""
        \toprule
        Method & Image & Text & Fusion \\
        \midrule
        CME & 50.0 & \textbf{81.0} & 90.0 \\
        Triplet & -- & -- & -- \\
        \addlinespace[2pt]\hdashline\addlinespace[2pt]
        HIE* & \multicolumn{3}{l}{diverged} \\
        HUSE & \textbf{70.0} & 80.0 & \textbf{91.0} \\
        \bottomrule
        \end{tabular}
        \end{adjustbox}
        \end{table}"""
    assert textwrap.dedent(expected) in text
    assert text.startswith("% needs \\usepackage{booktabs}\\usepackage{arydshln}\\usepackage{adjustbox}\n")
    assert r"\caption{Classification accuracy (\%) on Emoji. 1,234 test items; mean of seeds 0, 1." in text
    assert "\n% Budget: 200 steps" in text


def test_latex_escapes_what_a_title_may_hold(make_record):
    record = make_record(method__title=r"[50% & #1_$\x{~}^")
    expected = r"{}[50\% \& \#1\_\$\textbackslash{}x\{\textasciitilde{}\}\textasciicircum{} & 70.0"
    assert expected in render(Results([record]), "latex", tables=["table3"])


def test_latex_groups_columns(results):
    text = render(results, "latex", tables=["table2"])
    assert r" & \multicolumn{3}{c}{Image to Image} & \multicolumn{3}{c}{Image to Text} & " in text
    assert r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}\cmidrule(lr){8-10}\cmidrule(lr){11-13}" in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1


def test_csv_is_tidy_and_exact(make_record):
    third = 1 / 3
    results = Results([make_record(retrieval=flat(third)), make_record("cme", status="failed")])
    rows = list(csv.DictReader(io.StringIO(render(results, "csv"))))
    assert len(rows) == 2 * (12 + 12 + 3)
    row = next(row for row in rows if (row["title"], row["task"], row["metric"]) == ("HUSE", "t2i", "HP@5"))
    assert (row["table"], row["source"], row["dataset"], row["status"], row["seeds"]) == (
        "table2",
        "measured",
        "emoji",
        "finished",
        "0",
    )
    assert float(row["value"]) == third
    assert {row["value"] for row in rows if row["title"] == "CME"} == {""}


def test_json_holds_the_same_numbers(results):
    document = json.loads(render(results, "json", published=True))
    rows = list(csv.DictReader(io.StringIO(render(results, "csv", published=True))))
    assert len(document["numbers"]) == len(rows)
    assert [str(number["value"] if number["value"] is not None else "") for number in document["numbers"]] == [
        row["value"] for row in rows
    ]
    assert document["dataset"]["name"] == "emoji"
    assert document["protocol"]["recall"] == "class-hit-rate/v1"
    assert document["notes"][0].startswith("Budget: ")


# The paper's own numbers.


def test_published_numbers_stand_below_ours(results):
    text = render(results, published=True, tables=["table2"])
    measured, _, printed = text.partition("Numbers printed in the paper on UPMC Food-101 (arXiv:1911.05978, Table 2")
    assert "AdaMine" not in measured
    assert "Not comparable with the rows above" in printed.replace("\n  ", " ")
    assert "CME      0.031† 0.086† 0.167   0.033† 0.077† 0.162   0.034† 0.079  0.166   0.031† 0.085† 0.167\n" in printed
    assert "HUSE     0.705* 0.740* 0.787*  0.741*" in printed
    assert "† cannot go together with the same row of Table 1" in printed


def test_on_the_papers_dataset_the_rows_are_not_called_incomparable(make_record):
    text = render(Results([make_record(dataset__name="food101")]), published=True)
    assert "Numbers printed in the paper" in text
    assert "Not comparable" not in text


def test_without_published_the_paper_is_not_there(results):
    for form in ("text", "markdown", "latex", "csv", "json"):
        assert "1911.05978" not in render(results, form)
        assert "1911.05978" in render(results, form, published=True)


def test_published_accuracies_are_shares_where_ours_are(results):
    rows = list(csv.DictReader(io.StringIO(render(results, "csv", published=True))))
    row = next(row for row in rows if row["title"] == "Wang et al. [36]" and row["task"] == "image")
    assert row["value"] == "0.402"
    assert "40.2" in render(results, published=True)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_tables_that_were_changed_are_shown_as_they_are(results):
    def change(table, name):
        assert name == "table3"
        table["Gain"] = [0.1, 0.2, float("nan"), 0.3]
        table.drop(index="CME", inplace=True)

    text = render(results, tables=["table3"], published=True, change=change)
    assert "Method             Image  Text  Fusion  Gain" in text
    assert "HUSE                70.0  80.0    91.0  30.0*" in text
    assert render(results, "csv", tables=["table3"], change=change).count("\n") == 3 * 4
