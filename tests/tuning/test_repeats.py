"""Trials that gave the same to the bit are counted and said, and what did nothing is named where that can be told."""

import re

import pytest

import huse_bench as hb
from huse_bench.cli import main
from huse_bench.config import resolve_config
from huse_bench.report import render
from huse_bench.runs.params import ParamsFile
from huse_bench.tuning import tune
from huse_bench.tuning.repeats import distinct, repeats
from huse_bench.tuning.study import Trial


def trials(*settings):
    """Trials of one metric each, by parameters and its value; None fails."""
    return [
        Trial(number, parameters, value, None, 0.1, {} if value is None else {"i2i R@1": 0.5, "i2i R@5": value})
        for number, (parameters, value) in enumerate(settings, 1)
    ]


def test_one_knob_is_named_with_its_range():
    of_margin = trials(*(({"margin": margin}, 0.7) for margin in (0.2, 0.0844, 0.52881)), ({"margin": 0.01}, 0.8))
    assert distinct(of_margin) == 2
    assert repeats(of_margin) == [
        "3 of 4 trials gave the same metrics to the bit: margin changed nothing between 0.0844 and 0.529"
    ]


def test_metrics_are_compared_to_the_bit_and_all_of_them():
    assert repeats(trials(({"x": 1.0}, 0.1 + 0.2), ({"x": 2.0}, 0.3))) == []
    one = Trial(1, {"x": 1.0}, 0.5, None, 0.1, {"i2i R@1": 0.5, "i2i R@5": 0.6})
    # As good by the objective, and not the same.
    other = Trial(2, {"x": 2.0}, 0.5, None, 0.1, {"i2i R@1": 0.5, "i2i R@5": 0.7})
    assert distinct([one, other]) == 2
    assert repeats([one, other]) == []


def test_the_only_one_of_several_knobs_that_differs_is_named():
    of_both = trials(({"x": 1.0, "kind": "a"}, 0.7), ({"x": 1.0, "kind": "b"}, 0.7), ({"x": 2.0, "kind": "a"}, 0.8))
    assert repeats(of_both) == ["2 of 3 trials gave the same metrics to the bit: kind changed nothing among a, b"]


def test_of_several_knobs_that_differ_the_trials_are_counted():
    many = trials(
        ({"x": 1.0, "y": 1.0, "z": 5}, 0.7),
        ({"x": 2.0, "y": 2.0, "z": 5}, 0.7),
        ({"x": 3.0, "y": 3.0, "z": 5}, 0.8),
        ({"x": 4.0, "y": 4.0, "z": 5}, 0.8),
        ({"x": 5.0, "y": 5.0, "z": 5}, 0.8),
        ({"x": 6.0, "y": 6.0, "z": 6}, 0.9),
    )
    assert distinct(many) == 3
    assert repeats(many) == ["5 of 6 trials gave the same metrics to the bit as another, though x, y differ"]


def test_what_was_tried_twice_says_nothing_of_a_knob():
    twice = trials(({"kind": "a"}, 0.7), ({"kind": "a"}, 0.7), ({"kind": "b"}, 0.8))
    assert distinct(twice) == 2
    assert repeats(twice) == []


def test_false_is_not_zero():
    assert repeats(trials(({"x": False}, 0.7), ({"x": 0}, 0.7))) == [
        "2 of 2 trials gave the same metrics to the bit: x changed nothing among False, 0"
    ]


def test_failed_trials_have_no_result():
    failed = trials(({"x": 1.0}, None), ({"x": 2.0}, None), ({"x": 3.0}, 0.7))
    assert distinct(failed) == 1
    assert repeats(failed) == []


def test_a_search_says_it_and_the_tables_keep_it(site, quick_training, capsys):  # noqa: ARG001 - site has the losses
    training = {**quick_training, "steps": 10}
    given = {"dataset": "toy", "methods": ["deaf"], "training": training}
    (tuned,), path = tune(resolve_config(None, given), 6)
    metrics = {tuple(sorted(trial.metrics.items())) for trial in tuned.trials}
    below = [trial.parameters["weight"] for trial in tuned.trials if trial.parameters["weight"] <= 3]
    said = f"Deaf: {len(below)} of 6 trials gave the same metrics to the bit: weight changed nothing between"
    assert f"{said} {min(below):.3g} and {max(below):.3g}\n" in capsys.readouterr().err
    assert ParamsFile.read(path).ledger.methods["deaf"][0].distinct == len(metrics) < 6

    results = hb.run(["deaf"], "toy", params=path, training=training, quiet=True)
    assert results.records[0].tuning.distinct == len(metrics)
    text = " ".join(render(results).split())
    assert f"seed 0; Deaf: 6 trials ({len(metrics)} distinct). Doubts about the tuning: {said}" in text

    lines = "".join(f"{name} = {value}\n" for name, value in training.items())
    path.with_name("config.toml").write_text(f"[training]\n{lines}")
    assert main(["tune", "--dataset", "toy", "--methods", "deaf", "--trials", "6",
                 "--config", str(path.with_name("config.toml"))]) == 0  # fmt: skip
    assert f"6 ({len(metrics)} distinct)" in capsys.readouterr().out


def test_files_from_before_do_not_say(search, quick_training):
    _, path = search(["deaf"], 4)
    text, found = re.subn(r"^distinct = [1-3]\n", "", path.read_text(), flags=re.MULTILINE)
    assert found == 1
    path.write_text(text)
    training = {**quick_training, "steps": 10}
    results = hb.run(["deaf"], "toy", params=path, training=training, quiet=True)
    assert results.records[0].tuning.distinct is None
    assert "distinct" not in render(results)


@pytest.mark.parametrize("trials_in_all", [1, 3])
def test_trials_that_all_differ_are_not_mentioned(search, capsys, trials_in_all):
    (tuned,), _ = search(["huse"], trials_in_all)
    assert tuned.distinct == trials_in_all
    assert "same metrics" not in capsys.readouterr().err
