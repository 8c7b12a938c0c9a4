import numpy as np
import pytest

from huse_bench.errors import DataError
from huse_bench.evaluation import hierarchical_precision, lcs_height_similarity, wu_palmer_similarity
from huse_bench.taxonomy import Taxonomy


def test_similarities_equal_the_reference(taxonomy, reference):
    expected = reference["similarities"]
    np.testing.assert_allclose(lcs_height_similarity(taxonomy), expected["lcs-height"], atol=1e-9)
    np.testing.assert_allclose(wu_palmer_similarity(taxonomy), expected["wu-palmer"], atol=1e-9)


@pytest.mark.parametrize("similarity", ["lcs-height", "wu-palmer"])
@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_hierarchical_precision_equals_the_reference(taxonomy, reference, similarity, k):
    data = reference["hierarchical_precision"]
    value = hierarchical_precision(
        data["query"], data["retrieved"], data["gallery"], taxonomy, k, similarity=similarity
    )
    assert value == pytest.approx(data[similarity][str(k)], abs=1e-9)


def test_excluded_query_leaves_the_ideal_ranking_too(taxonomy):
    gallery = [0, 0, 3, 8]
    # The other item of class 0, then class 3 (similarity 1/3): nothing better is left without the query.
    best = [[0, 3]]
    assert hierarchical_precision([0], best, gallery, taxonomy, 2, exclude_self=True) == pytest.approx(1.0)
    assert hierarchical_precision([0], best, gallery, taxonomy, 2) == pytest.approx((4 / 3) / 2)


def test_class_that_is_not_a_leaf():
    taxonomy = Taxonomy.from_edges([("root", "food"), ("food", "pie"), ("root", "car")], ["food", "pie", "car"])
    assert lcs_height_similarity(taxonomy).tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    assert wu_palmer_similarity(taxonomy)[0, 1] == pytest.approx(2 * 2 / (2 + 3))


@pytest.mark.parametrize("measure", [lcs_height_similarity, wu_palmer_similarity])
def test_a_tree_is_needed(edges, measure):
    with pytest.raises(DataError, match="node 2 has the parents 'cake' and 'soup'"):
        measure(Taxonomy.from_edges([*edges, ("soup", 2)], classes=range(9)))
    with pytest.raises(DataError, match="has the roots 'root' and 'other'"):
        measure(Taxonomy.from_edges([*edges, ("other", "leaf")], classes=range(9)))


@pytest.mark.parametrize(
    ("query", "retrieved", "gallery", "options", "message"),
    [
        ([0], [[0, 1, 2]], [0, 1], {}, "K=3 is more than the 2 gallery items: use"),
        ([0], [[0, 1, 2]], [0, 1, 2], {"exclude_self": True}, "K=3 is more than the 2 gallery items besides the query"),
        ([0], [[1, 1, 1]], [1, 1, 1, 1], {"exclude_self": True}, "class 0, which the gallery lacks"),
        ([0], [[6, 7, 8]], [6, 7, 8], {}, "nothing in the gallery is similar to class 0"),
        ([0], [[0, 1, 2]], [0, 1, 2], {"similarity": "path"}, "'path' is not known: use one of lcs-height, wu-palmer"),
        ([0], [[0, 1, 2]], [0, 1, 9], {}, "gallery_labels holds the class index 9"),
    ],
)
def test_errors_say_what_does_not_fit(taxonomy, query, retrieved, gallery, options, message):
    with pytest.raises(DataError, match=message):
        hierarchical_precision(query, retrieved, gallery, taxonomy, 3, **options)
