"""Regimes: which labels are wrong, which classes held out and which items kept, on data of any kind."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.components import Features, Items
from huse_bench.config import NO_REGIME, RegimeConfig
from huse_bench.errors import DataError
from huse_bench.features import prepare
from huse_bench.features._regimes import class_folds, in_regime, without_left_out
from huse_bench.taxonomy import Taxonomy

BRANCHES = 5


def make_items(classes=20, groups=12, size=2, *, mixed=0, seed=0) -> Items:
    """Classes in five branches, each with so many groups of items, of which some also have items of another class."""
    rng = np.random.default_rng(seed)
    names = [f"class {c}" for c in range(classes)]
    edges = [("root", f"branch {b}") for b in range(BRANCHES)]
    edges += [(f"branch {c % BRANCHES}", name) for c, name in enumerate(names)]
    group_of = np.repeat(np.arange(classes * groups), size)
    labels = group_of // groups
    # The second item of the first groups of a class is of the next class.
    second = (np.arange(len(labels)) % size == 1) & (group_of % groups < mixed)
    labels = np.where(second, (labels + 1) % classes, labels)
    splits = np.array(["train"] * 7 + ["validation"] + ["test"] * 2)[group_of % 10]
    count = len(labels)
    return Items(
        ids=[f"item{i}" for i in range(count)],
        labels=labels,
        splits=splits,
        class_names=names,
        taxonomy=Taxonomy.from_edges(edges, classes=names),
        images=[Path(f"{i}.png") for i in range(count)],
        texts=[f"text {i}" for i in range(count)],
        image_features=Features(rng.normal(size=(count, 3)).astype(np.float32), "eye@1"),
        text_features=Features(rng.normal(size=(count, 4)).astype(np.float32), "ear@1"),
        class_features=Features(rng.normal(size=(classes, 5)).astype(np.float32), "mind@1"),
        groups=[f"group{g}" for g in group_of],
    )


def regime(**given) -> RegimeConfig:
    return RegimeConfig(**given)


def by_split(items):
    found = defaultdict(set)
    for split, label in zip(items.splits.tolist(), items.labels.tolist(), strict=True):
        found[split].add(label)
    return found


def test_without_a_regime_the_items_stay_as_they_are() -> None:
    items = make_items()
    assert in_regime(items, NO_REGIME, "toy") is items
    assert without_left_out(items) is items
    assert prepare(items, "toy", "Toy").title == "Toy"


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(0, 5), st.integers(0, 3))
def test_noise_takes_whole_groups_of_the_train_split_for_other_classes(share, seed, mixed) -> None:
    items = make_items(mixed=mixed)
    noisy = in_regime(items, regime(label_noise=share, seed=seed), "toy")
    wrong = noisy.labels != items.labels
    assert set(items.splits[wrong].tolist()) == {"train"}
    train = {g for g, split in zip(items.groups, items.splits, strict=True) if split == "train"}
    touched = {items.groups[row] for row in np.flatnonzero(wrong)}
    assert len(touched) == int(share * len(train) + 0.5)
    given_to = defaultdict(set)
    for row, group in enumerate(items.groups):
        assert wrong[row] == (group in touched)
        given_to[group, int(items.labels[row])].add(int(noisy.labels[row]))
    assert all(len(labels) == 1 for labels in given_to.values())
    assert noisy.ids == items.ids
    assert noisy.image_features is items.image_features


def test_more_noise_leaves_the_wrong_labels_as_wrong_as_they_were() -> None:
    items = make_items()
    some, more = (in_regime(items, regime(label_noise=share), "toy").labels for share in (0.2, 0.4))
    wrong = some != items.labels
    assert wrong.any()
    assert np.array_equal(some[wrong], more[wrong])
    assert np.count_nonzero(more != items.labels) > 1.8 * np.count_nonzero(wrong)


def test_all_other_classes_are_equally_likely() -> None:
    items = make_items(classes=5, groups=2000, size=1)
    noisy = in_regime(items, regime(label_noise=0.5), "toy")
    wrong = noisy.labels != items.labels
    steps = Counter(((noisy.labels - items.labels) % 5)[wrong].tolist())
    assert set(steps) == {1, 2, 3, 4}
    expected = wrong.sum() / 4
    # Chi-squared of 3 degrees of freedom, 99.99 %.
    assert sum((count - expected) ** 2 / expected for count in steps.values()) < 21.1
    of_class = Counter(items.labels[wrong].tolist())
    assert sum((count - wrong.sum() / 5) ** 2 / (wrong.sum() / 5) for count in of_class.values()) < 23.5


def test_noise_depends_on_its_own_seed_and_on_no_order() -> None:
    items = make_items()
    noisy = in_regime(items, regime(label_noise=0.3), "toy")
    other = in_regime(items, regime(label_noise=0.3, seed=1), "toy")
    assert not np.array_equal(noisy.labels, other.labels)
    order = np.random.default_rng(1).permutation(len(items.ids))
    shuffled = replace(
        items,
        ids=[items.ids[row] for row in order],
        labels=items.labels[order],
        splits=items.splits[order],
        groups=[items.groups[row] for row in order],
    )
    again = in_regime(shuffled, regime(label_noise=0.3), "toy")
    assert dict(zip(again.ids, again.labels.tolist(), strict=True)) == dict(
        zip(noisy.ids, noisy.labels.tolist(), strict=True)
    )


def test_of_two_classes_each_wrong_label_is_the_other() -> None:
    items = make_items(classes=2)
    noisy = in_regime(items, regime(label_noise=0.5), "toy")
    wrong = noisy.labels != items.labels
    assert (noisy.labels[wrong] == 1 - items.labels[wrong]).all()
    assert "label noise: 9 of 18 groups of the train split, 18 of its 36 items, have the label of another class" in (
        noisy.notices
    )


def test_a_class_may_lose_all_its_training_items_and_that_is_said() -> None:
    items, asked = make_items(), regime(shots=1, label_noise=0.9)
    noisy = in_regime(items, asked, "toy")
    kept = without_left_out(noisy)
    lost = 20 - len(set(kept.labels[kept.splits == "train"].tolist()))
    assert lost > 0
    assert noisy.notices[-1].endswith(f"; {lost} classes have no training item left")
    assert len(prepare(kept, "toy", regime=asked).class_names) == 20
    with pytest.raises(DataError, match=r"has no item in the train split \(\d+ such classes\)"):
        prepare(kept, "toy")


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 40), st.integers(3, 8), st.integers(0, 3), st.integers(0, 3), st.data())
def test_held_out_classes_have_no_training_item(classes, folds, mixed, seed, data) -> None:
    folds = min(folds, classes // 2)
    fold = data.draw(st.integers(1, folds))
    items = make_items(classes=classes, mixed=mixed)
    asked = regime(held_out=fold, folds=folds, seed=seed)
    held = in_regime(items, asked, "toy")
    kept = without_left_out(held)
    dealt = class_folds(items.taxonomy, folds, seed)
    found = by_split(kept)
    assert found["test"] == set(np.flatnonzero(dealt == fold).tolist())
    assert found["validation"] == set(np.flatnonzero(dealt == fold % folds + 1).tolist())
    assert found["train"] == set(range(classes)) - found["test"] - found["validation"]
    # All items of the held-out classes are tested, whatever split they were in.
    assert Counter(kept.labels[kept.splits == "test"].tolist()) == Counter(
        label for label in items.labels.tolist() if dealt[label] == fold
    )
    places = defaultdict(set)
    for group, split in zip(kept.groups, kept.splits.tolist(), strict=True):
        places[group].add(split)
    assert all(len(splits) == 1 for splits in places.values())
    # Nothing is left out but what would divide a group.
    left = set(items.ids) - set(kept.ids)
    for row, item in enumerate(items.ids):
        rank = [fold, fold % folds + 1]
        mates = {int(dealt[items.labels[other]]) for other, g in enumerate(items.groups) if g == items.groups[row]}
        own = int(dealt[items.labels[row]])
        first = next((place for place in rank if place in mates), None)
        divided = first is not None and own != first
        assert (item in left) == divided
    if not mixed:
        assert held.splits is not items.splits
        assert not left
    prepared = prepare(kept, "toy", "Toy", asked)
    assert prepared.title.startswith(f"Toy, held-out classes (fold {fold} of {folds})")
    assert prepared.taxonomy_of("test").findable == tuple(sorted(found["test"]))
    assert prepared.taxonomy_of("validation").findable == tuple(sorted(found["validation"]))


def test_every_class_is_tested_in_one_fold() -> None:
    items = make_items(classes=23)
    tested = [by_split(in_regime(items, regime(held_out=fold), "toy"))["test"] for fold in range(1, 6)]
    assert sorted(label for classes in tested for label in classes) == list(range(23))
    assert sorted(map(len, tested)) == [4, 4, 5, 5, 5]


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 60), st.integers(3, 7), st.integers(0, 20))
def test_folds_are_of_equal_size_and_have_a_share_of_each_branch(classes, folds, seed) -> None:
    taxonomy = make_items(classes=classes).taxonomy
    dealt = class_folds(taxonomy, folds, seed)
    sizes = np.bincount(dealt, minlength=folds + 1)[1:]
    assert sizes.sum() == classes
    assert sizes.max() - sizes.min() <= 1
    for branch in range(BRANCHES):
        of_branch = np.bincount(dealt[branch::BRANCHES], minlength=folds + 1)[1:]
        assert of_branch.max() - of_branch.min() <= 1


def test_folds_without_branches_are_drawn_by_the_seed() -> None:
    names = [f"c{i}" for i in range(30)]
    flat = Taxonomy.from_edges([("root", name) for name in names], classes=names)
    drawn = [class_folds(flat, 5, seed).tolist() for seed in range(3)]
    assert len({tuple(folds) for folds in drawn}) == 3
    # Not in the order of the names, nor of the edges.
    turned = Taxonomy.from_edges([("root", name) for name in reversed(names)], classes=names)
    assert class_folds(turned, 5, 0).tolist() == drawn[0] != sorted(drawn[0])


def test_a_class_with_two_parents_is_below_the_first() -> None:
    edges = [("root", "a"), ("root", "b"), *((("a", "b")[i % 2], f"c{i}") for i in range(8)), ("b", "c0")]
    names = [f"c{i}" for i in range(8)]
    two = class_folds(Taxonomy.from_edges(edges, names), 4)
    assert two.tolist() == class_folds(Taxonomy.from_edges(edges[:-1], names), 4).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(0, 3), st.integers(0, 3))
def test_few_shots_are_whole_groups_of_each_class(shots, mixed, seed) -> None:
    items = make_items(mixed=mixed)
    few = without_left_out(in_regime(items, regime(shots=shots, seed=seed), "toy"))
    before, after = defaultdict(set), defaultdict(set)
    for found, kept in ((items, before), (few, after)):
        for row in np.flatnonzero(found.splits == "train"):
            kept[int(found.labels[row])].add(found.groups[row])
    assert {label: len(groups) for label, groups in after.items()} == {
        label: min(shots, len(groups)) for label, groups in before.items()
    }
    kept = set(few.ids)
    for row in np.flatnonzero(items.splits == "train"):
        assert (items.ids[row] in kept) == (items.groups[row] in after[int(items.labels[row])])
    for split in ("validation", "test"):
        assert [i for i, s in zip(few.ids, few.splits, strict=True) if s == split] == [
            i for i, s in zip(items.ids, items.splits, strict=True) if s == split
        ]
    rows = [items.ids.index(item) for item in few.ids]
    assert few.texts == [items.texts[row] for row in rows]
    assert few.images == [items.images[row] for row in rows]
    assert np.array_equal(few.text_features.values, items.text_features.values[rows])


def test_more_shots_keep_those_of_fewer() -> None:
    items = make_items()
    two, five = (set(without_left_out(in_regime(items, regime(shots=shots), "toy")).ids) for shots in (2, 5))
    assert two < five


def test_regimes_combine_classes_first_then_shots_then_noise() -> None:
    items = make_items(groups=20)
    asked = regime(held_out=2, shots=3, label_noise=0.5)
    done = without_left_out(in_regime(items, asked, "toy"))
    dealt = class_folds(items.taxonomy, 5)
    found = by_split(done)
    assert found["test"] == set(np.flatnonzero(dealt == 2).tolist())
    assert found["train"] <= set(np.flatnonzero((dealt != 2) & (dealt != 3)).tolist())
    true = dict(zip(items.ids, items.labels.tolist(), strict=True))
    train = np.flatnonzero(done.splits == "train")
    groups = {true[done.ids[row]]: set() for row in train}
    for row in train:
        groups[true[done.ids[row]]].add(done.groups[row])
    assert {len(names) for names in groups.values()} == {3}
    assert np.mean([true[done.ids[row]] != done.labels[row] for row in train]) == 0.5
    assert prepare(done, "toy", "Toy", asked).title == (
        "Toy, held-out classes (fold 2 of 5), 3 training groups of each class, 50 % of training labels wrong"
    )
    assert [notice.partition(":")[0] for notice in done.notices] == ["held-out classes", "few-shot", "label noise"]


@pytest.mark.parametrize(
    ("items", "asked", "message"),
    [
        ({}, {"label_noise": 0.001}, r"toy: label_noise = 0.001 of the 168 groups of the train split is none of them"),
        ({}, {"held_out": 1, "folds": 11}, r"11 folds of 20 classes have less than 2 classes each.*at most 10 folds"),
        ({"classes": 2}, {"held_out": 1}, r"5 folds of 2 classes .*its classes are too few to hold some out"),
        ({}, {"shots": 9}, r"shots = 9 would leave the train split as it is, whose classes have at most 9 groups"),
        ({"classes": 3, "groups": 1}, {"shots": 1}, r"at most 1 group; take fewer"),
    ],
)
def test_what_makes_no_sense_is_refused(items, asked, message) -> None:
    with pytest.raises(DataError, match=message):
        in_regime(make_items(**items), regime(**asked), "toy")


def test_a_single_class_can_have_no_wrong_label() -> None:
    items = make_items(classes=1)
    with pytest.raises(DataError, match="toy: the train split has a single class, so no label can be wrong"):
        in_regime(items, regime(label_noise=0.5), "toy")
