"""What of bundles counts, what has expired and why, and what cannot be used."""

import json
import shutil

import pytest

from huse_bench.errors import ResultsError
from huse_bench.evaluation.protocol import HP_PROTOCOL, RECALL_PROTOCOL, UNSEEN_HP_PROTOCOL
from huse_bench.leaderboard.entries import find_bundles
from huse_bench.leaderboard.ranking import rank
from huse_bench.leaderboard.standing import standing

RUNS = {"huse": ((0, 1), 0.7)}


def only(board):
    assert len(board) == 1
    return board[0]


def test_data_sets_with_other_backbones_are_other_boards(bundle, contents):
    bundle("a", RUNS)
    bundle("b", RUNS, dataset__title="Toys")
    bundle("c", RUNS, dataset__image_backbone="another@1")
    found = contents()
    assert [board.dataset.title for board in found.boards] == ["Emoji", "Emoji", "Toys"]
    assert [len(board.entries) for board in found.boards] == [1, 1, 1]
    assert found.left_out == ()


def test_a_regime_is_a_board_of_its_own_and_counts_for_no_data_set(bundle, contents):
    runs = {"huse": (range(2), 0.9), "cme": (range(2), 0.5)}
    folder = bundle("known", runs)
    unseen = {"dataset__title": "Emoji, held-out classes (fold 1 of 5)", "dataset__content_hash": "unseen"}
    counted = {**only_protocol(folder), "hp": UNSEEN_HP_PROTOCOL["v2"]}
    bundle("unseen", runs, dataset__regime={"held_out": 1}, protocol=counted, **unseen)
    bundle("wrong", {"hie": (range(2), 0.5)}, dataset__regime={"held_out": 1}, **unseen)
    known, other = contents().boards
    assert [(len(board.entries), len(board.expired)) for board in (known, other)] == [(2, 0), (2, 1)]
    assert f"hp is counted by {HP_PROTOCOL['v2']}, now by {UNSEEN_HP_PROTOCOL['v2']}" in other.expired[0].expired
    ranked = [rank(board) for board in (known, other)]
    assert not any(entry.unranked for board in ranked for entry in board.board.entries)
    assert standing(ranked).boards == (ranked[0],)


def test_an_old_protocol_is_expired_with_the_reason(two_data_sets, contents):
    board = contents().boards[0]
    assert two_data_sets.exists()
    assert sorted(entry.first.method.name for entry in board.entries) == ["cme", "hie", "huse", "triplet"]
    old = only(board.expired)
    assert old.first.method.name == "devise"
    assert old.expired == (
        f"an old protocol: recall is counted by {RECALL_PROTOCOL['v1']}, now by {RECALL_PROTOCOL['v2']}"
    )


def test_a_protocol_of_the_future_is_not_ranked_either(bundle, contents):
    protocol = {"recall": "class-hit-rate/v99", "hp": "h", "classification": "c"}
    bundle("new", RUNS, protocol=protocol, level="reproduced elsewhere")
    bundle("now", RUNS)
    board = only(contents().boards)
    assert only(board.entries).first.counting["recall"] == RECALL_PROTOCOL["v2"]
    assert only(board.expired).expired.startswith(
        "another protocol than this huse-bench's: recall is counted by class-h"
    )


@pytest.mark.parametrize(
    ("level", "newer", "current"),
    [(None, "b", "b"), (None, "a", "a"), ("re-rendered", "b", "a")],
    ids=["newer", "older", "checked goes before newer"],
)
def test_data_are_current_by_check_and_date(bundle, contents, level, newer, current):
    dates = {name: f"202{7 if name == newer else 6}-01-01T00:00:00Z" for name in "ab"}
    for name in "ab":
        of = level if name == "a" else None
        bundle(name, RUNS, level=of, dataset__content_hash=f"contents of {name}", created=dates[name])
    board = only(contents().boards)
    assert board.dataset.content_hash == f"contents of {current}"
    other = "b" if current == "a" else "a"
    reason = only(board.expired).expired
    assert reason.startswith(
        f"other data: the hash of the contents is contents of {other}, in the current ones (bundle "
    )
    assert reason.endswith(f") contents of {current}")


def test_other_fields_that_keep_runs_from_one_table_are_named(bundle, contents):
    bundle("a", RUNS, level="re-rendered")
    bundle("b", RUNS, dataset__taxonomy_hash="t")
    reason = only(only(contents().boards).expired).expired
    assert "the hash of the taxonomy is t, in the current ones" in reason


def test_the_same_runs_count_once_by_who_checked_them(bundle, contents, tmp_path):
    first = bundle("a", RUNS)
    shutil.copytree(first / "results", tmp_path / "bundles" / "b" / "results")
    from_elsewhere = tmp_path / "bundles" / "b"
    facts = json.loads((first / "bundle.json").read_text())
    (from_elsewhere / "bundle.json").write_text(json.dumps({**facts, "title": "The same"}))
    # The same files are the same bundle, whatever it is called.
    found = contents()
    assert (len(found.bundles), only(found.left_out).name) == (1, "b")
    assert only(found.left_out).reason == "it is the same as a"


def test_runs_that_are_in_a_larger_bundle_count_there(bundle, contents, reseal):
    whole = bundle("whole", RUNS)
    part = whole.parent / "part"
    shutil.copytree(whole, part)
    next((part / "results" / "emoji" / "runs").glob("huse-s1-*.items.parquet")).touch()
    for path in (part / "results" / "emoji" / "runs").glob("huse-s1-*"):
        path.unlink()
    reseal(part)
    board = only(contents().boards)
    assert len(only(board.entries).finished) == 2
    assert only(board.expired).expired == f"the same runs are in the bundle {only(board.entries).bundle}"


def test_what_cannot_be_read_is_left_out_and_said(bundle, contents, tmp_path):
    bundle("good", RUNS)
    changed = bundle("changed", RUNS)
    next((changed / "results" / "emoji" / "runs").glob("*.json")).write_text("{}")
    (tmp_path / "bundles" / "empty").mkdir()
    (tmp_path / "bundles" / "bad.zip").write_bytes(b"PK")
    (tmp_path / "bundles" / "README.md").write_text("no bundle")
    (tmp_path / "bundles" / "link").symlink_to(tmp_path)
    found = contents()
    assert [bundle.path.name for bundle in found.bundles] == ["good"]
    reasons = {one.name: one.reason for one in found.left_out}
    assert sorted(reasons) == ["bad.zip", "changed", "empty"]
    assert "was changed" in reasons["changed"]
    assert str(tmp_path) not in reasons["changed"]


def test_bundles_are_named_or_lie_in_a_folder(bundle, tmp_path):
    paths = [bundle(name, RUNS) for name in ("b", "a")]
    assert find_bundles([tmp_path / "bundles"]) == paths[::-1]
    assert find_bundles([paths[0], tmp_path / "bundles"]) == paths
    with pytest.raises(
        ResultsError, match=r"there is no bundle .*missing; name bundles of huse-bench publish, or folders"
    ):
        find_bundles([tmp_path / "missing"])


def test_controls_and_what_never_finished_are_no_entries(bundle, contents, make_record, reseal):
    from huse_bench.results import Store

    folder = bundle("a", RUNS | {"control:chance": ((0,), 0.1)})
    items = {"train": 600, "validation": 90, "test": 90}
    failed = make_record("cme", status="diverged", dataset__items=items, protocol=only_protocol(folder))
    Store(folder / "results" / "emoji", dataset="emoji").write(failed)
    reseal(folder)
    board = only(contents().boards)
    assert [entry.first.method.name for entry in board.entries] == ["huse"]


def only_protocol(folder):
    path = next((folder / "results" / "emoji" / "runs").glob("huse-s0-*.json"))
    return json.loads(path.read_text())["protocol"]
