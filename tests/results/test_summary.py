"""The summary over several data sets: its numbers by hand, and what is left out and refused, with the reason."""

import numpy as np
import pytest
from scipy import stats

import huse_bench as hb
from huse_bench.errors import ResultsError
from huse_bench.measures import DIRECTIONS
from huse_bench.results import Results
from huse_bench.results.summary import folder_titles, summarise, summary

CLASSES = {"emoji": 80, "clipart": 50, "icons": 34}


def of_record(record, columns, chances):
    """The mean of some columns, from chance."""
    values = [record.retrieval[task][metric] for task, metric in columns]
    chance = np.mean(chances)
    return (np.mean(values) - chance) / (1 - chance)


def test_numbers_by_hand(several):
    frame = summary(several)
    assert list(frame.index) == ["CME", "TRIPLET", "HUSE"]
    assert list(frame.columns.unique(0)) == ["R@1 in-modal", "R@1 cross-modal", "HP@5", "Fusion accuracy"]
    for label, name in (("HUSE", "huse"), ("CME", "cme"), ("TRIPLET", "triplet")):
        records = [record for each in several for record in each.records if record.method.name == name]
        expected = {
            "R@1 in-modal": [of_record(r, [("i2i", "R@1"), ("t2t", "R@1")], [0.04]) for r in records],
            "R@1 cross-modal": [of_record(r, [("i2t", "R@1"), ("t2i", "R@1")], [0.02]) for r in records],
            "HP@5": [of_record(r, [(d, "HP@5") for d in DIRECTIONS], [0.3, 0.2, 0.2, 0.3]) for r in records],
        }
        if name != "triplet":
            levels = [1 / CLASSES[r.dataset.name] for r in records]
            accuracies = [r.classification.fusion for r in records]
            expected["Fusion accuracy"] = [(a - c) / (1 - c) for a, c in zip(accuracies, levels, strict=True)]
        for score, values in expected.items():
            of_row = frame.loc[label, score]
            assert of_row["mean"] == pytest.approx(stats.trim_mean(np.repeat(values, 4), 0.25))
            assert of_row["low"] < of_row["mean"] < of_row["high"]
    assert frame.loc["TRIPLET", "Fusion accuracy"].isna().all()
    ranks = frame.loc[:, (slice(None), ["rank low", "rank high"])]
    assert ranks.loc["HUSE"].dropna().unique().tolist() == [1]
    assert ranks.loc["CME", "Fusion accuracy"].tolist() == [2, 2]
    assert hb.summary(iter(several)).equals(frame)


def test_who_beats_whom(several):
    found = summarise(several)
    labels = [row.label for row in found.rows]
    huse, cme, triplet = (labels.index(label) for label in ("HUSE", "CME", "TRIPLET"))
    wins = {each.score.name: each.improvements() for each in found.scores}
    assert wins["HP@5"][huse, cme].value == 1
    assert wins["HP@5"][cme, huse].value == 0
    assert wins["HP@5"][cme, huse].high == pytest.approx(1 - wins["HP@5"][huse, cme].low)
    assert set(wins["Fusion accuracy"]) == {(huse, cme), (cme, huse)}
    # By counting: each run of the one against each of the other, on each data set.
    runs = dict(zip(labels, found.scores[1].runs, strict=True))
    counted = np.mean(
        [
            np.mean([np.sign(a - b) / 2 + 0.5 for a in ours for b in theirs])
            for ours, theirs in zip(runs["CME"], runs["TRIPLET"], strict=True)
        ]
    )
    assert wins["R@1 cross-modal"][cme, triplet].value == pytest.approx(counted)


def test_a_method_that_lacks_a_data_set_is_left_out_by_name(several, write_on, load_on):
    write_on("emoji", "devise", 0, 0.5)
    write_on("icons", "devise", 0, 0.5)
    for dataset in CLASSES:
        write_on(dataset, "vse", 0, 0.5)
    write_on("icons", "vse", 1, 0.5, configuration="other")
    found = summarise(load_on(*CLASSES))
    assert found.left_out == {
        "DEVISE": "no runs on Clipart",
        "VSE": "2 configurations on Icons, of which none is the one to average",
    }
    assert found.missing()[0] == "DEVISE (no runs on Clipart)"
    assert [row.label for row in found.rows] == [row.label for row in summarise(several).rows]


def test_a_method_of_which_no_run_finished_is_left_out(several, write_on, load_on, make_record):
    from huse_bench.results import Store

    for dataset, results in zip(CLASSES, several, strict=True):
        if dataset == "clipart":
            info = {f"dataset__{name}": value for name, value in results.records[0].dataset.model_dump().items()}
            protocol = {"protocol": results.records[0].protocol}
            Store(results.folder).write(make_record("hie", status="diverged", **info, **protocol))
        else:
            write_on(dataset, "hie", 0, 0.5)
    assert summarise(load_on(*CLASSES)).left_out == {"HIE": "no run finished on Clipart"}


@pytest.mark.usefixtures("several")
def test_tuned_and_not_tuned_are_two_methods(write_on, load_on):
    tuning = {"trials": 3, "failed": 0, "steps": 5, "batch_size": 4, "objective": ("i2t R@1",), "value": 0.5, "seed": 0}
    for dataset in ("emoji", "clipart"):
        for seed in range(2):
            write_on(dataset, "cme", seed, 0.7, configuration="tuned", tuning={**tuning, "study": "a" * 64})
    found = summarise(load_on("emoji", "clipart"))
    assert [row.label for row in found.rows] == ["CME (not tuned)", "CME (tuned)", "TRIPLET", "HUSE"]
    assert summarise(load_on(*CLASSES)).left_out == {"CME (tuned)": "no runs on Icons"}


def test_a_flat_taxonomy_is_left_out_of_hierarchical_precision_alone(several, write_on, load_on):
    for seed in range(2):
        for name in ("huse", "cme"):
            write_on("icons", name, seed, 0.5, folder="flat", protocol__cannot_miss={"2": 0.0, "5": 1.0, "10": 1.0})
    found = summarise([*several[:2], *load_on("flat")])
    left_out = {each.score.name: list(each.left_out) for each in found.scores}
    assert left_out == {"R@1 in-modal": [], "R@1 cross-modal": [], "HP@5": ["Icons"], "Fusion accuracy": []}
    assert [len(runs) for runs in found.scores[2].runs] == [2, 2]
    both = summary(several[:2])
    assert found.frame().loc["HUSE", ("HP@5", "mean")] == pytest.approx(both.loc["HUSE", ("HP@5", "mean")])
    # Where no data set tells anything apart there is no number.
    flat = load_on("flat")[0].records
    other = [r.model_copy(update={"dataset": r.dataset.model_copy(update={"content_hash": "x"})}) for r in flat]
    assert summary([Results(flat), Results(other)])["HP@5"].isna().all(axis=None)


def test_data_sets_that_do_not_say_what_chance_gets(several, write_on, load_on):
    for seed in range(2):
        for name in ("huse", "cme"):
            write_on("icons", name, seed, 0.5, folder="silent", protocol__chance=None)
    found = summarise([*several[:2], *load_on("silent")])
    assert found.scores[0].left_out == {"Icons": "its records do not say what chance gets"}
    # An accuracy's chance is known by the number of classes.
    assert not found.scores[3].left_out
    silent = load_on("silent")[0].records
    other = [r.model_copy(update={"dataset": r.dataset.model_copy(update={"content_hash": "x"})}) for r in silent]
    raw = summarise([Results(silent), Results(other)])
    assert [each.corrected for each in raw.scores] == [False, False, False, True]
    mean = raw.frame().loc["HUSE", ("R@1 cross-modal", "mean")]
    values = [np.mean([r.retrieval[d]["R@1"] for d in ("i2t", "t2i")]) for r in silent if r.method.name == "huse"]
    assert mean == pytest.approx(np.mean(values))


def test_one_seed_has_a_mean_and_no_interval_and_tests_nothing(write_on, load_on):
    for dataset in ("emoji", "icons"):
        for seed in range(2):
            write_on(dataset, "huse", seed, 0.9)
        write_on(dataset, "cme", 0, 0.4)
    frame = summary(load_on("emoji", "icons"))
    assert frame.loc["CME", "HP@5"].notna().to_dict() == {
        "mean": True, "low": False, "high": False, "rank low": False, "rank high": False
    }  # fmt: skip
    assert frame.loc["HUSE", "HP@5"].notna().to_dict() == {
        "mean": True, "low": True, "high": True, "rank low": False, "rank high": False
    }  # fmt: skip


def test_records_without_their_folder_have_means_alone(several):
    frame = summary([Results(each.records) for each in several])
    assert frame["HP@5"]["low"].isna().all()
    np.testing.assert_allclose(frame["HP@5"]["mean"], summary(several)["HP@5"]["mean"])


def test_refusals(several, write_on, load_on):
    with pytest.raises(ResultsError, match="over several data sets, and here is Emoji alone"):
        summary(several[:1])
    with pytest.raises(ResultsError, match="here is none alone"):
        summary([])
    write_on("emoji", "huse", 7, 0.5, folder="again")
    with pytest.raises(ResultsError, match="Emoji and Emoji: again are of the same data, which would count twice"):
        summary([*several, *load_on("again")])
    write_on("icons", "huse", 0, 0.5, folder="v1", protocol__recall="class-hit-rate/v0")
    with pytest.raises(
        ResultsError, match="Emoji and Icons cannot be averaged: recall is counted by class-hit-rate/v1 in"
    ):
        summary([several[0], *load_on("v1")])
    write_on("icons", "vse", 0, 0.5, folder="other")
    with pytest.raises(ResultsError, match=r"no method ran on all of Emoji, Icons.*\n  CME, TRIPLET, HUSE \(no runs"):
        summary([several[0], *load_on("other")])


def test_titles_tell_folders_apart(several, write_on, load_on):
    write_on("emoji", "huse", 0, 0.5, folder="x/tuned")
    write_on("emoji", "huse", 0, 0.5, folder="y/tuned")
    found = folder_titles([*several, *load_on("x/tuned", "y/tuned")])
    assert found == ["Emoji", "Clipart", "Icons", "Emoji: tuned", "Emoji: tuned (2)"]
    assert folder_titles([*several[1:], *load_on("x/tuned")]) == ["Clipart", "Icons", "Emoji"]
