"""Two methods against each other, with the numbers worked out beside it."""

import numpy as np
import pytest
import scipy.stats

from huse_bench.errors import RecordError, ResultsError
from huse_bench.report.comparison import comparison_text
from huse_bench.results import DIRECTIONS, Results, load_results
from huse_bench.results.comparison import compare
from huse_bench.results.simultaneous import holm
from huse_bench.results.statistics import paired_tests
from huse_bench.results.variance import SeedSpread, seed_spread

SEEDS = range(3)


@pytest.fixture
def results(tmp_path, write_run):
    for seed in SEEDS:
        write_run("cme", seed, 0.35)
        write_run("huse", seed, 0.6)
        write_run("triplet", seed, 0.35, classifier=False)
    return load_results(tmp_path)


def hits(results, name, direction, k):
    records = [record for record in results.records if record.method.name == name]
    return np.stack([results.per_query(record)[direction][f"hits@{k}"] for record in records]) > 0


def test_each_number_is_that_of_the_stored_scores(results):
    found = compare(results, "huse", "cme", ["R@1"]).differences
    assert [(d.task, d.metric) for d in found] == [(direction, "R@1") for direction in DIRECTIONS]
    p_values = []
    for difference in found:
        huse, cme = (hits(results, name, difference.task, 1).astype(float) for name in ("huse", "cme"))
        assert difference.first == pytest.approx(huse.mean())
        assert difference.second == pytest.approx(cme.mean())
        assert difference.difference == pytest.approx((huse - cme).mean())
        assert difference.won == pytest.approx((huse > cme).mean())
        assert difference.lost == pytest.approx((huse < cme).mean())
        statistic = scipy.stats.ttest_rel(huse.mean(0), cme.mean(0)).statistic
        assert difference.effect == pytest.approx(statistic / np.sqrt(90))
        assert difference.low < difference.difference < difference.high
        of_third = hits(results, "triplet", difference.task, 1).astype(float)
        spread = seed_spread([huse, cme, of_third])
        p_values.append(paired_tests(np.stack([huse, cme]), SeedSpread(*(part[:2] for part in spread)))[0, 1])
        assert difference.p_value == p_values[-1]
    np.testing.assert_allclose([d.adjusted for d in found], holm(np.array(p_values)))


def test_all_metrics_of_the_tables_are_compared(results):
    comparison = compare(results, "huse", "cme")
    metrics = [d.metric for d in comparison.differences]
    assert metrics == ["R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10"] * 4 + ["accuracy"] * 3
    assert [d.task for d in comparison.differences[-3:]] == ["image", "text", "fusion"]
    assert comparison.seeds == (0, 1, 2)
    assert all(d.adjusted >= d.p_value for d in comparison.differences)


def test_turning_it_round_changes_the_signs(results):
    one = compare(results, "huse", "cme", ["R@1", "HP@5"]).differences
    other = compare(results, "cme", "huse", ["R@1", "HP@5"]).differences
    for d, e in zip(one, other, strict=True):
        assert (d.difference, d.won, d.lost, d.adjusted) == (-e.difference, e.lost, e.won, e.adjusted)
        assert (d.low, d.high) == pytest.approx((-e.high, -e.low), abs=0.01)
    turned = {"first": "second", "none": "none"}
    assert "first" in {d.winner for d in one}
    assert [turned[d.winner] for d in one] == [d.winner for d in other]


def test_the_same_scores_are_no_ones_win(results, tmp_path):
    copies = [
        record.model_copy(update={"method": record.method.model_copy(update={"name": "twin", "title": "Twin"})})
        for record in results.records
        if record.method.name == "cme"
    ]
    both = Results([*results.records, *copies], folder=tmp_path)
    for difference in compare(both, "cme", "twin").differences:
        assert (difference.difference, difference.low, difference.high) == (0, 0, 0)
        assert (difference.effect, difference.adjusted, difference.winner) == (0, 1, "none")


def test_a_method_without_a_classifier_is_compared_where_it_can_be(results):
    comparison = compare(results, "huse", "triplet")
    assert len(comparison.differences) == 24
    assert comparison.skipped == "No accuracies: TRIPLET has no classifier."
    with pytest.raises(ResultsError, match=r"no score in common\. No accuracies: TRIPLET .* Compare another --metric"):
        compare(results, "huse", "triplet", ["accuracy"])


def test_methods_are_found_by_name_title_or_label(results, tmp_path, write_run):
    assert compare(results, "HUSE", "Cme", ["R@1"]).first.label == "HUSE"
    for seed in SEEDS:
        write_run("huse", seed, 0.5, configuration="other")
    more = load_results(tmp_path)
    labels = [row.label for row in more.rows if row.label.startswith("HUSE")]
    with pytest.raises(ResultsError, match=r"'huse' was run in 2 configurations; name one of them: 'HUSE \[\w+\]', "):
        compare(more, "huse", "cme")
    assert len(compare(more, *labels, ["R@1"]).differences) == 4


def test_unknown_methods_and_metrics_are_suggested(results):
    with pytest.raises(ResultsError, match=r"no runs of 'hose'\. Did you mean 'huse'\?"):
        compare(results, "hose", "cme")
    with pytest.raises(ResultsError, match=r"no runs of 'xxxx'\. There are cme, triplet, huse\."):
        compare(results, "huse", "xxxx")
    with pytest.raises(ResultsError, match=r"unknown metric 'R@11'\. Did you mean 'R@1'\?.* The metrics are R@1, R@2,"):
        compare(results, "huse", "cme", ["R@11"])
    assert len(compare(results, "huse", "cme", ["hp@5", "HP@5", "P@2"]).differences) == 8


def test_a_row_is_not_compared_with_itself(results):
    with pytest.raises(ResultsError, match="'huse' and 'HUSE' are the same row, HUSE; name two rows"):
        compare(results, "huse", "HUSE")


def test_two_shared_seeds_are_needed(tmp_path, write_run):
    for seed in (0, 1):
        write_run("cme", seed, 0.3)
        write_run("huse", seed + 1, 0.3)
    message = r"two seeds that both methods finished \(CME has seed 0, 1; HUSE has seed 1, 2\); .* run --seeds 5"
    with pytest.raises(ResultsError, match=message):
        compare(load_results(tmp_path), "cme", "huse")


def test_what_has_no_scores_is_refused(tmp_path, results, make_record):
    items = results.records[0].dataset.items
    diverged = make_record("hie", status="diverged", dataset__items=items)
    unscored = [make_record("old", seed, dataset__items=items) for seed in SEEDS]
    more = Results([*results.records, diverged, *unscored], folder=tmp_path)
    with pytest.raises(ResultsError, match=r"no run of HIE finished \(diverged\)"):
        compare(more, "huse", "hie")
    with pytest.raises(ResultsError, match="the runs of OLD have no scores of single queries"):
        compare(more, "huse", "old")
    with pytest.raises(ResultsError, match="the runs of HUSE have no scores of single queries"):
        compare(Results(results.records), "huse", "cme")


def test_groups_are_drawn_whole(tmp_path, write_run):
    """Thirty groups of three: as few witnesses say less, and the text says how many they are."""
    for seed in SEEDS:
        for name, chance in (("cme", 0.35), ("huse", 0.5)):
            write_run(name, seed, chance, groups=np.arange(90) % 30)
    comparison = compare(load_results(tmp_path), "huse", "cme", ["R@1"])
    assert comparison.groups == 30
    for difference in comparison.differences:
        of_group = [hits(load_results(tmp_path), name, difference.task, 1).mean(0) for name in ("huse", "cme")]
        sums = (of_group[0] - of_group[1]).reshape(3, 30).sum(axis=0)
        assert difference.effect == pytest.approx(scipy.stats.ttest_1samp(sums, 0).statistic / np.sqrt(30))
    text = comparison_text(comparison)
    assert text.startswith("HUSE less CME on Emoji: 90 test items in 30 groups, seeds 0, 1, 2.")
    assert "9,999 sign flips of groups of queries," in text
    assert "over seeds and groups of queries," in text


def test_runs_that_group_their_items_differently_are_not_compared(tmp_path, write_run):
    for seed in SEEDS:
        write_run("cme", seed, 0.35, groups=np.arange(90) % 30)
        write_run("huse", seed, 0.6, groups=np.arange(90) // 3)
    message = r"the runs cme-s0-\w+ and huse-s0-\w+ group their test items differently, so they cannot be compared; run"
    with pytest.raises(RecordError, match=message):
        compare(load_results(tmp_path), "huse", "cme")


def test_one_group_is_too_few(tmp_path, write_run):
    for seed in SEEDS:
        write_run("cme", seed, 0.35, groups=np.zeros(90, dtype=int))
        write_run("huse", seed, 0.6, groups=np.zeros(90, dtype=int))
    results = load_results(tmp_path)
    with pytest.raises(ResultsError, match="all test items are of one group"):
        compare(results, "huse", "cme")


def test_names_that_differ_in_case_alone_are_both_found(tmp_path, write_run):
    for name, chance in (("live", 0.2), ("Live", 0.6)):
        for seed in (0, 1):
            write_run(name, seed, chance, method__title=name)
    results = load_results(tmp_path)
    assert [compare(results, *pair).first.label for pair in (("live", "Live"), ("Live", "live"))] == ["live", "Live"]
