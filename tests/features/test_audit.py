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
from huse_bench.features import _audit, _near, _pairs, prepare
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
    assert "3 of them with the same features and 1 of another class" in finding
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
    assert "1 of 200 test items (0.5%) has a near-duplicate image" in finding


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
    tile=st.integers(1, 45),
    limit=st.sampled_from([1e-5, 0.1003, 2.1]),
    seed=st.integers(0, 10_000),
)
def test_the_nearest_is_that_of_brute_force_whatever_the_tile(tests, trains, dim, tile, limit, seed) -> None:
    rng = np.random.default_rng(seed)
    # Few values, so that rows repeat and ties are common; the first column keeps rows from being zero.
    test, train = (rng.integers(0, 3, (n, dim)).astype(np.float32) + np.eye(dim)[0] for n in (tests, trains))
    unit_test, unit_train = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (test, train))
    least = 1 - (unit_test @ unit_train.T).max(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pairs, "_TILE", tile)
        found, indices = _audit._nearest(torch.from_numpy(test).float(), torch.from_numpy(train).float(), limit)
    near = least <= limit
    np.testing.assert_array_equal(np.isfinite(found), near)
    np.testing.assert_allclose(found[near], least[near], atol=1e-6)
    at = 1 - (unit_test * unit_train[indices]).sum(1)
    np.testing.assert_allclose(at[near], least[near], atol=1e-6)


def chains(distances: np.ndarray, limit: float, parts=None) -> list[set[int]]:
    """The sets that chains of near pairs connect, by walking from item to item."""
    left = set(range(len(distances)))
    found = []
    while left:
        waiting, members = [left.pop()], set()
        while waiting:
            item = waiting.pop()
            members.add(item)
            near = {j for j in left if distances[item, j] <= limit and (parts is None or parts[item] == parts[j])}
            left -= near
            waiting += near
        found.append(members)
    return found


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    dim=st.integers(1, 3),
    tile=st.integers(1, 45),
    limits=st.lists(st.sampled_from([1e-5, 0.02, 0.1, 0.4]), min_size=1, max_size=2),
    divided=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_links_are_those_of_brute_force_whatever_the_tile(count, dim, tile, limits, divided, seed) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 4, (count, dim)).astype(np.float32) + np.eye(dim, dtype=np.float32)[0]
    parts = rng.integers(0, 2, count) if divided else None
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pairs, "_TILE", tile)
        found = _near.link(torch.from_numpy(rows), limits, parts)
    for links, limit in zip(found, limits, strict=True):
        # No distance of such small integers is as near to a limit as rounding.
        sets = {number: set(np.flatnonzero(links.sets == number).tolist()) for number in links.sets.tolist()}
        assert sorted(map(sorted, sets.values())) == sorted(map(sorted, chains(distances, limit, parts)))
        crossing = (distances <= limit) & (False if parts is None else parts[:, None] != parts[None])
        assert links.crossing.tolist() == crossing.any(1).tolist()


def copied(items: Items, kind: str, pairs: dict[int, int]) -> Items:
    """Give rows the features of others."""
    features = getattr(items, f"{kind}_features")
    values = features.values.copy()
    for row, original in pairs.items():
        values[row] = values[original]
    return replace(items, **{f"{kind}_features": Features(values, features.backbone)})


@pytest.mark.parametrize("kind", ["image", "text"])
def test_copies_within_the_test_split_are_counted_and_groups_are_the_cure(kind) -> None:
    # A set of three, one of two.
    items = copied(make(), kind, {81: 80, 99: 80, 91: 90})
    found = run(items)
    assert found.facts["features"][kind]["within_test"] == {"near": 5, "same": 5, "sets": 2, "largest": 3}
    (finding,) = found.findings
    assert f"5 of 40 test items (12.5%) have the same {kind} features as a test item outside their group" in finding
    assert "(5 have a near-duplicate); they make 2 sets, the largest of 3 items, such as items item80 and" in finding
    assert f"so {kind}-to-{kind} retrieval looks better than it is" in finding
    assert finding.endswith("give their groups (a column 'group'), or set near_duplicates_as_groups = true")
    groups = [{81: "item80", 99: "item80", 91: "item90"}.get(row, f"item{row}") for row in range(120)]
    silent = run(replace(items, groups=groups))
    assert silent.findings == ()
    assert silent.facts["features"][kind]["within_test"] == {"near": 0, "same": 0, "sets": 0, "largest": 0}
    # With one of three outside, all three are not independent of each other.
    groups[99] = "item99"
    assert run(replace(items, groups=groups)).facts["features"][kind]["within_test"]["near"] == 3


def test_test_items_that_are_near_but_not_the_same_are_counted_without_a_finding() -> None:
    items = planted(make(), "image", {0: 1}, 0.02)
    values = items.image_features.values.copy()
    values[1] = values[119]
    items = replace(items, image_features=Features(values, "eye@1"))
    values[81] = values[80] + 0.02 * np.linalg.norm(values[80]) * np.eye(24)[0]
    found = run(items)
    assert found.facts["features"]["image"]["within_test"] == {"near": 2, "same": 0, "sets": 0, "largest": 0}
    assert not [finding for finding in found.findings if "outside their group" in finding]


def test_a_row_that_many_items_share_is_the_first_finding() -> None:
    items = copied(make(), "text", dict.fromkeys(range(1, 12), 0))
    found = run(items, [""] * 2 + ["x"] * 118)
    assert found.facts["features"]["text"]["repeated"] == {"items": 120, "distinct": 109, "most": 12}
    assert found.findings[0] == (
        "12 of 120 items (10.0%) have one and the same text features (by ear@1), such as item0 and item1; all "
        "items have 109 different rows"
    )
    assert "2 of 120 texts are empty" in found.findings[1]
    assert run(copied(make(), "text", dict.fromkeys(range(1, 11), 0))).findings == ()


def test_class_embeddings_that_are_alike_are_the_first_finding() -> None:
    items = copied(make(), "image", {81: 80})
    flat = replace(items, class_features=Features(np.tile(np.float32([3, 4]), (2, 1)), "mind@1"))
    found = run(flat)
    assert found.findings[0].startswith(
        "the 2 class embeddings are all alike (those of mind@1): methods that learn from the class names learn nothing"
    )
    assert len(found.findings) == 2
    assert found.facts["class_embeddings"] == {"classes": 2, "same": 2}
    names = ["ant", "cat", "dog"]
    some = replace(
        items,
        class_names=names,
        labels=np.arange(120) % 3,
        taxonomy=Taxonomy.from_edges([("animal", name) for name in names], classes=names),
        class_features=Features(np.float32([[1, 0], [0, 1], [0, 2]]), "mind@1"),
    )
    found = run(some)
    assert found.facts["class_embeddings"] == {"classes": 3, "same": 2}
    assert found.findings[0] == (
        "2 of 3 classes have the same embedding as another class (by mind@1), such as 'cat' and 'dog': the class graph "
        "does not tell them apart"
    )


def test_near_duplicates_become_groups_within_the_splits_that_the_data_have() -> None:
    # Copies of an image in one split, of a text in one split, which share an item, and an image in two splits.
    items = copied(copied(make(), "image", {81: 80, 70: 5}), "text", {82: 81})
    items = replace(items, groups=[f"g{min(row, 118)}" for row in range(120)])
    grouped, by_id, notices = _near.near_duplicates_as_groups(items, torch.device("cpu"))
    expected = [{81: "g80", 82: "g80", 119: "g118"}.get(row, f"g{row}") for row in range(120)]
    assert grouped.groups == expected
    assert by_id == dict(zip(items.ids, expected, strict=True))
    assert notices == [
        "near-duplicates are groups: 120 items in 117 groups, the largest of 3 (in 119 groups without this option)",
        (
            "2 items have a near-duplicate in another split; the data's own splits are kept, so those pairs are in no "
            "group: leave the splits out to have them drawn by group"
        ),
    ]
    assert run(grouped).facts["features"]["image"]["within_test"]["near"] == 0
    # Where splits are drawn, all of them are.
    free = replace(items, redrawn=lambda groups: replace(items, groups=groups))
    grouped, _, notices = _near.near_duplicates_as_groups(free, torch.device("cpu"))
    assert grouped.groups[70] == grouped.groups[5] == "g5"
    assert len(notices) == 1


def test_features_that_tell_nothing_apart_make_no_groups() -> None:
    items = replace(make(), text_features=Features(np.full((120, 4), 0.5, dtype=np.float32), "ear@1"))
    grouped, _, _ = _near.near_duplicates_as_groups(items, torch.device("cpu"))
    assert grouped.groups == items.ids


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
    assert "3 of 1358 test items (0.2%) have the same image features as a test item outside" in found.findings[2]
    assert "(41 have a near-duplicate); they make 1 set, the largest of 3 items" in found.findings[2]
    assert "have a near-duplicate text among the train items" in found.findings[3]
    assert len(found.findings) == 4
    # By brute force in float64, over chains of near pairs of which one is of two emoji.
    distances = 1 - torch.nn.functional.normalize(test, dim=1) @ torch.nn.functional.normalize(test, dim=1).T
    typical = found.facts["features"]["image"]["duplicates"]["typical_distance"]
    groups = data.splits["test"].groups
    sets = [members for members in chains(distances.numpy(), 0.05 * typical) if len(set(groups[list(members)])) > 1]
    assert found.facts["features"]["image"]["within_test"] == {
        "near": sum(map(len, sets)),
        "same": 3,
        "sets": 1,
        "largest": 3,
    }
