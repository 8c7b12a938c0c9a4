"""Where the classes stand in a taxonomy: paths and heights by hand, and against searches over all nodes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import huse_bench as hb
from huse_bench.errors import DataError, PluginError
from huse_bench.training import taxonomy_graph

CLASSES = ["c0", "c1", "c2", "c3"]
#: Three levels; the same with its nodes of one child taken out, so that classes stand at the depths 1, 2 and 3.
TREE = [
    ("root", "X"), ("root", "Y"), ("X", "p"), ("X", "q"), ("Y", "r"), ("p", "c0"), ("p", "c1"), ("q", "c2"),
    ("r", "c3"),
]  # fmt: skip
SHORT = [("root", "X"), ("root", "c3"), ("X", "p"), ("X", "c2"), ("p", "c0"), ("p", "c1")]


def graph(edges, classes=CLASSES) -> hb.ClassGraph:
    return taxonomy_graph(hb.Taxonomy.from_edges(edges, classes))


@pytest.mark.parametrize(
    ("edges", "paths"),
    [
        (TREE, [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]),
        # c2 stands for itself in the last column, and c3 in the last two.
        (SHORT, [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]),
    ],
)
def test_paths_by_hand(edges, paths):
    of_tree = graph(edges).paths
    assert of_tree.dtype == torch.int64
    assert of_tree.tolist() == paths


def test_heights_by_hand():
    heights = graph(TREE).heights
    assert heights.dtype == torch.int64
    assert heights.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3], [2, 2, 0, 3], [3, 3, 3, 0]]
    assert graph(SHORT).heights.tolist() == heights.tolist()


def test_numbers_go_by_the_order_of_the_classes():
    assert graph(TREE, ["c3", "c1", "c2", "c0"]).paths.tolist() == [[0, 0, 0], [1, 1, 1], [1, 2, 2], [1, 1, 3]]


def test_a_class_with_classes_below_it_shares_its_own_level_with_them():
    tree = graph([("root", "a"), ("root", "b"), ("a", "a1"), ("a1", "a11")], ["a", "b", "a11"])
    assert tree.paths.tolist() == [[0, 0, 0], [1, 1, 1], [0, 2, 2]]
    assert tree.heights.tolist() == [[0, 3, 2], [3, 0, 3], [2, 3, 0]]


@st.composite
def taxonomies(draw) -> hb.Taxonomy:
    """Random trees in which any node but the root may be a class, under shuffled names."""
    nodes = draw(st.integers(2, 14))
    names = draw(st.permutations([f"n{number}" for number in range(nodes)]))
    edges = [(names[draw(st.integers(0, child - 1))], names[child]) for child in range(1, nodes)]
    leaves = sorted(set(names) - {parent for parent, _ in edges})
    others = draw(st.sets(st.sampled_from(names[1:])))
    return hb.Taxonomy.from_edges(draw(st.permutations(edges)), draw(st.permutations(sorted({*leaves, *others}))))


@given(taxonomies())
def test_shared_levels_and_heights_are_those_of_a_search_over_all_nodes(taxonomy):
    nodes = {node for edge in taxonomy.edges for node in edge}
    parent = {child: one for one, child in taxonomy.edges}

    def above(node):
        return {node} | (above(parent[node]) if node in parent else set())

    def depth(node):
        return len(above(node)) - 1

    def height(node):
        return max(depth(other) - depth(node) for other in nodes if node in above(other))

    tree = taxonomy_graph(taxonomy)
    levels = max(map(depth, taxonomy.classes))
    assert tree.paths.shape == (len(taxonomy.classes), levels)
    assert tree.paths[:, -1].tolist() == list(range(len(taxonomy.classes)))
    for column in tree.paths.T.tolist():
        assert set(column) == set(range(len(set(column))))
    for i, a in enumerate(taxonomy.classes):
        for j, b in enumerate(taxonomy.classes):
            lowest = max(above(a) & above(b), key=depth)
            shared = int((tree.paths[i] == tree.paths[j]).sum())
            assert shared == (levels if a == b else depth(lowest))
            assert tree.heights[i, j] == (0 if a == b else height(lowest))


def test_the_distances_are_the_heights_in_parts_of_the_trees():
    for edges in (TREE, SHORT):
        of_tree = graph(edges)
        assert of_tree.distances.numpy() == pytest.approx(of_tree.heights.numpy() / 3, abs=1e-6)


def test_another_device_keeps_them():
    tree = graph(TREE)
    assert torch.equal(tree.to("cpu").paths, tree.paths)
    assert torch.equal(tree.to("cpu").heights, tree.heights)


def test_a_graph_of_names_has_none_and_says_what_to_declare():
    names = hb.ClassGraph(torch.eye(3))
    for name in ("paths", "heights"):
        with pytest.raises(PluginError, match=f'no {name}: the loss class must declare class_graph = "taxonomy"'):
            getattr(names, name)
        with pytest.raises(PluginError, match=f"no {name}"):
            getattr(names.to("cpu"), name)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("r", "p"), ("r", "q"), ("p", "x"), ("q", "x"), ("q", "y")], "node 'x' has the parents 'p' and 'q'"),
        ([("r", "x"), ("s", "x"), ("s", "y")], "node 'x' has the parents 'r' and 's'"),
    ],
)
def test_a_taxonomy_that_is_no_tree_is_refused_as_by_the_similarity(edges, message):
    taxonomy = hb.Taxonomy.from_edges(edges, ["x", "y"])
    for refuses in (taxonomy_graph, hb.evaluation.lcs_height_similarity):
        with pytest.raises(DataError, match=message):
            refuses(taxonomy)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paths": np.zeros((2, 2), np.int64)}, r"paths must be \(3, L\) int64, got \(2, 2\) torch.int64"),
        ({"paths": np.zeros((3, 2), np.float32)}, r"paths must be \(3, L\) int64, got \(3, 2\) torch.float32"),
        ({"paths": np.zeros(3, np.int64)}, r"paths must be \(3, L\) int64, got \(3,\) torch.int64"),
        ({"heights": np.zeros((3, 2), np.int64)}, r"heights must be \(3, 3\) int64, got \(3, 2\) torch.int64"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        hb.ClassGraph(torch.eye(3), **{name: torch.from_numpy(values) for name, values in given.items()})
