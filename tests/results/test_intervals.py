"""What the tables say about how sure their numbers are."""

import numpy as np
import pytest

from huse_bench.errors import RecordError
from huse_bench.results import DIRECTIONS, Results, load_results
from huse_bench.results.intervals import uncertainty
from huse_bench.results.layout import LAYOUT
from huse_bench.results.samples import Samples
from huse_bench.results.simultaneous import holm_of_pairs
from huse_bench.results.statistics import mean_interval
from huse_bench.results.variance import seed_spread

COLUMNS = [column for layout in LAYOUT.values() for column in layout]
I2T_R1 = ("Image to Text", "R@1")


@pytest.fixture
def results(tmp_path, write_run):
    """Two methods that are alike, and one that is much worse and has no classifier; four seeds."""
    for seed in range(4):
        write_run("cme", seed, 0.6)
        write_run("huse", seed, 0.6)
        write_run("triplet", seed, 0.1, classifier=False)
    return load_results(tmp_path)


# The store.


def test_every_number_of_the_tables_is_in_the_store(results):
    """Recomputed here by hand from the parquet files, and by the module that the statistics read."""
    samples = Samples(results)
    tables = results.tables()
    for row in results.rows:
        scores = [results.per_query(record) for record in row.finished]
        items = [results.predictions(record) for record in row.finished]
        for name, layout in LAYOUT.items():
            for column in layout:
                kind, _, k = column.metric.partition("@")
                number = tables[name].loc[row.label, column.heading]
                if kind == "R":
                    by_hand = np.mean([seed[column.task][f"hits@{k}"] > 0 for seed in scores])
                elif kind == "HP":
                    by_hand = np.mean([seed[column.task][f"hp@{k}"].sum() / (int(k) * 90) for seed in scores])
                elif row.label == "TRIPLET":
                    assert np.isnan(number)
                    continue
                else:
                    by_hand = np.mean([seed[f"{column.task}_prediction"] == seed["label"] for seed in items])
                assert number == pytest.approx(by_hand, abs=1e-12)
                values = samples.values(row.finished, column.task, column.metric)
                assert values.shape == (4, 90)
                assert number == pytest.approx(values.mean(), abs=1e-12)


def test_first_hits_give_the_same_recall(results):
    samples = Samples(results)
    for record in results.records:
        for direction in DIRECTIONS:
            first = results.per_query(record)[direction]["first_hit"]
            for k in (1, 5, 10):
                values = samples.values([record], direction, f"R@{k}")[0]
                np.testing.assert_array_equal(values, (first > 0) & (first <= k))


def test_what_the_store_can_score(results):
    samples = Samples(results)
    names = [f"R@{k}" for k in (1, 2, 5, 10)] + [f"P@{k}" for k in (1, 2, 5, 10)] + [f"HP@{k}" for k in (2, 5, 10)]
    assert samples.metrics(results.records[0]) == names
    hits = results.per_query(results.records[0])["t2i"]["hits@5"]
    np.testing.assert_allclose(samples.values(results.records[:1], "t2i", "P@5")[0], hits / 5)


def test_a_store_that_lacks_scores_says_which(tmp_path, write_run, make_record, results):
    record = results.records[0]
    with pytest.raises(RecordError, match=r"cme-s0-\w+ lack 'hits@3', which R@3 of i2t is taken from; run it again"):
        Samples(results).values([record], "i2t", "R@3")
    short = make_record("short", dataset__items={"train": 1, "validation": 1, "test": 91})
    write_run("short", 0, 0.5)
    other = Results([short.model_copy(update={"per_query": f"{short.stem}.parquet"})], folder=tmp_path)
    with pytest.raises(RecordError, match=r"short-s0-\w+ are those of 90 queries, its dataset has 91 test items"):
        Samples(other).values(other.records, "i2t", "R@1")


# Intervals and ties.


def test_intervals_are_those_of_the_stored_scores(results):
    known = uncertainty(results)
    samples = Samples(results)
    for row in results.rows:
        for column in COLUMNS:
            cell = known.cell(row.label, column.heading)
            if np.isnan(row.mean(column)):
                assert cell.low is None
                continue
            # Every method that has the number tells of how seeds vary.
            together = [other for other in results.rows if not np.isnan(other.mean(column))]
            values = [samples.values(other.finished, column.task, column.metric) for other in together]
            place = together.index(row)
            ends = mean_interval(values[place], seed_spread(values).of(place))
            assert (cell.low, cell.high) == pytest.approx(ends)
            assert 0 <= cell.low < row.mean(column) < cell.high <= 1
            assert 0 < cell.high - cell.low < 0.4


def test_methods_that_are_alike_tie_and_worse_ones_do_not(results):
    known = uncertainty(results)
    for column in COLUMNS:
        cells = [known.cell(label, column.heading) for label in ("CME", "HUSE", "TRIPLET")]
        assert [cell.tied for cell in cells[:2]] == [True, True]
        assert [cell.ranks for cell in cells[:2]] == [(1, 2), (1, 2)]
        expected = (None, None) if column.metric == "accuracy" else (False, (3, 3))
        assert (cells[2].tied, cells[2].ranks) == expected


# Where they cannot be had.


def test_rows_of_other_seeds_are_not_paired(tmp_path, write_run):
    for seed in range(2):
        write_run("cme", seed, 0.6)
        write_run("huse", seed + 1, 0.1)
    known = uncertainty(load_results(tmp_path))
    assert known.cell("HUSE", I2T_R1).low is not None
    assert not known.tested


def test_controls_have_intervals_but_take_no_part_in_the_tests(tmp_path, write_run):
    for seed in range(2):
        write_run("cme", seed, 0.3)
        write_run("huse", seed, 0.3)
        write_run("control:ceiling", seed, 0.99, method__section="Controls")
    known = uncertainty(load_results(tmp_path))
    ceiling = known.cell("CONTROL:CEILING", I2T_R1)
    assert ceiling.low is not None
    assert (ceiling.tied, ceiling.ranks) == (None, None)
    assert known.cell("CME", I2T_R1).ranks == (1, 2)


def test_the_pairs_of_a_column_are_corrected_together():
    p_values = np.array([[1, 0.02, 0.001], [0.02, 1, 0.03], [0.001, 0.03, 1]])
    np.testing.assert_allclose(holm_of_pairs(p_values), [[1, 0.04, 0.003], [0.04, 1, 0.04], [0.003, 0.04, 1]])
