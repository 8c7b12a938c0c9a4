import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.errors import DataError
from huse_bench.evaluation import hp_at_k, precision_at_k, recall_at_k, scores_from_per_query
from huse_bench.evaluation._counts import correct_counts, first_hits, hit_counts
from huse_bench.taxonomy import Taxonomy


@pytest.mark.parametrize("direction", ["i2i", "i2t", "t2i", "t2t"])
def test_recall_and_precision_equal_the_reference(reference, labels, direction):
    expected = reference["retrieval"]["directions"][direction]
    retrieved = labels[np.array(expected["ranking"])]
    for k in (1, 2, 3, 5):
        assert recall_at_k(labels, retrieved, k) == pytest.approx(expected[f"R@{k}"], abs=1e-9)
        assert precision_at_k(labels, retrieved, k) == pytest.approx(expected[f"P@{k}"], abs=1e-9)


def test_recall_is_not_the_recall_of_information_retrieval():
    # One of the two relevant items is found: information retrieval would say 0.5.
    assert recall_at_k([0], [[0, 1, 1, 0]], 3) == 1.0


def test_hp_equals_the_reference(reference, taxonomy):
    hp = reference["hp"]
    for k in (1, 2, 3, 5, 10):
        assert hp_at_k(hp["query"], hp["retrieved"], taxonomy, k) == pytest.approx(hp[f"HP@{k}"], abs=1e-9)


def test_hp_counts_the_own_class_and_divides_by_k(taxonomy):
    assert hp_at_k([3], [[3, 3, 3]], taxonomy, 3) == 1.0
    assert hp_at_k([3], [[3, 8, 8]], taxonomy, 3) == pytest.approx(1 / 3)


_CASES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(deadline=None)
@given(_CASES)
def test_counts_equal_plain_loops(rng):
    n, depth, classes = rng.integers(1, 12), rng.integers(1, 12), rng.integers(1, 6)
    query, retrieved = rng.integers(0, classes, n), rng.integers(0, classes, (n, depth))
    ks = sorted(set(rng.integers(1, depth + 1, 3).tolist()))
    nested = rng.random((classes, classes))
    sets = {k: nested < k / depth for k in ks}
    free = {k: rng.random((classes, classes)) < 0.5 for k in ks}
    hits = [[item == label for item in row] for label, row in zip(query, retrieved, strict=True)]
    assert first_hits(query, retrieved).tolist() == [row.index(True) + 1 if True in row else 0 for row in hits]
    for k in ks:
        assert hit_counts(query, retrieved, ks)[k].tolist() == [sum(row[:k]) for row in hits]
        for table in (sets, free):
            assert correct_counts(query, retrieved, table)[k].tolist() == [
                sum(table[k][label, item] for item in row[:k]) for label, row in zip(query, retrieved, strict=True)
            ]


@pytest.mark.parametrize(
    "ks", [[1], [300], [1, 2, 3, 15], [1, 2, 3, 16], [1, 40, 300], [*range(1, 18)], [1, *range(290, 301)]]
)
def test_many_and_deep_sets_are_counted_apart(ks):
    # As many hits as there can be: a K's count that overflowed its bits would show in its neighbour's.
    rng = np.random.default_rng(1)
    query, retrieved = np.arange(4), rng.integers(0, 4, (4, 300))
    sets = {k: rng.random((4, 4)) < (0.5 if k % 2 else 2) for k in ks}
    found = correct_counts(query, retrieved, sets)
    assert list(found) == ks
    for k, counts in found.items():
        assert counts.tolist() == sets[k][query[:, None], retrieved[:, :k]].sum(axis=1).tolist()


@settings(deadline=None)
@given(_CASES)
def test_hp_is_at_least_what_recall_allows(rng):
    # The own class is in every correct set, so one hit among k is worth at least 1/k.
    taxonomy = Taxonomy.from_edges([("root", "a"), ("root", "b"), *(("ab"[c % 2], c) for c in range(6))], range(6))
    query, retrieved = rng.integers(0, 6, 9), rng.integers(0, 6, (9, 5))
    for k in (1, 2, 5):
        assert hp_at_k(query, retrieved, taxonomy, k) >= recall_at_k(query, retrieved, k) / k - 1e-12
        assert hp_at_k(query, retrieved, taxonomy, k) >= precision_at_k(query, retrieved, k) - 1e-12


def test_interpreted_python_counts_the_same():
    code = """
import numpy as np
from huse_bench.evaluation._counts import correct_counts, first_hits, hit_counts
rng = np.random.default_rng(0)
query, retrieved = rng.integers(0, 9, 50), rng.integers(0, 9, (50, 10))
nested = rng.random((9, 9))
for sets in ({k: nested < k / 12 for k in (2, 5, 10)}, {k: rng.random((9, 9)) < 0.5 for k in (2, 5, 10)}):
    print([counts.tolist() for counts in correct_counts(query, retrieved, sets).values()])
print(first_hits(query, retrieved).tolist(), [c.tolist() for c in hit_counts(query, retrieved, [1, 5, 10]).values()])
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
        ).stdout
        for disabled in "01"
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 100


def test_scores_come_from_the_counts_alone():
    per_query = {"i2t": {"first_hit": np.array([2, 0]), "hits@2": np.array([1, 0]), "hp@2": np.array([2, 1])}}
    assert scores_from_per_query(per_query) == {"i2t": {"R@2": 0.5, "P@2": 0.25, "HP@2": 0.75}}


@pytest.mark.parametrize(
    ("query", "retrieved", "k", "message"),
    [
        ([0, 1], [[0], [1]], 2, "K=2 needs 2 retrieved items per query, but retrieved_labels has 1"),
        ([0, 1], [[0, 1]], 1, "2 query_labels but 1 rows"),
        ([0, 9], [[0], [1]], 1, r"query_labels holds the class index 9, but there are 9 classes \(0 to 8\)"),
        ([0, 1], [[0], [9]], 1, "retrieved_labels holds the class index 9"),
        ([0, -1], [[0], [1]], 1, "query_labels holds the class index -1"),
        ([0, -1], [[0], [9]], 1, "query_labels holds the class index -1, but class indices begin with 0"),
        ([0.0, 1.0], [[0], [1]], 1, "query_labels must be integers .* got float64"),
        ([[0], [1]], [[0], [1]], 1, r"query_labels must be \(n,\) and not empty, got shape \(2, 1\)"),
        ([0, 1], [0, 1], 1, r"retrieved_labels must be \(n, columns\)"),
        ([], [], 1, "not empty"),
        ([0, 1], [[0], [1, 2]], 1, "rows of different lengths"),
        ([0, 1], [[0], [1]], 0, "each 1 or more"),
    ],
)
def test_errors_say_what_does_not_fit(taxonomy, query, retrieved, k, message):
    with pytest.raises(DataError, match=message):
        hp_at_k(query, retrieved, taxonomy, k)
