"""What is maximised: named objectives, lists of metrics, and what each item contributes."""

import numpy as np
import pytest

from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError
from huse_bench.progress import Reporter
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_trial
from huse_bench.runs.methods import resolve_methods
from huse_bench.tuning import METRICS, OBJECTIVES, Objective, tune
from huse_bench.tuning.objective import settled

RECALLS = {"i2i R@1": 0.1, "i2t R@1": 0.2, "t2i R@1": 0.3, "t2t R@1": 0.4}
PRECISIONS = {"i2i HP@5": 0.5, "i2t HP@5": 0.6, "t2i HP@5": 0.7, "t2t HP@5": 0.8}


def named(name):
    return Objective(OBJECTIVES[name])


def test_the_named_objectives_by_hand():
    metrics = {**RECALLS, **PRECISIONS, "fusion accuracy": 0.9, "i2i R@5": 1.0}
    assert named("retrieval").value(metrics) == pytest.approx(0.25)
    assert named("hierarchy").value(metrics) == pytest.approx(0.65)
    # Each of the three counts alike, whatever it is the mean of.
    assert named("balanced").value(metrics) == pytest.approx((0.25 + 0.65 + 0.9) / 3)
    assert Objective(("mean HP@5", "i2t R@1")).value(metrics) == pytest.approx((0.65 + 0.2) / 2)


def test_metrics_that_a_method_lacks_are_left_out_of_its_mean():
    objective = Objective(("mean R@1", "fusion accuracy"))
    assert objective.value(RECALLS) == pytest.approx(0.25)
    assert objective.of("triplet", "none") == ["mean R@1"]
    assert objective.of("huse", "shared") == ["mean R@1", "fusion accuracy"]


@pytest.fixture
def prepared(site, quick_training):  # noqa: ARG001 - site puts the data on the path
    """Methods, data and configuration by the names of methods and of a dataset."""

    def make(methods, dataset="deep"):
        config = resolve_config(
            None, {"dataset": dataset, "methods": methods, "training": {**quick_training, "steps": 10}}
        )
        return resolve_methods(config), make_ready(load(config), config, Reporter(quiet=True))[1], config

    return make


def test_balanced_has_accuracies_where_all_methods_have_them(prepared):
    methods, data, _ = prepared(["huse", "arc-face"])
    assert settled(("balanced",), methods, data) == (named("balanced"), [])
    methods, data, _ = prepared(["huse", "triplet", "tunable"])
    objective, said = settled(("balanced",), methods, data)
    assert objective.metrics == ("mean R@1", "mean HP@5")
    assert said == ["no accuracy is in the objective, for Triplet, Tunable have no classifier"]


def test_balanced_leaves_out_what_nothing_can_miss(prepared):
    # Of four classes, the five nearest are all.
    methods, data, _ = prepared(["huse"], "toy")
    objective, said = settled(("balanced",), methods, data)
    assert objective.metrics == ("mean R@1", "fusion accuracy")
    assert said == [
        "mean HP@5 is not in the objective: every class is correct for every query, so that it tells nothing apart"
    ]


@pytest.mark.parametrize("asked", [("hierarchy",), ("i2t R@1", "t2t HP@10")])
def test_an_objective_that_nothing_can_miss_is_refused(prepared, asked):
    methods, data, _ = prepared(["huse"], "toy")
    with pytest.raises(
        ConfigError, match=r"the objective has .* HP@.*, and on toy every class is correct .*more levels"
    ):
        settled(asked, methods, data)


@pytest.mark.parametrize("method", ["huse", "triplet"])
@pytest.mark.parametrize("metrics", [*OBJECTIVES.values(), METRICS, ("t2i R@5", "t2t HP@2")])
def test_items_contribute_what_the_objective_is_the_mean_of(prepared, method, metrics):
    (chosen,), data, config = prepared([method])
    validated = run_trial(chosen, data, config.training, 0)
    objective, labels = Objective(metrics), data.splits["validation"].labels
    values = objective.item_values(validated, labels)
    assert values.shape == (96,)
    assert values.mean() == pytest.approx(objective.value(validated.metrics), abs=1e-12)
    assert 0 <= values.min() < values.max() <= 1
    if method == "huse":
        hits = validated.predictions["fusion"] == labels
        np.testing.assert_array_equal(Objective(("fusion accuracy",)).item_values(validated, labels), hits)


def test_every_metric_that_may_be_named_is_measured(search):
    (tuned,), _ = search(["huse"], 1)
    metrics = tuned.trials[0].metrics
    singles = [name for name in METRICS if not name.startswith("mean ")]
    assert set(singles) <= metrics.keys()
    assert Objective(tuple(singles)).value(metrics) == pytest.approx(sum(map(metrics.get, singles)) / len(singles))


def test_a_search_says_what_it_maximises(site, quick_training, capsys):  # noqa: ARG001 - site puts the data on the path
    given = {"dataset": "deep", "methods": ["huse", "triplet"], "training": {**quick_training, "steps": 10}}
    tune(resolve_config(None, given), 1)
    err = capsys.readouterr().err
    assert "  objective balanced: mean of mean R@1, mean HP@5, on the validation split\n" in err
    assert "  no accuracy is in the objective, for Triplet has no classifier\n" in err


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ((), "the objective names no metric. It is balanced, retrieval, hierarchy, or a list of mean R@1"),
        (("balance",), "unknown validation metric 'balance' in the objective. Did you mean 'balanced'"),
        (("i2t R@2",), r"unknown validation metric 'i2t R@2' in the objective. Did you mean 'i2t R@"),
        (("i2t R@1", "balanced"), r"unknown validation metric 'balanced' in the objective"),
        (("i2t R@1", "i2t R@1"), "names 'i2t R@1' twice"),
    ],
)
def test_mistakes(metrics, message):
    with pytest.raises(ConfigError, match=message):
        Objective(metrics)


def test_a_method_without_any_of_the_metrics_is_refused():
    with pytest.raises(ConfigError, match=r"'triplet' has no classifier.*leave it out of --methods, or add"):
        Objective(("fusion accuracy",)).of("triplet", "none")
