import io
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from huse_bench import discovery
from huse_bench.cli import main
from huse_bench.cli.tables import tables
from huse_bench.errors import ResultsError
from huse_bench.results import Store
from huse_bench.results.published import published_tables


@pytest.fixture
def folder(tmp_path, monkeypatch, make_record):
    monkeypatch.chdir(tmp_path)
    store = Store(Path("results") / "emoji", dataset="emoji")
    for name in ("cme", "huse"):
        store.write(make_record(name))
    return store.folder


def invoke(*arguments):
    return CliRunner().invoke(tables, arguments)


def test_the_default_folder_is_that_of_the_dataset(folder):
    result = invoke()
    assert result.exit_code == 0
    assert [line[:8] for line in result.stdout.splitlines() if line.startswith("Table")] == [
        "Table 1:",
        "Table 2:",
        "Table 3:",
    ]
    assert "\033[" not in result.stdout
    assert result.stderr == ""
    assert invoke("--results", str(folder)).stdout == result.stdout


@pytest.mark.usefixtures("folder")
def test_tables_can_be_chosen():
    assert "Table 1:" not in invoke("--table", "3").stdout
    assert "Table 2:" not in invoke("--table", "3", "--table", "1").stdout
    result = invoke("--table", "4")
    assert result.exit_code == 2
    assert "'4' is not one of '1', '2', '3'" in result.stderr


@pytest.mark.usefixtures("folder")
def test_formats():
    assert json.loads(invoke("--format", "json").stdout)["dataset"]["name"] == "emoji"
    assert invoke("--format", "latex", "--published").stdout.count("1911.05978") == 3
    assert "is not one of 'text', 'markdown', 'latex', 'csv', 'json', 'every-eval-ever'" in " ".join(
        invoke("--format", "html").stderr.split()
    )


def test_records_that_cannot_be_read_are_told_apart_from_the_tables(folder):
    (folder / "runs" / "x-s0-1.json").write_text("{", encoding="utf-8")
    result = invoke()
    assert result.exit_code == 0
    assert "x-s0-1.json" not in result.stdout
    assert result.stderr.startswith("huse-bench: left out: results")
    assert "x-s0-1.json: no readable JSON" in result.stderr


def test_without_runs_the_message_says_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = r"no results folder results[/\\]mine\. Make one with: huse-bench run --results results"
    with pytest.raises(ResultsError, match=message):
        CliRunner().invoke(tables, ["--dataset", "mine"], catch_exceptions=False)
    Store("results/mine", dataset="mine")
    with pytest.raises(ResultsError, match=r"has no usable run records\. Make some with: .* --dataset mine"):
        CliRunner().invoke(tables, ["--dataset", "mine"], catch_exceptions=False)


@pytest.mark.usefixtures("folder")
def test_plugins_may_change_the_tables(tmp_path, monkeypatch):
    """The hook huse_bench_modify_table, implemented by an installed distribution."""
    metadata = tmp_path / "site" / "tabler-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tabler\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[huse_bench]\ntabler = tabler_hooks\n", encoding="utf-8")
    (metadata.parent / "tabler_hooks.py").write_text(
        "from huse_bench.discovery import hookimpl\n\n\n"
        "@hookimpl\n"
        "def huse_bench_modify_table(table, name):\n"
        "    if name == 'table2':\n"
        "        raise RuntimeError('no such table')\n"
        "    table.loc['CME'] = 0.25\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(metadata.parent)
    discovery.refresh()
    try:
        one, two = invoke("--table", "1"), invoke("--table", "2")
    finally:
        monkeypatch.undo()
        sys.modules.pop("tabler_hooks", None)
        discovery.refresh()
    assert one.stderr == ""
    assert "CME     0.250  0.250 " in one.stdout
    assert "CME     0.530  0.540  " in two.stdout
    assert two.stderr.startswith("huse-bench: warning: ")
    assert "tabler" in two.stderr
    assert "no such table" in two.stderr


@pytest.mark.usefixtures("folder")
def test_a_printed_number_that_cannot_be_needs_a_flag(tmp_path, capsys):
    document = published_tables().model_dump(mode="json")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert main(["tables", "--published", str(path)]) == 0
    assert "0.031†" in capsys.readouterr().out
    path.write_text(json.dumps({**document, "flags": []}), encoding="utf-8")
    assert main(["tables", "--published", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "hold a number that cannot be: Table 2, section 4.4, CME, i2i HP@2 0.031 < 0.3297" in err
    assert "Traceback" not in err
    # Who looks for such cells is shown them.
    assert main(["published", "check", str(path)]) == 1
    assert "7 of 189 cells cannot be" in capsys.readouterr().out


@pytest.fixture
def compared(tmp_path, monkeypatch, write_scored):
    """Three methods of two seeds, the second of them in two configurations."""
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        write_scored(Path("results") / "emoji", "huse", seed, 0.6)
        write_scored(Path("results") / "emoji", "cme", seed, 0.5)
        write_scored(Path("results") / "emoji", "cme", seed, 0.4, configuration="other")
        write_scored(Path("results") / "emoji", "hie", seed, 0.3)


@pytest.mark.usefixtures("compared")
def test_methods_can_be_chosen():
    """By name, or by label where a method was run twice; the marks are those of the rows that are shown."""
    everything = invoke("--table", "1").stdout
    labels = [line.split("  ")[0] for line in everything.splitlines() if line.startswith("CME [")]
    assert len(labels) == 2
    chosen = invoke("--table", "1", "--methods", "hie, CME").stdout
    assert [line.split("  ")[0] for line in chosen.splitlines() if line.startswith(("CME", "HIE", "HUSE"))] == [
        *labels,
        "HIE",
    ]
    alone = json.loads(invoke("--methods", f"{labels[0]},huse", "--format", "json").stdout)
    assert {number["title"] for number in alone["numbers"]} == {"CME", "HUSE"}
    assert max(number["rank_high"] or 0 for number in alone["numbers"]) == 2
    lost = json.loads(invoke("--methods", "hie,cme", "--format", "json").stdout)["numbers"]
    before = json.loads(invoke("--format", "json").stdout)["numbers"]
    marked = [
        {n["title"] for n in numbers if n["ties_with_best"] and n["metric"] == "R@1"} for numbers in (lost, before)
    ]
    assert "HUSE" in marked[1]
    assert marked[0]


@pytest.mark.usefixtures("compared")
def test_directions_can_be_chosen():
    result = invoke("--directions", "t2i,i2t")
    assert result.exit_code == 0
    assert "Image to Text" in result.stdout
    assert "Text to Text" not in result.stdout
    # The table of accuracies has none.
    assert invoke("--directions", "i2t", "--table", "3").stdout == invoke("--table", "3").stdout
    tasks = {
        number["task"] for number in json.loads(invoke("--directions", "i2t", "--format", "json").stdout)["numbers"]
    }
    assert tasks == {"i2t", "image", "text", "fusion"}
    printed = json.loads(invoke("--directions", "i2t", "--published", "--format", "json").stdout)["numbers"]
    assert {number["task"] for number in printed} == tasks
    assert "0.033†" in invoke("--directions", "i2t", "--published", "--table", "2").stdout


@pytest.mark.usefixtures("compared")
def test_digits_are_those_of_shares():
    value = next(
        number["value"]
        for number in json.loads(invoke("--format", "json").stdout)["numbers"]
        if (number["title"], number["task"], number["metric"]) == ("HUSE", "i2i", "R@1")
    )
    for digits in ("2", "4", "5"):
        shown = invoke("--digits", digits, "--table", "1").stdout
        assert f" {value:.{digits}f}" in shown
    assert invoke("--digits", "3").stdout == invoke().stdout
    percents = invoke("--digits", "2", "--table", "3").stdout.splitlines()
    assert all("." not in line for line in percents if line.startswith("HUSE"))
    assert f"{value:.4f}" in invoke("--digits", "4", "--format", "latex").stdout
    assert f"{value:.4f}" in invoke("--digits", "4", "--format", "markdown").stdout


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "huze"], "the results have no runs of 'huze'. Did you mean 'huse'?"),
        (["--methods", " , "], "names nothing; separate names by commas"),
        (["--directions", "i2x"], "unknown direction 'i2x'; did you mean 'i2"),
        (["--directions", "image"], "unknown direction 'image'. Known: i2i, i2t, t2i, t2t"),
        (["--digits", "1"], "1 is not in the range 2<=x<=5"),
        (["--digits", "4", "--format", "csv"], "--digits rounds text, markdown, latex; --format csv has every digit"),
        (["--footnote"], "--footnote is for --format latex"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments, message, capsys):
    assert main(["tables", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in " ".join(err.split())


@pytest.mark.usefixtures("compared")
def test_a_footnote_names_the_results():
    assert invoke("--format", "latex", "--footnote").stdout.count("Results: ") == 3


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize(
    ("environment", "stream", "colored"),
    [
        ({}, Terminal, True),
        ({"NO_COLOR": "1"}, Terminal, False),
        ({"NO_COLOR": ""}, Terminal, True),
        ({"TERM": "dumb"}, Terminal, False),
        ({}, io.StringIO, False),
    ],
)
def test_colors_are_for_terminals_that_want_them(monkeypatch, environment, stream, colored):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", stream())
    assert main(["tables"]) == 0
    assert ("\033[1m" in sys.stdout.getvalue()) is colored
