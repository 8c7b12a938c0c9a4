"""The numbers that figures draw, against numpy and against what was worked out by hand."""

import itertools

import numpy as np
import pytest

from huse_bench.measures import DIRECTIONS
from huse_bench.report.figures.class_map import class_maps, principal_plane
from huse_bench.report.figures.classes import hops, top_branches, tree_order
from huse_bench.report.figures.confusions import largest_confusions
from huse_bench.report.figures.cost import costs
from huse_bench.report.figures.curves import curve_means, named
from huse_bench.report.figures.forest import forest_rows
from huse_bench.report.figures.labels import spread
from huse_bench.report.figures.learning import learning_courses
from huse_bench.report.figures.per_class import class_scores
from huse_bench.report.figures.semantics import binned, learned_distances, semantics
from huse_bench.report.figures.style import method_styles, plain
from huse_bench.report.figures.tuning import best_of_draws, default_and_tuned, searches
from huse_bench.results import Store, load_results
from huse_bench.results.intervals import uncertainty

EDGES = [
    ("life", "animal"),
    ("life", "plant"),
    ("animal", "dog"),
    ("animal", "cat"),
    ("plant", "tree"),
    ("tree", "elm"),
]


@pytest.fixture
def results(full):
    return load_results(full.folder)


def runs_of(results, label):
    return [record for record in results.records if record.method.title == label]


def ranks(values):
    """Ranks of different numbers."""
    return np.argsort(np.argsort(values)).astype(float)


def test_the_forest_has_the_means_and_intervals_of_the_tables(results):
    known = uncertainty(results)
    rows = forest_rows(results, "R@1")
    for row, direction in itertools.product(rows, DIRECTIONS):
        values = [record.retrieval[direction]["R@1"] for record in runs_of(results, row.label)]
        assert row.means[direction] == pytest.approx(np.mean(values))
        cells = {heading: cell for (label, heading), cell in known.cells.items() if label == row.label}
        title = {"i2i": "Image to Image", "i2t": "Image to Text", "t2i": "Text to Image", "t2t": "Text to Text"}
        cell = cells[title[direction], "R@1"]
        assert row.intervals[direction] == (cell.low, cell.high)
    means = [np.mean(list(row.means.values())) for row in rows]
    assert means == sorted(means, reverse=True)


def test_curves_are_means_over_seeds(results):
    for label, of in curve_means(results, "HP").items():
        lines = [record.curves["t2i"]["HP"] for record in runs_of(results, label)]
        np.testing.assert_allclose(of["t2i"], np.mean(lines, axis=0))


def test_a_crowded_figure_names_the_best():
    scores = {f"m{number}": float(number) for number in range(40)}
    assert named(scores) == [f"m{number}" for number in range(39, 27, -1)]
    assert named({"a": 0.0, "b": 1.0}) == ["a", "b"]


def test_learning_curves_are_means_with_the_range_of_the_seeds(results):
    course = learning_courses(results, "losses")["HUSE"]["gap"]
    np.testing.assert_allclose(course.mean, [1.0, 0.45, 0.1])
    np.testing.assert_allclose(course.low, [1.0, 0.4, 0.1])
    np.testing.assert_allclose(course.high, [1.0, 0.5, 0.1])
    np.testing.assert_array_equal(course.steps, [1, 10, 20])


def test_class_scores_are_means_of_the_items_of_a_class(results, full):
    known = class_scores(results, "R@1")
    assert known.names == ("cat", "dog", "oak", "elm", "rose")
    np.testing.assert_array_equal(known.order, [1, 0, 3, 2, 4])
    for place, label in enumerate(known.methods):
        hits = np.mean(
            [
                results.per_query(record)[direction]["hits@1"] > 0
                for record in runs_of(results, label)
                for direction in ("i2t", "t2i")
            ],
            axis=0,
        )
        for number in range(5):
            of_class = full.labels == number
            assert known.scores[number, place] == pytest.approx(hits[of_class].mean())
            assert known.counts[number] == of_class.sum()


def test_accuracies_of_classes_are_of_the_methods_with_a_classifier(results, full):
    known = class_scores(results, "accuracy")
    assert set(known.methods) == {"CME", "HUSE"}
    for place, label in enumerate(known.methods):
        right = [results.predictions(record)["fusion_prediction"] == full.labels for record in runs_of(results, label)]
        np.testing.assert_allclose(
            known.scores[:, place], [np.mean(np.array(right)[:, full.labels == number]) for number in range(5)]
        )


def test_largest_confusions_are_counted_by_hand(results, full):
    known = largest_confusions(results, most=3)
    means = {}
    for true, predicted in itertools.permutations(range(5), 2):
        of_methods = [
            np.mean(
                [
                    ((full.labels == true) & (results.predictions(record)["fusion_prediction"] == predicted)).sum()
                    for record in runs_of(results, label)
                ]
            )
            for label in known.methods
        ]
        means[true, predicted] = of_methods
    largest = sorted(means, key=lambda pair: -np.mean(means[pair]))
    assert [np.mean(means[tuple(pair)]) for pair in known.pairs.tolist()] == pytest.approx(
        [np.mean(means[pair]) for pair in largest[:3]]
    )
    for pair, shares, count in zip(known.pairs.tolist(), known.shares, known.counts, strict=True):
        assert count == (full.labels == pair[0]).sum()
        np.testing.assert_allclose(shares, np.array(means[tuple(pair)]) / count)
    total = sum(np.mean(values) for values in means.values())
    assert known.wrong == pytest.approx(total / len(full.labels))
    assert known.covered == pytest.approx(sum(np.mean(means[pair]) for pair in largest[:3]) / total)


def test_the_correlation_is_pearsons_of_the_ranks(results, full):
    store = Store(full.folder)
    graph = store.card().distances
    pairs = list(itertools.combinations(range(5), 2))
    for of in semantics(results):
        for seed, record in enumerate(runs_of(results, of.label)):
            centroids = store.classes(record).centroids.astype(float)
            for modality in (0, 1):
                learned = []
                for a, b in pairs:
                    x, y = centroids[modality, a], centroids[modality, b]
                    learned.append(1 - x @ y / np.sqrt((x @ x) * (y @ y)))
                expected = np.corrcoef(ranks([graph[pair] for pair in pairs]), ranks(learned))[0, 1]
                assert of.correlations[seed, modality] == pytest.approx(expected)
        assert of.kept == pytest.approx(0.97)


def test_a_centroid_without_length_has_no_distance():
    centroids = np.ones((2, 3, 2), np.float16)
    centroids[0, 1] = 0
    distances = learned_distances(centroids)
    np.testing.assert_array_equal(np.isnan(distances), [[True, False, True], [False] * 3])
    np.testing.assert_allclose(distances[1], 0, atol=1e-12)


def test_bins_hold_as_many_pairs_each():
    graph = np.random.default_rng(0).permutation(40).astype(float)
    middle, quartiles = binned(graph, 100 + graph, bins=4)
    np.testing.assert_allclose(middle, [4.5, 14.5, 24.5, 34.5])
    np.testing.assert_allclose(quartiles[0], np.percentile(np.arange(100, 110), [25, 50, 75]))
    assert len(binned(np.arange(6.0), np.arange(6.0))[0]) == 1


def test_the_principal_plane_is_that_of_the_covariance():
    centroids = np.random.default_rng(2).normal(size=(2, 9, 5)) * [3, 2, 1, 0.5, 0.1]
    places, shares = principal_plane(centroids)
    rows = centroids.reshape(18, 5)
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())
    expected = (rows - rows.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(places.reshape(18, 2)), np.abs(expected))
    # The further end of each axis is the positive one.
    assert (places.reshape(18, 2).max(axis=0) >= -places.reshape(18, 2).min(axis=0)).all()


def test_a_plane_of_one_axis_is_a_line():
    places, shares = principal_plane(np.array([[[1.0], [2.0]], [[3.0], [6.0]]]))
    np.testing.assert_allclose(places[..., 0], [[-2, -1], [0, 3]])
    np.testing.assert_array_equal(places[..., 1], 0)
    np.testing.assert_allclose(shares, [1, 0])
    assert not principal_plane(np.ones((2, 3, 2)))[1].any()


def test_a_map_is_of_the_first_seed(results):
    assert [one.seed for one in class_maps(results)] == [0, 0, 0]


def test_costs_are_the_trainings_seconds(results):
    for of in costs(results):
        records = runs_of(results, of.label)
        assert of.seconds == (12.5, 12.5)
        assert of.quality == pytest.approx(np.mean([[r.retrieval[d]["R@1"] for d in DIRECTIONS] for r in records]))


def test_searches_are_those_that_chose_the_hyper_parameters(results):
    found = {search.label: [(t.number, t.value) for t in search.trials] for search in searches(results)}
    assert found == {"CME": [(1, 0.5), (2, None), (3, 0.6), (4, 0.4)], "HUSE": [(1, 0.5), (2, 0.55), (3, 0.45)]}


def test_gains_of_tuning_come_with_the_largest_first(world):
    tuning = {"trials": 2, "failed": 0, "steps": 9, "batch_size": 4, "objective": ["i2t R@1"], "seed": 0}
    world.write("cme", tuning={**tuning, "study": "1" * 64, "value": 0.7, "default_value": 0.6})
    world.write("huse", tuning={**tuning, "study": "2" * 64, "value": 0.9, "default_value": None})
    world.write("triplet", tuning={**tuning, "study": "3" * 64, "value": 0.9, "default_value": None})
    world.write_journal({"huse-222222222222": [(1, 0.5), (2, 0.9)]})
    assert default_and_tuned(load_results(world.folder)) == [("HUSE", 0.5, 0.9), ("CME", 0.6, 0.7)]


def test_the_best_of_draws_has_the_quantiles_of_many_draws():
    values = [0.1, 0.5, 0.4, 0.9, 0.7]
    exact = best_of_draws(values, [0.05, 0.5, 0.95])
    rng = np.random.default_rng(0)
    for n in range(1, 6):
        best = rng.choice(values, size=(200_001, n)).max(axis=1)
        np.testing.assert_array_equal(exact[n - 1], np.quantile(best, [0.05, 0.5, 0.95], method="inverted_cdf"))


def test_a_walk_down_the_tree_orders_the_classes():
    assert tree_order(EDGES, ["elm", "cat", "moss", "dog"]).tolist() == [3, 1, 0, 2]


def test_the_branches_are_the_first_that_part_the_classes():
    names, numbers = top_branches([("root", "life"), *EDGES], ["elm", "cat", "dog"])
    assert names == ["animal", "plant"]
    assert numbers.tolist() == [1, 0, 0]


def test_small_branches_are_other():
    edges = [("root", f"b{n}") for n in range(5)] + [(f"b{n}", f"c{n}{m}") for n in range(5) for m in range(1 + n)]
    classes = [child for _, child in edges[5:]]
    names, numbers = top_branches(edges, classes, most=3)
    assert names == ["b3", "b4", "other"]
    assert numbers.tolist() == [2] * 6 + [0] * 4 + [1] * 5


def test_a_tree_deeper_than_pythons_calls_is_walked():
    chain = [(f"n{number}", f"n{number + 1}") for number in range(5000)]
    assert tree_order(chain, ["n5000", "n1"]).tolist() == [1, 0]
    assert hops(chain, "n0", "n5000") == 5000
    # A chain never parts its classes.
    assert top_branches(chain, ["n5000"])[1].tolist() == [0] or top_branches(chain, ["n5000"])[0] == ["n5000"]


def test_hops_count_edges_of_the_shortest_way():
    assert hops(EDGES, "dog", "cat") == 2
    assert hops(EDGES, "dog", "elm") == 5
    assert hops(EDGES, "dog", "dog") == 0
    assert hops(EDGES, "dog", "stone") is None


def test_spread_keeps_order_and_distance():
    rng = np.random.default_rng(0)
    for _ in range(200):
        places = rng.random(8) ** 3
        placed = spread(places, 0.07, 0, 1)
        order = np.argsort(places)
        assert (np.diff(placed[order]) >= 0.07 - 1e-9).all()
        assert placed.min() >= -1e-9
        assert placed.max() <= 1 + 1e-9
    np.testing.assert_allclose(spread([0.2, 0.5, 0.8], 0.1, 0, 1), [0.2, 0.5, 0.8])
    # Too many for the room share it evenly.
    np.testing.assert_allclose(spread([0.5] * 5, 0.4, 0, 1), np.linspace(0, 1, 5))
    assert spread([], 0.1, 0, 1).size == 0


def test_no_two_methods_of_a_large_table_look_alike(world):
    for number in range(40):
        world.write(f"m{number}", leave_out=("curves", "learning", "classes", "per_query"))
    styles = method_styles(load_results(world.folder))
    assert len({(style.color, style.marker) for style in styles.values()}) == 40


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb\u200f\x1b[0m\n", "a\ufffdb\ufffd\ufffd[0m\ufffd"),
        ("x" * 40, "x" * 31 + "…"),
    ],
)
def test_names_are_drawn_without_signs_that_steer(name, shown):
    assert plain(name) == shown
