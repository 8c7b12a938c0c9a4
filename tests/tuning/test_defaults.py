"""Tuned methods beside their defaults: which runs are made, where they stand, and what the note says."""

from pathlib import Path

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.errors import ConfigError
from huse_bench.measures import DIRECTIONS
from huse_bench.report import render
from huse_bench.report.figures.tuning import tuned_beside_default
from huse_bench.results.gains import tuned_gains
from huse_bench.results.statistics import bootstrap_interval
from huse_bench.results.variance import seed_spread
from huse_bench.runs.params import ParamsFile

TUNED = "results/deep/tuned.toml"

# Enough to be better than towers that learnt nothing.
TRAINING = {"steps": 80, "learning_rate": 0.01, "dropout": 0.0, "image_layers": 2}


@pytest.fixture
def run(site, quick_training):  # noqa: ARG001 - site puts the losses on the path
    def call(methods=None, seeds=2, **options):
        options = {"params": TUNED, "with_defaults": True, "quiet": True, **options}
        return hb.run(methods, "deep", seeds=seeds, training={**quick_training, **TRAINING}, **options)

    return call


def defaults_of(results, label):
    return next(row for row in results.rows if row.label == label).defaults


def test_defaults_run_with_the_same_seeds_and_stand_beside_the_row(search, run):
    (steered, _), _ = search(["steered", "blind"], 3, dataset="deep", training=TRAINING)
    assert steered.best.number > 1
    results = run(["steered", "blind", "separate"])
    assert [row.label for row in results.rows] == ["Separate Models", "Blind", "Steered"]
    # Nothing was tuned of separate.
    assert defaults_of(results, "Separate Models") == ()
    for record in defaults_of(results, "Steered"):
        assert steered.trials[0].parameters.items() <= record.method.parameters.items()
        assert record.tuning is None
    assert [record.seed for record in defaults_of(results, "Steered")] == [0, 1]
    # They are the very runs that run without --params makes.
    plain = run(["steered"], params=None, with_defaults=None)
    assert {record.fingerprint for record in plain.records} == {
        record.fingerprint for record in defaults_of(results, "Steered")
    }
    assert [row.label for row in plain.rows] == ["Steered"]
    # All of the folder, and some of its methods.
    again = hb.load_results("results/deep")
    assert [row.label for row in again.rows] == [row.label for row in results.rows]
    assert len(defaults_of(again.only(["steered"]), "Steered")) == 2


def test_hyper_parameters_that_were_held_are_held_at_the_defaults_too(search, run):
    held = {"steered": {"squared": True}}
    search(["steered"], 2, dataset="deep", training=TRAINING, parameters=held)
    (record, _) = defaults_of(run(["steered"], parameters=held), "Steered")
    assert record.method.parameters["squared"] is True
    assert record.method.parameters["weight"] == 0.0


def mean_scores(results, records, tasks, metric):
    """Scores (seeds, queries), from the stored counts alone."""
    found = []
    for record in records:
        if metric == "accuracy":
            stored = results.predictions(record)
            found.append(stored["fusion_prediction"] == stored["label"])
        elif metric == "R@1":
            found.append(np.mean([results.per_query(record)[task]["hits@1"] > 0 for task in tasks], axis=0))
        else:
            found.append(np.mean([results.per_query(record)[task]["hp@5"] / 5 for task in tasks], axis=0))
    return np.array(found, dtype=float)


def test_the_gain_is_the_mean_difference_with_the_interval_of_a_comparison(search, run):
    search(["steered", "blind"], 3, dataset="deep", training=TRAINING)
    results = run(seeds=3)
    rows = {row.label: row for row in results.rows}
    gains = tuned_gains(results)
    assert [(gain.score, gain.label) for gain in gains] == [
        ("mean R@1", "Blind"), ("mean R@1", "Steered"),
        ("mean HP@5", "Blind"), ("mean HP@5", "Steered"), ("fusion accuracy", "Steered"),
    ]  # fmt: skip
    groups = results.predictions(rows["Steered"].records[0])["group"].astype(np.int64)
    assert len(np.unique(groups)) == 64
    for score, metric in (("mean R@1", "R@1"), ("mean HP@5", "HP@5")):
        sides = [
            mean_scores(results, records, DIRECTIONS, metric)
            for label in ("Blind", "Steered")
            for records in (rows[label].records, rows[label].defaults)
        ]
        spread = seed_spread(sides, groups).of_pairs()
        for place, gain in enumerate(gain for gain in gains if gain.score == score):
            tuned, default = sides[2 * place : 2 * place + 2]
            assert (gain.tuned, gain.default, gain.seeds) == (
                pytest.approx(tuned.mean()),
                pytest.approx(default.mean()),
                3,
            )
            ends = bootstrap_interval(tuned - default, spread.of(2 * place).of(2 * place + 1), groups)
            assert (gain.low, gain.high) == pytest.approx((float(ends.low), float(ends.high)))
            assert gain.low <= gain.tuned - gain.default <= gain.high
    accuracy = gains[-1]
    sides = [mean_scores(results, of, (), "accuracy") for of in (rows["Steered"].records, rows["Steered"].defaults)]
    assert (accuracy.tuned, accuracy.default) == pytest.approx((sides[0].mean(), sides[1].mean()))


def test_the_note_below_the_tables(search, run):
    search(["steered", "blind"], 3, dataset="deep", training=TRAINING)
    results = run(["steered"])
    run(["blind"], with_defaults=None)
    both = hb.load_results("results/deep")
    gain = tuned_gains(results)[0]
    shown = f"{gain.tuned - gain.default:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    for kind in ("text", "markdown", "latex"):
        text = " ".join(render(both, kind).split())
        assert f"Tuned less default on the test split, mean R@1: Steered {shown}." in text, kind
        assert "Tuned less default on the test split, fusion accuracy: Steered " in text
        assert "No runs at the defaults: Blind (huse-bench run" in text
    (one,) = [gain for gain in tuned_gains(run(["steered"], 1)) if gain.score == "mean R@1"]
    assert (one.low, one.high, one.seeds) == (None, None, 1)


def test_a_gain_is_of_all_searches_or_not_told(search, run):
    search(["steered"], 3, dataset="deep", training=TRAINING, studies=2)
    run(["steered"], 4)
    results = hb.load_results("results/deep")
    assert {gain.seeds for gain in tuned_gains(results)} == {4}
    # One of two seeds of each search, and then none of the second.
    for seed, left in ((3, 3), (1, 0)):
        gone = next(record for record in defaults_of(results, "Steered") if record.seed == seed)
        for path in Path("results/deep/runs").glob(f"{gone.stem}.*"):
            path.unlink()
        assert {gain.seeds for gain in tuned_gains(hb.load_results("results/deep"))} == ({left} if left else set())


def test_the_figure_draws_the_gains_on_the_right(search, run):
    search(["blind"], 3, dataset="deep", training=TRAINING)
    run(["blind"])
    results = hb.load_results("results/deep")
    gain = next(gain for gain in tuned_gains(results) if gain.score == "mean R@1")
    figure = tuned_beside_default(results, "tuned", "Tuned")
    _, right = figure.figure.axes
    drawn = [list(line.get_xdata()) for line in right.lines]
    assert [gain.low, gain.high] in drawn
    assert [gain.tuned - gain.default] in drawn
    assert "On the right the same comparison on the test split" in figure.caption
    without = tuned_beside_default(run(["blind"], with_defaults=None).only(["blind"]), "tuned", "Tuned")
    assert len(without.figure.axes) == 1
    assert "On the right" not in without.caption


def test_a_winner_that_has_the_defaults(search, run):
    # All trials are alike to AdamW, and the first of equals is that of the defaults.
    search(["tunable"], 2, dataset="deep")
    (row,) = run(["tunable"]).rows
    assert (len(row.records), row.defaults) == (2, ())
    assert "Tuned less default" not in render(hb.load_results("results/deep"))


def test_one_study_may_have_chosen_the_defaults(search, run):
    _, path = search(["steered"], 2, studies=2, dataset="deep", training=TRAINING)
    file = ParamsFile.read(path)
    first, second = file.methods["steered"]
    # As though the second study had found nothing better.
    file.model_copy(update={"methods": {"steered": (first, {**second, "weight": 0.0})}}).write(path)
    (row,) = run(["steered"], 4).rows
    assert [record.seed for record in row.records] == [0, 1, 2, 3]
    assert [record.seed for record in row.defaults] == [0, 1, 2, 3]
    assert [record.tuning.number for record in row.records] == [1, 2, 1, 2]
    same = [one.fingerprint == other.fingerprint for one, other in zip(row.records, row.defaults, strict=True)]
    assert same == [False, True, False, True]


def test_mistakes(search, run):
    with pytest.raises(ConfigError, match="--with-defaults runs tuned methods at their defaults too, and no --params"):
        run(["steered"], params=None)
    _, path = search(["blind"], 1, dataset="deep", training=TRAINING)
    text = path.read_text()
    start = text.index("[ledger.methods.blind.defaults]")
    end = text.index("[methods.blind]")
    path.write_text(text[:start] + text[end:])
    with pytest.raises(ConfigError, match=r"tuned.toml does not say what the defaults of 'blind' were; tune it again"):
        run(["blind"])
