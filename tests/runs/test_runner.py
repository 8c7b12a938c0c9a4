"""Whole runs on a small dataset through the Python API."""

import json
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

import huse_bench as hb
from huse_bench.errors import ConfigError, DataError, PluginError, ResultsError, UnknownComponentError

PAPER = ["separate", "triplet", "cme", "adamine", "devise", "hie", "huse-p", "huse"]

#: A training that separates the toy classes.
THOROUGH = {"steps": 300, "learning_rate": 0.01, "dropout": 0.0}


@pytest.fixture
def run(toy, quick_training):  # noqa: ARG001 - toy puts the dataset on the path
    def call(methods=("huse",), **options):
        training = {**quick_training, **options.pop("training", {})}
        return hb.run(methods, options.pop("dataset", "toy"), quiet=True, training=training, **options)

    return call


def numbers(results):
    return [
        (record.method.name, record.seed, record.retrieval, record.classification, record.validation)
        for record in results.records
    ]


def test_the_papers_methods_learn_the_toy_classes(run, toy):
    results = run(PAPER, training=THOROUGH)
    assert {record.status for record in results.records} == {"finished"}
    tables = results.tables()
    recall = tables["table1"][("Image to Image", "R@1")]
    assert list(recall.index) == [
        "Separate Models", "Triplet", "CME", "AdaMine", "DeViSE*", "HIE*", "HUSE-P", "HUSE",
    ]  # fmt: skip
    assert (recall > 0.9).all()
    across = tables["table1"][("Image to Text", "R@1")]
    # What nothing joins stays apart; DeViSE* and HIE* have but the random class embeddings to meet at.
    assert (across.drop(["Separate Models", "DeViSE*", "HIE*"]) > 0.9).all()
    assert across["Separate Models"] < 0.5
    classifiers = tables["table3"]["Fusion"].dropna()
    assert list(classifiers.index) == ["Separate Models", "CME", "HIE*", "HUSE-P", "HUSE"]
    assert (classifiers > 0.9).all()
    assert (toy / "results/toy/runs").is_dir()


def test_same_seed_same_numbers_bit_for_bit(run):
    first = run(["huse", "adamine"], results="a")
    torch.randn(3)
    # Neither the order of the methods nor what ran before may matter.
    second = run(["adamine", "huse"], results="b")
    assert numbers(first) == numbers(second)
    assert {record.fingerprint for record in first.records} == {record.fingerprint for record in second.records}
    other = run(["huse"], results="a", seeds=[1])
    assert numbers(other)[0][2] != numbers(first)[0][2]


def test_a_run_leaves_the_global_random_state_alone(run):
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    run()
    assert torch.equal(torch.randn(3), expected)


def test_finished_runs_are_not_run_again(run, toy):
    first = run(["huse", "gap"], seeds=2)
    stamps = {path: path.stat().st_mtime_ns for path in (toy / "results/toy/runs").iterdir()}
    again = run(["gap", "huse"], seeds=2)
    assert numbers(again) == numbers(first)
    assert stamps == {path: path.stat().st_mtime_ns for path in (toy / "results/toy/runs").iterdir()}
    run(["gap"], overwrite="always")
    changed = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert changed
    assert all(path.name.startswith("gap-s0") for path in changed)


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"steps": 41}},
        {"training": {"head_scale": 3.0}},
        {"parameters": {"huse": {"alpha": 2.0}}},
        {"seeds": [1]},
    ],
)
def test_what_changes_the_numbers_changes_the_fingerprint(run, change):
    assert run().records[0].fingerprint != run(**change).records[0].fingerprint


def test_what_does_not_change_the_numbers_does_not_change_the_fingerprint(run):
    plain = run(["huse"])
    # 1 is 1.0; saying a default aloud, another folder and another device string change nothing.
    same = run(["gap", "huse"], results="other", parameters={"huse": {"alpha": 1}}, device="cpu", save_model=True)
    assert plain.records[0].fingerprint in {record.fingerprint for record in same.records}


def test_a_changed_loss_is_another_method(run, toy):
    first = run(["gap"]).records[0]
    path = toy.parent / "site/toy_plugins.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert run(["gap"]).records[0].fingerprint == first.fingerprint
    path.write_text(path.read_text().replace("self.weight * (1 -", "self.weight * (2 -"))
    assert run(["gap"]).records[0].fingerprint != first.fingerprint


def test_diverged_and_failed_runs_are_statuses_and_the_others_go_on(run, toy):
    results = run(["nan", "crash", "vector", "bare", "greedy", "gap"])
    by_name = {record.method.name: record for record in results.records}
    assert {name: record.status for name, record in by_name.items()} == {
        "nan": "diverged", "gap": "finished", **dict.fromkeys(("crash", "vector", "bare", "greedy"), "failed"),
    }  # fmt: skip
    assert by_name["nan"].error == "the loss was gap nan at step 3 of 40"
    assert "ZeroDivisionError: oh no" in by_name["crash"].error
    assert "Traceback" in by_name["crash"].error
    assert "the term 'gap' has shape (32,); take its mean" in by_name["vector"].error
    assert "must return a dict of named scalar tensors, got Tensor" in by_name["bare"].error
    assert "this batch has no image_logits: the loss class must declare heads =" in by_name["greedy"].error
    # They are not tried again unless asked to.
    path = next((toy / "results/toy/runs").glob("crash*.json"))
    before = path.stat().st_mtime_ns
    run(["crash", "gap"])
    assert path.stat().st_mtime_ns == before
    run(["crash", "gap"], overwrite="failed")
    assert path.stat().st_mtime_ns != before


def test_a_divergence_by_the_learning_rate_is_seen(run):
    record = run(["huse"], training={"learning_rate": 1e30, "optimizer": "rmsprop"}).records[0]
    assert record.status == "diverged"


def test_bfloat16_towers_learn_too_and_say_so(run):
    record = run(["huse"], training={**THOROUGH, "precision": "bfloat16"}).records[0]
    assert record.config["training.precision"].value == "bfloat16"
    assert record.retrieval["i2t"]["R@1"] > 0.9
    assert record.fingerprint != run(["huse"], training=THOROUGH).records[0].fingerprint


def test_per_query_scores_give_the_tables_again(run):
    from huse_bench.evaluation import scores_from_per_query

    results = run(["huse"])
    record = results.records[0]
    per_query = results.per_query(record)
    assert {direction: len(arrays["first_hit"]) for direction, arrays in per_query.items()} == dict.fromkeys(
        ["i2i", "i2t", "t2i", "t2t"], 32
    )
    scores = scores_from_per_query(per_query)
    assert {direction: dict(values) for direction, values in scores.items()} == record.retrieval


def test_saved_embeddings_give_the_recall_again(run, toy):
    record = run(["huse"], save_embeddings=True).records[0]
    path = toy / f"results/toy/embeddings/{record.stem}.safetensors"
    embeddings = load_file(path)
    scores = embeddings["test.image"] @ embeddings["test.text"].T
    labels = embeddings["test.labels"]
    assert (labels[scores.argmax(1)] == labels).mean() == pytest.approx(record.retrieval["i2t"]["R@1"])
    with safe_open(path, "numpy") as file:
        facts = file.metadata()
    assert json.loads(facts["test.ids"]) == [f"item{i}" for i in range(128, 160)]
    assert facts["method"] == "huse"
    assert sorted(embeddings) == sorted(
        f"{s}.{t}" for s in ("train", "validation", "test") for t in ("image", "text", "labels")
    )


def test_saved_model_is_the_trained_one(run, toy):
    record = run(["huse"], save_embeddings=True, save_model=True).records[0]
    embeddings = load_file(toy / f"results/toy/embeddings/{record.stem}.safetensors")
    weights = load_file(toy / f"results/toy/models/{record.stem}.safetensors")
    x = hb.load("dataset", "toy")().load().text_features.values[128:]
    for i in range(2):
        x = x @ weights[f"text.layers.{i}.weight"].T + weights[f"text.layers.{i}.bias"]
        x = np.maximum(x, 0) if i < 1 else x / np.linalg.norm(x, axis=1, keepdims=True)
    assert x == pytest.approx(embeddings["test.text"], abs=1e-6)


def test_what_a_loss_learned_of_its_own_is_saved_with_the_model(run, toy):
    record = run(["siglip"], save_model=True).records[0]
    weights = load_file(toy / f"results/toy/models/{record.stem}.safetensors")
    start = hb.load("loss", "siglip")()
    assert {name for name in weights if name.startswith("loss.")} == {"loss.log_scale", "loss.bias"}
    assert float(weights["loss.bias"]) != start.bias.item()
    assert float(weights["loss.bias"]) == pytest.approx(start.bias.item(), rel=0.1)


def test_notices_and_audit_are_in_the_record(run, toy):
    plugins = toy.parent / "site/toy_plugins.py"
    noisy = plugins.read_text().replace("ids=[", "notices=['3 rows were odd'], ids=[")
    plugins.write_text(noisy)
    record = run(["gap", "crash"]).records[0]
    assert record.warnings[0] == "3 rows were odd"
    assert record.audit["classes"]["train"] == {"items": 96, "smallest": 24, "largest": 24, "ratio": 1.0, "absent": 0}
    # It is taken over from a record of the same data, not made again.
    for path in (toy / "results/toy/runs").glob("*.json"):
        path.write_text(path.read_text().replace('"largest": 24', '"largest": 25'))
    assert run(["triplet"]).records[0].audit["classes"]["train"]["largest"] == 25


def test_a_record_from_before_audits_is_read(run, toy):
    run(["gap"])
    (path,) = (toy / "results/toy/runs").glob("*.json")
    fields = json.loads(path.read_text())
    del fields["audit"]
    path.write_text(json.dumps(fields))
    assert hb.load_results(toy / "results/toy").records[0].audit is None


def test_other_features_do_not_get_into_the_same_results(run, toy):
    run(["gap"])
    plugins = toy.parent / "site/toy_plugins.py"
    plugins.write_text(plugins.read_text().replace("default_rng(0)", "default_rng(10)"))
    sys.modules.pop("toy_plugins")
    said = r"results/toy holds runs on other data of 'toy', .* other image features; other text features; other class"
    with pytest.raises(ResultsError, match=said):
        run(["gap"])
    assert len(run(["gap"], results="other").records) == 1


def test_a_corrupt_record_is_run_again(run, toy):
    first = run(["huse", "gap"])
    path = next((toy / "results/toy/runs").glob("huse*.json"))
    path.write_text(path.read_text()[:100])
    again = run(["huse", "gap"])
    assert numbers(again) == numbers(first)
    assert json.loads(path.read_text())["status"] == "finished"


def test_origins_are_in_the_record(run, toy):
    (toy / "bench.toml").write_text("[training]\ndropout = 0.2\n[methods.huse]\nbeta = 3\n")
    record = run(None, config="bench.toml", training={"steps": 20}).records[0]
    assert record.dataset.name == "toy"
    assert record.method.parameters["beta"] == 3.0
    assert record.config["training.dropout"].model_dump() == {"value": 0.2, "origin": "file bench.toml"}
    assert record.config["training.steps"].model_dump() == {"value": 20, "origin": "argument"}
    assert record.config["training.optimizer"].origin == "preset quick"
    assert record.config["training.image_layers"].origin == "default"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": ["hose"]}, UnknownComponentError, "hose.*huse"),
        ({"methods": []}, ConfigError, "no method to run"),
        ({"methods": ["huse", "huse"]}, ConfigError, "'huse' is named twice"),
        ({"dataset": "emojis"}, UnknownComponentError, "emojis.*emoji"),
        ({"preset": "slow"}, ConfigError, "unknown preset 'slow'"),
        ({"training": {"optimizer": "adam"}}, ConfigError, "training.optimizer = 'adam'"),
        (
            {"training": {"batch_size": 97}},
            ConfigError,
            r"batch_size = 97 \(argument\) is larger than the train split of 'toy', which has 96",
        ),
        ({"parameters": {"huse": {"gama": 1.0}}}, ConfigError, "no hyper-parameter 'gama'.*Did you mean 'gamma'"),
        ({"parameters": {"huse": {"gamma": "1"}}}, ConfigError, "methods.huse.gamma = '1' .*must be a number"),
        ({"parameters": {"gap": {"squared": 1}}, "methods": ["gap"]}, ConfigError, "must be a true or false"),
        ({"parameters": {"gap": {"power": 1.5}}, "methods": ["gap"]}, ConfigError, "must be a whole number"),
        (
            {"parameters": {"huse": {"relaxation": "xor"}}},
            ConfigError,
            "relaxation must be one of and, or, hinge, none",
        ),
        ({"parameters": {"separate": {"x": 1}}, "methods": ["separate"]}, ConfigError, "it has none"),
        ({"parameters": {"cme": {"margin": 0.2}}}, ConfigError, "given for 'cme'.*not among the methods"),
        ({"device": "abacus"}, ConfigError, "device 'abacus' cannot be used here"),
        ({"image_backbone": "nosuch"}, UnknownComponentError, "nosuch"),
        (
            {"image_backbone": "minilm"},
            ConfigError,
            "brings image features of toy6@1 and no raw items .* leave --image-b",
        ),
        (
            {"dataset_options": {"sed": 1}},
            ConfigError,
            r"the dataset 'toy' has no option 'sed' \(argument\); it has none",
        ),
        ({"dataset": "small"}, DataError, "the test split of 'small'|the validation split of 'small'|has no items"),
        ({"seeds": [1, 1]}, ConfigError, "a seed is given twice"),
        ({"training": {"stepz": 1}}, ConfigError, "unknown option 'training.stepz'.*Did you mean 'steps'"),
        ({"overwrite": "sometimes"}, ConfigError, "overwrite = 'sometimes'"),
        ({"data": "nowhere", "dataset": "emoji"}, DataError, "emoji"),
    ],
)
def test_mistakes_are_met_before_anything_is_written(run, toy, options, error, message):
    with pytest.raises(error, match=message):
        run(**options)
    assert not list(toy.iterdir())


def test_foreign_and_unwritable_folders(run, toy):
    (toy / "thesis").mkdir()
    (toy / "thesis/chapter1.tex").write_text("x")
    with pytest.raises(ResultsError, match="thesis is not a huse-bench results folder"):
        run(results="thesis")
    (toy / "file").write_text("x")
    with pytest.raises(ResultsError, match="file is a file, not a folder"):
        run(results="file")
    with pytest.raises(ResultsError, match="cannot write to the results folder /proc/huse"):
        run(results="/proc/huse")


def test_a_broken_plugin_is_fatal_only_when_asked_for(run, toy):
    info = toy.parent / "site/broken-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[huse_bench.losses]\nbroken = no_such_module:Loss\n")
    hb.discovery.refresh()
    assert run(["gap"]).records[0].status == "finished"
    with pytest.raises(PluginError, match=r"broken.*2\.0.*no_such_module"):
        run(["gap", "broken"])
