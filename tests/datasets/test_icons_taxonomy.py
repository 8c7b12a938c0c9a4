"""The class tree of the icons: what the outline holds, and how far apart it puts the classes."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from huse_bench import Items
from huse_bench_datasets._outline import read_outline
from huse_bench_datasets.icons import Icons

NODES = {node.name: node for node in read_outline(Icons.folder / "outline.txt")}


@pytest.fixture(scope="module")
def items() -> Items:
    return Icons().load()


def _path(name: str) -> list[str]:
    path = [name]
    while (parent := NODES[path[-1]].parent) is not None:
        path.append(parent.name)
    return path


def _set_sizes(classes, k: int) -> np.ndarray:
    """By the edges between each two classes: the nodes that only one of their paths to the root has."""
    paths = [set(_path(name)) for name in classes]
    hops = np.array([[len(a ^ b) for b in paths] for a in paths])
    return (hops <= np.sort(hops, axis=1)[:, k - 1 : k]).sum(axis=1)


def _test_queries(items) -> np.ndarray:
    return np.bincount(items.labels[items.splits == "test"], minlength=len(items.class_names))


def test_it_is_a_tree_whose_leaves_are_the_classes(items) -> None:
    children = defaultdict(list)
    for node in NODES.values():
        if node.parent is not None:
            children[node.parent.name].append(node.name)
    assert {_path(name)[-1] for name in NODES} == {"icons"}
    assert NODES.keys() - children.keys() == set(items.class_names)
    # A node with one child would say nothing of which classes are near, and one with many that all are.
    assert {len(below) for below in children.values()} <= {2, 3, 4}
    assert set(items.taxonomy.edges) == {
        (node.parent.name, name) for name, node in NODES.items() if node.parent is not None
    }


def test_every_node_says_what_its_children_share(items) -> None:
    reasons = {name: NODES[name].reason or "" for name in NODES.keys() - set(items.class_names)}
    assert {name for name, reason in reasons.items() if len(reason) <= 10} == set()
    assert Counter(Counter(reasons.values()).values()) == {1: len(reasons)}


def test_the_sets_of_every_k_differ_and_are_few(items) -> None:
    sizes = {k: _set_sizes(items.class_names, k) for k in (2, 5, 10)}
    for k, expected in sizes.items():
        np.testing.assert_array_equal(expected, items.taxonomy.correct_sets(k).sum(axis=1))
    # Else HP@K would be 1 for whatever is retrieved, or the same for two K.
    assert sizes[10].max() < 0.33 * len(items.class_names)
    assert (sizes[2] < sizes[5]).all()
    queries = _test_queries(items)
    assert queries[sizes[5] == sizes[10]].sum() / queries.sum() == pytest.approx(0.1424, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("people", {"faces"}),
        ("animals", {"insects and worms"}),
        ("plants", {"animals", "insects and worms"}),
        ("weather", {"space"}),
        ("drinks", {"dishes and cutlery"}),
        ("lamps", {"appliances"}),
        ("money and shopping", {"currencies"}),
        ("road vehicles", {"cycles"}),
        ("trains", {"road vehicles", "cycles"}),
        ("aircraft", {"ships"}),
        ("science", {"medicine"}),
        ("phones and messages", {"antennas and signals"}),
        ("sport", {"ball games"}),
        ("mathematics", {"charts"}),
        ("zodiac signs", {"gender signs"}),
        ("tools", {"machines", "weapons"}),
    ],
)
def test_the_nearest_classes_are_what_one_expects(items, name, near) -> None:
    assert items.taxonomy.correct_set(name, 2) == near | {name}


@pytest.mark.parametrize(
    "order",
    [
        ["people", "faces", "hands", "animals", "weather", "tools"],
        ["road vehicles", "cycles", "trains", "ships", "car parts", "tools", "food"],
        ["drinks", "dishes and cutlery", "food", "lamps", "computers"],
        ["video games", "board games and toys", "sport", "feasts", "charts", "plants"],
        ["photography", "television and film", "music and sound", "phones and messages", "electricity"],
    ],
)
def test_siblings_are_nearer_than_cousins(order) -> None:
    hops = [len(set(_path(order[0])) ^ set(_path(name))) for name in order]
    assert hops == sorted(hops)
    assert len(set(hops)) >= len(hops) - 1


def test_the_notes_have_the_numbers_of_the_tree(items) -> None:
    notes = (Icons.folder / "README.md").read_text(encoding="utf-8")
    k = len(items.class_names)
    sizes = {at: _set_sizes(items.class_names, at) for at in (2, 5, 10)}
    assert f"The {k} classes are leaves; {len(NODES) - k}" in notes
    for name, numbers in (
        ("mean over classes", [f"{of.mean():.2f}" for of in sizes.values()]),
        (
            "mean over test queries",
            [f"{np.average(of, weights=_test_queries(items)):.2f}" for of in sizes.values()],
        ),
        ("largest", [str(of.max()) for of in sizes.values()]),
        (f"mean over classes, of {k}", [f"{of.mean() / k:.3f}" for of in sizes.values()]),
    ):
        assert f"| {name} | {' | '.join(numbers)} |" in notes
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    means = [f"{of.mean():.1f}" for of in sizes.values()]
    assert f"{means[0]}, {means[1]} and {means[2]} classes" in " ".join(page.split())
