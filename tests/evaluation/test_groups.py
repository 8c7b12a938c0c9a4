"""Retrieval with groups, against a plain loop over queries, and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from huse_bench.evaluation import (
    DIRECTIONS,
    evaluate_retrieval,
    hierarchical_precision,
    lcs_height_similarity,
    protocol,
)
from huse_bench.taxonomy import Taxonomy

TREE = [
    ("thing", "animal"),
    ("thing", "plant"),
    ("animal", "pet"),
    ("pet", 0),
    ("pet", 1),
    ("animal", 2),
    ("plant", 3),
    ("plant", 4),
]


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.from_edges(TREE, classes=range(5))


def by_loops(image, text, labels, groups, taxonomy, ks):
    """Scores and galleries of every query, one by one; equal similarities in the order of their index."""
    similarity = lcs_height_similarity(taxonomy)
    scores, unreachable = {}, 0
    for direction in DIRECTIONS:
        queries, gallery_rows = ({"i": image, "t": text}[side] for side in (direction[0], direction[-1]))
        in_modal = direction[0] == direction[-1]
        values = {f"{name}@{k}": [] for name in ("R", "P", "HP", "BHP") for k in ks}
        for q, label in enumerate(labels):
            gallery = [i for i in range(len(labels)) if groups[i] != groups[q] or (i == q and not in_modal)]
            if direction == "i2i":
                unreachable += label not in [labels[i] for i in gallery]
            products = gallery_rows.double() @ queries[q].double()
            ranking = sorted(gallery, key=lambda i: (-float(products[i].to(image.dtype)), i))
            found = [labels[i] for i in ranking]
            ideal = sorted((similarity[label, labels[i]] for i in gallery), reverse=True)
            for k in ks:
                correct = taxonomy.correct_set(label, k)
                values[f"R@{k}"].append(label in found[:k])
                values[f"P@{k}"].append(np.mean([c == label for c in found[:k]]))
                values[f"HP@{k}"].append(np.mean([c in correct for c in found[:k]]))
                best = sum(ideal[:k])
                values[f"BHP@{k}"].append(sum(similarity[label, c] for c in found[:k]) / best if best else 0)
        scores[direction] = {name: np.mean(numbers) for name, numbers in values.items()}
    return scores, unreachable


@st.composite
def grouped(draw):
    """Rows that tie exactly, and groups from one for each item to one of half of them."""
    items = draw(st.integers(8, 24))
    pick = lambda numbers: np.array(draw(st.lists(numbers, min_size=items, max_size=items)))  # noqa: E731
    axes = [pick(st.integers(0, 7)) for _ in range(2)]
    # Unit rows of halves: all products are exact, and many are equal.
    units = torch.cat([torch.eye(4), torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [-1, 1, 1, 1], [1, 1, -1, -1]]) / 2])
    groups = np.minimum(pick(st.integers(0, 9)), np.arange(items))
    groups[: items // 3] = np.arange(100, 100 + items // 3)
    return *(units[axis].double() for axis in axes), pick(st.integers(0, 4)), groups


@settings(max_examples=60, deadline=None)
@given(grouped())
def test_every_score_is_that_of_plain_loops(tree, data):
    image, text, labels, groups = data
    ks = [k for k in (1, 2, 5) if k <= len(labels) - np.unique(groups, return_counts=True)[1].max()]
    found = evaluate_retrieval(image, text, labels, tree, groups=groups, recall_ks=ks, hp_ks=ks)
    expected, unreachable = by_loops(image, text, labels, groups, tree, ks)
    assert found.unreachable_queries == unreachable
    for direction, scores in expected.items():
        assert found.scores[direction] == pytest.approx(scores, abs=1e-12)


def rows(seed, items):
    return normalize(torch.randn(items, 12, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_without_groups_both_protocols_give_the_same(tree):
    labels = np.arange(60) % 5
    given = {"image": rows(0, 60), "text": rows(1, 60), "labels": labels, "taxonomy": tree}
    found = [
        evaluate_retrieval(**given, protocol=version, groups=groups)
        for version in ("v1", "v2")
        for groups in (None, np.arange(60)[::-1])
    ]
    # And v1 does not heed groups.
    found.append(evaluate_retrieval(**given, protocol="v1", groups=np.arange(60) // 4))
    for other in found[1:]:
        assert other.scores == found[0].scores
        assert other.unreachable_queries == found[0].unreachable_queries
        for direction in DIRECTIONS:
            for name, counts in found[0].per_query[direction].items():
                np.testing.assert_array_equal(other.per_query[direction][name], counts)
    levels = [protocol(tree, labels=labels, groups=groups)["chance"] for groups in (None, np.arange(60))]
    assert levels[0] == levels[1] == protocol(tree, labels=labels, groups=labels, version="v1")["chance"]


def test_another_drawing_of_the_querys_own_subject_is_no_hit(tree):
    """Items 0 and 1 are one subject, drawn twice; the only other item of their class looks like none of them."""
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    given = {
        "image": image,
        "text": image,
        "labels": [0, 0, 0, 1, 2],
        "taxonomy": tree,
        "recall_ks": (1,),
        "hp_ks": (1,),
    }
    first = evaluate_retrieval(**given, groups=[7, 7, 2, 3, 4], protocol="v1")
    second = evaluate_retrieval(**given, groups=[7, 7, 2, 3, 4])
    assert first.per_query["i2i"]["hits@1"].tolist() == [1, 1, 0, 0, 0]
    assert second.per_query["i2i"]["hits@1"].tolist() == [0, 0, 0, 0, 0]
    # Its own pair is still there, and the other drawing's is not: alone it would be the first of equals for item 1.
    assert second.per_query["i2t"]["hits@1"].tolist() == [1, 1, 1, 1, 1]
    # The two classes of one item; the class of three can still be found.
    assert (first.unreachable_queries, second.unreachable_queries) == (2, 2)
    alone = evaluate_retrieval(**{**given, "labels": [0, 0, 1, 1, 2]}, groups=[7, 7, 2, 3, 4])
    assert alone.unreachable_queries == 3


def test_without_groups_the_similarity_is_that_of_barz_and_denzler(tree):
    image, text, labels = rows(2, 40), rows(3, 40), np.arange(40) ** 2 % 5
    found = evaluate_retrieval(image, text, labels, tree, hp_ks=(2, 5))
    for direction, queries, gallery in (("i2t", image, text), ("t2t", text, text)):
        products = (queries.double() @ gallery.double().T).float().numpy()
        if direction == "t2t":
            np.fill_diagonal(products, -np.inf)
        ranked = labels[np.argsort(-products, axis=1, kind="stable")]
        for k in (2, 5):
            expected = hierarchical_precision(labels, ranked[:, :k], labels, tree, k, exclude_self=direction == "t2t")
            assert found.scores[direction][f"BHP@{k}"] == pytest.approx(expected, abs=1e-12)


def test_the_counts_of_similarity_are_whole_steps_of_the_tree(tree):
    """The tree is 3 edges high: cats and dogs are 2 steps alike, other animals 1, plants and animals none."""
    image = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]])
    found = evaluate_retrieval(image, image, [0, 1, 2, 3], tree, recall_ks=(1,), hp_ks=(1, 2))
    columns = found.per_query["i2i"]
    assert columns["similarity@2"].tolist() == [2 + 1, 1 + 2, 1 + 0, 1 * 0 + 0]
    assert columns["ideal@2"].tolist() == [2 + 1, 2 + 1, 1 + 1, 0]
    # Nothing is like the plant: a miss, as for R@K.
    assert found.scores["i2i"]["BHP@2"] == (1 + 1 + 1 / 2 + 0) / 4
    assert found.per_query["i2t"]["ideal@2"].tolist() == [3 + 2, 3 + 2, 3 + 1, 3]


def test_a_taxonomy_that_is_no_tree_has_no_similarity_and_says_why():
    both = Taxonomy.from_edges([*TREE, ("plant", 2)], classes=range(5))
    found = evaluate_retrieval(rows(0, 9), rows(1, 9), np.arange(9) % 5, both, recall_ks=(1,), hp_ks=(2,))
    assert set(found.scores["i2i"]) == {"R@1", "P@1", "R@2", "P@2", "HP@2"}
    assert protocol(both)["bhp"].startswith("none: node 2 has the parents 'animal' and 'plant'")


def test_who_cannot_miss_is_said(tree):
    # Five hops reach all from every class; three only the animals from 2, whose set at 3 is all three of them.
    labels = [0, 0, 2, 3]
    sizes = {k: [len(tree.correct_set(label, k)) for label in labels] for k in (2, 4, 5)}
    shares = protocol(tree, hp_ks=(2, 4, 5), recall_ks=(1,), labels=labels)["cannot_miss"]
    assert shares == {str(k): np.mean(np.array(found) == 5) for k, found in sizes.items()}
    assert shares["5"] == 1
    assert shares["2"] == 0


def test_chance_of_a_random_order_with_groups_is_the_mean_over_galleries(tree):
    labels, groups = np.array([0, 0, 0, 1, 1, 2, 2, 3]), np.array([5, 5, 1, 1, 2, 3, 4, 6])
    levels = protocol(tree, hp_ks=(2,), recall_ks=(1, 2), labels=labels, groups=groups)["chance"]
    single, double = [], []
    for q in range(8):
        gallery = [i for i in range(8) if groups[i] != groups[q] or i == q]
        single.append(np.mean([labels[i] == labels[q] for i in gallery]))
        double.append(np.mean([labels[q] in (labels[i], labels[j]) for i in gallery for j in gallery if i != j]))
    assert levels["R@1"] == pytest.approx(np.mean(single))
    assert levels["R@2"] == pytest.approx(np.mean(double))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["v1", "v2"]))
def test_where_the_gallery_has_some_classes_these_are_what_is_correct(tree, seed, version):
    rng = np.random.default_rng(seed)
    labels = rng.permutation([0, 0, 2, 2, 2, 4, 4, 0])
    image, text = (normalize(torch.from_numpy(rng.normal(size=(8, 3))), dim=1) for _ in range(2))
    some = tree.among(labels.tolist())
    found = evaluate_retrieval(image, text, labels, some, protocol=version, recall_ks=[1], hp_ks=[1, 2, 3], curve_k=3)
    # Of the tree the classes 0, 2 and 4 are left: 0 and 2 are 3 edges apart, 2 and 4 are 4, and 0 and 4 are 5.
    correct = {
        1: {0: {0}, 2: {2}, 4: {4}},
        2: {0: {0, 2}, 2: {0, 2}, 4: {2, 4}},
        3: {label: {0, 2, 4} for label in (0, 2, 4)},
    }
    for direction in DIRECTIONS:
        queries, gallery = ({"i": image, "t": text}[side] for side in (direction[0], direction[-1]))
        products = queries @ gallery.T
        if direction in ("i2i", "t2t"):
            products.fill_diagonal_(-2)
        for k, sets in correct.items():
            nearest = labels[products.topk(k, dim=1).indices.numpy()]
            share = np.mean([c in sets[label] for label, row in zip(labels, nearest, strict=True) for c in row])
            assert found.scores[direction][f"HP@{k}"] == pytest.approx(share)
            assert found.curves[direction]["HP"][k - 1] == pytest.approx(share)
    known = protocol(some, hp_ks=[2, 3], recall_ks=[1], labels=labels, version=version)
    assert known["hp"] == f"devise-shells/item-level/own-class-counts/denominator-k/of-classes-in-the-gallery/{version}"
    assert (known["classes"], known["mean_set_size"]) == (3, {"2": 2.0, "3": 3.0})
    assert known["cannot_miss"] == {"2": 0.0, "3": 1.0}
    own_or_near = {0: 6, 2: 6, 4: 5}
    assert known["chance"]["HP@2"] == pytest.approx(np.mean([own_or_near[label] for label in labels]) / 8)
