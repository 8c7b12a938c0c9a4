import subprocess
import sys

import numpy as np
import pytest
import torch

from huse_bench.errors import DataError
from huse_bench.evaluation import (
    BHP_PROTOCOL,
    CLASSIFICATION_PROTOCOL,
    DIRECTIONS,
    HP_PROTOCOL,
    RECALL_PROTOCOL,
    evaluate_retrieval,
    protocol,
    scores_from_per_query,
)
from huse_bench.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def flat():
    return Taxonomy.from_edges([("root", 0), ("root", 1), ("root", 2)], classes=range(3))


def test_scores_equal_the_reference(embeddings, labels, flat, reference):
    result = evaluate_retrieval(**embeddings, labels=labels, taxonomy=flat, recall_ks=(1, 2, 3, 5), hp_ks=(1, 2))
    assert tuple(result.scores) == DIRECTIONS
    for direction, scores in result.scores.items():
        for k in (1, 2, 3, 5):
            assert scores[f"R@{k}"] == pytest.approx(
                reference["retrieval"]["directions"][direction][f"R@{k}"], abs=1e-9
            )
            assert scores[f"P@{k}"] == pytest.approx(
                reference["retrieval"]["directions"][direction][f"P@{k}"], abs=1e-9
            )
        # All siblings are two hops away, so the set at depth 2 holds every class.
        assert scores["HP@1"] == scores["R@1"]
        assert scores["HP@2"] == 1.0


def test_query_is_left_out_by_index_and_not_by_rank(embeddings, labels, flat, reference):
    image = embeddings["image"].clone()
    image[5] = image[1]
    trap = reference["retrieval"]["duplicate_trap"]
    scores = evaluate_retrieval(image, embeddings["text"], labels, flat, recall_ks=(1,), hp_ks=(1,)).scores
    assert scores["i2i"]["R@1"] == trap["R@1_exclude_by_index"]
    assert scores["i2i"]["R@1"] != trap["R@1_drop_first_hit"]
    assert scores["i2i"]["R@1"] != reference["retrieval"]["self_included_R@1"]


def test_every_score_can_be_recomputed_from_the_per_query_counts(embeddings, labels, flat):
    result = evaluate_retrieval(**embeddings, labels=labels, taxonomy=flat, recall_ks=(1, 5), hp_ks=(2, 5))
    assert scores_from_per_query(result.per_query) == result.scores
    for direction, columns in result.per_query.items():
        assert set(columns) == {
            "first_hit", "hits@1", "hits@2", "hits@5", "hp@2", "hp@5",
            "similarity@2", "similarity@5", "ideal@2", "ideal@5",
        }  # fmt: skip
        for k in (1, 2, 5):
            within = (columns["first_hit"] > 0) & (columns["first_hit"] <= k)
            assert within.mean() == result.scores[direction][f"R@{k}"]
            assert ((columns[f"hits@{k}"] > 0) == within).all()


def test_negative_similarities_are_ranked_like_any_other(flat):
    # All cross-modal similarities are negative; of the two texts, each image is nearer to that of its class.
    image = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    text = -torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    assert bool((image @ text.T < 0).all())
    result = evaluate_retrieval(image, text, [0, 1], flat, recall_ks=(1,), hp_ks=(1,))
    assert result.scores["i2t"]["R@1"] == 1.0
    assert result.scores["i2i"]["R@1"] == 0.0


def test_queries_that_are_alone_in_their_class_are_counted(flat):
    rows = torch.eye(4)
    result = evaluate_retrieval(rows, rows, [0, 0, 1, 2], flat, recall_ks=(1, 3), hp_ks=(1,))
    assert result.unreachable_queries == 2
    assert result.scores["i2i"]["R@3"] == 0.5
    assert result.scores["i2t"]["R@1"] == 1.0


def test_protocol_says_what_the_numbers_depend_on(taxonomy):
    record = protocol(taxonomy, hp_ks=(2, 5), recall_ks=(1, 2), labels=[0, 0, 1, 2])
    assert record["recall"] == RECALL_PROTOCOL["v2"]
    assert record["hp"] == HP_PROTOCOL["v2"]
    assert protocol(taxonomy, version="v1")["recall"] == RECALL_PROTOCOL["v1"]
    assert protocol(taxonomy, version="v1")["hp"] == HP_PROTOCOL["v1"]
    assert record["bhp"] == BHP_PROTOCOL
    assert record["classification"] == CLASSIFICATION_PROTOCOL
    assert record["taxonomy"] == taxonomy.hash
    assert record["classes"] == 9
    assert record["mean_set_size"] == {"2": taxonomy.mean_set_size(2), "5": taxonomy.mean_set_size(5)}
    # R@1: 1/2 * 2/4 + 1/4 * 1/4 twice. R@2: 1/2 * (1 - 2/4 * 1/3) + 1/2 * (1 - 3/4 * 2/3). In-modal, only the queries
    # of class 0 can hit, and there one of three is right.
    expected = {"R@1": 3 / 8, "R@2": 5 / 12 + 1 / 4, "in-modal R@1": 1 / 2 * 1 / 3, "in-modal R@2": 1 / 2 * 2 / 3}
    for k in (2, 5):
        near = [
            [other in taxonomy.correct_sets(k)[label].nonzero()[0] for other in (0, 0, 1, 2)] for label in (0, 0, 1, 2)
        ]
        expected[f"HP@{k}"] = np.mean(near)
        expected[f"in-modal HP@{k}"] = np.mean([np.sum(row) - 1 for row in near]) / 3
    assert record["chance"] == pytest.approx(expected)
    assert protocol(taxonomy)["chance"].keys() == {"HP@2", "HP@5", "HP@10"}
    assert "cannot_miss" not in protocol(taxonomy)


def test_protocol_says_by_what_similarity_items_were_ranked(taxonomy):
    plain, other = protocol(taxonomy), protocol(taxonomy, similarity="lorentz/v1")
    assert protocol(taxonomy, similarity="cosine") == plain
    ranked = {name: f"{plain[name]}+lorentz/v1" for name in ("recall", "hp", "bhp")}
    assert other == plain | ranked
    no_tree = Taxonomy.from_edges([*taxonomy.edges, ("other root", taxonomy.classes[0])], taxonomy.classes)
    assert protocol(no_tree, similarity="lorentz/v1")["bhp"].startswith("none: ")
    assert "lorentz" not in protocol(no_tree, similarity="lorentz/v1")["bhp"]


def test_chance_of_balanced_classes_is_that_of_the_paper():
    leaves = list(range(101))
    taxonomy = Taxonomy.from_edges([("root", leaf) for leaf in leaves], leaves)
    chance = protocol(taxonomy, labels=np.repeat(leaves, 225))["chance"]
    assert [round(chance[f"R@{k}"], 4) for k in (1, 5, 10)] == [0.0099, 0.0485, 0.0947]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recall_ks": (8,)}, "K=8 needs at least 9 test items, but there are 8: use smaller K"),
        ({"recall_ks": (), "hp_ks": ()}, "at least one K"),
        ({"hp_ks": (0,)}, "each 1 or more"),
        ({"groups": [0, 1]}, r"groups must be \(8,\) integers like the labels, got \(2,\) int64"),
        ({"groups": ["a"] * 8}, r"groups must be \(8,\) integers like the labels, got \(8,\) <U1"),
        ({"protocol": "v0"}, "unknown protocol 'v0': there are v1 and v2"),
        (
            {"groups": [0] * 7 + [1]},
            r"K=2 needs at least 2 test items outside a query's own group, but a group of 7 of the 8 leaves 1: .*v1'",
        ),
        ({"labels": [0, 1]}, r"image embeddings must be \(2, D\) like the labels, got \(8, 4\)"),
        ({"labels": [3] * 8}, "labels holds the class index 3, but there are 3 classes"),
        ({"image": torch.ones(8, 4)}, "row 0 of the image embeddings has length 2, not 1: divide"),
        ({"text": torch.full((8, 4), torch.nan)}, "row 0 of the text embeddings has length nan, not 1"),
    ],
)
def test_errors_name_the_fix(embeddings, labels, flat, change, message):
    arguments = {**embeddings, "labels": labels, "taxonomy": flat, "recall_ks": (1,), "hp_ks": (2,)} | change
    with pytest.raises(DataError, match=message):
        evaluate_retrieval(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [9] * 20}, "labels holds the class index 9, but there are 9 classes"),
        ({"labels": [0]}, "K=10 is more than the 0 test items that a query may find"),
        ({"labels": [0] * 20, "groups": [0, 0] * 10}, "K=10 is more than the 0 test items that a query may find"),
        ({"labels": [0] * 20, "groups": [0, 0]}, r"groups must be \(20,\) integers like the labels, got \(2,\) int64"),
        ({"version": "v3"}, "unknown protocol 'v3': there are v1 and v2"),
        ({"similarity": "Lorentz"}, "similarity 'Lorentz' is no id: give 'cosine', or a name .* such as 'lorentz/v1'"),
        ({"hp_ks": (0,)}, "each 1 or more"),
    ],
)
def test_protocol_errors(taxonomy, change, message):
    with pytest.raises(DataError, match=message):
        protocol(taxonomy, **change)


def test_counts_and_scores_cost_no_torch():
    code = "import sys, huse_bench.evaluation; assert 'torch' not in sys.modules; huse_bench.evaluation.Retrieval"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_name_is_an_attribute_error():
    import huse_bench.evaluation

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = huse_bench.evaluation.nothing


def test_labels_may_be_a_tensor(embeddings, labels, flat):
    results = [
        evaluate_retrieval(**embeddings, labels=given, taxonomy=flat, recall_ks=(1,), hp_ks=(2,)).scores
        for given in (labels, torch.from_numpy(labels), labels.astype(np.int32))
    ]
    assert results[0] == results[1] == results[2]
