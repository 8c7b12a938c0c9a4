"""Ranks over bundles, against those of one folder, and entries that cannot be trusted."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from huse_bench.leaderboard.ranking import COLUMNS, column_name, rank
from huse_bench.results import Store, load_results
from huse_bench.results.intervals import uncertainty

RUNS = {"huse": (range(3), 0.9), "cme": (range(3), 0.5), "triplet": (range(3), 0.45)}


def by_name(ranked):
    return {entry.first.method.name: number for number, entry in enumerate(ranked.board.entries)}


def places(ranked, name, column="i2t R@1"):
    return ranked.places[column][by_name(ranked)[name]]


def reason(ranked, name):
    return ranked.board.entries[by_name(ranked)[name]].unranked


def test_runs_of_three_bundles_rank_as_those_of_one_folder(bundle, contents):
    for name, runs in RUNS.items():
        bundle(name, {name: runs}, authors=(name,))
    ranked = rank(contents().boards[0])
    whole = bundle("whole", RUNS, shelf="other")
    results = load_results(whole / "results" / "emoji")
    known = uncertainty(results)
    for row in results.rows:
        for column in COLUMNS:
            expected = known.cell(row.label, column.heading)
            found = places(ranked, row.records[0].method.name, column_name(column))
            assert found.value == pytest.approx(row.mean(column))
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
            # Random flips come in the order of the methods, so that p-values near the level may differ.
            assert np.abs(np.subtract(found.ranks, expected.ranks)).max() <= 1
    assert places(ranked, "huse").ranks == (1, 1)
    assert places(ranked, "huse").best
    assert places(ranked, "cme").ranks == places(ranked, "triplet").ranks == (2, 3)


def test_an_entry_of_two_seeds_takes_nothing_from_others(bundle, contents):
    bundle("many", RUNS)
    alone = rank(contents().boards[0])
    bundle("two", {"hie": (range(2), 0.5)})
    joined = rank(contents().boards[0])
    assert places(joined, "hie").ranks is not None
    assert places(alone, "huse").ranks == (1, 1)
    assert places(joined, "huse").ranks == (1, 1)
    bundle("one", {"devise": (range(1), 0.99)})
    with_one = rank(contents().boards[0])
    assert reason(with_one, "devise") == "one seed: two are needed to tell it from luck"
    assert places(with_one, "devise").ranks is None
    assert with_one.places["i2t R@1"][:4] == joined.places["i2t R@1"]


def test_the_same_method_in_two_bundles_is_two_entries(bundle, contents):
    bundle("a", {"huse": (range(2), 0.9)})
    bundle("b", {"huse": (range(2, 5), 0.4)}, authors=("Grace",))
    ranked = rank(contents().boards[0])
    found = {
        entry.authors: place.ranks for entry, place in zip(ranked.board.entries, ranked.places["i2t R@1"], strict=True)
    }
    assert found == {("Ada",): (1, 1), ("Grace",): (2, 2)}


def rewritten(folder, reseal, method, change):
    """Change the record and the files of one method's first run, with hashes that fit."""
    store = Store(folder / "results" / "emoji", dataset="emoji")
    record = next(record for record in store.read()[0] if record.method.name == method)
    per_query, predictions = store.per_query(record), store.predictions(record)
    record = change(record, per_query, predictions) or record
    store.write(record, per_query, predictions)
    reseal(folder)


def test_numbers_that_are_not_those_of_the_scores_have_no_rank(bundle, contents, reseal):
    folder = bundle("a", RUNS)

    def better(record, _scores, _predictions):
        retrieval = {direction: dict(scores) for direction, scores in record.retrieval.items()}
        retrieval["i2t"]["R@1"] = 1.0
        return record.model_copy(update={"retrieval": retrieval})

    rewritten(folder, reseal, "cme", better)
    ranked = rank(contents().boards[0])
    assert reason(ranked, "cme").startswith(
        "its numbers are not those of its per-query scores: seed 0, i2t R@1 is 1, its"
    )
    assert places(ranked, "cme").ranks is None
    assert places(ranked, "huse").ranks == (1, 1)


def test_other_test_items_than_the_others_have_no_rank(bundle, contents, reseal):
    bundle("a", RUNS, level="re-rendered")
    folder = bundle("b", {"hie": (range(2), 0.9)})
    store = Store(folder / "results" / "emoji", dataset="emoji")
    for record in store.read()[0]:
        per_query, predictions = store.per_query(record), store.predictions(record)
        store.write(record, per_query, {**predictions, "group": np.arange(90) // 45})
    reseal(folder)
    ranked = rank(contents().boards[0])
    assert reason(ranked, "hie") == "its test items are other ones, or grouped otherwise, than those of the others"
    assert not reason(ranked, "huse")


def test_scores_beyond_a_share_and_missing_ones_have_no_rank(bundle, contents, reseal):
    folder = bundle("a", RUNS)

    def beyond(_record, per_query, _predictions):
        # The mean stays what it was.
        hits = per_query["i2t"]["hp@2"].astype(np.int64)
        hits[:2] += [1000, -1000]
        per_query["i2t"]["hp@2"] = hits

    rewritten(folder, reseal, "cme", beyond)
    ranked = rank(contents().boards[0])
    assert reason(ranked, "cme") == "its scores are not those of single queries: seed 0, i2t HP@2"

    path = next((folder / "results" / "emoji" / "runs").glob("triplet-s0-*.json"))
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "per_query": None, "per_query_sha256": None}))
    reseal(folder)
    assert reason(rank(contents().boards[0]), "triplet") == "no per-query scores beside the records"


def test_a_file_that_is_no_table_has_no_rank(bundle, contents, reseal):
    import hashlib

    folder = bundle("a", RUNS)
    runs = folder / "results" / "emoji" / "runs"
    path = next(path for path in runs.glob("cme-s0-*.parquet") if ".items." not in path.name)
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 10), path)
    record = next(runs.glob("cme-s0-*.json"))
    fields = json.loads(record.read_text())
    record.write_text(json.dumps({**fields, "per_query_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    reseal(folder)
    ranked = rank(contents().boards[0])
    assert reason(ranked, "cme")
    assert places(ranked, "huse").ranks == (1, 1)
