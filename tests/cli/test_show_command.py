from pathlib import Path

import pytest

from huse_bench.cli import main
from huse_bench.results import RunRecord, Store


@pytest.fixture
def runs(tmp_path, monkeypatch, write_scored):
    """Records by their stems."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results") / "emoji"
    written = [write_scored(folder, "huse", seed, 0.6, method__title="HUSE") for seed in (1, 10)]
    written.append(
        write_scored(folder, "huse-p", 1, 0.6, provenance={"python": "3.11", "command": "run\x1b[2J \u202ex"})
    )
    return {record.stem: record for record in written}


def test_a_run_is_found_by_its_name_its_method_its_seed_and_its_file(runs, capsys):
    huse, other, lone = runs
    shown = {}
    for name in (huse, f"{huse}.json", "huse-s1", huse[:14], f"results/emoji/runs/{huse}.json", lone, "huse-p", other):
        assert main(["show", name]) == 0
        shown[name] = capsys.readouterr().out
        assert shown[name].splitlines()[0].endswith(", on Emoji: finished")
    assert len({shown[name].replace("files in results/emoji/runs", "") for name in list(shown)[:5]}) == 1
    assert shown[huse].startswith("HUSE (huse), seed 1, on Emoji")
    assert shown["huse-p"] == shown[lone] != shown[other]
    assert shown[other].startswith("HUSE (huse), seed 10")


def test_the_facts_are_those_of_the_record(runs, capsys):
    record = next(iter(runs.values()))
    assert main(["show", record.stem]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("  Text to Image"))
    metrics = ("R@1", "R@5", "R@10", "HP@2", "HP@5", "HP@10")
    assert row.split()[3:] == [f"{record.retrieval['t2i'][metric]:.4f}" for metric in metrics]
    assert f"fusion {100 * record.classification.fusion:.2f} %" in out
    for words in (
        "parameters      margin = 0.7",
        "steps           200 of 1,024 pairs by adamw",
        "took            12.5 s, 16.0 steps/s",
        "training.steps                  200 (preset quick)",
        "mean_set_size   2 3.2, 5 8.25",
        f"{record.stem}.parquet",
    ):
        assert words in out
    assert max(map(len, out.splitlines())) <= 120
    Path(f"results/emoji/runs/{record.stem}.items.parquet").unlink()
    assert main(["show", f"results/emoji/runs/{record.stem}.json"]) == 2
    assert f"{record.stem}.items.parquet beside it is missing" in capsys.readouterr().err


@pytest.mark.usefixtures("runs")
def test_nothing_in_a_record_steers_the_terminal(capsys):
    assert main(["show", "huse-p"]) == 0
    out = capsys.readouterr().out
    assert "command         run [2J \\u202ex" in out
    assert "\x1b" not in out


def test_json_is_the_record(runs, capsys):
    record = next(iter(runs.values()))
    assert main(["show", record.stem, "--json"]) == 0
    assert RunRecord.model_validate_json(capsys.readouterr().out) == record


def test_a_run_that_failed_says_why(tmp_path, capsys, make_record):
    record = make_record(status="failed", error="Traceback\n  oh \x1b[31mno")
    Store(tmp_path / "r", dataset="emoji").write(record)
    assert main(["show", "huse", "--results", str(tmp_path / "r")]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "HUSE (huse), seed 0, on Emoji: failed",
        "  Traceback",
        "    oh  [31mno",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["huse"], "2 runs in results/emoji are called 'huse'; name one of them:\n  huse-s1-"),
        (["huze"], "there is no run 'huze' in results/emoji, and no such file. Did you mean 'huse'?"),
        (["xyzzy"], "There are runs of huse, huse-p."),
        (["bad-s0-1"], "bad-s0-1.json: no readable JSON"),
        (["results/emoji/runs/bad-s0-1.json"], "bad-s0-1.json: no readable JSON"),
        (["huse", "--results", "nowhere"], "there is no results folder nowhere"),
    ],
)
def test_what_cannot_be_shown_is_said(runs, capsys, arguments, message):
    Path("results/emoji/runs/bad-s0-1.json").write_text("{")
    assert main(["show", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.replace("\\", "/")
    assert "Traceback" not in err
    assert runs
