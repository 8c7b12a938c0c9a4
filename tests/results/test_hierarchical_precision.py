"""HP@K that tells nothing apart, who cannot miss, and Table 2 by Barz and Denzler."""

import json

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.cli import main
from huse_bench.errors import ResultsError
from huse_bench.report import render
from huse_bench.results import DIRECTIONS, Results, Store
from huse_bench.results.comparison import compare
from huse_bench.results.intervals import uncertainty

# Of the records' 80 classes: as a taxonomy without levels gives it, and as one with levels.
FLAT = {"recall": "r", "mean_set_size": {"2": 80.0, "5": 80, "10": 80}, "cannot_miss": {"2": 1.0, "5": 1.0, "10": 1.0}}
SOME = {"recall": "r", "mean_set_size": {"2": 3, "5": 40, "10": 80}, "cannot_miss": {"2": 0.0, "5": 0.4454, "10": 1.0}}
REASON = "every class is correct for every query, so that it tells nothing apart"


def unfolded(text):
    return text.replace("\n  ", " ")


def test_columns_of_which_some_tell_something_keep_the_others(write_run, tmp_path):
    for name in ("cme", "huse"):
        for seed in range(2):
            write_run(name, seed, 0.6, protocol=SOME)
    results = hb.load_results(tmp_path)
    table = results.tables()["table2"]
    assert table.isna().all().tolist() == [False, False, True] * 4
    text = unfolded(render(results))
    assert "Cannot miss, whatever is found, since every class is correct: HP@5 for 44.5% of queries." in text
    assert f"HP@10: - where {REASON}." in text
    known = uncertainty(results)
    assert known.cell("HUSE", ("Image to Text", "HP@5")).tied is not None
    assert known.cell("HUSE", ("Image to Text", "HP@10")).low is None
    compared = compare(results, "huse", "cme")
    assert {difference.metric for difference in compared.differences} >= {"HP@2", "HP@5"}
    assert "HP@10" not in {difference.metric for difference in compared.differences}
    assert compared.skipped == f"No HP@10: {REASON}."


@pytest.mark.parametrize(
    ("protocol", "dashes"),
    [
        ({"mean_set_size": {"2": 3.2, "5": 80.0}}, [False, True, False]),
        ({"mean_set_size": {"2": 79.9}}, [False, False, False]),
        ({}, [False, False, False]),
    ],
)
def test_older_records_say_it_by_the_mean_size_of_the_sets(make_record, protocol, dashes):
    results = Results([make_record(protocol=protocol)])
    assert results.tables()["table2"].isna().all().tolist() == dashes * 4
    assert "annot miss" not in render(results)


# Barz and Denzler's.


def write_similar(write_run, folder, name, seed, chance):
    """A run whose items are 0, 1 or 2 steps like the query; of ten, six can be 2 steps and three 1."""
    record = write_run(name, seed, chance)
    store = Store(folder, dataset="emoji")
    counts = {direction: dict(columns) for direction, columns in store.per_query(record).items()}
    rng = np.random.default_rng([seed, *name.encode(), 5])
    retrieval = {direction: dict(scores) for direction, scores in record.retrieval.items()}
    for direction in DIRECTIONS:
        steps = rng.binomial(2, chance, (90, 10))
        best = np.array([2] * 6 + [1] * 3 + [0])
        for k in (2, 5, 10):
            ideal = np.full(90, best[:k].sum())
            # One query that has nothing similar.
            ideal[0], sums = 0, steps[:, :k].sum(1)
            sums[0] = 0
            sums = np.minimum(sums, ideal)
            counts[direction] |= {f"similarity@{k}": sums, f"ideal@{k}": ideal}
            retrieval[direction][f"BHP@{k}"] = float(np.mean(np.append(sums[1:] / ideal[1:], 0)))
    record = record.model_copy(update={"retrieval": retrieval})
    store.write(record, counts, store.predictions(record))


@pytest.fixture
def similar(write_run, tmp_path):
    for name, chance in (("cme", 0.5), ("huse", 0.8)):
        for seed in range(3):
            write_similar(write_run, tmp_path, name, seed, chance)
    return tmp_path


def test_table_2_by_barz_and_denzler(similar, capsys):
    results = hb.load_results(similar, hp="barz")
    table = results.tables()["table2"]
    assert [metric for _, metric in table.columns[:3]] == ["BHP@2", "BHP@5", "BHP@10"]
    row = next(row for row in results.rows if row.label == "HUSE")
    expected = np.mean([record.retrieval["i2t"]["BHP@5"] for record in row.records])
    assert table.loc["HUSE", ("Image to Text", "BHP@5")] == pytest.approx(expected)
    cell = uncertainty(results).cell("HUSE", ("Image to Text", "BHP@5"))
    assert cell.low < expected < cell.high
    assert cell.tied is True
    assert uncertainty(results).cell("CME", ("Image to Text", "BHP@5")).tied is False
    assert main(["tables", "--results", str(similar), "--hp", "barz", "--table", "2", "--published"]) == 0
    out = capsys.readouterr().out
    assert "Hierarchical precision by Barz and Denzler (BHP@K) of various methods" in out
    # The paper prints no such numbers.
    assert "Numbers printed in the paper" not in out
    document = json.loads(render(results, "json", published=True))
    assert {n["metric"] for n in document["numbers"] if n["table"] == "table2"} == {"BHP@2", "BHP@5", "BHP@10"}
    # As in the paper unless asked.
    assert {metric for _, metric in hb.load_results(similar).tables()["table2"].columns} == {"HP@2", "HP@5", "HP@10"}


def test_methods_are_compared_by_it(similar):
    (difference, *others) = compare(hb.load_results(similar), "huse", "cme", ["BHP@10"]).differences
    assert len(others) == 3
    assert difference.difference > 0.1
    assert difference.p_value < 0.05


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"recall": "r"}, "they did not finish or are older; run them again with --overwrite always"),
        ({"bhp": "none: node 'a' has two parents"}, r"it needs a taxonomy that is a tree \(node 'a' has two parents\)"),
    ],
)
def test_runs_without_it_say_why(make_record, protocol, message):
    with pytest.raises(ResultsError, match=f"the runs have no BHP@K, .*: {message}"):
        Results([make_record(protocol=protocol)], hp="barz")
