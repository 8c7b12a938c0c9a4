"""The audit finds what was planted in a dataset, counts it rightly, and is silent about a sound one."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import huse_bench as hb
from huse_bench.components import Features, Items
from huse_bench.features import _audit, prepare
from huse_bench.features._audit import audit
from huse_bench.taxonomy import Taxonomy

NAMES = ["cat", "dog"]
TRAIN, VALIDATION, TEST = slice(0, 60), slice(60, 80), slice(80, 120)


def make(seed: int = 0) -> Items:
    """120 unrelated rows, classes in turn: nothing to find."""
    rng = np.random.default_rng(seed)
    return Items(
        ids=[f"item{i}" for i in range(120)],
        labels=np.arange(120) % 2,
        splits=np.repeat(["train", "validation", "test"], [60, 20, 40]),
        class_names=NAMES,
        taxonomy=Taxonomy.from_edges([("animal", "cat"), ("animal", "dog")], classes=NAMES),
        image_features=Features(rng.normal(size=(120, 24)).astype(np.float32), "eye@1"),
        text_features=Features(rng.normal(size=(120, 16)).astype(np.float32), "ear@1"),
        class_features=Features(rng.normal(size=(2, 5)).astype(np.float32), "mind@1"),
    )


def planted(items: Items, kind: str, pairs: dict[int, int], distance: float = 0.0) -> Items:
    """Put test rows at a cosine distance from train rows, whose lengths are others."""
    features = getattr(items, f"{kind}_features")
    values = features.values.copy()
    rng = np.random.default_rng(9)
    for test, train in pairs.items():
        unit = values[train] / np.linalg.norm(values[train])
        side = rng.normal(size=len(unit))
        side -= side @ unit * unit
        side /= np.linalg.norm(side)
        values[80 + test] = 3 * ((1 - distance) * unit + np.sqrt(1 - (1 - distance) ** 2) * side)
    return replace(items, **{f"{kind}_features": Features(values, features.backbone)})


def run(items: Items, texts=None) -> _audit.Audit:
    return audit(prepare(items, "toy"), texts)


def test_nothing_is_found_in_sound_data() -> None:
    found = run(make(), [f"text {i}" for i in range(120)])
    assert found.findings == ()
    assert found.facts["classes"]["train"] == {"items": 60, "smallest": 30, "largest": 30, "ratio": 1.0, "absent": 0}
    assert found.facts["texts"] == {"items": 120, "empty": 0, "distinct": 120}
    assert found.facts["features"]["image"]["dimension"] == 24
    assert found.facts["features"]["text"]["dimension"] == 16
    for kind in ("image", "text"):
        assert found.facts["features"][kind]["duplicates"]["near"] == 0


@pytest.mark.parametrize("kind", ["image", "text"])
def test_planted_duplicates_are_counted(kind) -> None:
    # Rows 3 and 4 have the classes of their doubles, row 5 has not.
    items = planted(make(), kind, {3: 3, 4: 10, 5: 20})
    found = run(items)
    counts = found.facts["features"][kind]["duplicates"]
    assert (counts["near"], counts["same"], counts["other_class"]) == (3, 3, 1)
    (finding,) = found.findings
    assert f"3 of 40 test items (7.5%) have a near-duplicate {kind} among the train items" in finding
    assert "3 of them the same and 1 of another class" in finding
    assert any(f"item{80 + test} and item{train}" in finding for test, train in {3: 3, 4: 10, 5: 20}.items())


@pytest.mark.parametrize(("distance", "near"), [(0.02, 4), (0.04, 4), (0.08, 0), (0.3, 0)])
def test_near_is_a_twentieth_of_the_usual_distance(distance, near) -> None:
    # Unrelated rows have a cosine distance of about 1.
    found = run(planted(make(), "image", {0: 1, 1: 2, 2: 3, 3: 4}, distance))
    counts = found.facts["features"]["image"]["duplicates"]
    assert (counts["near"], counts["same"]) == (near, 0)
    assert bool(found.findings) == bool(near)


def test_near_is_relative_where_all_items_are_close() -> None:
    # A common direction puts all cosines above 0.9; only the planted pair is near.
    items = make()
    shifted = items.image_features.values + 20 * np.eye(24, dtype=np.float32)[0]
    items = replace(items, image_features=Features(shifted, "eye@1"))
    found = run(planted(items, "image", {0: 1}))
    counts = found.facts["features"]["image"]["duplicates"]
    assert counts["typical_distance"] < 0.1
    assert (counts["near"], counts["same"]) == (1, 1)


def test_one_text_twice_is_no_finding_but_one_image_is() -> None:
    many = make()
    wide = {kind: np.random.default_rng(4).normal(size=(400, 16)).astype(np.float32) for kind in ("image", "text")}
    items = replace(
        many,
        ids=[f"item{i}" for i in range(400)],
        labels=np.arange(400) % 2,
        splits=np.repeat(["test", "train", "validation"], [200, 180, 20]),
        image_features=Features(wide["image"], "eye@1"),
        text_features=Features(wide["text"], "ear@1"),
    )
    wide["text"][0] = wide["text"][250]
    found = run(items)
    assert found.facts["features"]["text"]["duplicates"]["same"] == 1
    assert found.findings == ()
    wide["image"][0] = wide["image"][250]
    (finding,) = run(items).findings
    assert "1 of 200 test items (0.5%) have a near-duplicate image" in finding


def test_half_precision_keeps_duplicates_the_same() -> None:
    items = planted(make(), "image", {0: 1, 1: 2})
    halves = Features(items.image_features.values.astype(np.float16), "eye@1")
    assert run(replace(items, image_features=halves)).facts["features"]["image"]["duplicates"]["same"] == 2


def test_features_that_do_not_differ_are_named() -> None:
    items = replace(make(), image_features=Features(np.full((120, 4), 0.5, dtype=np.float32), "eye@1"))
    found = run(items)
    (finding,) = found.findings
    assert "the image features hardly differ" in finding
    json.dumps(found.summary())


def test_unbalanced_classes_are_named() -> None:
    items = make()
    labels = np.zeros(120, dtype=np.int64)
    labels[[0, 1, 2, 60, 80, 81]] = 1
    found = run(replace(items, labels=labels))
    assert found.facts["classes"]["train"]["ratio"] == 19
    assert found.facts["classes"]["validation"] == {
        "items": 20,
        "smallest": 1,
        "largest": 19,
        "ratio": 19.0,
        "absent": 0,
    }
    (finding,) = found.findings
    assert "the train split has 3 items of 'dog' and 57 of 'cat'" in finding


def test_a_test_split_that_alone_is_unbalanced_is_named() -> None:
    items = make()
    labels = items.labels.copy()
    labels[81:] = 0
    labels[80] = 1
    (finding,) = run(replace(items, labels=labels)).findings
    assert "the test split has 1 items of 'dog' and 39 of 'cat'" in finding


def test_classes_without_items_are_counted() -> None:
    items = make()
    labels = items.labels.copy()
    labels[TEST] = 0
    found = run(replace(items, labels=labels))
    assert found.facts["classes"]["test"]["absent"] == 1
    assert found.facts["classes"]["test"]["ratio"] == 1
    assert found.findings == ("1 of 2 classes have no item in the test split",)


def test_the_smallest_class_is_one_that_has_items() -> None:
    names = ["ant", "cat", "dog"]
    items = replace(
        make(),
        class_names=names,
        taxonomy=Taxonomy.from_edges([("animal", name) for name in names], classes=names),
        class_features=Features(np.eye(3, dtype=np.float32), "mind@1"),
    )
    labels = items.labels + 1
    labels[[0, 2, 60, 80]] = 0
    labels[80:] = 1
    labels[[80, 81]] = 2
    found = run(replace(items, labels=labels))
    assert found.findings[0] == "1 of 3 classes have no item in the test split"
    assert "the train split has 2 items of 'ant' and 30 of 'dog'" in found.findings[1]
    labels[[0, 2]] = [1, 1]
    labels[60] = 0
    labels[4:10] = 0
    found = run(replace(items, labels=labels))
    assert "the test split has 2 items of 'dog' and 38 of 'cat'" in found.findings[1]


def test_empty_texts_are_counted() -> None:
    found = run(make(), ["a", "", " \t", "a"])
    assert found.facts["texts"] == {"items": 4, "empty": 2, "distinct": 3}
    assert found.findings == ("2 of 4 texts are empty: all of them have the same features",)


def test_unusable_rows_are_counted_rather_than_ranked() -> None:
    data = prepare(make(), "toy")
    data.splits["train"].image[3] = 0
    data.splits["test"].image[0, 1] = torch.nan
    data.splits["test"].image[5, 1] = torch.inf
    found = audit(data, None)
    assert found.facts["features"]["image"]["unusable_rows"] == 3
    assert found.findings == ("3 image features are not finite or all zeros: rebuild them or leave the items out",)


def test_summary_is_json_and_the_data_stays_as_it_was() -> None:
    data = prepare(planted(make(), "image", {0: 1}), "toy")
    before = data.splits["test"].image.clone()
    summary = audit(data, ["x"]).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert len(summary["findings"]) == 1
    assert torch.equal(before, data.splits["test"].image)


@settings(max_examples=25, deadline=None)
@given(
    tests=st.integers(1, 30),
    trains=st.integers(1, 40),
    dim=st.integers(1, 6),
    chunk=st.integers(1, 45),
    seed=st.integers(0, 10_000),
)
def test_the_nearest_is_that_of_brute_force_whatever_the_chunk(tests, trains, dim, chunk, seed) -> None:
    rng = np.random.default_rng(seed)
    # Few values, so that rows repeat and ties are common; the first column keeps rows from being zero.
    test, train = (rng.integers(0, 3, (n, dim)).astype(np.float32) + np.eye(dim)[0] for n in (tests, trains))
    unit_test, unit_train = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (test, train))
    cosines = unit_test @ unit_train.T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_audit, "_CHUNK", chunk)
        values, indices = _audit._nearest(torch.from_numpy(test).float(), torch.from_numpy(train).float())
    np.testing.assert_allclose(values.numpy(), cosines.max(1), atol=1e-6)
    np.testing.assert_allclose(cosines[np.arange(tests), indices.numpy()], cosines.max(1), atol=1e-6)


def test_the_emoji_data_has_the_doubles_that_its_drawings_show() -> None:
    items = hb.load("dataset", "emoji")().load()
    data = prepare(items, "emoji")
    found = audit(data, None)
    # By brute force in float64: country flags that are the same (of territories), OpenMoji's neutral and male persons.
    test, train = (data.splits[name].image.double() for name in ("test", "train"))
    cosines = torch.nn.functional.normalize(test, dim=1) @ torch.nn.functional.normalize(train, dim=1).T
    assert found.facts["features"]["image"]["duplicates"]["same"] == int((cosines.max(1).values > 1 - 1e-5).sum()) == 15
    assert [finding.split(":")[0] for finding in found.findings[:1]] == ["the classes are unbalanced"]
    assert "135 of 1358 test items (9.9%) have a near-duplicate image" in found.findings[1]
    assert "have a near-duplicate text" in found.findings[2]
    assert len(found.findings) == 3
