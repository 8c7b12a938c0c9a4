"""Measured numbers beside printed ones: verdicts by hand, orders against scipy, and what is printed of both."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huse_bench.cli.tables import tables
from huse_bench.report import render
from huse_bench.report.agreement import agreement_document, agreement_text
from huse_bench.results import DIRECTIONS, Results, Store, load_results
from huse_bench.results.agreement import incomparable, kendall_tau, leads, orderings, verdicts
from huse_bench.results.published import Published, published_tables

KS = (1, 5, 10)
HP_KS = (2, 5, 10)
QUERIES = 400
SIZES = {"train": 700, "validation": 100, "test": QUERIES}
BACKBONES = {"image": "efficientnet-lite0", "text": "minilm", "classes": "minilm"}


def printed(values, *, metric="R@1", unit="share", **setup):
    """A paper on the records' data with one number of each method, image to image."""
    shared = {**BACKBONES, "train": 800, "test": QUERIES}
    rows = [
        {"method": name, "title": name.upper(), "group": "plain", "cells": {"i2i": {metric: value}}}
        for name, value in values.items()
    ]
    return Published.model_validate(
        {
            "schema_version": 1,
            "name": "mine",
            "title": "Mine",
            "source": "a drawer",
            "dataset": "emoji",
            "dataset_title": "Emoji",
            "setup": {**shared, **setup},
            "tables": {"table1": {"place": "Table 1", "unit": unit, "rows": rows}},
        }
    )


@pytest.fixture
def runs(tmp_path, make_record):
    """Stored runs whose queries hit with a given chance: the results, by method and seed."""

    def call(chances, seeds=3):
        rng = np.random.default_rng(0)
        store = Store(tmp_path / "runs", dataset="emoji")
        for method, chance in chances.items():
            for seed in range(seeds):
                first = np.where(rng.random(QUERIES) < chance, 1, 11)
                columns = {f"hits@{k}": (first <= k).astype(np.int64) for k in KS}
                columns |= {f"hp@{k}": (first <= k).astype(np.int64) for k in HP_KS}
                labels = np.arange(QUERIES) % 4
                predictions = {"label": labels} | {
                    f"{task}_prediction": np.where(first == 1, labels, 9) for task in ("image", "text", "fusion")
                }
                share = float((first == 1).mean())
                metrics = {f"R@{k}": share for k in KS} | {f"HP@{k}": share / k for k in HP_KS}
                record = make_record(
                    method,
                    seed,
                    accuracies=(share, share, share),
                    retrieval=dict.fromkeys(DIRECTIONS, metrics),
                    dataset__items=SIZES,
                )
                store.write(record, dict.fromkeys(DIRECTIONS, columns), predictions)
        return load_results(store.folder)

    return call


# Verdicts.


def test_verdicts_by_the_interval_and_the_rounding(runs):
    results = runs({"huse": 0.7, "cme": 0.3})
    (beside,) = verdicts(results, printed({"huse": 0.5}))
    assert (beside.table, beside.label, beside.task, beside.metric) == ("table1", "HUSE", "i2i", "R@1")
    assert beside.outcome == "differs"
    assert beside.ours == pytest.approx(0.7, abs=0.05)
    assert beside.low < beside.ours < beside.high

    def outcome(value, **changes):
        (verdict,) = verdicts(results, printed({"huse": value}, **changes))
        return verdict.outcome

    # Three decimals: within half a thousandth of the interval's end, and beyond it.
    inside, outside = np.floor(beside.low * 1000) / 1000, np.floor(beside.low * 1000) / 1000 - 0.002
    inside = round(float(inside) if beside.low - inside < 0.0005 else float(inside) + 0.001, 3)
    assert outcome(inside) == "agrees"
    assert outcome(round(float(outside), 3)) == "differs"
    assert outcome(round(beside.ours, 3)) == "agrees"
    assert outcome(round(100 * beside.ours, 1), unit="percent") == "agrees"


def test_one_decimal_says_less_than_three(runs):
    results = runs({"huse": 0.655})
    (coarse,) = verdicts(results, printed({"huse": 0.7}))
    (fine,) = verdicts(results, printed({"huse": 0.7, "other": 0.123}))
    assert 0.65 < coarse.high < 0.6995
    assert (coarse.outcome, fine.outcome) == ("agrees", "differs")


def test_what_forbids_a_comparison_is_named(runs):
    results = runs({"huse": 0.7})
    assert incomparable(results, printed({"huse": 0.7})) == []
    assert incomparable(results, printed({"huse": 0.7}, image="graph-rise", test=22_716)) == [
        "other image features: efficientnet-lite0@1 here, graph-rise there",
        "other test split: 400 items here, 22,716 there",
    ]
    # What a paper does not say is not taken for equal.
    assert incomparable(results, printed({"huse": 0.7}, text=None, train=None)) == [
        "other text features: minilm@1 here, unknown ones there",
        "other train split: 800 items here, an unknown number there",
    ]
    assert incomparable(results, published_tables()) == ["other data: Emoji here, UPMC Food-101 there"]
    (verdict,) = verdicts(results, printed({"huse": 0.7}, image="graph-rise"))
    assert verdict.outcome == "not comparable"
    assert verdict.reason == "other image features: efficientnet-lite0@1 here, graph-rise there"


def test_one_seed_and_no_scores_are_no_interval(runs, make_record):
    (verdict,) = verdicts(runs({"huse": 0.7}, seeds=1), printed({"huse": 0.7}))
    assert (verdict.outcome, verdict.reason) == ("not comparable", "one seed gives no interval")
    bare = Results([make_record("huse", seed, dataset__items=SIZES) for seed in (0, 1)])
    (verdict,) = verdicts(bare, printed({"huse": 0.7}))
    assert verdict.reason == "there are no per-query scores for an interval"


def test_a_number_that_cannot_be_is_compared_with_nothing(runs):
    document = printed({"huse": 0.7}).model_dump()
    document["tables"]["table1"]["rows"][0]["cells"]["i2i"]["R@5"] = 0.4
    found = {v.metric: v for v in verdicts(runs({"huse": 0.7}), Published.model_validate(document))}
    assert found["R@1"].outcome != "not comparable"
    assert found["R@5"].reason == "the printed number cannot be"


# Orders.


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 8).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 5), min_size=n, max_size=n)] * 2)))
def test_tau_is_scipys(pair):
    x, y = (np.array(values, float) for values in pair)
    expected = stats.kendalltau(x, y).statistic
    assert float(kendall_tau(x, y)) == pytest.approx(expected, nan_ok=True)


def test_tau_of_many_orders_at_once():
    rng = np.random.default_rng(0)
    x, y = rng.random((3, 4, 5)), rng.random(5)
    expected = [[stats.kendalltau(row, y).statistic for row in rows] for rows in x]
    assert kendall_tau(x, y) == pytest.approx(np.array(expected))


def test_orders_by_hand(runs):
    """Four methods far apart, printed with one neighbouring pair swapped: (5 - 1) / 6."""
    results = runs({"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8})
    (found,) = orderings(results, printed({"a": 0.1, "b": 0.3, "c": 0.2, "d": 0.9, "other": 0.5}))
    assert found.methods == ("a", "b", "c", "d")
    assert found.tau == pytest.approx(4 / 6)
    # No resample of 400 queries puts methods so far apart in another order.
    assert (found.low, found.high) == pytest.approx((4 / 6, 4 / 6))
    (found,) = orderings(results, printed({"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}))
    assert (found.tau, found.p_value) == (-1, 1)


@pytest.mark.parametrize("printed_order", ["abcde", "abdce", "edcba", "cabed"])
def test_the_chance_of_an_order_is_that_of_all_orders(runs, printed_order):
    results = runs({"a": 0.1, "b": 0.3, "c": 0.5, "d": 0.7, "e": 0.9})
    (found,) = orderings(results, printed({name: i / 10 for i, name in enumerate(printed_order)}))
    places = [printed_order.index(name) for name in "abcde"]
    assert found.p_value == pytest.approx(stats.kendalltau(range(5), places, alternative="greater").pvalue)


def test_methods_close_together_have_a_wide_interval(runs):
    results = runs({"a": 0.50, "b": 0.51, "c": 0.49, "d": 0.50})
    (found,) = orderings(results, printed({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}))
    assert found.low < 0 < found.high
    assert found == orderings(results, printed({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}))[0]


def test_what_is_left_out_of_an_order(runs, make_record):
    results = runs({"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8})
    paper = printed({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4})
    # A number that cannot be.
    document = paper.model_dump()
    document["flags"] = [{"table": "table1", "method": "d", "cells": [("i2i", "R@1")], "note": "misprinted"}]
    (found,) = orderings(results, Published.model_validate(document))
    assert found.methods == ("a", "b", "c")
    # A method of two configurations.
    records = [*results.records, make_record("b", configuration="other", dataset__items=SIZES)]
    (found,) = orderings(Results(records), paper)
    assert found.methods == ("a", "c", "d")
    assert (found.tau, found.low, found.high) == (1, None, None)
    # Two methods are not enough.
    (found,) = orderings(results, printed({"a": 0.1, "b": 0.2}))
    assert (found.methods, found.tau, found.low) == (("a", "b"), None, None)


# Leaders.


def test_leaders_are_those_that_may_be_the_best(runs):
    results = runs({"a": 0.2, "b": 0.7, "c": 0.7, "d": 0.8, "other": 0.9})
    (lead,) = leads(results, printed({"a": 0.1, "b": 0.9, "c": 0.3}))
    assert (lead.table, lead.task, lead.metric, lead.tested) == ("table1", "i2i", "R@1", True)
    # The printed leader ties with one here; what the paper has not does not count, and the last is far behind.
    assert lead.printed == ("B",)
    assert set(lead.measured) == {"B", "C"}
    means = {row.label: row.mean(_column()) for row in results.rows}
    assert means[lead.measured[0]] >= means[lead.measured[1]]
    (lead,) = leads(results, printed({"a": 0.9, "d": 0.9}))
    assert (lead.printed, lead.measured) == (("A", "D"), ("D",))
    assert leads(results, printed({"a": 0.9, "none": 0.5})) == []


def test_one_seed_leads_untested(runs):
    results = runs({"a": 0.2, "b": 0.7, "c": 0.7}, seeds=1)
    (lead,) = leads(results, printed({"a": 0.1, "b": 0.9, "c": 0.3}))
    assert not lead.tested
    assert len(lead.measured) == 1
    assert "differences were not tested, for that takes two seeds" in agreement_text(results, printed({"a": 1, "b": 0}))


def test_leaders_are_counted(runs):
    results = runs({"a": 0.2, "b": 0.7, "c": 0.71})
    text = " ".join(agreement_text(results, printed({"a": 0.1, "b": 0.3, "c": 0.2})).split())
    assert "Who leads the 1 column, of the methods that both have?" in text
    assert "B, the printed best of 1: alone in 0, one of several in 1, behind in 0." in text
    assert text.endswith("Image to Image R@1 B B, C")
    text = " ".join(agreement_text(results, printed({"a": 0.9, "c": 0.2})).split())
    assert "A, the printed best of 1: alone in 0, one of several in 0, behind in 1." in text


# What is printed.


def test_other_data_are_said_once_and_only_orders_compared(runs):
    results = runs({"triplet": 0.2, "cme": 0.3, "hie": 0.5, "huse": 0.7})
    text = agreement_text(results, published_tables())
    assert text.count("not comparable") == 1
    assert "not comparable: other data: Emoji here, UPMC Food-101 there." in text
    assert "differs" not in text
    # Triplet < CME < HIE* < HUSE in i2i R@1, as printed; in t2i CME is below Triplet there.
    line = next(line for line in text.splitlines() if line.startswith("R@1"))
    taus = [float(number) for number in re.findall(r"([+-]\d\.\d\d) \[", line)]
    assert taus[0] == pytest.approx(0.67, abs=0.01)  # CME 0.660 > HIE* 0.649
    assert taus[2] == pytest.approx(0.67, abs=0.01)
    # Of 24 orders of four methods, four are as much alike: the same, and those with one neighbouring pair swapped.
    assert line.count("] p .17") == 3
    assert re.search(r"which is below 0\.05 in \d+ of 27 columns\.", " ".join(text.split()))
    assert "95 % interval by a bootstrap of seeds and groups of test items." in text.replace("\n", " ")
    assert max(map(len, text.splitlines())) <= 120
    # CME's HP@2 cannot be, so three methods remain there.
    assert "Do the 3 to 4 methods that both have" in text


def test_comparable_numbers_are_shown_with_their_verdicts(runs):
    results = runs({"huse": 0.7, "cme": 0.3})
    text = agreement_text(results, printed({"huse": round(results.rows[-1].mean(_column()), 3), "cme": 0.9}))
    lines = [re.sub(r"\s+", " ", line) for line in text.splitlines()]
    assert any(
        re.fullmatch(r"HUSE Image to Image R@1 0\.\d{3} 0\.\d{3} to 0\.\d{3} 0\.\d{3} agrees", li) for li in lines
    )
    assert any(re.fullmatch(r"CME Image to Image R@1 0\.\d{3} 0\.\d{3} to 0\.\d{3} 0\.900 differs", li) for li in lines)
    assert "1 agrees, 1 differs, 0 not comparable." in lines
    assert "Fewer than three methods are in both, so their orders cannot be compared." in lines
    markdown = agreement_text(results, printed({"huse": 0.7}), markdown=True)
    assert "| HUSE" in markdown


def test_markdown_shows_titles_as_they_are(runs):
    results = runs({"hie": 0.7, "cme": 0.3, "huse": 0.5})
    starred = Results(
        [
            record.model_copy(update={"method": record.method.model_copy(update={"title": "HIE*"})})
            if record.method.name == "hie"
            else record
            for record in results.records
        ],
        folder=results.folder,
    )
    markdown = agreement_text(starred, printed({"hie": 0.7, "cme": 0.3, "huse": 0.5}), markdown=True)
    assert markdown.count("HIE*") == 0
    assert markdown.count(r"HIE\*") == 4


def _column():
    from huse_bench.results.layout import LAYOUT

    return LAYOUT["table1"][0]


def test_nothing_in_common(make_record):
    results = Results([make_record("mine")])
    assert agreement_text(results, published_tables()) == (
        "No method of arXiv:1911.05978 has numbers here, so there is nothing to compare with it."
    )


def test_tables_print_it_for_a_paper_of_ones_own(runs, tmp_path):
    results = runs({"huse": 0.7, "cme": 0.3, "hie": 0.5})
    path = tmp_path / "mine.json"
    path.write_text(printed({"huse": 0.72, "cme": 0.3, "hie": 0.5}).model_dump_json(), encoding="utf-8")
    arguments = ["--results", str(results.folder), "--table", "1", "--published"]
    out = CliRunner().invoke(tables, [*arguments, str(path)]).stdout
    assert "a drawer" in out
    assert "1911.05978" not in out
    assert "+1.00 [+1.00, +1.00]" in out
    plain = CliRunner().invoke(tables, arguments).stdout
    assert "1911.05978" in plain
    document = json.loads(CliRunner().invoke(tables, [*arguments, str(path), "--format", "json"]).stdout)
    assert document["published"] == json.loads(json.dumps(agreement_document(results, published_tables(path))))
    assert len(document["published"]["verdicts"]) == 3
    # Of a paper without Tables 2 and 3 the others are shown alone.
    assert "Table 3" in render(results, published=str(path))
