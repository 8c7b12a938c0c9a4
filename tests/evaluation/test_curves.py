"""Curves, neighbours and rankings with gallery rows of their own, against plain loops over all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from huse_bench.errors import DataError
from huse_bench.evaluation import DIRECTIONS, evaluate_retrieval, hp_at_k, recall_at_k
from huse_bench.taxonomy import Taxonomy

TREE = [("thing", "animal"), ("thing", 3), ("animal", "pet"), ("pet", 0), ("pet", 1), ("animal", 2), ("thing", 4)]


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.from_edges(TREE, classes=range(5))


def ranked(queries, gallery, groups, *, keep_pairs):
    """Item numbers of each query's gallery by score, equal ones by number."""
    scores = (queries.double() @ gallery.double().T).to(queries.dtype).numpy()
    found = []
    for q, row in enumerate(scores):
        own = [i for i in range(len(row)) if groups[i] != groups[q] or (keep_pairs and i == q)]
        found.append(sorted(own, key=lambda i: (-row[i], i)))
    return found


def by_direction(image, text, groups, image_gallery=None, text_gallery=None):
    galleries = {"i": image if image_gallery is None else image_gallery, "t": text}
    galleries["t"] = text if text_gallery is None else text_gallery
    return {
        d: ranked({"i": image, "t": text}[d[0]], galleries[d[-1]], groups, keep_pairs=d[0] != d[-1]) for d in DIRECTIONS
    }


def some_rows(seed, items, width=6):
    return normalize(torch.randn(items, width, generator=torch.Generator().manual_seed(seed)), dim=1)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(8, 40),
    st.integers(1, 60),
    st.integers(0, 60),
    st.lists(st.integers(0, 4), min_size=40, max_size=40),
    st.integers(1, 3),
)
def test_curves_and_neighbours_are_those_of_plain_loops(tree, items, curve_k, neighbours, labels, in_group):
    labels, groups = np.array(labels[:items]), np.arange(items) // in_group
    # A grid, where many products are equal.
    image, text = ((some_rows(seed, items, 3) * 2).round() / 2 for seed in (1, 2))
    found = evaluate_retrieval(
        image, text, labels, tree, groups=groups, recall_ks=(1, 2), hp_ks=(3,), curve_k=curve_k,
        neighbours=neighbours, image_gallery=image, text_gallery=text,
    )  # fmt: skip
    smallest = items - in_group
    depth = min(curve_k, smallest)
    for direction, rankings in by_direction(image, text, groups).items():
        assert [len(found.curves[direction][name]) for name in ("R", "HP")] == [depth, depth]
        assert found.curves[direction]["HP"].dtype == found.curves[direction]["R"].dtype == np.float64
        hits, near = np.zeros((2, depth))
        for k in range(1, depth + 1):
            for q, ranking in enumerate(rankings):
                classes = labels[ranking[:k]]
                hits[k - 1] += labels[q] in classes
                near[k - 1] += np.isin(classes, list(tree.correct_set(int(labels[q]), k))).sum() / k
        assert found.curves[direction]["R"] == pytest.approx(hits / items, abs=1e-12)
        assert found.curves[direction]["HP"] == pytest.approx(near / items, abs=1e-12)
        if neighbours:
            expected = [ranking[: min(neighbours, smallest)] for ranking in rankings]
            assert found.neighbours[direction].dtype == np.int32
            assert found.neighbours[direction].tolist() == expected
        first = [next((r for r, i in enumerate(s, 1) if labels[i] == labels[q]), 0) for q, s in enumerate(rankings)]
        within = np.where(np.array(first) <= max(3, depth), first, 0)
        np.testing.assert_array_equal(found.per_query[direction]["first_hit"], within)
    assert bool(found.neighbours) == (neighbours > 0)


def test_tables_keep_their_bits_and_curves_agree_with_them(tree):
    image, text, labels = some_rows(3, 300), some_rows(4, 300), np.arange(300) ** 2 % 5
    plain = evaluate_retrieval(image, text, labels, tree)
    deep = evaluate_retrieval(image, text, labels, tree, curve_k=50, neighbours=10)
    assert plain.curves == plain.neighbours == {}
    assert deep.scores == plain.scores
    for direction, columns in plain.per_query.items():
        assert set(columns) == set(deep.per_query[direction])
        for name, counts in columns.items():
            if name != "first_hit":
                np.testing.assert_array_equal(deep.per_query[direction][name], counts)
        first = deep.per_query[direction]["first_hit"]
        np.testing.assert_array_equal(np.where(first <= 10, first, 0), columns["first_hit"])
        assert first.max() > 10
        for name, curve in deep.curves[direction].items():
            known = {k: deep.scores[direction].get(f"{name}@{k}") for k in (1, 2, 5, 10)}
            assert {k: curve[k - 1] for k, value in known.items() if value is not None} == {
                k: value for k, value in known.items() if value is not None
            }


def test_curves_are_the_metrics_at_every_k(tree):
    image, text, labels = some_rows(5, 90), some_rows(6, 90), np.arange(90) % 5
    found = evaluate_retrieval(image, text, labels, tree, curve_k=89)
    retrieved = labels[np.array(by_direction(image, text, np.arange(90))["t2t"])]
    for k in (1, 4, 5, 6, 50, 89):
        assert found.curves["t2t"]["R"][k - 1] == recall_at_k(labels, retrieved, k)
        assert found.curves["t2t"]["HP"][k - 1] == pytest.approx(hp_at_k(labels, retrieved, tree, k), abs=1e-15)


def test_the_depths_of_a_taxonomy_are_all_its_correct_sets(tree, taxonomy):
    for some in (tree, taxonomy):
        for k in range(1, len(some.classes) + 3):
            np.testing.assert_array_equal(some.first_depths <= k, some.correct_sets(k))
        assert not some.first_depths.flags.writeable


def lorentz(seed, items, scale):
    """Query and gallery rows of MERU: the product of a and b is <x_a, x_b> - t_a t_b, on a hyperboloid."""
    space = scale * torch.randn(items, 16, generator=torch.Generator().manual_seed(seed))
    time = (1 + space.square().sum(1, keepdim=True)).sqrt()
    return torch.cat([space, -time], 1), torch.cat([space, time], 1)


def gaussian(seed, items, scale):
    """Query and gallery rows of PCME++: <mu_a, mu_b> less half of the variances of b, those of a being a constant."""
    generator = torch.Generator().manual_seed(seed)
    means = normalize(torch.randn(items, 16, generator=generator), dim=1)
    spread = scale * torch.rand(items, 1, generator=generator)
    return torch.cat([means, torch.ones(items, 1)], 1), torch.cat([means, -spread / 2], 1)


@pytest.mark.parametrize("rows", [lorentz, gaussian])
@pytest.mark.parametrize("scale", [0.1, 1.0, 300.0])
@pytest.mark.parametrize("in_group", [1, 3])
def test_rows_of_two_kinds_are_ranked_by_their_inner_product(tree, rows, scale, in_group):
    items, labels = 200, np.arange(200) ** 2 % 5
    (image, image_gallery), (text, text_gallery) = rows(1, items, scale), rows(2, items, scale)
    # Some equal rows, which tie.
    image_gallery[50:60], text_gallery[50:60] = image_gallery[10:20], text_gallery[10:20]
    galleries = {"image_gallery": image_gallery, "text_gallery": text_gallery}
    groups = np.arange(items) // in_group
    found = evaluate_retrieval(image, text, labels, tree, groups=groups, neighbours=20, **galleries)
    for direction, rankings in by_direction(image, text, groups, **galleries).items():
        assert found.neighbours[direction].tolist() == [ranking[:20] for ranking in rankings]


def test_one_gallery_may_be_the_queries_rows(tree):
    image, text, other = some_rows(1, 60), some_rows(2, 60), 3 * some_rows(3, 60)
    found = evaluate_retrieval(image, text, np.arange(60) % 5, tree, neighbours=5, text_gallery=other)
    for direction, rankings in by_direction(image, text, np.arange(60), text_gallery=other).items():
        assert found.neighbours[direction].tolist() == [ranking[:5] for ranking in rankings]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curve_k": 0}, r"each 1 or more, got \[0\]"),
        ({"neighbours": -1}, "give the number of neighbours as 0 or more, got -1"),
        ({"image_gallery": torch.ones(8, 5)}, r"queries and image_gallery must be .* got \(20, 6\) and \(8, 5\)"),
        ({"text_gallery": torch.ones(8, 6)}, "row i of text_gallery must be item i, got 8 rows for 20 items"),
        ({"text_gallery": torch.full((20, 6), torch.nan)}, "row 0 of the text_gallery has a NaN"),
        ({"text_gallery": torch.full((20, 6), 1e38)}, "whose product overflows torch.float32"),
    ],
)
def test_errors_name_the_fix(tree, change, message):
    rows = some_rows(0, 20)
    with pytest.raises(DataError, match=message):
        evaluate_retrieval(rows, rows, np.arange(20) % 5, tree, **change)
