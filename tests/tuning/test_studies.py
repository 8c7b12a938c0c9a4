"""Several searches of one method: what they share, what the file holds, and how seeds are split among their winners."""

import tomllib
from pathlib import Path

import pytest

import huse_bench as hb
from huse_bench.errors import ConfigError
from huse_bench.report import render
from huse_bench.report.tuning_budget import tuned_more
from huse_bench.results.rows import rows_of
from huse_bench.runs.params import ParamsFile

TUNED = "results/deep/tuned.toml"


@pytest.fixture
def run(site, quick_training):  # noqa: ARG001 - site puts the losses on the path
    def call(methods=None, seeds=4, **options):
        options = {"params": TUNED, "quiet": True, **options}
        return hb.run(methods, "deep", seeds=seeds, training={**quick_training, "steps": 10}, **options)

    return call


def tried(tuned):
    return [trial.parameters for trial in tuned.trials[1:]]


def test_studies_have_nothing_in_common_but_their_number_of_trials(search):
    (one, two, three), path = search(["huse"], 3, studies=3, dataset="deep")
    assert [one.study, two.study, three.study] == [1, 2, 3]
    assert [one.seed, two.seed, three.seed] == [1000, 1001, 1002]
    # The first trial has the defaults in each, and is another training.
    assert one.trials[0].parameters == two.trials[0].parameters
    assert one.trials[0].metrics != two.trials[0].metrics
    assert not any(parameters in tried(two) + tried(three) for parameters in tried(one))
    assert {len(study.trials) for study in (one, two, three)} == {3}
    # The first is the search that --studies 1 makes, and is not made again.
    (alone,), _ = search(["huse"], 3, output=path.with_name("alone.toml"), dataset="deep")
    assert alone.trials == one.trials


def test_the_file_has_a_table_for_each_study(search):
    tuned, path = search(["huse", "triplet"], 2, studies=2, dataset="deep")
    tables = tomllib.loads(path.read_text())
    assert tables["ledger"]["studies"] == 2
    for name in ("huse", "triplet"):
        results = [result for result in tuned if result.method.name == name]
        for result, table, ledger in zip(
            results, tables["methods"][name], tables["ledger"]["methods"][name], strict=True
        ):
            assert result.best.parameters.items() <= table.items()
            assert (ledger["study"], ledger["seed"]) == (result.identity, 999 + result.study)
            assert ledger["value"] - ledger["default_value"] == pytest.approx(result.gain.value, abs=1e-6)
            assert ledger["gain_interval"] == [result.gain.low, result.gain.high]
    assert ParamsFile.read(path).methods["huse"] == tuple(tables["methods"]["huse"])


def test_seeds_are_split_among_the_winners_and_are_one_row(search, run):
    (one, two, *_), _ = search(["huse", "triplet"], 3, studies=2, dataset="deep")
    assert one.best.parameters != two.best.parameters
    results = run()
    huse, triplet = sorted(results.rows, key=lambda row: row.label)
    assert (huse.label, triplet.label) == ("HUSE", "Triplet")
    assert [record.seed for record in huse.records] == [0, 1, 2, 3]
    for record in huse.records:
        winner = (one, two)[record.seed % 2]
        assert winner.best.parameters.items() <= record.method.parameters.items()
        assert (record.tuning.number, record.tuning.studies, record.tuning.study) == (
            winner.study,
            2,
            winner.identity,
        )
        assert (record.tuning.training_seed, record.tuning.value) == (winner.seed, winner.best.value)
    assert len({record.configuration for record in huse.records}) == 2
    assert len({record.tuning.joint for record in huse.records}) == 1
    assert [tuning.number for tuning in huse.tunings] == [1, 2]
    text = " ".join(render(results).split())
    assert "Tuning: 2 studies, whose winners share the seeds, each of 3 trials of 10 steps of 32 pairs" in text
    assert "was run in 2 configurations" not in text
    # Read again, they are the same rows.
    assert [row.label for row in rows_of(hb.load_results("results/deep").records)] == ["Triplet", "HUSE"]


def test_the_row_varies_with_the_search_too(search, run):
    search(["huse"], 3, studies=2, dataset="deep")
    results = run(seeds=[1, 2])
    by_seed = {record.seed: record for record in results.rows[0].records}
    assert by_seed[1].method.parameters != by_seed[2].method.parameters
    mean = sum(record.retrieval["i2t"]["R@1"] for record in by_seed.values()) / 2
    assert results.tables()["table1"].loc["HUSE", ("Image to Text", "R@1")] == pytest.approx(mean)


def test_two_studies_cost_twice_what_one_does(search, run, site):  # noqa: ARG001
    search(["huse"], 2, studies=2, dataset="deep")
    search(["triplet"], 2, dataset="deep", output=Path("results/deep/single.toml"))
    run(["huse"], 2)
    run(["triplet"], 2, params="results/deep/single.toml")
    results = hb.load_results("results/deep")
    assert tuned_more(results.rows) == {"HUSE"}
    assert "Tuning: NOT EQUAL" in " ".join(render(results).split())


def test_equal_winners_are_told_to_be_the_first_ones(search, run):
    # A factor on the only term is nothing to AdamW, so that the defaults are the first of equals in each study.
    search(["tunable"], 2, studies=2, dataset="deep")
    (row,) = run(["tunable"], 2).rows
    assert len({record.configuration for record in row.records}) == 1
    assert [record.tuning.number for record in row.records] == [1, 1]
    assert [record.tuning.studies for record in row.records] == [2, 2]


def test_seeds_that_cannot_be_split_evenly_are_said(search, run, capsys):
    search(["triplet"], 1, studies=3, dataset="deep")
    run(["triplet"], 2, quiet=False)
    assert "2 seeds are not split evenly among the winners of 3 studies" in capsys.readouterr().err
    run(["triplet"], 3, quiet=False)
    assert "evenly" not in capsys.readouterr().err


def test_a_method_of_which_a_study_fails_is_left_out(search):
    tuned, path = search(["picky", "triplet"], 1, studies=2, dataset="deep")
    assert [result.best is None for result in tuned] == [True, True, False, False]
    assert list(ParamsFile.read(path).methods) == ["triplet"]


def test_mistakes(search):
    with pytest.raises(ConfigError, match="--studies 0: at least one study is needed"):
        search(["triplet"], 1, studies=0)
    _, path = search(["triplet"], 1, studies=2, dataset="deep")
    with pytest.raises(ConfigError, match=r"on other terms: there studies is 2, not 1\. Choose another file"):
        search(["triplet"], 1, dataset="deep")
    text = path.read_text()
    path.write_text(text.replace("studies = 2", "studies = 3"))
    with pytest.raises(ConfigError, match=r"'triplet' has 2 tables and 2 ledgers, and there were 3 studies; make it"):
        ParamsFile.read(path)
    path.write_text(text.replace("best_trial = 1", "best_trial = 0"))
    with pytest.raises(ConfigError, match=r"tuned.toml: ledger.methods.triplet.0.best_trial: Input should be"):
        ParamsFile.read(path)
