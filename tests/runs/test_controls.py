"""Floors and ceilings: by hand, by brute force, and as rows of a whole run."""

import itertools
import re
import sys

import numpy as np
import pytest
import torch

import huse_bench as hb
from huse_bench import discovery
from huse_bench.cli import main
from huse_bench.components import ClassGraph
from huse_bench.evaluation import evaluate_retrieval, lcs_height_similarity, protocol
from huse_bench.features import Prepared, SplitFeatures
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.report import render
from huse_bench.results import load_results
from huse_bench.runs import controls

TREE = [("life", "animal"), ("life", "tree"), ("animal", "cat"), ("animal", "dog"), ("tree", "oak"), ("tree", "elm")]
NAMES = ["cat", "dog", "oak", "elm"]


def prepared(counts, *, dims=(6, 5), seed=0, groups=None):
    """Random features of classes of the given sizes, the same in each split."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), counts)
    centers = [rng.normal(size=(4, dim)) for dim in dims]
    splits = {
        name: SplitFeatures(
            [f"{name}{i}" for i in range(len(labels))],
            *(
                torch.from_numpy((c[labels] + rng.normal(size=(len(labels), c.shape[1]))).astype("float32"))
                for c in centers
            ),
            labels,
            np.arange(len(labels)) if groups is None else np.array(groups),
        )
        for name in ("train", "validation", "test")
    }
    taxonomy = hb.Taxonomy.from_edges(TREE, classes=NAMES)
    return Prepared(splits, NAMES, ClassGraph(torch.eye(4)), taxonomy, "hash", {}, "toy", "Toy")


def gallery_of(data, query, direction):
    groups = data.splits["test"].groups
    pair = direction == "i2t"
    return [item for item in range(len(groups)) if groups[item] != groups[query] or (pair and item == query)]


def brute_force(data, order, ks=(2,)):
    """Mean scores of rankings: ``order(query, gallery)`` gives all rankings of the gallery that count alike."""
    labels = data.splits["test"].labels.tolist()
    sums = {}
    for direction in ("i2i", "i2t"):
        for query, label in enumerate(labels):
            gallery = gallery_of(data, query, direction)
            rankings = [[labels[item] for item in ranking] for ranking in order(query, gallery)]
            for k in ks:
                correct = data.taxonomy.correct_set(label, k)
                hit = np.mean([label in ranking[:k] for ranking in rankings])
                share = np.mean([np.mean([item in correct for item in ranking[:k]]) for ranking in rankings])
                sums.setdefault((direction, f"R@{k}"), []).append(hit)
                sums.setdefault((direction, f"HP@{k}"), []).append(share)
    return {place: np.mean(values) for place, values in sums.items()}


@pytest.fixture
def small(monkeypatch):
    """Six test items, and K that they allow."""
    monkeypatch.setattr(controls, "RECALL_KS", (1, 2))
    monkeypatch.setattr(controls, "HP_KS", (1, 2))
    return prepared([3, 1, 1, 1])


def test_chance_is_the_mean_over_all_rankings(small):
    found = controls.chance(small, "v2").retrieval
    expected = brute_force(small, lambda _, gallery: itertools.permutations(gallery), ks=(1, 2))
    for (direction, metric), value in expected.items():
        assert found[direction][metric] == pytest.approx(value), (direction, metric)


# The third cat is of a group with the dog, and the oak is in one with the elm.
GROUPS = [0, 0, 1, 1, 2, 2]


def similarities(data, query, items):
    table = lcs_height_similarity(data.taxonomy)
    labels = data.splits["test"].labels.tolist()
    return [table[labels[query], labels[item]] for item in items]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("groups", [None, GROUPS, [0, 1, 1, 1, 2, 3]])
def test_chance_with_groups_is_the_mean_over_all_rankings(groups):
    data = prepared([3, 1, 1, 1], groups=groups)
    found = controls.chance(data, "v2").retrieval
    expected = brute_force(data, lambda _, gallery: itertools.permutations(gallery), ks=(1, 2))
    for (direction, metric), value in expected.items():
        assert found[direction][metric] == pytest.approx(value), (direction, metric)
    for direction in ("i2i", "i2t"):
        ratios = []
        for query in range(6):
            gallery = gallery_of(data, query, direction)
            ideal = sum(sorted(similarities(data, query, gallery))[-2:])
            sums = [sum(similarities(data, query, two)) for two in itertools.permutations(gallery, 2)]
            ratios.append(np.mean(sums) / ideal if ideal else 0)
        assert found[direction]["BHP@2"] == pytest.approx(np.mean(ratios))


def test_groups_count_for_nothing_in_the_first_protocol(small):
    grouped = prepared([3, 1, 1, 1], groups=GROUPS)
    for control in (controls.chance, controls.ceiling):
        assert control(grouped, "v1").retrieval == control(small, "v2").retrieval
        assert control(grouped, "v2").retrieval != control(small, "v2").retrieval
    grouped = prepared([7, 5, 4, 4], groups=np.arange(20) // 3)
    alone = prepared([7, 5, 4, 4])
    for control in (controls.raw_neighbours, controls.raw_centroids):
        assert control(grouped, "v1").retrieval == control(alone, "v2").retrieval
        assert control(grouped, "v2").retrieval != control(alone, "v2").retrieval


def test_chance_by_hand(small):
    """Three cats of six: another cat is 2 of the other 5 items; across modalities the pair stays in."""
    found = controls.chance(small, "v2")
    assert found.retrieval["i2i"]["R@1"] == pytest.approx(3 / 6 * 2 / 5)
    assert found.retrieval["i2t"]["R@1"] == pytest.approx(3 / 6 * 3 / 6 + 3 / 6 * 1 / 6)
    assert found.retrieval["t2i"] == found.retrieval["i2t"]
    assert found.retrieval["t2t"] == found.retrieval["i2i"]
    assert found.classification["fusion"] == 1 / 4


@pytest.mark.parametrize("groups", [None, [0, 0, 0, 1, 1, 2, *range(3, 17)]])
def test_chance_is_that_of_the_protocol(groups):
    data = prepared([7, 5, 4, 4], groups=groups)
    test = data.splits["test"]
    levels = protocol(data.taxonomy, HP_KS, RECALL_KS, test.labels, test.groups)["chance"]
    found = controls.chance(data, "v2").retrieval
    for before, direction in (("", "i2t"), ("in-modal ", "i2i")):
        names = [*(f"R@{k}" for k in RECALL_KS), *(f"HP@{k}" for k in HP_KS)]
        expected = {f"{before}{name}": found[direction][name] for name in names}
        assert {name: levels[name] for name in expected} == pytest.approx(expected)
    # Without labels, HP@K of classes of equal sizes.
    found = controls.chance(prepared([5, 5, 5, 5]), "v2").retrieval["i2t"]
    equal = protocol(data.taxonomy, HP_KS, RECALL_KS)["chance"]
    assert equal == pytest.approx({f"HP@{k}": found[f"HP@{k}"] for k in HP_KS})


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("groups", [None, GROUPS, [0, 1, 1, 1, 2, 3]])
def test_the_ceiling_is_the_best_of_all_rankings(groups):
    small = prepared([3, 1, 1, 1], groups=groups)
    found = controls.ceiling(small, "v2").retrieval
    for k in (1, 2):
        best = {}
        for direction in ("i2i", "i2t"):
            values = {"R": [], "HP": []}
            labels = small.splits["test"].labels.tolist()
            for query, label in enumerate(labels):
                gallery = [labels[i] for i in gallery_of(small, query, direction)]
                correct = small.taxonomy.correct_set(label, k)
                tops = list(itertools.permutations(gallery, k))
                values["R"].append(max(label in top for top in tops))
                values["HP"].append(max(np.mean([item in correct for item in top]) for top in tops))
            best[direction] = {f"{kind}@{k}": np.mean(numbers) for kind, numbers in values.items()}
        for direction, scores in best.items():
            for metric, value in scores.items():
                assert found[direction][metric] == pytest.approx(value), (direction, metric)


def test_no_embedding_is_above_the_ceiling():
    data = prepared([18, 1, 1, 1])
    ceiling = controls.ceiling(data, "v2").retrieval
    # Its true class is all that an item of this oracle shows.
    rows = torch.eye(4)[data.splits["test"].labels]
    oracle = evaluate_retrieval(rows, rows, data.splits["test"].labels, data.taxonomy).scores
    assert oracle["i2t"]["R@1"] == ceiling["i2t"]["R@1"] == 1
    assert all(
        score <= ceiling[direction][metric] + 1e-12
        for direction, scores in oracle.items()
        for metric, score in scores.items()
        if metric in ceiling[direction]
    )
    # An oak finds one elm beside itself, and no second oak.
    assert ceiling["i2i"]["R@1"] == pytest.approx(18 / 21)
    assert ceiling["i2i"]["HP@2"] == pytest.approx((19 + 2 / 2) / 21)


def nearest(rows, gallery, labels, *, leave_out):
    similarity = rows @ gallery.T
    if leave_out:
        np.fill_diagonal(similarity, -np.inf)
    return float((labels[np.argsort(-similarity, kind="stable", axis=1)[:, 0]] == labels).mean())


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize(("dims", "directions"), [((6, 5), {"i2i", "t2t"}), ((6, 6), {"i2i", "i2t", "t2i", "t2t"})])
def test_raw_features_across_modalities_only_in_equal_dimensions(dims, directions):
    data = prepared([7, 5, 4, 4], dims=dims)
    found = controls.raw_neighbours(data, "v2")
    test = data.splits["test"]
    image, text, labels = unit(test.image.numpy()), unit(test.text.numpy()), test.labels
    assert set(found.retrieval) == set(found.per_query) == directions
    assert found.classification is None
    assert found.retrieval["i2i"]["R@1"] == nearest(image, image, labels, leave_out=True)
    assert found.retrieval["t2t"]["R@1"] == nearest(text, text, labels, leave_out=True)
    if "i2t" in directions:
        assert found.retrieval["i2t"]["R@1"] == nearest(image, text, labels, leave_out=False)


def test_class_centroids_by_numpy():
    data = prepared([7, 5, 4, 4])
    found = controls.raw_centroids(data, "v2")
    train, test = data.splits["train"], data.splits["test"]
    cosines = {}
    for name in ("image", "text"):
        known, rows = getattr(train, name).numpy().astype(float), getattr(test, name).numpy().astype(float)
        mean = known.mean(axis=0)
        centroids = np.stack([unit(known - mean)[train.labels == c].mean(axis=0) for c in range(4)])
        cosines[name] = unit(rows - mean) @ unit(centroids).T
    labels = test.labels
    for name, values in cosines.items():
        assert found.classification[name] == (values.argmax(axis=1) == labels).mean()
    image, text = unit(cosines["image"]), unit(cosines["text"])
    assert found.retrieval["i2t"]["R@1"] == nearest(image, text, labels, leave_out=False)
    assert found.retrieval["t2t"]["R@1"] == nearest(text, text, labels, leave_out=True)
    assert found.classification["fusion"] > 0.5
    # Cosines lie less than 2 apart, and shares that tell classes apart need more.
    assert 0 < found.classification["image_temperature"] < 1


def test_shuffling_permutes_the_train_labels_alone():
    data = prepared([7, 5, 4, 4])
    shuffled = controls.shuffled_data(data, 3)
    assert not np.array_equal(shuffled.splits["train"].labels, data.splits["train"].labels)
    assert np.array_equal(np.sort(shuffled.splits["train"].labels), data.splits["train"].labels)
    assert torch.equal(shuffled.splits["train"].image, data.splits["train"].image)
    assert shuffled.splits["test"] is data.splits["test"]
    assert np.array_equal(controls.shuffled_data(data, 3).splits["train"].labels, shuffled.splits["train"].labels)


# As rows of a run.


@pytest.fixture
def folder(toy, quick_training):
    training = {**quick_training, "steps": 150, "learning_rate": 0.01, "dropout": 0.0}
    hb.run(["huse"], "toy", seeds=2, training=training, controls=True, quiet=True)
    return toy / "results/toy"


def test_controls_are_a_section_of_the_tables_and_nothing_is_compared_with_them(folder, capsys):
    results = load_results(folder)
    rows = [row for row in results.rows if row.section == "Controls"]
    assert [row.label for row in rows] == [
        "Chance", "Raw features", "Class centroids", "Ceiling", "HUSE, labels shuffled",
    ]  # fmt: skip
    assert all(row.is_control and len(row.records) == 1 for row in rows)
    assert {row.records[0].method.distribution for row in rows} == {"huse-bench"}

    recall = results.tables()["table1"]["Image to Text", "R@1"]
    assert recall["Ceiling"] == 1
    assert np.isnan(recall["Raw features"])
    assert recall["Chance"] < recall["HUSE, labels shuffled"] + 0.3
    assert recall["HUSE, labels shuffled"] < 0.8 < recall["HUSE"]
    assert results.tables()["table3"]["Fusion"]["Chance"] == 0.25

    text = render(results)
    assert "\nControls\n" in text
    # A lone method is best of nothing, though a ceiling of 1 stands below it; nor does it count for the budget.
    assert not re.search(r"\d\*", text)
    assert "‡" not in text
    assert "NOT EQUAL" not in text
    assert "mean of seeds 0, 1" in text
    for form in ("markdown", "latex", "csv", "json"):
        assert "Class centroids" in render(results, form)

    # The same again from the command line evaluates nothing anew.
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()}
    options = ["--steps", "150", "--seeds", "2", "--dataset", "toy", "--methods", "huse", "--controls"]
    assert main(["run", *options, "--config", str(config(folder))]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()}
    assert "Class centroids" in capsys.readouterr().out


def config(folder):
    path = folder.parent / "config.toml"
    path.write_text(
        "[training]\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
        "learning_rate = 0.01\ndropout = 0.0\n",
        encoding="utf-8",
    )
    return path


def test_without_the_option_there_are_none(toy, quick_training):
    results = hb.run(["gap"], "toy", training=quick_training, quiet=True)
    assert [row.label for row in results.rows] == ["Gap only"]
    assert len(list((toy / "results/toy/runs").glob("*.json"))) == 1


MEANS = '''

class Mean(Toy):
    """The texts of an item of the test and of the train split are the mean of the train split's."""
    def load(self):
        items = super().load()
        items.text_features.values[0] = items.text_features.values[1:96].mean(axis=0)
        items.text_features.values[130] = items.text_features.values[:96].mean(axis=0)
        return items

class Alike(Toy):
    """All texts are alike."""
    def load(self):
        items = super().load()
        items.text_features.values[:] = items.text_features.values[0]
        return items
'''


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("mean", "1 of 32 text feature vectors equal the mean of the train split, .* for example that of item130"),
        ("alike", "32 of 32 text feature vectors equal the mean of the train split"),
    ],
)
def test_a_control_that_cannot_be_computed_is_a_row_that_says_why(toy, quick_training, capsys, dataset, reason):
    with (toy.parent / "site/toy_plugins.py").open("a") as file:
        file.write(MEANS)
    with (toy.parent / "site/toy_plugins-1.0.dist-info/entry_points.txt").open("a") as file:
        file.write("[huse_bench.datasets]\nmean = toy_plugins:Mean\nalike = toy_plugins:Alike\n")
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()
    results = hb.run(["gap"], dataset, training=quick_training, controls=True)
    assert re.search(f"Class centroids: failed: {reason}", capsys.readouterr().err)
    statuses = {row.label: row.records[0].status for row in results.rows}
    assert statuses.pop("Class centroids") == "failed"
    assert statuses == dict.fromkeys(("Gap only", "Chance", "Raw features", "Ceiling", "Gap only, labels shuffled"),
                                     "finished")  # fmt: skip
    text = " ".join(render(results).split())
    assert re.search(f"Class centroids seed 0 failed: {reason}", text)
    assert "Traceback" not in text
    for form in ("markdown", "latex", "csv", "json"):
        assert "Ceiling" in render(results, form)

    # As a run that failed, it is not tried again unless that is asked for.
    hb.run(["gap"], dataset, training=quick_training, controls=True)
    assert "Class centroids: failed" not in capsys.readouterr().err
    hb.run(["gap"], dataset, training=quick_training, controls=True, overwrite="failed")
    err = capsys.readouterr().err
    assert "Class centroids: failed" in err
    assert "Ceiling: evaluated" not in err
