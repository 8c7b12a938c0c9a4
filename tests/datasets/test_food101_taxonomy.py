"""The class tree of Food-101: what it holds, that WordNet has what it says, and what the build refuses."""

import json
import os
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import huse_bench_datasets.food101 as package
from huse_bench import errors
from huse_bench_datasets.food101 import _taxonomy, build
from huse_bench_datasets.food101._wordnet import Nouns, Synset

FOLDER = Path(package.__file__).parent

NAMES = """apple_pie baby_back_ribs baklava beef_carpaccio beef_tartare beet_salad beignets bibimbap bread_pudding
breakfast_burrito bruschetta caesar_salad cannoli caprese_salad carrot_cake ceviche cheese_plate cheesecake
chicken_curry chicken_quesadilla chicken_wings chocolate_cake chocolate_mousse churros clam_chowder club_sandwich
crab_cakes creme_brulee croque_madame cup_cakes deviled_eggs donuts dumplings edamame eggs_benedict escargots falafel
filet_mignon fish_and_chips foie_gras french_fries french_onion_soup french_toast fried_calamari fried_rice
frozen_yogurt garlic_bread gnocchi greek_salad grilled_cheese_sandwich grilled_salmon guacamole gyoza hamburger
hot_and_sour_soup hot_dog huevos_rancheros hummus ice_cream lasagna lobster_bisque lobster_roll_sandwich
macaroni_and_cheese macarons miso_soup mussels nachos omelette onion_rings oysters pad_thai paella pancakes panna_cotta
peking_duck pho pizza pork_chop poutine prime_rib pulled_pork_sandwich ramen ravioli red_velvet_cake risotto samosa
sashimi scallops seaweed_salad shrimp_and_grits spaghetti_bolognese spaghetti_carbonara spring_rolls steak
strawberry_shortcake sushi tacos takoyaki tiramisu tuna_tartare waffles"""
CLASSES = NAMES.split()

#: Mean set sizes by K that the row at chance of the HUSE paper's Table 2 implies.
PAPER = {2: 3.2, 5: 8.2, 10: 16.7}


@pytest.fixture(scope="module")
def facts() -> dict:
    return json.loads((FOLDER / "taxonomy.json").read_text(encoding="utf-8"))


def _path(facts, node) -> list[str]:
    parent = {edge["child"]: edge["parent"] for edge in facts["edges"]}
    path = [node]
    while path[-1] in parent:
        path.append(parent[path[-1]])
    return path


def test_it_is_a_tree_whose_leaves_are_the_101_classes(facts) -> None:
    assert facts["classes"] == CLASSES == sorted(CLASSES)
    assert len(CLASSES) == 101
    parents, children = (Counter(edge[end] for edge in facts["edges"]) for end in ("parent", "child"))
    assert set(children.values()) == {1}
    assert set(parents) - set(children) == {"food"}
    assert set(children) - set(parents) == set(CLASSES)
    assert {_path(facts, name)[-1] for name in CLASSES} == {"food"}
    assert {len(_path(facts, name)) - 1 for name in CLASSES} == {3, 4, 5, 6}
    # A node with one child would say nothing of which classes are near.
    assert min(parents.values()) >= 2


def test_every_edge_says_where_it_is_from(facts) -> None:
    for edge in facts["edges"]:
        assert edge["kind"] in {"wordnet", "contracted", "refined", "placed"}
        assert edge["reason"].strip()
        if edge["kind"] in {"wordnet", "contracted"}:
            assert edge["reason"].startswith(f"under {edge['parent']} in WordNet")
            assert (", over " in edge["reason"]) == (edge["kind"] == "contracted")
        elif edge["kind"] == "refined":
            above = edge["reason"].removeprefix("under ").split(" in WordNet")[0]
            assert above in _path(facts, edge["parent"])[1:-1]
        if edge["kind"] != "placed":
            assert edge["child"] in facts["synsets"]
    assert facts["statistics"]["edges by kind"] == Counter(edge["kind"] for edge in facts["edges"])


def test_the_set_sizes_are_near_the_papers(facts) -> None:
    # Independent of Taxonomy: hops by the paths to the lowest common ancestor, shells by sorting.
    paths = [_path(facts, name) for name in CLASSES]
    hops = np.array([[len(set(a) ^ set(b)) for b in paths] for a in paths])
    for k, wanted in PAPER.items():
        radius = np.sort(hops, axis=1)[:, k - 1]
        mean = float((hops <= radius[:, None]).sum(axis=1).mean())
        assert facts["statistics"]["mean set size"][str(k)] == pytest.approx(mean, abs=1e-4)
        assert _taxonomy.taxonomy(CLASSES).mean_set_size(k) == pytest.approx(mean)
        assert mean == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ramen", {"pho", "pad_thai"}),
        ("donuts", {"beignets", "churros"}),
        ("oysters", {"mussels", "scallops", "crab_cakes"}),
        ("ice_cream", {"frozen_yogurt"}),
        ("tacos", {"nachos", "breakfast_burrito", "chicken_quesadilla"}),
    ],
)
def test_the_nearest_classes_are_what_one_expects(name, near) -> None:
    assert _taxonomy.taxonomy(CLASSES).correct_set(name, 2) == near | {name}


def test_the_outline_is_the_tree(facts) -> None:
    lines = [line for line in (FOLDER / "outline.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    depths = [(len(line) - len(line.lstrip())) // 2 for line in lines]
    heads = [line.strip().split(" ; ")[0] for line in lines]
    names = [head.split(" = ")[0] for head in heads]
    assert all(after <= before + 1 for before, after in pairwise(depths))
    assert [len(_path(facts, name)) - 1 for name in names] == depths
    assert names == ["food", *(edge["child"] for edge in facts["edges"])]
    assert facts["synsets"] == dict(head.split(" = ") for head in heads if " = " in head)


def test_the_notes_have_the_numbers_of_the_file(facts) -> None:
    notes = (FOLDER / "README.md").read_text(encoding="utf-8")
    for kind, count in facts["statistics"]["edges by kind"].items():
        assert f"| `{kind}` | {count} |" in notes
    sizes = facts["statistics"]["mean set size"].values()
    assert f"| this tree | {' | '.join(f'{size:.2f}' for size in sizes)} |" in notes
    assert f"| by chance with this tree | {' | '.join(f'{size / 101:.3f}' for size in sizes)} |" in notes
    named = set(CLASSES) & set(facts["synsets"])
    placed = [edge["child"] for edge in facts["edges"] if edge["kind"] == "placed"]
    synsets = [name for name in placed if name in facts["synsets"]]
    groups = set(placed) - set(synsets) - set(CLASSES)
    assert f"{len(named)} of them\nare a synset" in notes or f"{len(named)} of them are a synset" in notes
    assert (
        f"{101 - len(named)} classes and {len(groups)} groups that are no synset, and {len(synsets)} synsets" in notes
    )


def test_the_licence_of_wordnet_is_there() -> None:
    text = (FOLDER / "LICENSE-WordNet.txt").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved." in text
    assert "ALL copies" in text


def test_a_part_of_the_classes_keeps_its_distances() -> None:
    part = ["ramen", "pho", "pizza"]
    tree = _taxonomy.taxonomy(part)
    assert tree.classes == tuple(part)
    assert tree.correct_set("ramen", 2) == {"ramen", "pho"}


def _moved(facts) -> dict:
    edges = [{**edge, "parent": "cake"} if edge["child"] == "pizza" else edge for edge in facts["edges"]]
    return {**facts, "edges": edges}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path, _: path.unlink(), "cannot read .*taxonomy.json: No such file.*Reinstall huse-bench"),
        (lambda path, _: path.write_text("{"), "taxonomy.json is corrupt.*Reinstall huse-bench"),
        (lambda path, _: path.write_text("[]"), "taxonomy.json is corrupt"),
        (lambda path, facts: path.write_text(json.dumps(_moved(facts))), "edges are not those of its SHA-256"),
        (lambda path, facts: path.write_text(json.dumps({**facts, "edges": []})), "taxonomy.json is corrupt"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, facts, damage, message) -> None:
    path = tmp_path / "taxonomy.json"
    shutil.copy(FOLDER / "taxonomy.json", path)
    damage(path, facts)
    monkeypatch.setattr(_taxonomy, "TAXONOMY", path)
    _taxonomy._facts.cache_clear()
    try:
        with pytest.raises(errors.DataError, match=message):
            _taxonomy.classes()
    finally:
        _taxonomy._facts.cache_clear()


#: A small WordNet: food over dish and bread; soup under dish, chowder under soup.
NOUNS = Nouns(
    {
        "00000001": Synset(("food",), ()),
        "00000002": Synset(("dish",), ("00000001",)),
        "00000003": Synset(("soup",), ("00000002",)),
        "00000004": Synset(("chowder", "fish_chowder"), ("00000003",)),
        "00000005": Synset(("bread",), ("00000001",)),
        "00000006": Synset(("croissant",), ("00000005", "00000002")),
    }
)

OUTLINE = """# a comment
food = food:00000001
  dish = dish:00000002
    hot dish ; groups what is hot
      soup = soup:00000003 ; served hot
    chowder = fish_chowder:00000004
    ramen ; a dish
  croissant = croissant:00000006
  bread = bread:00000005
"""


def _built(tmp_path, text: str) -> dict:
    outline = tmp_path / "outline.txt"
    outline.write_text(text, encoding="utf-8")
    return build.build(outline, NOUNS)


def test_the_build_tells_the_kinds_of_edges_apart(tmp_path) -> None:
    facts = _built(tmp_path, OUTLINE)
    found = {edge["child"]: (edge["parent"], edge["kind"], edge["reason"]) for edge in facts["edges"]}
    assert found == {
        "dish": ("food", "wordnet", "under food in WordNet"),
        "hot dish": ("dish", "placed", "groups what is hot"),
        "soup": ("hot dish", "refined", "under dish in WordNet; served hot"),
        "chowder": ("dish", "contracted", "under dish in WordNet, over soup"),
        "ramen": ("dish", "placed", "a dish"),
        "croissant": ("food", "contracted", "under food in WordNet, over bread"),
        "bread": ("food", "wordnet", "under food in WordNet"),
    }
    assert facts["classes"] == ["bread", "chowder", "croissant", "ramen", "soup"]
    assert facts["synsets"]["chowder"] == "fish_chowder:00000004"
    # soup: all are in it at k = 5; at k = 2 the nearest are chowder and ramen, 3 hops away.
    assert facts["statistics"]["mean set size"]["10"] == 5.0


def test_a_synset_away_from_its_hypernym_is_placed(tmp_path) -> None:
    facts = _built(tmp_path, "food = food:00000001\n  dish = dish:00000002\n    bread = bread:00000005 ; on a dish\n")
    # The root is above everything, so that it does not count as what is refined.
    assert facts["edges"][1]["kind"] == "placed"
    assert facts["edges"][1]["reason"] == "under food in WordNet; on a dish"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "food = food:00000001\n  soup = soup:00000003 ; why\n",
            r"line 2: WordNet has this edge \(.*\): drop the reason",
        ),
        ("food = food:00000001\n  ramen\n", "line 2: WordNet has no edge from 'food' to 'ramen': say why"),
        ("food = food:00000001\n  soup = stew:00000003\n", "synset 00000003 has the words soup, not 'stew'"),
        ("food = food:00000001\n  soup = soup:00000009\n", r"no noun synset 00000009 \('soup'\): correct the outline"),
        ("food = food:00000001\n  soup = soup\n", "line 2 is not 'name"),
        ("food = food:00000001\n    soup = soup:00000003\n", "line 2: indent by two spaces"),
        ("food = food:00000001\n soup = soup:00000003\n", "line 2: indent by two spaces"),
        ("food = food:00000001\nsoup = soup:00000003\n", "line 2: indent .* below a single root"),
        ("food = food:00000001\n  a ; x\n  a ; x\n", "line 3: 'a' is in the outline twice"),
    ],
)
def test_the_build_refuses_what_is_not_so(tmp_path, text, message) -> None:
    with pytest.raises(errors.DataError, match=message):
        _built(tmp_path, text)


def test_the_build_wants_wordnet_3_0(tmp_path) -> None:
    arguments = ["--wordnet", str(tmp_path), "--output", str(tmp_path / "out.json")]
    result = CliRunner().invoke(build.main, arguments)
    assert result.exit_code == 1
    assert "cannot read" in result.stderr
    assert "wordnet-base" in result.stderr
    (tmp_path / "data.noun").write_text("00001740 03 n 01 entity 0 000 | that which exists\n")
    result = CliRunner().invoke(build.main, arguments)
    assert result.exit_code == 1
    assert "is not that of WordNet 3.0" in result.stderr
    assert not (tmp_path / "out.json").exists()


@pytest.mark.rebuild
def test_the_shipped_file_is_what_wordnet_gives(tmp_path) -> None:
    wordnet = Path(os.environ.get("WNSEARCHDIR", "/usr/share/wordnet"))
    if not (wordnet / "data.noun").exists():
        pytest.skip(f"no WordNet database in {wordnet}: install Debian's wordnet-base, or set WNSEARCHDIR")
    result = CliRunner().invoke(build.main, ["--wordnet", str(wordnet), "--output", str(tmp_path / "taxonomy.json")])
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "taxonomy.json").read_bytes() == (FOLDER / "taxonomy.json").read_bytes()
