import json
from pathlib import Path

import pytest

from huse_bench.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch, write_scored):
    monkeypatch.chdir(tmp_path)
    folder = Path("results") / "emoji"
    for seed in range(5):
        write_scored(folder, "cme", seed, 0.35)
        write_scored(folder, "huse", seed, 0.6)
        write_scored(folder, "triplet", seed, 0.35, classifier=False)
    return folder


@pytest.mark.usefixtures("folder")
def test_one_table_says_who_wins_where(capsys):
    assert main(["compare", "huse", "cme"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[0] == "HUSE less CME on Emoji: 90 test items, seeds 0, 1, 2, 3, 4."
    assert lines[1].startswith("Of 27 comparisons, HUSE is better in ")
    assert ", CME is better in 0; " in " ".join(line.strip() for line in lines)
    rows = [line for line in lines if line.startswith("Image to Text")]
    assert [row.split()[3] for row in rows] == ["R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10"]
    assert sum(line.startswith(("Image class", "Text class", "Fusion class")) for line in lines) == 3
    first, second, difference = rows[0].split()[4:7]
    assert float(difference.rstrip("*")) == pytest.approx(float(first) - float(second), abs=0.0011)
    assert difference.endswith("*")
    assert "* p below 0.05: paired permutation test, 9,999 sign flips of queries, Holm over 27 comparisons." in lines
    assert max(map(len, lines)) <= 120


@pytest.mark.usefixtures("folder")
def test_json_holds_the_same(capsys):
    assert main(["compare", "huse", "triplet", "--metric", "R@1", "--metric", "accuracy", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [method["name"] for method in document["methods"]] == ["huse", "triplet"]
    assert document["seeds"] == [0, 1, 2, 3, 4]
    assert (document["comparisons"], document["resamples"]) == (4, 10_000)
    assert document["notes"][0] == "No accuracies: TRIPLET has no classifier."
    assert document["protocol"]["recall"] == "class-hit-rate/v1"
    for difference in document["differences"]:
        assert difference["low"] < difference["difference"] < difference["high"]
        assert difference["winner"] == "first"


def test_the_folder_can_be_chosen(folder, capsys, tmp_path, monkeypatch):
    moved = folder.rename(tmp_path / "mine")
    monkeypatch.chdir("/")
    assert main(["compare", "huse", "cme", "--results", str(moved), "--metric", "R@1"]) == 0
    assert "HUSE less CME" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hus", "cme"], "no runs of 'hus'. Did you mean 'huse'?"),
        (["huse", "cme", "--metric", "R@3"], "unknown metric 'R@3'. Did you mean 'R@"),
        (["huse", "cme", "--dataset", "other"], "there is no results folder"),
        (["huse", "huse"], "are the same row"),
    ],
)
def test_mistakes_are_told_with_exit_code_2(arguments, message, capsys):
    assert main(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_one_seed_is_refused(tmp_path, capsys, write_scored):
    for name in ("cme", "huse"):
        write_scored(tmp_path, name, 0, 0.5)
    assert main(["compare", "huse", "cme", "--results", str(tmp_path)]) == 2
    assert "at least two seeds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"protocol__recall": "instance/v1"}, "protocol.recall differs: 'class-hit-rate/v1' in cme-s0"),
        ({"dataset__content_hash": "other"}, "dataset.content_hash differs"),
    ],
)
def test_other_data_or_protocols_are_refused_with_the_field(folder, capsys, write_scored, changes, field):
    write_scored(folder, "hie", 0, 0.5, **changes)
    assert main(["compare", "huse", "hie"]) == 2
    assert field in capsys.readouterr().err
