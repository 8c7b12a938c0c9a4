"""Bundles of several people as one: what is joined, and what cannot be."""

import json

import pytest

from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.bundles.merging import merge
from huse_bench.bundles.publishing import publish
from huse_bench.errors import BundleError, UsageError


@pytest.fixture
def give(tmp_path, write_run):
    """Publishes runs of somebody: (name, seed) pairs, with changes of their records."""

    def given(author, runs, results="emoji", **changes):
        folder = tmp_path / author / results
        for name, seed in runs:
            write_run(folder, name, seed, **changes)
        publish([folder], tmp_path / f"{author}.zip", title=f"Runs of {author}", authors=[author])
        return read_bundle(tmp_path / f"{author}.zip")

    return given


def test_runs_of_two_people_are_one_table(give, tmp_path):
    first, second = give("Ann", [("huse", 0), ("huse", 1)]), give("Bob", [("huse", 1), ("cme", 0)])
    merge([first, second], tmp_path / "out", "Both")
    joined = read_bundle(tmp_path / "out")
    runs = {(record.method.name, record.seed) for record in joined.results("emoji").records}
    assert runs == {("huse", 0), ("huse", 1), ("cme", 0)}
    assert joined.facts.authors == ("Ann", "Bob")
    ann, bob = joined.facts.sources
    assert (ann.title, ann.authors, ann.bundle, bob.bundle) == ("Runs of Ann", ("Ann",), first.hash, second.hash)
    # Whom it came from first gave it.
    assert [stem[:7] for stem in ann.runs["emoji"]] == ["huse-s0", "huse-s1"]
    assert [stem[:6] for stem in bob.runs["emoji"]] == ["cme-s0"]
    assert all(check.passed for check in check_bundle(joined))
    assert joined.level == "self-reported"
    assert f"Joined of Runs of Ann ({first.short_hash}), by Ann." in (tmp_path / "out" / "README.md").read_text()


def test_who_gave_what_outlives_a_second_join(give, tmp_path):
    merge([give("Ann", [("huse", 0)]), give("Bob", [("cme", 0)])], tmp_path / "two")
    merge([read_bundle(tmp_path / "two"), give("Cid", [("devise", 0)])], tmp_path / "three")
    assert [source.authors for source in read_bundle(tmp_path / "three").facts.sources] == [
        ("Ann",),
        ("Bob",),
        ("Cid",),
    ]


def test_folders_of_other_names_stay_beside_each_other(give, tmp_path):
    merge([give("Ann", [("huse", 0)]), give("Bob", [("huse", 0)], "other")], tmp_path / "out")
    assert read_bundle(tmp_path / "out").facts.results == ("emoji", "other")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("dataset.content_hash", {"dataset__content_hash": "0" * 64}),
        ("dataset.taxonomy_hash", {"dataset__taxonomy_hash": "0" * 64}),
        ("dataset.name", {"dataset": "food"}),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_field(give, tmp_path, field, change):
    first, second = give("Ann", [("huse", 0)]), give("Bob", [("cme", 0)], **change)
    with pytest.raises(BundleError, match=rf"Ann.zip and .*Bob.zip cannot be joined: .*{field} differs: "):
        merge([first, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_run_told_in_two_ways(give, tmp_path):
    first, second = give("Ann", [("huse", 0)]), give("Bob", [("huse", 0)], quality=0.9)
    with pytest.raises(BundleError, match=r"both have the run huse-s0-\w+, and retrieval differs"):
        merge([first, second], tmp_path / "out")


def test_a_docstring_that_was_said_better_is_no_other_run(give, tmp_path):
    first, second = give("Ann", [("huse", 0)]), give("Bob", [("huse", 0)], method__summary="Better said.")
    merge([first, second], tmp_path / "out")
    assert len(read_bundle(tmp_path / "out").results("emoji").records) == 1


def test_notes_of_tuning_are_joined(give, tmp_path):
    first, second = give("Ann", [("huse", 0)]), give("Bob", [("cme", 0)])
    tuning = {"trials": 3, "failed": 0, "steps": 9, "batch_size": 8, "objective": ["x"], "value": 0.5, "seed": 0}
    notes = {}
    for bundle, author in ((first, "Ann"), (second, "Bob")):
        configuration = bundle.results("emoji").records[0].configuration
        notes[configuration] = {**tuning, "study": "0" * 64}
        folder = tmp_path / author / "emoji"
        (folder / "tuning.json").write_text(
            json.dumps({"format": 1, "configurations": {configuration: notes[configuration]}})
        )
        publish([folder], tmp_path / f"{author}-noted")
    merge([read_bundle(tmp_path / "Ann-noted"), read_bundle(tmp_path / "Bob-noted")], tmp_path / "out")
    joined = json.loads((tmp_path / "out" / "results" / "emoji" / "tuning.json").read_text())
    assert joined["configurations"] == notes


def test_one_bundle_is_nothing_to_join(give, tmp_path):
    with pytest.raises(UsageError, match="name two bundles at least"):
        merge([give("Ann", [("huse", 0)])], tmp_path / "out")
