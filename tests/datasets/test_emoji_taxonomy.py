"""The class trees of the emoji: what the outline holds, how far apart it puts the classes, and damage to it."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

import huse_bench_datasets.emoji as package
from huse_bench import errors
from huse_bench.evaluation import lcs_height_similarity
from huse_bench.training import taxonomy_graph
from huse_bench_datasets._outline import read_outline
from huse_bench_datasets.emoji import Emoji, _taxonomy

FOLDER = Path(package.__file__).parent
FACTS = json.loads((FOLDER / "data" / "items.json").read_text(encoding="utf-8"))
CLASSES = FACTS["classes"]
UNICODE = dict(zip(CLASSES, FACTS["unicode_groups"], strict=True))
NODES = {node.name: node for node in read_outline(FOLDER / "outline.txt")}

#: Classes that hang outside their group in Unicode; the group of flags hangs elsewhere too, but whole.
ELSEWHERE = {"time", "religion", "zodiac"}


def _path(name: str) -> list[str]:
    path = [name]
    while (parent := NODES[path[-1]].parent) is not None:
        path.append(parent.name)
    return path


def _hops() -> np.ndarray:
    """Edges between each two classes, by the nodes that only one of their paths to the root has."""
    paths = [set(_path(name)) for name in CLASSES]
    return np.array([[len(a ^ b) for b in paths] for a in paths])


def _set_sizes(k: int) -> np.ndarray:
    hops = _hops()
    radius = np.sort(hops, axis=1)[:, k - 1]
    return (hops <= radius[:, None]).sum(axis=1)


def _test_queries() -> np.ndarray:
    counts = Counter()
    for emoji in FACTS["emoji"]:
        if emoji["split"] == "test":
            counts[emoji["class"]] += len(emoji["sets"])
    return np.array([counts[label] for label in range(len(CLASSES))])


def test_it_is_a_tree_whose_leaves_are_the_70_classes() -> None:
    children = defaultdict(list)
    for node in NODES.values():
        if node.parent is not None:
            children[node.parent.name].append(node.name)
    assert {_path(name)[-1] for name in NODES} == {"emoji"}
    assert NODES.keys() - children.keys() == set(CLASSES)
    assert len(CLASSES) == 70
    # A node with one child would say nothing of which classes are near.
    assert Counter(len(below) for below in children.values()) == {2: 47, 3: 8, 4: 2}
    assert Counter(len(_path(name)) - 1 for name in CLASSES) == {4: 17, 5: 33, 6: 10, 7: 10}


def test_every_node_says_what_its_children_share() -> None:
    for name in NODES.keys() - set(CLASSES):
        assert len(NODES[name].reason or "") > 10, name
    reasons = [node.reason for node in NODES.values() if node.reason is not None]
    assert len(set(reasons)) == len(reasons)


def test_unicodes_groups_are_nodes_and_a_class_outside_its_own_says_why() -> None:
    assert set(UNICODE.values()) <= NODES.keys()
    assert {name for name in CLASSES if UNICODE[name] not in _path(name)} == ELSEWHERE
    assert {name for name in CLASSES if NODES[name].reason is not None} == ELSEWHERE
    for name in CLASSES:
        # No class stands in the group of another.
        assert set(_path(name)) & set(UNICODE.values()) <= {UNICODE[name]} or name == "time"


def test_the_dataset_has_this_tree() -> None:
    assert set(Emoji().load().taxonomy.edges) == {
        (node.parent.name, name) for name, node in NODES.items() if node.parent is not None
    }


@pytest.mark.parametrize(
    ("k", "by_class", "by_query", "largest"), [(2, 2.4, 2.366, 4), (5, 7.157, 6.979, 11), (10, 11.486, 11.647, 17)]
)
def test_the_correct_sets_grow_slowly(k, by_class, by_query, largest) -> None:
    sizes = _set_sizes(k)
    assert sizes.mean() == pytest.approx(by_class, abs=5e-4)
    assert np.average(sizes, weights=_test_queries()) == pytest.approx(by_query, abs=5e-4)
    assert sizes.max() == largest
    np.testing.assert_array_equal(sizes, Emoji.outlined(CLASSES).correct_sets(k).sum(axis=1))


def test_no_set_for_5_is_that_for_2_and_few_for_10_are_that_for_5() -> None:
    two, five, ten = (_set_sizes(k) for k in (2, 5, 10))
    assert not (two == five).any()
    assert _test_queries()[five == ten].sum() / _test_queries().sum() == pytest.approx(0.1384, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("face-smiling", {"face-affection"}),
        ("face-negative", {"face-concerned", "face-unwell", "face-neutral-skeptical"}),
        ("cat-face", {"face-costume"}),
        ("hand-fingers-open", {"hand-fingers-partial"}),
        ("body-parts", {"hand-fingers-open", "hand-fingers-partial"}),
        ("person-role", {"person-fantasy"}),
        ("animal-bird", {"animal-mammal", "animal-reptile"}),
        ("plant-flower", {"plant-other"}),
        ("food-fruit", {"food-vegetable"}),
        ("transport-air", {"transport-ground", "transport-water"}),
        ("time", {"computer", "light-video"}),
        ("musical-instrument", {"sound", "music"}),
        ("tool", {"household"}),
        ("country-flag", {"flag"}),
        ("keycap", {"alphanum"}),
    ],
)
def test_the_nearest_classes_are_what_one_expects(name, near) -> None:
    assert Emoji.outlined(CLASSES).correct_set(name, 2) == near | {name}


@pytest.mark.parametrize(
    "order",
    [
        ["face-smiling", "face-affection", "face-concerned", "cat-face", "heart", "person", "tool"],
        ["animal-mammal", "animal-bird", "animal-bug", "plant-flower", "food-fruit", "place-building"],
        ["country-flag", "flag", "religion", "warning", "arrow", "face-smiling"],
        ["sport", "game", "event", "tool", "face-smiling"],
        ["place-geographic", "sky-weather", "place-building", "transport-air", "tool", "animal-mammal"],
    ],
)
def test_siblings_are_nearer_than_cousins(order) -> None:
    hops = [len(set(_path(order[0])) ^ set(_path(name))) for name in order]
    assert hops == sorted(set(hops))


def test_class_embeddings_can_be_placed_by_it() -> None:
    taxonomy = Emoji.outlined(CLASSES)
    similarities = lcs_height_similarity(taxonomy)
    # By hand: the tree is 7 high; faces meet at height 1, a hand and another body part at 2, flags and arrows at 4.
    at = CLASSES.index
    assert similarities[at("face-smiling"), at("face-affection")] == pytest.approx(1 - 1 / 7)
    assert similarities[at("body-parts"), at("hand-fingers-open")] == pytest.approx(1 - 2 / 7)
    assert similarities[at("flag"), at("arrow")] == pytest.approx(1 - 4 / 7)
    assert similarities[at("flag"), at("cat-face")] == 0
    assert np.linalg.eigvalsh(similarities).min() == pytest.approx(1 / 7)
    vectors = taxonomy_graph(taxonomy).embeddings.double().numpy()
    np.testing.assert_allclose(vectors @ vectors.T, similarities, atol=1e-6)


def test_unicodes_tree_is_an_option() -> None:
    taxonomy = Emoji(taxonomy="unicode").load().taxonomy
    assert set(taxonomy.edges) == {("emoji", group) for group in UNICODE.values()} | {
        (group, name) for name, group in UNICODE.items()
    }
    # Records made before there was another tree name this hash.
    assert taxonomy.hash == "9e4b8538332c0e09dc2c89bc1a5648bde31f129b65cfeb443330d6ebe51d838c"
    two, five, ten = (taxonomy.correct_sets(k).sum(axis=1) for k in (2, 5, 10))
    queries = _test_queries()
    assert queries[ten == 70].sum() / queries.sum() == pytest.approx(0.445, abs=5e-4)
    assert queries[two == five].sum() / queries.sum() == pytest.approx(0.838, abs=5e-4)


def test_another_taxonomy_is_refused() -> None:
    with pytest.raises(errors.ConfigError, match=r"of emoji is 'meaning' or 'unicode', got 'wordnet'"):
        Emoji(taxonomy="wordnet")


def test_the_notes_have_the_numbers_of_the_tree() -> None:
    inner = len(NODES) - len(CLASSES)
    sizes = {k: _set_sizes(k) for k in (2, 5, 10)}
    queries = _test_queries()
    unicode = _taxonomy.by_unicode(CLASSES, FACTS["unicode_groups"])
    notes = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{inner} nodes above the classes" in notes
    for name, rows in (
        ("mean over classes", [f"{sizes[k].mean():.2f}" for k in sizes]),
        ("mean over test queries", [f"{np.average(sizes[k], weights=queries):.2f}" for k in sizes]),
        ("largest", [str(sizes[k].max()) for k in sizes]),
        ("mean over classes, of 70", [f"{sizes[k].mean() / 70:.3f}" for k in sizes]),
        ("Unicode's tree, mean over classes", [f"{unicode.mean_set_size(k):.2f}" for k in sizes]),
    ):
        assert f"| {name} | {' | '.join(rows)} |" in notes
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    means = [f"{sizes[k].mean():.1f}" for k in sizes]
    assert f"{means[0]}, {means[1]} and {means[2]} classes" in page


def test_a_part_of_the_classes_keeps_its_distances() -> None:
    taxonomy = Emoji.outlined(["tool", "flag", "country-flag"])
    assert taxonomy.correct_set("flag", 2) == {"flag", "country-flag"}
