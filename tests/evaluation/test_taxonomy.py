import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.errors import DataError
from huse_bench.taxonomy import Taxonomy


def test_correct_sets_equal_the_reference(taxonomy, reference):
    for k, sets in reference["taxonomy"]["correct_sets"].items():
        for label, members in sets.items():
            assert taxonomy.correct_set(int(label), int(k)) == frozenset(members)
            assert np.flatnonzero(taxonomy.correct_sets(int(k))[int(label)]).tolist() == sorted(members)


def test_correct_sets_of_a_graph_with_two_parents_equal_the_reference(edges, reference):
    taxonomy = Taxonomy.from_edges([*edges, tuple(reference["taxonomy"]["dag_edge"])], classes=range(9))
    for k, sets in reference["taxonomy"]["dag_correct_sets"].items():
        assert {label: taxonomy.correct_set(int(label), int(k)) for label in sets} == {
            label: frozenset(members) for label, members in sets.items()
        }


def test_chance_equals_the_reference(taxonomy, reference):
    for k, chance in reference["taxonomy"]["chance"].items():
        assert taxonomy.chance(int(k)) == pytest.approx(chance, abs=1e-9)
        assert taxonomy.mean_set_size(int(k)) == pytest.approx(9 * chance, abs=1e-8)


def _grown(edges, classes, label, k):
    """The definition, literally: shell after shell."""
    shell, seen, found = {label}, {label}, set()
    while shell and len(found) < k:
        found |= shell & set(classes)
        shell = {b for a, b in [*edges, *[(b, a) for a, b in edges]] if a in shell} - seen
        seen |= shell
    return found


@st.composite
def _trees(draw):
    parents = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=14))
    edges = [(parent % (child + 1), child + 1) for child, parent in enumerate(parents)]
    classes = draw(st.lists(st.integers(0, len(parents)), min_size=1, unique=True))
    return edges, classes


@settings(deadline=None)
@given(_trees(), st.integers(1, 16))
def test_correct_sets_grow_by_whole_shells(tree, k):
    edges, classes = tree
    taxonomy = Taxonomy.from_edges(edges, classes)
    for label in classes:
        found = taxonomy.correct_set(label, k)
        assert found == _grown(edges, classes, label, k)
        assert label in found
        assert len(found) >= min(k, len(classes))
        assert found <= taxonomy.correct_set(label, k + 1)


@settings(deadline=None)
@given(_trees(), st.data(), st.integers(1, 16))
def test_among_some_classes_sets_grow_by_whole_shells_of_these(tree, data, k):
    edges, classes = tree
    findable = data.draw(st.lists(st.integers(0, len(classes) - 1), min_size=1, unique=True))
    there = [classes[index] for index in findable]
    taxonomy = Taxonomy.from_edges(edges, classes).among(findable)
    grown = {label: _grown(edges, there, label, k) for label in there}
    for label in there:
        assert taxonomy.correct_set(label, k) == grown[label]
        for index, other in enumerate(classes):
            first = taxonomy.first_depths[classes.index(label), index]
            assert (first <= k) == (other in grown[label])
    mean = sum(map(len, grown.values())) / len(there)
    assert taxonomy.mean_set_size(k) == pytest.approx(mean)
    assert taxonomy.chance(k) == pytest.approx(mean / len(there))


def test_among_other_classes_a_taxonomy_is_another(taxonomy):
    some = taxonomy.among([0, 3, 3, 8])
    assert some.findable == (0, 3, 8)
    assert some.hash != taxonomy.hash
    assert some.hash == taxonomy.among([8, 3, 0]).hash != taxonomy.among([0, 3]).hash
    assert some.among(range(9)) is taxonomy
    assert some.among([0, 3]) == taxonomy.among([0, 3])
    assert repr(some).startswith("Taxonomy(9 classes, 3 of them findable, ")
    for none in ([], [9], [-1, 2]):
        with pytest.raises(DataError, match="indices from 0 to 8, at least one of them"):
            taxonomy.among(none)


def test_set_comes_in_the_form_of_the_label():
    taxonomy = Taxonomy.from_edges(
        [("food", "pie"), ("food", "soup"), ("root", "food"), ("root", "car")], ["pie", "soup", "car"]
    )
    assert taxonomy.correct_set("pie", 2) == {"pie", "soup"}
    assert taxonomy.correct_set(0, 2) == {0, 1}
    assert taxonomy.correct_set(np.int64(0), 2) == {0, 1}


def test_integer_classes_are_names_and_not_indices():
    taxonomy = Taxonomy.from_edges([("root", 7), ("root", 5)], classes=[7, 5])
    assert taxonomy.correct_set(7, 1) == {7}
    with pytest.raises(DataError, match=r"0 is none of the taxonomy's 2 classes, which begin with 7, 5"):
        taxonomy.correct_set(0, 1)


def test_hash_depends_on_content_and_not_on_edge_order(edges):
    taxonomy = Taxonomy.from_edges(edges, classes=range(9))
    same = Taxonomy.from_edges(edges[::-1], classes=np.arange(9))
    assert same.hash == taxonomy.hash
    assert same == taxonomy
    assert len(taxonomy.hash) == 64
    others = [
        Taxonomy.from_edges(edges, classes=range(8, -1, -1)),
        Taxonomy.from_edges(edges, classes=range(8)),
        Taxonomy.from_edges([*edges, ("soup", 2)], classes=range(9)),
        Taxonomy.from_edges([("a", "b")], classes=["a", "b"]),
        Taxonomy.from_edges([("b", "a")], classes=["a", "b"]),
    ]
    assert len({taxonomy.hash, *(other.hash for other in others)}) == 6


def test_hash_is_the_same_in_another_process():
    code = "from huse_bench.taxonomy import Taxonomy; print(Taxonomy.from_edges([('a', 1), ('a', 'b')], ['b', 1]).hash)"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "12"
    }
    assert hashes == {Taxonomy.from_edges([("a", "b"), ("a", 1)], ["b", 1]).hash + "\n"}


def test_taxonomy_cannot_be_changed(taxonomy):
    with pytest.raises(AttributeError, match="cannot be changed"):
        taxonomy.classes = ()


@pytest.mark.parametrize(
    ("edges", "classes", "message"),
    [
        ([], ["a"], "the taxonomy is empty"),
        ([("a", "b")], [], "has no classes"),
        ([("a", "b")], ["b", "x"], "class 'x' is in no edge"),
        ([("a", "b")], ["b", "b"], "has the class 'b' twice"),
        ([("a", "b"), ("a", "b")], ["b"], r"has the edge \('a', 'b'\) twice"),
        ([("a", "b"), ("b", "c"), ("c", "a")], ["b"], "has the cycle .*'b'"),
        ([("a", "a")], ["a"], "has the cycle 'a' -> 'a'"),
        ([("a", "b"), ("x", "y")], ["b", "y"], "class 'y' is not connected to class 'b'"),
        (["ab"], ["b"], r"is a \(parent, child\) pair, got 'ab'"),
        ([("a", "b", "c")], ["b"], r"is a \(parent, child\) pair"),
        ([("a", ["b"])], ["b"], r"\['b'\]\) in the taxonomy is not hashable"),
    ],
)
def test_errors_name_the_node(edges, classes, message):
    with pytest.raises(DataError, match=message):
        Taxonomy.from_edges(edges, classes)


def test_depth_below_one_is_an_error(taxonomy):
    with pytest.raises(DataError, match="k of at least 1, got 0"):
        taxonomy.correct_sets(0)


def test_taxonomy_costs_no_torch():
    code = "import sys, huse_bench.taxonomy; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
