"""Whole searches on the toy dataset, with real trainings."""

import sys
from dataclasses import replace

import pytest
import torch

import huse_bench as hb
from huse_bench import discovery
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, PluginError, ResultsError
from huse_bench.progress import Reporter
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_experiment, run_trial
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.params import ParamsFile


def values(tuned):
    return {trial.number: (trial.parameters, trial.value, trial.metrics) for trial in tuned.trials}


def test_the_first_trial_is_validated_as_a_run_of_the_defaults_is(search, quick_training):
    tuned, _ = search(["huse", "triplet"], 1)
    results = hb.run(["huse", "triplet"], "toy", seeds=[1000], training={**quick_training, "steps": 10}, quiet=True)
    for one, record in zip(tuned, results.records, strict=True):
        assert one.method.name == record.method.name
        assert one.trials[0].parameters.items() <= record.method.parameters.items()
        assert one.trials[0].metrics == record.validation


def test_every_method_gets_as_many_trials_and_the_best_is_written(search, toy):
    tuned, path = search(["huse", "tunable"], 3)
    assert path.resolve() == toy / "results/toy/tuned.toml"
    file = ParamsFile.read(path)
    for result in tuned:
        name = result.method.name
        assert [trial.number for trial in result.trials] == [1, 2, 3]
        best = max(result.trials, key=lambda trial: trial.value)
        assert result.best == best
        assert best.parameters.items() <= file.methods[name][0].items()
        (spent,) = file.ledger.methods[name]
        assert (spent.trials, spent.failed, spent.best_trial) == (3, 0, best.number)
        assert (spent.value, spent.default_value) == (best.value, result.trials[0].value)
    # What was not tuned is written too, so that the file alone says what is run.
    assert file.methods["huse"][0]["relaxation"] == "and"
    assert file.ledger.training.steps == 10
    assert file.ledger.seed == 0


def test_trials_that_are_done_are_not_run_again(search, monkeypatch):
    (few,), path = search(["tunable"], 2)
    (more,), _ = search(["tunable"], 4)
    assert values(few).items() <= values(more).items()
    text = path.read_text()

    monkeypatch.setattr("huse_bench.tuning.trials.run_trial", None)
    (same,), _ = search(["tunable"], 4)
    assert same.trials == more.trials
    assert path.read_text() == text
    # The best of the first two, whatever came later: as many as asked for, and as many as for other methods.
    (few_again,), _ = search(["tunable"], 2)
    assert few_again.trials == few.trials
    assert ParamsFile.read(path).ledger.methods["tunable"][0].trials == 2


@pytest.mark.parametrize("change", [{"training": {"dropout": 0.2}}, {"seeds": [1]}, {"objective": ("i2t R@1",)}])
def test_other_terms_are_other_trials(search, toy, change):
    (first,), _ = search(["tunable"], 2)
    (second,), _ = search(["tunable"], 2, output=toy / "second.toml", **change)
    assert values(first) != values(second)
    (again,), _ = search(["tunable"], 2)
    assert again.trials == first.trials


def test_the_test_split_is_not_looked_at(toy, quick_training):  # noqa: ARG001 - toy puts the dataset on the path
    config = resolve_config(None, {"dataset": "toy", "methods": ["huse"], "training": {**quick_training, "steps": 10}})
    (huse,) = resolve_methods(config)
    _, data = make_ready(load(config), config, Reporter(quiet=True))
    metrics = run_trial(huse, data, config.training, 0).metrics

    broken = {**data.splits}
    for name in ("image", "text"):
        broken["test"] = replace(broken["test"], **{name: torch.full_like(getattr(broken["test"], name), torch.nan)})
    assert run_trial(huse, replace(data, splits=broken), config.training, 0).metrics == metrics
    without = {name: split for name, split in data.splits.items() if name != "test"}
    assert run_trial(huse, replace(data, splits=without), config.training, 0).metrics == metrics
    # A run does look at it, at its end.
    with pytest.raises(KeyError, match="test"):
        run_experiment(huse, replace(data, splits=without), config.training, 0)


OTHER_TEST_SPLIT = """

class Toy(Toy):
    def load(self):
        items = super().load()
        for features in (items.image_features, items.text_features):
            features.values[128:] = np.random.default_rng(5).normal(size=features.values[128:].shape)
        return items
"""


def test_a_search_finds_the_same_whatever_the_test_split_holds(search, toy, site):
    (first,), _ = search(["huse"], 3, results="a")
    with (site / "toy_plugins.py").open("a") as file:
        file.write(OTHER_TEST_SPLIT)
    sys.modules.pop("toy_plugins")
    discovery.refresh()
    (second,), path = search(["huse"], 3, results="b")
    assert ParamsFile.read(path).ledger.content_hash != ParamsFile.read(toy / "a/tuned.toml").ledger.content_hash
    assert values(first) == values(second)


def test_diverged_trials_are_kept_with_their_error_and_the_search_goes_on(search):
    (tuned,), path = search(["picky"], 8)
    for trial in tuned.trials:
        assert (trial.value is None) == (trial.parameters["weight"] <= 2)
        assert trial.error == ("diverged: the loss was gap nan at step 1 of 10" if trial.value is None else None)
    assert 0 < tuned.failed < 8
    assert tuned.best.parameters["weight"] > 2
    (spent,) = ParamsFile.read(path).ledger.methods["picky"]
    assert (spent.trials, spent.failed, spent.default_value) == (8, tuned.failed, None)


def test_a_method_whose_trials_all_fail_has_no_parameters(search):
    (good, bad), path = search(["tunable", "hopeless"], 2)
    assert good.best is not None
    assert bad.best is None
    assert {trial.error for trial in bad.trials} == {"failed: ZeroDivisionError: oh no"}
    assert list(ParamsFile.read(path).methods) == ["tunable"]


def test_a_default_outside_the_space_is_the_first_trial_all_the_same(search):
    (tuned,), _ = search(["outside"], 2)
    assert tuned.trials[0].parameters == {"weight": 1.0}
    assert 2 <= tuned.trials[1].parameters["weight"] <= 4


def test_what_the_configuration_gives_is_held(search):
    (tuned,), path = search(["huse"], 3, parameters={"huse": {"margin": 0.4, "relaxation": "or"}})
    assert all(trial.parameters.keys() == {"alpha", "beta", "gamma"} for trial in tuned.trials)
    (table,) = ParamsFile.read(path).methods["huse"]
    assert (table["margin"], table["relaxation"]) == (0.4, "or")


def test_a_variant_is_tuned_as_its_base_is(search):
    variants = {"tunable-2": {"base": "tunable", "title": "Twice", "squared": True}}
    (tuned,), path = search(["tunable-2"], 2, parameters=variants)
    assert all(trial.parameters.keys() == {"weight"} for trial in tuned.trials)
    expected = {"base": "tunable", "title": "Twice", "squared": True, "power": 1, **tuned.best.parameters}
    assert ParamsFile.read(path).methods == {"tunable-2": (expected,)}


def test_without_methods_all_that_have_a_space_are_tuned(search, site):
    entry_points = site / "toy_plugins-1.0.dist-info/entry_points.txt"
    entry_points.write_text(entry_points.read_text().replace("misspelt = toy_plugins:Misspelt\n", ""))
    discovery.refresh()
    tuned, path = search(None, 1)
    names = {result.method.name for result in tuned}
    assert {"huse", "triplet", "cme", "tunable", "picky"} <= names
    assert not names & {"separate", "gap", "crash"}
    assert list(ParamsFile.read(path).methods) == [result.method.name for result in tuned if result.best is not None]


def test_methods_tuned_on_the_same_terms_share_the_file(search):
    search(["tunable"], 2)
    _, path = search(["triplet"], 1)
    file = ParamsFile.read(path)
    assert {name: spent.trials for name, (spent,) in file.ledger.methods.items()} == {"tunable": 2, "triplet": 1}


def test_a_file_of_other_terms_is_not_written_over(search):
    _, path = search(["tunable"], 1)
    text = path.read_text()
    with pytest.raises(
        ConfigError, match=r"on other terms: there seed is 0, not 3; training.steps is 10, not 11.*--out"
    ):
        search(["tunable"], 1, seeds=[3], training={"steps": 11})
    assert path.read_text() == text
    path.write_text("[methods.huse]\nalpha = 2.0\n")
    with pytest.raises(ConfigError, match=r"tuned.toml has no \[ledger\]"):
        search(["tunable"], 1)


@pytest.mark.parametrize(
    ("methods", "trials", "options", "error", "message"),
    [
        (
            ["separate"],
            2,
            {},
            ConfigError,
            r"'separate' declares no tuning space, so there is nothing to tune. Leave it",
        ),
        (["gap", "tunable"], 2, {}, ConfigError, r"'gap' declares no tuning space"),
        (
            ["misspelt"],
            2,
            {},
            PluginError,
            r"'misspelt' of toy-plugins .* space for 'wait', which its constructor does",
        ),
        (["tunable"], 0, {}, ConfigError, r"--trials 0: at least one trial is needed"),
        (["tunable"], 2, {"seeds": [1, 2]}, ConfigError, r"seeds \(argument\) has 2; choose one with --seed"),
        (["tunable"], 2, {"params": "tuned.toml"}, ConfigError, r"leave out params = tuned.toml"),
        (["triplet"], 2, {"objective": ("fusion accuracy",)}, ConfigError, "'triplet' has no classifier"),
        (
            ["triplet"],
            2,
            {"parameters": {"triplet": {"margin": 0.4}}},
            ConfigError,
            r"nothing of 'triplet' is left to tune: argument gives margin",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_the_first_trial(search, toy, methods, trials, options, error, message):
    with pytest.raises(error, match=message):
        search(methods, trials, **options)
    assert not list(toy.rglob("tuned.toml"))


def test_a_file_that_cannot_be_written_keeps_the_trials(search, toy, monkeypatch):
    with pytest.raises(ResultsError, match=r"cannot write .*nowhere/t.toml \(No such file.*the trials are kept"):
        search(["tunable"], 1, output=toy / "nowhere/t.toml")
    monkeypatch.setattr("huse_bench.tuning.trials.run_trial", None)
    (tuned,), _ = search(["tunable"], 1)
    assert tuned.best is not None
