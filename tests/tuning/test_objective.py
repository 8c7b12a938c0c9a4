import pytest

from huse_bench.errors import ConfigError
from huse_bench.tuning import METRICS, Objective


def test_the_default_is_the_mean_of_four_recalls_and_the_fusion_accuracy():
    metrics = {"i2i R@1": 0.1, "i2t R@1": 0.2, "t2i R@1": 0.3, "t2t R@1": 0.4, "fusion accuracy": 1.0, "i2i R@5": 0.9}
    assert Objective().value(metrics) == pytest.approx(0.4)


def test_metrics_that_a_method_lacks_are_left_out_of_its_mean():
    assert Objective().value({"i2i R@1": 0.1, "i2t R@1": 0.2, "t2i R@1": 0.3, "t2t R@1": 0.4}) == pytest.approx(0.25)
    assert Objective().of("triplet", "none") == ["i2i R@1", "i2t R@1", "t2i R@1", "t2t R@1"]
    assert Objective().of("huse", "shared") == list(Objective().metrics)


def test_every_metric_that_may_be_named_is_measured(search):
    (tuned,), _ = search(["huse"], 1)
    assert set(METRICS) <= tuned.trials[0].metrics.keys()
    assert Objective(METRICS).value(tuned.trials[0].metrics) == pytest.approx(
        sum(tuned.trials[0].metrics[name] for name in METRICS) / len(METRICS)
    )


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ((), "the objective names no metric; there are i2i R@1"),
        (("i2t R@2",), r"unknown validation metric 'i2t R@2' in the objective. Did you mean 'i2t R@"),
        (("i2t R@1", "i2t R@1"), "names 'i2t R@1' twice"),
    ],
)
def test_mistakes(metrics, message):
    with pytest.raises(ConfigError, match=message):
        Objective(metrics)


def test_a_method_without_any_of_the_metrics_is_refused():
    with pytest.raises(ConfigError, match=r"'triplet' has no classifier.*leave it out of --methods, or add"):
        Objective(("fusion accuracy",)).of("triplet", "none")
