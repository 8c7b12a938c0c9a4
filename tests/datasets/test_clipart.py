"""The shipped dataset 'clipart': what it holds, and what its curation promises."""

import hashlib
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

import huse_bench_datasets.clipart as package
from huse_bench import Items
from huse_bench_datasets._outline import read_outline
from huse_bench_datasets._shipped import files
from huse_bench_datasets.clipart import Clipart
from huse_bench_datasets.clipart._folders import LEFT_OUT

FOLDER = Path(package.__file__).parent
NODES = {node.name: node for node in read_outline(FOLDER / "outline.txt")}
FACTS = files.read(FOLDER / "data").facts
CLASSES = FACTS["classes"]
FOLDERS = dict(zip(CLASSES, FACTS["folders"], strict=True))


@pytest.fixture(scope="module")
def items() -> Items:
    return Clipart().load()


def test_counts(items) -> None:
    # Fixed: published numbers are about exactly these items.
    assert len(items.class_names) == 51
    assert Counter(items.splits.tolist()) == {"train": 1859, "validation": 264, "test": 534}
    assert len(set(items.groups)) == 2126


def test_package_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8e6


def test_the_split_is_the_recorded_one(items) -> None:
    # A split that changes makes every published number incomparable: give it a new salt, and say so.
    lines = sorted({f"{group} {split}\n" for group, split in zip(items.groups, items.splits.tolist(), strict=True)})
    assert FACTS["split"] == {
        "salt": "huse-bench clipart 1",
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }
    assert FACTS["split"]["sha256"] == "b2067a2341f833dfdd5af66a4d65297bda83783873f7f168e7b14d439b35464f"


def test_every_class_is_split_near_70_10_20(items) -> None:
    for label in range(len(CLASSES)):
        counts = Counter(items.splits[items.labels == label].tolist())
        total = counts.total()
        assert 15 <= total <= 200
        # A group of several classes is dealt with one of them.
        assert abs(counts["test"] - 0.2 * total) <= 0.05 * total + 1
        assert abs(counts["validation"] - 0.1 * total) <= 0.05 * total + 1


def test_a_class_is_a_folder_or_folders_below_it(items) -> None:
    for item, label in zip(items.ids, items.labels, strict=True):
        # Astronomy lies below geography and below science.
        path = item.replace("science/astronomy", "geography/astronomy")
        assert path.startswith(f"{FOLDERS[CLASSES[label]]}/")
        assert not any(path.startswith(f"{folder}/") for folder in LEFT_OUT)


def test_no_text_of_a_split_is_in_another(items) -> None:
    splits = defaultdict(set)
    for text, split in zip(items.texts, items.splits.tolist(), strict=True):
        splits[re.sub(r"[\W\d_]+", " ", text.casefold()).strip()].add(split)
    assert {text for text, seen in splits.items() if len(seen) > 1} == set()


def test_no_test_item_has_a_near_duplicate_to_train_on(items) -> None:
    train, test = items.splits == "train", items.splits == "test"
    for features in (items.image_features, items.text_features):
        unit = features.values / np.linalg.norm(features.values, axis=1, keepdims=True)
        distances = 1 - unit[test] @ unit[train].T
        typical = np.median(1 - unit[train] @ unit[train].T)
        # A little less than the limit, which was taken from all drawings and before these were packed in 8 bits.
        assert distances.min() > 0.9 * 0.05 * typical


def test_texts_have_words_and_no_traces_of_programs(items) -> None:
    assert all(re.search(r"[^\W\d_]{2}", text) for text in items.texts)
    assert [text for text in items.texts if re.search(r"HASH|0x[0-9a-f]{5}|@|://|Clipart by", text)] == []
    # What files a drawing says nothing that its class does not.
    keywords = [word for text in items.texts for part in text.split(". ")[1:] for word in part.split(", ")]
    assert not {"animal", "mammal", "flag", "food", "sign", "unsorted"} & set(keywords)


def test_it_is_a_tree_whose_leaves_are_the_classes(items) -> None:
    children = defaultdict(list)
    for node in NODES.values():
        if node.parent is not None:
            children[node.parent.name].append(node.name)
    assert [node.name for node in NODES.values() if node.parent is None] == ["clip art"]
    assert NODES.keys() - children.keys() == set(CLASSES)
    assert min(map(len, children.values())) >= 2
    assert max(map(len, children.values())) <= 4
    assert set(items.taxonomy.edges) == {(node.parent.name, name) for name, node in NODES.items() if node.parent}


def test_every_node_says_what_its_children_share() -> None:
    reasons = [node.reason for node in NODES.values() if node.reason is not None]
    assert len(set(reasons)) == len(reasons)
    for name in NODES.keys() - set(CLASSES):
        assert len(NODES[name].reason or "") > 10, name


def _set_sizes(k: int) -> np.ndarray:
    """Sizes of the correct sets, by the nodes that only one of two paths to the root has."""

    def path(name: str) -> set[str]:
        node, found = NODES[name], {name}
        while node.parent is not None:
            node = node.parent
            found.add(node.name)
        return found

    paths = [path(name) for name in CLASSES]
    hops = np.array([[len(a ^ b) for b in paths] for a in paths])
    return (hops <= np.sort(hops, axis=1)[:, k - 1][:, None]).sum(axis=1)


def test_the_notes_have_the_numbers_of_the_tree_and_the_data(items) -> None:
    notes = (FOLDER / "README.md").read_text(encoding="utf-8")
    sizes = {k: _set_sizes(k) for k in (2, 5, 10)}
    queries = np.bincount(items.labels[items.splits == "test"])
    for name, rows in (
        ("mean over classes", [f"{sizes[k].mean():.2f}" for k in sizes]),
        ("mean over test queries", [f"{np.average(sizes[k], weights=queries):.2f}" for k in sizes]),
        ("largest", [str(sizes[k].max()) for k in sizes]),
    ):
        assert f"| {name} | {' | '.join(rows)} |" in notes
    for k, of_classes in sizes.items():
        np.testing.assert_array_equal(of_classes, items.taxonomy.correct_sets(k).sum(axis=1))
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert f"{len(items.ids):,} drawings in {len(CLASSES)} classes" in page
    assert all(f"`{folder}`" in notes for folder in LEFT_OUT)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("mammals", {"birds"}),
        ("flowers", {"other plants"}),
        ("desserts", {"beverages"}),
        ("clothing", {"hats"}),
        ("tools", {"weapons"}),
        ("vehicles", {"boating"}),
        ("road signs", {"map symbols"}),
        ("flags of Africa", {"flags of Asia", "flags of Europe"}),
    ],
)
def test_the_nearest_classes_are_what_one_expects(name, near) -> None:
    assert Clipart.outlined(CLASSES).correct_set(name, 2) == near | {name}
