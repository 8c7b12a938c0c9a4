"""The synthetic datasets: the planted tree, gap and noise are in the features, and the same each time."""

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.errors import ConfigError, DataError
from huse_bench.features import prepare
from huse_bench_datasets.synthetic import Food101Scale, Synthetic


def means(items, features) -> np.ndarray:
    return np.stack([features.values[items.labels == label].mean(0) for label in range(len(items.class_names))])


def squared_distances(rows: np.ndarray) -> np.ndarray:
    return ((rows[:, None] - rows[None]) ** 2).sum(-1)


def hops(taxonomy) -> np.ndarray:
    """Edges between each two classes, counted from the paths to the root."""
    parent = {child: node for node, child in taxonomy.edges}
    paths = []
    for name in taxonomy.classes:
        path = [name]
        while path[-1] in parent:
            path.append(parent[path[-1]])
        paths.append(path)
    return np.array([[len(set(a) ^ set(b)) for b in paths] for a in paths])


def test_they_are_found_by_their_names() -> None:
    assert hb.load("dataset", "synthetic") is Synthetic
    assert hb.load("dataset", "food101-scale") is Food101Scale


def test_sizes_and_types() -> None:
    items = Synthetic(items=1003, classes=7, image_dim=5, text_dim=9, class_dim=6).load()
    assert Counter(items.splits.tolist()) == {"train": 703, "validation": 100, "test": 200}
    assert items.image_features.values.shape == (1003, 5)
    assert items.text_features.values.shape == (1003, 9)
    assert items.class_features.values.shape == (7, 6)
    assert {f.values.dtype for f in (items.image_features, items.text_features, items.class_features)} == {
        np.dtype(np.float32)
    }
    for split in ("train", "validation", "test"):
        counts = np.bincount(items.labels[items.splits == split], minlength=7)
        assert counts.max() - counts.min() <= 1
    prepare(items, "synthetic")


@pytest.mark.parametrize("branching", [2, 3, 5])
def test_classes_near_in_the_tree_are_near_in_features(branching) -> None:
    # Long features, in which the distances that are expected are those that are there.
    items = Synthetic(
        items=27 * 40, classes=27, image_dim=4000, text_dim=4000, class_dim=4000, branching=branching, noise=0.1, gap=0
    ).load()
    tree = hops(items.taxonomy)
    for features in (items.image_features, items.text_features):
        found = squared_distances(means(items, features))
        between = [found[tree == distance].mean() for distance in np.unique(tree)]
        assert between == sorted(between)
        assert between[1] > 0.02
    for label in range(27):
        others = np.flatnonzero(np.arange(27) != label)
        nearest = others[found[label, others].argmin()]
        assert tree[label, nearest] == tree[label, others].min()
    classes = squared_distances(items.class_features.values.astype(np.float64))
    assert np.corrcoef(classes.ravel(), found.ravel())[0, 1] > 0.99


def test_class_means_have_about_unit_length() -> None:
    items = Synthetic(items=640, classes=64, image_dim=2000, text_dim=2000, noise=0, gap=0).load()
    lengths = np.linalg.norm(items.image_features.values[:64], axis=1)
    assert lengths == pytest.approx(1, abs=0.1)


def test_steps_shrink_by_the_stated_factor() -> None:
    items = Synthetic(items=160, classes=8, image_dim=20_000, text_dim=1, noise=0, gap=0).load()
    found = squared_distances(items.image_features.values[:8].astype(np.float64))
    # Classes 0 and 1 part at the last of three levels, 0 and 2 at the second, 0 and 4 at the first.
    total = 1 + 0.8**2 + 0.8**4
    expected = np.array([0.8**4, 0.8**4 + 0.8**2, total]) * 2 / total
    assert found[0, [1, 2, 4]] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("gap", [0.0, 0.5, 2.0])
def test_the_gap_is_between_the_modalities(gap) -> None:
    items = Synthetic(items=4000, classes=16, image_dim=500, text_dim=500, noise=0.2, gap=gap).load()
    image, text = items.image_features.values, items.text_features.values
    # Each modality is moved by a vector of that length, in directions that have nothing in common.
    assert np.linalg.norm(image.mean(0) - text.mean(0)) == pytest.approx(np.sqrt(2) * gap, abs=0.05 + 0.08 * gap)
    centred = [rows - rows.mean(0) for rows in (image, text)]
    own = [means(items, hb.Features(rows, "x")) for rows in centred]
    assert np.abs(own[0] - own[1]).max() < 0.02


def test_noise_has_the_stated_length() -> None:
    quiet, noisy = (Synthetic(items=400, image_dim=300, noise=noise).load().image_features.values for noise in (0, 1.5))
    lengths = np.linalg.norm(noisy - quiet, axis=1)
    assert np.sqrt((lengths**2).mean()) == pytest.approx(1.5, rel=0.01)


def test_the_defaults_are_neither_trivial_nor_hopeless() -> None:
    items = Synthetic().load()
    train, test = items.splits == "train", items.splits == "test"
    for features in (items.image_features, items.text_features):
        centres = np.stack([features.values[train & (items.labels == k)].mean(0) for k in range(32)])
        distances = ((features.values[test][:, None] - centres) ** 2).sum(-1)
        assert 0.6 < (distances.argmin(1) == items.labels[test]).mean() < 0.8
    assert [items.taxonomy.mean_set_size(k) for k in (2, 5, 10)] == [2, 8, 16]


def test_the_same_options_give_the_same_items_also_in_another_process() -> None:
    code = (
        "from huse_bench_datasets.synthetic import Synthetic; import hashlib; i = Synthetic(items=640, seed=3).load();"
        "print(hashlib.sha256(i.image_features.values.tobytes() + i.text_features.values.tobytes()).hexdigest())"
    )
    first, second = (Synthetic(items=640, seed=seed).load() for seed in (3, 4))
    content = first.image_features.values.tobytes() + first.text_features.values.tobytes()
    found = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert found == hashlib.sha256(content).hexdigest()
    assert not np.array_equal(first.image_features.values, second.image_features.values)
    assert first.image_features.backbone != second.image_features.backbone


def test_rows_do_not_depend_on_the_chunks(monkeypatch) -> None:
    expected = Synthetic(items=640).load().text_features.values
    monkeypatch.setattr("huse_bench_datasets.synthetic._CHUNK", 100)
    np.testing.assert_array_equal(Synthetic(items=640).load().text_features.values, expected)


def test_one_modality_does_not_depend_on_the_other() -> None:
    narrow, wide = (Synthetic(items=640, text_dim=dim).load() for dim in (8, 16))
    np.testing.assert_array_equal(narrow.image_features.values, wide.image_features.values)


def test_the_modalities_share_their_class_means() -> None:
    items = Synthetic(items=640, image_dim=8, text_dim=18, noise=0, gap=0).load()
    image, text = items.image_features.values, items.text_features.values
    np.testing.assert_allclose(text[:, :8], image * np.sqrt(8 / 18), rtol=1e-5)


def test_food101_scale_has_the_published_sizes() -> None:
    # Short features: the rows are what is counted.
    items = Food101Scale(image_dim=2, text_dim=3).load()
    assert Counter(items.splits.tolist()) == {"train": 61_142, "validation": 6_846, "test": 22_716}
    assert 61_142 + 6_846 == 67_988
    assert len(items.class_names) == 101
    assert np.unique(items.labels[items.splits == "validation"]).size == 101
    assert Food101Scale().dims == {"image": 64, "text": 3072, "class": 512}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"branching": 1}, "branching must be at least 2, got 1"),
        ({"image_dim": 0}, "image_dim must be at least 1, got 0"),
        ({"noise": -0.5}, "noise must be at least 0, got -0.5"),
        ({"gap": float("nan")}, "gap must be at least 0, got nan"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"items": 100}, "items must be at least 10 for each of 32 classes"),
    ],
)
def test_refused_options(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Synthetic(**options)


@pytest.mark.parametrize("dataset", [Synthetic, Food101Scale])
def test_user_data_is_refused(tmp_path, dataset) -> None:
    with pytest.raises(DataError, match="is made up and reads no data") as caught:
        dataset(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_groups_share_their_part_of_the_noise() -> None:
    options = {"items": 2000, "classes": 10, "image_dim": 400, "text_dim": 400, "gap": 0.0}
    plain = Synthetic(**options).load()
    items = Synthetic(**options, group_size=4, group_share=0.7).load()
    assert plain.groups is None
    np.testing.assert_array_equal(Synthetic(**options).load().image_features.values, plain.image_features.values)
    groups = np.array(items.groups)
    names, counts = np.unique(groups, return_counts=True)
    # 140, 20 and 40 items of each class in a split.
    assert Counter(counts.tolist()) == {4: 500}
    for name in names[:50]:
        rows = groups == name
        assert len(set(items.labels[rows])) == len(set(items.splits[rows])) == 1
    for features in (items.image_features, items.text_features):
        noise = features.values - Synthetic(**options, noise=0.0).load().image_features.values
        if features is items.text_features:
            noise = features.values - Synthetic(**options, noise=0.0).load().text_features.values
        unit = noise / np.linalg.norm(noise, axis=1, keepdims=True)
        assert np.linalg.norm(noise, axis=1).mean() == pytest.approx(1.5, rel=0.02)
        cosines = unit @ unit.T
        same = (groups[:, None] == groups[None]) & ~np.eye(len(groups), dtype=bool)
        assert cosines[same].mean() == pytest.approx(0.7, abs=0.02)
        assert cosines[~same & ~np.eye(len(groups), dtype=bool)].mean() == pytest.approx(0, abs=0.01)
    prepare(items, "synthetic")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_size": 0}, "group_size must be at least 1, got 0"),
        ({"group_share": 1.5}, "group_share must be between 0 and 1, got 1.5"),
    ],
)
def test_refused_groups(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Synthetic(**options)
