"""Runs in a regime: what is trained on, what is counted, what statistics draw, and what is said of it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.bundles import read_bundle
from huse_bench.cli import main
from huse_bench.config import RegimeConfig, resolve_config
from huse_bench.errors import ConfigError, DataError, ResultsError
from huse_bench.features._regimes import class_folds
from huse_bench.features.prepared_files import load_prepared, save_prepared
from huse_bench.progress import Reporter
from huse_bench.report import render
from huse_bench.report.figures.class_map import class_maps
from huse_bench.results import Store, load_results
from huse_bench.results.evidence import Evidence
from huse_bench.results.samples import Samples
from huse_bench.results.statistics import mean_interval
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.several import expanded
from huse_bench.tuning import tune

OPTIONS = {"items": 600, "classes": 15, "image_dim": 16, "text_dim": 16, "class_dim": 16, "noise": 1.0, "group_size": 2}
QUIET = Reporter(quiet=True)


@pytest.fixture
def run(tmp_path, monkeypatch, quick_training):
    """Runs a method with two seeds in a regime, on 15 classes of made-up data."""
    monkeypatch.chdir(tmp_path)

    def do(methods=("cme", "huse"), dataset="synthetic", seeds=2, options=OPTIONS, **given):
        return hb.run(
            list(methods), dataset, seeds=seeds, dataset_options=options, training=quick_training, quiet=True, **given
        )

    return do


def prepared(**regime):
    config = resolve_config(
        given={
            "dataset": "synthetic",
            "dataset_options": OPTIONS,
            "training": {"batch_size": 16},
            **({"regime": regime} if regime else {}),
        }
    )
    return make_ready(load(config), config, QUIET)[1]


def test_wrong_labels_are_trained_on_and_the_test_split_is_as_it_was() -> None:
    clean, noisy = prepared(), prepared(label_noise=0.4)
    for split in ("validation", "test"):
        assert np.array_equal(clean.splits[split].labels, noisy.splits[split].labels)
    wrong = clean.splits["train"].labels != noisy.splits["train"].labels
    groups = clean.splits["train"].groups
    assert len(set(groups[wrong].tolist())) == int(0.4 * len(set(groups.tolist())) + 0.5)
    assert clean.content_hash != noisy.content_hash
    assert noisy.title == "Synthetic, 40 % of training labels wrong"


def test_records_and_tables_say_the_regime_and_each_has_a_folder(run) -> None:
    clean, noisy = run(["cme"], seeds=1), run(["cme"], seeds=1, regime={"label_noise": 0.4})
    assert clean.folder.as_posix() == "results/synthetic"
    assert noisy.folder.as_posix() == "results/synthetic-noise-0.4"
    (record,) = noisy.records
    assert record.dataset.regime == RegimeConfig(label_noise=0.4)
    assert record.dataset.options == OPTIONS
    assert clean.records[0].dataset.regime is None
    assert clean.records[0].fingerprint != record.fingerprint
    assert "40 % of training labels wrong" in render(noisy)
    assert r"40 \% of training labels wrong" in render(noisy, "latex")
    assert any(text.startswith("label noise: ") for text in record.warnings)
    card = Store(noisy.folder).card()
    assert card.facts.dataset.regime == record.dataset.regime
    assert any(notice.startswith("label noise: ") for notice in card.facts.notices)


def test_two_regimes_share_no_folder(run) -> None:
    run(["cme"], seeds=1, results="out", regime={"label_noise": 0.4})
    with pytest.raises(ResultsError, match=r"another regime.*: 40 % of training labels wrong before, none now"):
        run(["cme"], seeds=1, results="out")
    with pytest.raises(
        ResultsError, match=r"40 % of training labels wrong before, held-out classes \(fold 2 of 5\) now"
    ):
        run(["cme"], seeds=1, results="out", regime={"held_out": 2})
    run(["cme"], seeds=1, results="out", regime={"label_noise": 0.4})


@pytest.fixture
def unseen(run):
    return run(regime={"held_out": 1}, controls=True)


def test_of_held_out_classes_retrieval_alone_is_counted_among_themselves(unseen, capsys) -> None:
    data = prepared(held_out=1)
    test = data.splits["test"]
    tested = set(test.labels.tolist())
    assert len(tested) == 3
    assert not tested & set(data.splits["train"].labels.tolist())
    assert not set(data.splits["validation"].labels.tolist()) & (tested | set(data.splits["train"].labels.tolist()))
    records = [record for record in unseen.records if record.kind == "method"]
    for record in unseen.records:
        assert record.status == "finished"
        assert record.classification is None
        assert record.protocol["classes"] == 3
        assert record.protocol["hp"].endswith("/of-classes-in-the-gallery/v2")
    for record in records:
        assert not any("accuracy" in name for name in (*record.validation, *record.learning.validation))
        # All three classes are in each correct set at depth 5, so no ranking misses.
        assert record.protocol["cannot_miss"]["5"] == 1
        assert record.retrieval["i2t"]["HP@5"] == 1
        # By hand, from what is stored: of two classes at depth 2 the own one and the nearer of the other two.
        counts = unseen.per_query(record)["i2t"]
        correct = data.taxonomy.among(tested).correct_sets(2)
        neighbours = Store(unseen.folder).neighbours(record)
        if neighbours is not None:
            found = test.labels[neighbours.found["i2t"][:, :2]]
            own = test.labels[neighbours.queries]
            assert np.array_equal(counts["hp@2"][neighbours.queries], correct[own[:, None], found].sum(axis=1))
    # On the map there are the classes that were tested, in a plane of their own.
    for shown in class_maps(unseen):
        assert np.flatnonzero(~np.isnan(shown.places[0, :, 0])).tolist() == sorted(tested)
        assert np.abs(shown.places[:, sorted(tested)].mean(axis=(0, 1))).max() < 1e-9
    assert list(unseen.tables()) == ["table1", "table2"]
    text = render(unseen)
    assert "There is no Table 3: nothing was trained to name the held-out classes." in text
    assert "Synthetic, held-out classes (fold 1 of 5)" in text
    assert main(["tables", "--results", str(unseen.folder), "--table", "3"]) == 2
    assert "there is no Table 3 of held-out classes" in capsys.readouterr().err


def test_statistics_of_held_out_classes_draw_classes(unseen, capsys) -> None:
    evidence = Evidence(unseen)
    labels = prepared(held_out=1).splits["test"].labels
    assert np.array_equal(evidence.groups, labels)
    assert evidence.describe_queries() == "3 classes of queries"
    row = evidence.rows[0]
    values = Samples(unseen).values(row.finished, "i2t", "R@1")
    by_class = mean_interval(values, evidence.spread([row], "i2t", "R@1").of(0), labels)
    assert evidence.interval(row, "i2t", "R@1") == pytest.approx((float(by_class.low), float(by_class.high)))
    assert "95 % interval over seeds and 3 classes of queries" in re.sub(r"\s+", " ", render(unseen))
    assert main(["compare", "huse", "cme", "--results", str(unseen.folder)]) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "sign flips of classes of queries" in said
    assert "No accuracies: nothing was trained to name the held-out classes." in said


def test_few_shots_train_on_few_groups_and_count_as_usual(run) -> None:
    found = run(["cme"], seeds=1, regime={"shots": 2, "seed": 3})
    assert found.folder.as_posix() == "results/synthetic-shots-2-draw-3"
    (record,) = found.records
    assert record.classification is not None
    assert record.dataset.items.train < 15 * 2 * 2 + 1
    assert "2 training groups of each class, drawn with seed 3" in render(found)


def test_by_options_and_by_a_file(run, tmp_path, capsys) -> None:
    run(["cme"], seeds=1, regime={"held_out": 2, "label_noise": 0.2})
    (tmp_path / "bench.toml").write_text(
        "[regime]\nlabel_noise = 0.9\nheld_out = 1\n"
        f"[dataset_options]\n{''.join(f'{name} = {value}{chr(10)}' for name, value in OPTIONS.items())}"
        "[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
    )
    options = ["--held-out", "2/5", "--label-noise", "0.2", "--dataset", "synthetic", "--config", "bench.toml"]
    assert main(["run", "--methods", "cme", *options, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "0 of 1 runs are waiting; results folder results/synthetic-held-out-2-of-5-noise-0.2." in said
    assert main(["run", "--methods", "cme", *options, "--quiet"]) == 0
    assert len(load_results("results/synthetic-held-out-2-of-5-noise-0.2").records) == 1


@pytest.mark.parametrize(
    ("regime", "message"),
    [
        ({"label_noise": 1}, r"regime.label_noise = 1 \(argument\): Input should be less than 1"),
        ({"label_noise": -0.1}, r"regime.label_noise = -0.1 \(argument\): Input should be greater than or equal to 0"),
        ({"label_noise": float("nan")}, r"regime.label_noise = nan \(argument\)"),
        ({"held_out": 0}, r"regime.held_out = 0 \(argument\): Input should be greater than or equal to 1"),
        ({"held_out": 6}, r"regime.held_out = 6 \(argument\): the folds are 1 to 5"),
        ({"held_out": 1, "folds": 2}, r"regime.folds = 2 \(argument\): Input should be greater than or equal to 3"),
        ({"folds": 4}, r"regime.held_out = None \(default\): say which of the 4 folds to hold out, or leave folds out"),
        ({"shots": 0}, r"regime.shots = 0 \(argument\): Input should be greater than or equal to 1"),
        ({"seed": 1}, r"regime.seed = 1 \(argument\): there is nothing to draw without label_noise, held_out or shots"),
        ({"noise": 0.4}, r"unknown option 'regime.noise' \(argument\). Did you mean 'label_noise'\?"),
    ],
)
def test_what_is_no_regime_is_refused(regime, message) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_config(given={"regime": regime})


def test_options_of_a_regime_belong_into_its_table() -> None:
    with pytest.raises(ConfigError, match=r"unknown option 'label_noise' \(argument\). It belongs under \[regime\]."):
        resolve_config(given={"label_noise": 0.4})


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--held-out", "one"], "'one' is no fold; give which one of how many, such as 1/5, or all/5"),
        (["--held-out", "1"], "'1' is no fold"),
        (["--held-out", "1/40"], "40 folds of 70 classes have less than 2 classes each"),
        (["--label-noise", "1.5"], "regime.label_noise = 1.5 (command line): Input should be less than 1"),
    ],
)
def test_mistakes_on_the_command_line(option, said, capsys) -> None:
    assert main(["run", "--methods", "cme", *option]) == 2
    assert said in re.sub(r"\s+", " ", capsys.readouterr().err)


def test_splits_too_small_for_the_tables_are_refused(tmp_path, folder) -> None:
    folder(pictures=np.arange(30))
    config = resolve_config(
        given={"dataset": "features", "data": tmp_path, "regime": {"held_out": 2, "folds": 3}},
    )
    cure = r"give that split at least 11 items, or take fewer folds"
    with pytest.raises(DataError, match=f"the validation split of 'features' leaves a gallery of 9 items .* {cure}"):
        load(config)


@pytest.fixture
def folder(tmp_path):
    """Writes features of items of six classes, one row for each."""

    def write(pictures):
        rng = np.random.default_rng(0)
        np.save(tmp_path / "image.npy", rng.normal(size=(60, 24)).astype(np.float32)[pictures])
        np.save(tmp_path / "text.npy", rng.normal(size=(len(pictures), 24)).astype(np.float32))
        np.save(tmp_path / "class.npy", rng.normal(size=(6, 5)).astype(np.float32))
        np.save(tmp_path / "labels.npy", pictures % 6)
        (tmp_path / "classes.csv").write_text("label\nant\nbee\ncat\ndog\neel\nfox\n")

    return write


def test_a_regime_is_met_after_near_duplicates_are_grouped(tmp_path, folder) -> None:
    """Six classes of ten pictures in four copies each; splits are drawn for the groups, then classes held out."""
    pictures = np.arange(240) // 4
    folder(pictures)
    given = {"dataset": "features", "data": tmp_path, "training": {"batch_size": 16}, "near_duplicates_as_groups": True}
    for regime in ({"label_noise": 0.5}, {"held_out": 3, "folds": 3}, {"shots": 2}):
        config = resolve_config(given={**given, "regime": regime})
        items, data = make_ready(load(config), config, QUIET)
        together = {}
        for item, group, label, split in zip(items.ids, items.groups, items.labels, items.splits, strict=True):
            together.setdefault(group, set()).add((int(item) // 4, int(label), str(split)))
        assert all(len(found) == 1 for found in together.values())
        assert data.notices[-1].startswith("near-duplicates are groups: 240 items in 60 groups")
        train = data.splits["train"]
        if "label_noise" in regime:
            true = pictures[[int(item) for item in train.ids]] % 6
            assert np.mean(true != train.labels) == pytest.approx(0.5, abs=0.02)
        elif "held_out" in regime:
            dealt = class_folds(data.taxonomy, 3)
            assert set(train.labels.tolist()) == set(np.flatnonzero(dealt == 2).tolist())
        else:
            assert np.unique(train.labels, return_counts=True)[1].tolist() == [8] * 6


def test_prepared_files_keep_the_regime(tmp_path) -> None:
    data = prepared(held_out=1)
    again = load_prepared(save_prepared(data, tmp_path / "data"))
    assert again.regime == data.regime
    assert again.taxonomy_of("test") == data.taxonomy_of("test") != data.taxonomy


def test_classes_that_each_split_has_for_itself_are_no_finding() -> None:
    found = hb.features.audit(prepared(held_out=1), None)
    assert found.facts["classes"]["train"]["absent"] == 6
    assert not any("have no item" in finding for finding in found.findings)
    lacking = replace(prepared(held_out=1), regime=RegimeConfig())
    assert any("have no item in the train split" in finding for finding in hb.features.audit(lacking, None).findings)


def test_a_search_in_a_regime_is_of_retrieval_on_its_validation_split(run, quick_training, capsys) -> None:
    config = resolve_config(
        given={
            "methods": ["cme"],
            "dataset": "synthetic",
            "dataset_options": OPTIONS,
            "training": quick_training,
            "regime": {"held_out": 1},
        }
    )
    (found,), path = tune(config, trials=2)
    assert path.as_posix() == "results/synthetic-held-out-1-of-5/tuned.toml"
    assert "no accuracy is in the objective, for no classifier knows held-out classes" in re.sub(
        r"\s+", " ", capsys.readouterr().err
    )
    assert not any("accuracy" in name for trial in found.trials for name in trial.metrics)
    (record,) = run(["cme"], seeds=1, regime={"held_out": 1}, params=path).records
    assert record.tuning.trials == 2


def test_all_folds_are_run_and_every_class_is_tested_once(run, capsys) -> None:
    regime = {"held_out": "all", "folds": 3}
    found = run(["cme", "huse"], ["synthetic"], regime=regime)
    assert list(found) == [f"synthetic-held-out-{fold}-of-3" for fold in (1, 2, 3)]
    assert [results.folder.as_posix() for results in found.values()] == [f"results/{name}" for name in found]
    tested = [set(results.predictions(results.records[0])["label"].tolist()) for results in found.values()]
    assert sorted(label for classes in tested for label in classes) == list(range(15))
    over = hb.summary(found.values())
    assert list(over.index) == ["CME", "HUSE"]
    assert main(["tables", *(str(results.folder) for results in found.values()), "--table", "summary"]) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Interquartile means over Synthetic, held-out classes (folds 1, 2, 3 of 3) and" in said
    with pytest.raises(
        ConfigError, match=r"held_out = 'all' \(argument\) is 3 folds, .* hb.run\(dataset=\['synthetic'\]\)"
    ):
        run(["cme"], regime=regime)


def test_folds_are_averaged_with_folds_alone(run) -> None:
    clean, noisy = run(["cme"]), run(["cme"], regime={"label_noise": 0.4})
    with pytest.raises(
        ResultsError, match=r"in different regimes: none, and 40 % of training labels wrong; name folders"
    ):
        hb.summary([clean, noisy])


def test_each_fold_has_a_configuration_and_paths_of_its_own() -> None:
    def each(**given):
        return expanded(resolve_config(given={"regime": {"held_out": "all", "folds": 3}, **given}))

    plain = each()
    assert [(name, one.regime.held_out, one.every_fold) for name, one in plain] == [
        (f"emoji-held-out-{fold}-of-3", fold, False) for fold in (1, 2, 3)
    ]
    assert plain[1][1].results_folder.as_posix() == "results/emoji-held-out-2-of-3"
    assert each(results="out")[2][1].results_folder.as_posix() == "out/emoji-held-out-3-of-3"
    assert each(results="out/{fold}")[2][1].results_folder.as_posix() == "out/3"
    assert each(params="tuned/{dataset}-{fold}.toml")[0][1].params.as_posix() == "tuned/emoji-1.toml"
    with pytest.raises(ConfigError, match=r"params \(argument\) = 'tuned.toml' is a file of one fold, and there are 3"):
        each(params="tuned.toml")
    with pytest.raises(ConfigError, match=r"held_out = 'all' \(argument\) is 3 folds, and this takes one; give"):
        load(resolve_config(given={"regime": {"held_out": "all", "folds": 3}}))


def test_all_folds_by_an_option(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--held-out", "all/3", "--methods", "cme", "--steps", "2", "--dry-run"]) == 0
    said = capsys.readouterr().out
    for fold in (1, 2, 3):
        assert f"results folder results/emoji-held-out-{fold}-of-3" in said


def test_a_bundle_of_a_regime_is_trained_again_in_it(run, capsys) -> None:
    run(["cme", "huse"], regime={"held_out": 1}, results="runs")
    assert main(["publish", "runs", "-o", "bundle", "--title", "Unseen", "--author", "A. One"]) == 0
    capsys.readouterr()
    assert main(["verify", "bundle", "--rerun", "1"]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert said.count("gave the same bits") == 1
    assert "accepted: spot-checked" in said
    facts = json.loads((read_bundle("bundle").folder / "results/runs/data-card.json").read_text())
    assert facts["dataset"]["regime"]["held_out"] == 1
    assert facts["dataset"]["options"] == OPTIONS
