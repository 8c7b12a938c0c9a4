"""How sure the numbers are, as the tables show it."""

import csv
import io
import json

import numpy as np
import pytest

from huse_bench.report import render
from huse_bench.report.grid import Form
from huse_bench.results import Results, load_results
from huse_bench.results.intervals import CellUncertainty, uncertainty
from huse_bench.results.layout import LAYOUT
from huse_bench.results.samples import Samples
from huse_bench.results.statistics import mean_interval
from huse_bench.results.variance import seed_spread

I2T_R1 = ("Image to Text", "R@1")


def reach(cell, value, digits=3):
    """The interval as the tables have it: how far it goes up and down, or both ways where that is as far."""
    up, down = (f"{distance:.{digits}f}" for distance in (cell.high - value, value - cell.low))
    apart = abs(float(up) - float(down))
    if round(apart * 10**digits) <= 1 or apart < max(float(up), float(down)) / 8:
        return (f"±{max(up, down, key=float)}",)
    return f"+{up}", f"-{down}"


@pytest.fixture
def results(tmp_path, write_run):
    """Two methods that are alike, and one that is much worse and has no classifier; four seeds."""
    for seed in range(4):
        write_run("cme", seed, 0.6)
        write_run("huse", seed, 0.6)
        write_run("triplet", seed, 0.1, classifier=False)
    return load_results(tmp_path)


def test_text_has_intervals_below_the_numbers_and_marks_ties(results):
    text = render(results, tables=["table1"])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120
    details = " ".join(line.strip() for line in lines[1:4])
    assert "mean of seeds 0, 1, 2, 3. ±: 95 % interval over seeds and queries." in details
    assert (
        "* may be the best of its column: no other is significantly better (paired permutation tests, 5%)." in details
    )
    at = next(i for i, line in enumerate(lines) if line.startswith("HUSE"))
    known = uncertainty(results)
    expected = [
        reach(known.cell("HUSE", column.heading), results.tables()["table1"].loc["HUSE", column.heading])
        for column in LAYOUT["table1"]
    ]
    assert lines[at + 1].split() == [parts[0].replace("0.", ".") for parts in expected]
    below = [parts[1].replace("0.", ".") for parts in expected if len(parts) > 1]
    assert below
    assert lines[at + 2].split() == below
    assert lines[at].count("*") == 12
    assert next(line for line in lines if line.startswith("TRIPLET")).count("*") == 0
    # Digits stand below digits.
    numbers = [i for i, sign in enumerate(lines[at]) if sign == "*"]
    assert all(lines[at + 1][i - 4] == "." for i in numbers)


def test_an_interval_that_reaches_as_far_both_ways_has_one_number():
    shares, percents = Form(percent=False, decimals=3), Form(percent=True, decimals=1)
    assert shares.reach(0.5, 0.48, 0.5204) == ("±.020",)
    assert shares.reach(0.5, 0.48, 0.521) == ("±.021",)
    assert shares.reach(0.5, 0.48, 0.518) == ("±.020",)
    assert shares.reach(0.5, 0.48, 0.517) == ("+.017", "-.020")
    assert shares.reach(0.97, 0.95, 0.982) == ("+.012", "-.020")
    assert percents.reach(0.5, 0.48, 0.521) == ("±2.1",)
    assert percents.reach(0.5, 0.4, 0.599) == ("±10.0",)
    assert percents.reach(0.97, 0.95, 0.982) == ("+1.2", "-2.0")


def test_accuracies_have_intervals_in_percent(results):
    lines = render(results, tables=["table3"]).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("CME"))
    cell = uncertainty(results).cell("CME", "Image")
    percent = CellUncertainty(low=100 * cell.low, high=100 * cell.high)
    value = 100 * results.tables()["table3"].loc["CME", "Image"]
    assert lines[at + 1].split()[0] == reach(percent, value, 1)[0]
    at = next(i for i, line in enumerate(lines) if line.startswith("TRIPLET"))
    assert lines[at].split() == ["TRIPLET", "-", "-", "-"]
    assert "±" not in lines[at + 1]


def test_markdown_and_latex_have_them_too(results):
    cell = uncertainty(results).cell("HUSE", "Fusion")
    value = 100 * results.tables()["table3"].loc["HUSE", "Fusion"]
    parts = reach(CellUncertainty(low=100 * cell.low, high=100 * cell.high), value, 1)
    markdown = render(results, "markdown", tables=["table3"])
    assert f"**{value:.1f}** {'/'.join(parts)} |" in markdown
    assert "Bold: may be the best of its column" in markdown
    latex = render(results, "latex", tables=["table3"])
    assert rf"\textbf{{{value:.1f}}} \\" in latex
    shown = parts[0].replace("±", r"$\pm$") if len(parts) == 1 else rf"$^{{{parts[0]}}}_{{{parts[1]}}}$"
    assert rf"{{\scriptsize {shown}}} \\" in latex
    assert r"$\pm$: 95 \% interval over seeds and queries." in latex
    assert "±" not in latex.partition("% Budget")[0]


def test_csv_and_json_have_the_ends_and_the_ranks(results):
    rows = list(csv.DictReader(io.StringIO(render(results, "csv", published=True))))
    row = next(r for r in rows if (r["title"], r["task"], r["metric"]) == ("TRIPLET", "i2t", "R@1"))
    cell = uncertainty(results).cell("TRIPLET", I2T_R1)
    assert (float(row["low"]), float(row["high"])) == (cell.low, cell.high)
    assert (row["ties_with_best"], row["rank_low"], row["rank_high"]) == ("False", "3", "3")
    assert {row["low"] for row in rows if row["source"] != "measured"} == {""}
    numbers = json.loads(render(results, "json"))["numbers"]
    number = next(n for n in numbers if (n["title"], n["task"], n["metric"]) == ("TRIPLET", "i2t", "R@1"))
    assert (number["low"], number["high"], number["rank_low"]) == (cell.low, cell.high, 3)
    assert next(n for n in numbers if n["title"] == "TRIPLET" and n["metric"] == "accuracy")["low"] is None


def test_one_seed_has_no_interval(tmp_path, write_run):
    write_run("cme", 0, 0.6)
    write_run("huse", 0, 0.1)
    results = load_results(tmp_path)
    text = render(results)
    assert "seed 0. No interval, no mark: one seed." in text
    assert "±" not in text
    assert "*" not in text
    assert "best" not in text
    assert json.loads(render(results, "json"))["numbers"][0]["low"] is None


def test_a_row_of_one_seed_among_others_has_none_and_nothing_is_tested(tmp_path, write_run):
    for seed in range(2):
        write_run("cme", seed, 0.6)
    write_run("huse", 0, 0.1)
    results = load_results(tmp_path)
    known = uncertainty(results)
    assert known.cell("CME", I2T_R1).low is not None
    assert known.cell("HUSE", I2T_R1).low is None
    assert not known.tested
    text = render(results, tables=["table1"])
    said = "none for rows of one seed or without per-query scores. No mark: rows of one seed."
    assert said in text.replace("\n  ", " ")
    assert "*" not in text


def test_groups_of_queries_are_counted_and_drawn(tmp_path, write_run):
    for seed in range(3):
        write_run("cme", seed, 0.6, groups=np.arange(90) // 3)
        write_run("huse", seed, 0.6, groups=np.arange(90) // 3)
    results = load_results(tmp_path)
    samples = Samples(results)
    values = [samples.values(row.finished, "i2t", "R@1") for row in results.rows]
    groups = np.repeat(np.arange(30), 3)
    for place, row in enumerate(results.rows):
        cell = uncertainty(results).cell(row.label, I2T_R1)
        assert (cell.low, cell.high) == mean_interval(values[place], seed_spread(values, groups).of(place), groups)
    assert "±: 95 % interval over seeds and 30 groups of queries." in render(results).replace("\n  ", " ")


def test_one_group_has_no_interval(tmp_path, write_run):
    for seed in range(2):
        write_run("cme", seed, 0.6, groups=np.zeros(90, dtype=int))
        write_run("huse", seed, 0.6, groups=np.zeros(90, dtype=int))
    results = load_results(tmp_path)
    assert not uncertainty(results).cells
    assert "No intervals: all test items are of one group." in render(results, published=True).replace("\n  ", " ")


def test_records_without_scores_have_no_intervals(make_record):
    text = render(Results([make_record(seed=seed) for seed in range(2)]))
    assert "No intervals: there are no per-query scores beside the records." in text.replace("\n  ", " ")


def test_a_diverged_method_does_not_stand_in_the_way(tmp_path, write_run, make_record):
    for seed in range(2):
        write_run("cme", seed, 0.6)
        write_run("huse", seed, 0.1)
    results = load_results(tmp_path)
    bad = make_record("hie", status="diverged", dataset__items=results.records[0].dataset.items)
    results = Results([*results.records, bad], folder=tmp_path)
    known = uncertainty(results)
    assert known.tested
    assert known.cell("CME", I2T_R1).ranks == (1, 1)
    assert "HIE     diverged" in render(results)


def test_a_changed_column_loses_what_was_known_of_it(results):
    def change(table, _):
        table["Image"] = [0.5, 0.4, 0.3]

    lines = render(results, tables=["table3"], change=change).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("CME"))
    assert lines[at].split()[:2] == ["CME", "50.0*"]
    assert len(lines[at + 1].split()) == 2
    numbers = json.loads(render(results, "json", tables=["table3"], change=change))["numbers"]
    assert {number["task"] for number in numbers if number["low"] is not None} == {"text", "fusion"}
